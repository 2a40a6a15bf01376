"""Purse: the part of a key's budget that is held for one job, and made larger when the job needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ....engine.ports import Caps, Clock, Shut, WaitUntil
from ....io.desk.allowance import Denied, extend
from ....io.desk.books import DeskBooks
from ....io.spend.calendar import Calendar
from ....io.spend.sums import sum_of
from ....io.state.port import Link
from ....model.attempt import Attempt
from ....model.result import Outcome
from .refusal import fault_of_denied

RECHECK_S = 0.5
"""How soon a job looks again whether its own calls in flight left something of the budget."""


class Purse:
    """Implements ``engine.ports.Caps`` and ``io.spend.ledger.Bookkeeper`` for a job of a key with a budget.

    Of what is held, ``_used_nusd`` is in flight and ``_spent_nusd`` spent. Both together are never more than is held.
    """

    def __init__(self, holder: str, job: str, held_nusd: int, *, books: DeskBooks, clock: Clock) -> None:
        self._holder = holder
        self._job = job
        self._held_nusd = held_nusd
        self._used_nusd = 0
        self._spent_nusd = 0
        self._books = books
        self._clock = clock
        self._turn = asyncio.Lock()

    def recall(self, attempts: Iterable[Attempt]) -> None:
        """What the job spent in an earlier life; calls without a receipt are told of when they have one."""
        self._spent_nusd += sum(sum_of(attempt, None).spent_nusd for attempt in attempts if attempt.settled_at)

    async def ask(self, endpoint: str, price_nusd: int, least_nusd: int) -> int | WaitUntil | Shut:
        """Set a call's price aside; a call that is alone may go with less."""
        del endpoint
        async with self._turn:
            if self._free_nusd < price_nusd:
                denied = await self._more(price_nusd - self._free_nusd)
                if denied is not None:
                    return self._without(denied, least_nusd)
            self._used_nusd += price_nusd
            return price_nusd

    def release(self, endpoint: str, price_nusd: int) -> None:
        """A call ended or never left."""
        del endpoint
        self._used_nusd -= min(price_nusd, self._used_nusd)

    def carry(self, attempts: Sequence[Attempt]) -> None:
        """A call of an earlier process is gone on with."""
        self._used_nusd += sum(attempt.estimate_nusd or 0 for attempt in attempts)

    def intended(self, attempt: Attempt) -> None:
        """What it may cost was set aside before."""

    def book(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """A receipt is on the books: what it says is spent."""
        del outcome
        self._spent_nusd += sum_of(attempt, None).spent_nusd

    @property
    def _free_nusd(self) -> int:
        return self._held_nusd - self._used_nusd - self._spent_nusd

    def _without(self, denied: Denied, least_nusd: int) -> int | WaitUntil | Shut:
        """No more is to be had: do with what is left, or wait for what the job's own calls leave."""
        if self._used_nusd:
            return WaitUntil(self._clock.monotonic() + RECHECK_S, "what is left of the key's budget is in flight")
        if self._free_nusd >= max(least_nusd, 1):
            self._used_nusd += (granted := self._free_nusd)
            return granted
        return Shut(fault_of_denied(denied))

    async def _more(self, nusd: int) -> Denied | None:
        answers: list[int | Denied] = []
        await self._books.write(self._extending(nusd, answers))
        answer = answers[-1]
        if isinstance(answer, Denied):
            return answer
        self._held_nusd = answer
        return None

    def _extending(self, nusd: int, answers: list[int | Denied]) -> Callable[[Link], None]:
        calendar: Calendar = self._books.calendar
        return lambda link: answers.append(extend(link, self._holder, self._job, nusd, calendar, self._clock.now()))


class _Both:
    """Two caps that must both have room; implements ``engine.ports.Caps``."""

    def __init__(self, first: Caps, second: Caps) -> None:
        self._first = first
        self._second = second

    async def ask(self, endpoint: str, price_nusd: int, least_nusd: int) -> int | WaitUntil | Shut:
        """The second is asked for what the first gave; what it does not give is given back."""
        granted = await self._first.ask(endpoint, price_nusd, least_nusd)
        if not isinstance(granted, int):
            return granted
        answer: int | WaitUntil | Shut = 0
        try:
            answer = await self._second.ask(endpoint, granted, min(least_nusd, granted))
        finally:
            self._first.release(endpoint, granted - (answer if isinstance(answer, int) else 0))
        return answer

    def release(self, endpoint: str, price_nusd: int) -> None:
        """For both."""
        self._first.release(endpoint, price_nusd)
        self._second.release(endpoint, price_nusd)

    def carry(self, attempts: Sequence[Attempt]) -> None:
        """For both."""
        self._first.carry(attempts)
        self._second.carry(attempts)


def under_both(first: Caps | None, second: Caps | None) -> Caps | None:
    """The caps that hold where both do."""
    return _Both(first, second) if first and second else first or second
