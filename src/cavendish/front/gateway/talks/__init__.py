"""Talks: what is kept of conversations whose formats cannot carry it."""
