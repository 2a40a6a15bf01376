"""Legacy: the money that a replica set aside under the shared caps is free again when it has died and others have its
jobs.

Whoever takes up its jobs sets aside for their calls what they may cost yet. What the dead had spent, the book of
spending knows, but for its last moments: those are read from the gateway's own books.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ....engine.ports import Clock
from ....io.desk.books import DeskBooks
from ....io.desk.lives import settled_lately
from ....io.spend.account import BEAT_S
from ....io.spend.sums import Key, Sum, key_of, sum_of
from ....model.attempt import Attempt
from ...spending import Spending

AFTER_S: Final = 3 * BEAT_S
"""By then the heir has told the book of what it set aside for the calls that it took over."""

MARGIN_S: Final = 2.0
"""Clocks of two machines may differ by so much: rather is a call counted twice than not at all."""


@dataclass(slots=True)
class _Estate:
    """``attempts`` are those of the jobs that this replica took up."""

    due_s: float
    attempts: list[Attempt] = field(default_factory=list[Attempt])


class Legacy:
    """What the dead left to this replica."""

    def __init__(self, books: DeskBooks, spending: Spending, clock: Clock) -> None:
        self._books = books
        self._spending = spending
        self._clock = clock
        self._left: dict[str, _Estate] = {}

    def of(self, owner: str, attempts: Sequence[Attempt]) -> None:
        """A job of this owner was taken up, with the calls that were made for it."""
        estate = self._left.setdefault(owner, _Estate(self._clock.monotonic() + AFTER_S))
        estate.attempts += attempts

    async def settle(self) -> None:
        """Put in order what is due. Raises ``StateError``."""
        for owner, estate in tuple(self._left.items()):
            if estate.due_s <= self._clock.monotonic():
                await self._settled(owner, estate)
                del self._left[owner]

    async def _settled(self, owner: str, estate: _Estate) -> None:
        book = self._spending.book
        silent_s = await book.silent_s(owner) if book is not None else None
        if book is None or silent_s is None:
            return
        since = self._clock.now() - silent_s - MARGIN_S
        own = [attempt for attempt in estate.attempts if attempt.settled_at is not None and attempt.settled_at >= since]
        sums: dict[Key, Sum] = {}
        for attempt in (*own, *await settled_lately(self._books, owner, since)):
            key = key_of(attempt, book.calendar)
            sums[key] = sums.get(key, Sum()).plus(sum_of(attempt, None))
        await book.bury(owner, sums)
