"""Ark: ByteDance's images/generations, single pictures and groups, plain and in events.

Must not know which models exist, who serves them or what they cost.
"""

from .dialect import ArkDialect

__all__ = ["ArkDialect"]
