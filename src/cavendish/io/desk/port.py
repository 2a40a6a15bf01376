"""Port: what the tables of a gateway's books need of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from ..state.port import Link

T = TypeVar("T")


class Books(Protocol):
    """Books that are open. Entries that come together are committed together."""

    async def write(self, entry: Callable[[Link], None]) -> None:
        """Carry an entry out; returns when it is on the disk. Raises what it raised."""
        ...

    async def read(self, work: Callable[[Link], T]) -> T:
        """Look something up, behind everything that is written by then."""
        ...
