"""BFL: the tasks of Black Forest Labs' API, which draws with Flux: submit, poll, fetch.

Must not know which models exist, who serves them or what they cost.
"""

from .dialect import BflDialect

__all__ = ["BflDialect"]
