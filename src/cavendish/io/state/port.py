"""Port: what a shared database can be asked, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ...errors import CavendishError

T = TypeVar("T")


class Link(Protocol):
    """A transaction at work, in the database's own thread. Not to be kept."""

    def run(self, sql: str, /, **values: object) -> list[tuple[Any, ...]]:
        """Execute one statement of SQL that both databases know; placeholders are ``:name``. Returns its rows."""
        ...

    def now_s(self) -> float:
        """The store's clock in seconds: one for all who share the store, and it never goes back.

        Jumps of a wall clock do not touch it; its zero means nothing.
        """
        ...

    def wall_s(self) -> float:
        """Seconds since the epoch, for days and months."""
        ...


class StateError(CavendishError):
    """The shared database cannot be used: not reachable, not writable, broken. The message names it, no password."""


class Database(Protocol):
    """An open database. May be used from one event loop; another loop opens its own."""

    @property
    def address(self) -> str:
        """Where it is, for people: without a password."""
        ...

    async def transact(
        self, work: Callable[[Link], T], *, lock: str = "", brief: bool = False, lasting: bool = True
    ) -> T:
        """Do ``work`` in one transaction that nobody else's can overlap.

        On SQLite it is alone in the file; on PostgreSQL alone among those that name the same ``lock``. ``work`` may be
        called again when the database was busy, so it must change nothing but the database. ``brief``: it is a matter
        of a few rows, found by an index, so that a file may be asked without a thread. Not ``lasting``: it outlives the
        process, and need outlive a power cut only together with the next that does. Raises ``StateError``.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection. Closing twice is no error."""
        ...


def statements(script: str) -> list[str]:
    """The statements of a script, divided at each semicolon."""
    return [statement.strip() for statement in script.split(";") if statement.strip()]
