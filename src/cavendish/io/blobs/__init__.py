"""Blob stores: where pictures are while they arrive, and the run folder that they end in.

Must not know providers, wire formats or the ledger.
"""
