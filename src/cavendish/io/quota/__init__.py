"""Quotas behind the engine's port: where the state of the governors is kept, and by whom it is shared.

Must not know slots, ledgers or wire formats.
"""
