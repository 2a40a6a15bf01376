"""The simulator: providers that cost nothing, over real HTTP or in memory on a virtual clock.

The same dialects as the client's, read backwards. Must not know the run folder, the ledger or the front ends.
"""
