"""The engine: decides what to do next (``step``) and does it (``run``).

Knows slots, attempts, retries, refills, budgets and durability. Must not know HTTP, files, SQL or any one wire format.
"""
