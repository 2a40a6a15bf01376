"""Bulk: slots bought as jobs that a provider works on in its own time, at its own price.

Must not know HTTP, files or any provider's words.
"""
