"""Batches: many requests that nobody waits for, the files that they come in, and how they are bought."""
