"""fal: its queue (submit, status, result, cancel) and its direct form, which answers the same call at once.

Must not know which models exist, who serves them or what they cost.
"""

from .dialect import FalDialect

__all__ = ["FalDialect"]
