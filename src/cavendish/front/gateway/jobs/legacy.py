"""Legacy: the money that a replica set aside under the shared caps is free again when it has died and others have its
jobs.

Whoever takes up its jobs sets aside for their calls what they may cost yet. What the dead had spent, the book of
spending knows, but for its last moments: those are read from the gateway's own books.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ....engine.ports import Clock
from ....io.desk.books import DeskBooks
from ....io.desk.lives import buys_together, calls_of_batch, settled_lately
from ....io.spend.account import BEAT_S
from ....io.spend.book import SpendBook
from ....io.spend.calendar import Calendar
from ....io.spend.sums import Key, Sum, key_of, sum_of
from ....model.attempt import Attempt
from ...spending import Spending

AFTER_S: Final = 3 * BEAT_S
"""By then the heir has told the book of what it set aside for the calls that it took over."""

BATCHES_AFTER_S: Final = 600.0
"""The same while lines of batches are bought together: all of them, maybe thousands, are read before any is told of."""

MARGIN_S: Final = 2.0
"""Clocks of two machines may differ by so much: rather is a call counted twice than not at all."""


@dataclass(slots=True)
class _Estate:
    """``attempts`` are those of the jobs that this replica took up, since ``begun_s``.

    ``ended``: their owner had ended in good order, as far as that was looked at.
    """

    begun_s: float
    ended: bool | None = None
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
        estate = self._left.setdefault(owner, _Estate(self._clock.monotonic()))
        estate.attempts += attempts

    async def of_batch(self, owner: str, batch_id: str) -> None:
        """A batch of this owner was taken over. Raises ``StateError``."""
        self.of(owner, await calls_of_batch(self._books, batch_id))

    async def settle(self) -> None:
        """Put in order what is due. Raises ``StateError``."""
        book = self._spending.book
        if book is None:
            self._left.clear()
            return
        for owner, estate in tuple(self._left.items()):
            if estate.ended is None:
                # At once: later another heir may have put it in order, which looks the same.
                estate.ended = await book.silent_s(owner) is None
            age_s = self._clock.monotonic() - estate.begun_s
            if age_s >= BATCHES_AFTER_S or (age_s >= AFTER_S and not await buys_together(self._books)):
                await self._settled(book, owner, estate)
                del self._left[owner]

    async def _settled(self, book: SpendBook, owner: str, estate: _Estate) -> None:
        if estate.ended:
            # It counted what it left in flight as unknown: that is counted here from now on.
            left = [attempt for attempt in estate.attempts if attempt.settled_at is None]
            await book.relieve(owner, _summed(left, book.calendar))
            return
        silent_s = await book.silent_s(owner)
        if silent_s is None:
            return
        since = self._clock.now() - silent_s - MARGIN_S
        own = [attempt for attempt in estate.attempts if attempt.settled_at is not None and attempt.settled_at >= since]
        late = await settled_lately(self._books, owner, since)
        await book.bury(owner, _summed((*own, *late), book.calendar))


def _summed(attempts: Iterable[Attempt], calendar: Calendar) -> dict[Key, Sum]:
    sums: dict[Key, Sum] = {}
    for attempt in attempts:
        key = key_of(attempt, calendar)
        sums[key] = sums.get(key, Sum()).plus(sum_of(attempt, None))
    return sums
