"""Account: one run's entry in the book while it is at work: what it sets aside, and what it spent. Implements ``Caps``.

Money is set aside in the book some calls ahead, and given out from there without a transaction for each. To the book,
what is spent and not written down yet still counts as set aside.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...engine.ports import Clock, Shut, WaitUntil
from ...model.attempt import Attempt
from ...model.fault import Charged, Fault, FaultKind
from ...model.result import Outcome
from ..state.port import StateError
from .book import Ask, Entry, RunEntry, SpendBook
from .calendar import BORDER_S, Period
from .caps import Refused, fault_of
from .sums import Key, ListPrice, Sum, key_of, no_list, sum_of

AHEAD = 16
"""Calls whose money is set aside in one transaction."""

RECHECK_S = 1.0
"""How soon to ask again when others hold what is left of a cap."""

BEAT_S = 5.0
"""How often the book hears of a run at work: it shows what was spent, and that what is held is not forgotten."""

PATIENCE_S = 600.0
"""How long a run with nothing in flight waits for what others hold: a job of a batch may hold it for a day."""

ROUNDING_S = 0.001


@dataclass(slots=True)
class Purse:
    """Money set aside at one endpoint for one day. ``held_nusd`` is what the book has.

    Of it, ``used_nusd`` is in flight, and ``owed_nusd`` is spent and not among the book's sums yet.
    """

    held_nusd: int = 0
    used_nusd: int = 0
    owed_nusd: int = 0

    @property
    def free_nusd(self) -> int:
        """What calls may still take."""
        return self.held_nusd - self.used_nusd - self.owed_nusd

    def kept(self, *, trim: bool) -> int:
        """What is to be held once the book has what is owed: all that it had, or what is in use."""
        return self.used_nusd if trim else max(self.held_nusd - self.owed_nusd, self.used_nusd)


class Account:
    """Open it with ``open``, close it when nothing is in flight any more."""

    def __init__(self, book: SpendBook, run: RunEntry, clock: Clock, list_price: ListPrice = no_list) -> None:
        self._book = book
        self._run = run
        self._clock = clock
        self._list_price = list_price
        self._sums: dict[Key, Sum] = {}
        self._dirty: set[Key] = set()
        self._purses: dict[tuple[str, str], Purse] = {}
        self._open: dict[str, tuple[Key, int]] = {}
        self._hedged: dict[str, bool] = {}
        self._turn = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None
        self._asked = False
        self._stuck_since: float | None = None

    async def open(self, sums: Mapping[Key, Sum], open_attempts: Iterable[Attempt]) -> None:
        """Take the run up as its ledger has it; attempts without a receipt are among the sums as unknown.

        Raises ``StateError``.
        """
        self._sums = dict(sums)
        for attempt in open_attempts:
            self._open[attempt.id] = key_of(attempt, self._book.calendar), attempt.estimate_nusd or 0
        await self._book.begin(self._run, self._sums)
        self._beating = asyncio.ensure_future(self._beat())

    async def close(self, open_attempts: Iterable[Attempt]) -> None:
        """Let go of all that is set aside; what has no receipt yet is counted as unknown. Raises ``StateError``."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        async with self._turn:
            for attempt in open_attempts:
                if attempt.id not in self._open:
                    key = key_of(attempt, self._book.calendar)
                    self._sums[key] = self._sums.get(key, Sum()).plus(sum_of(attempt, None))
            await self._book.end(self._run.id, self._sums)

    # --- what the engine asks -----------------------------------------------------------------------------------------

    async def ask(self, endpoint: str, price_nusd: int, least_nusd: int) -> int | WaitUntil | Shut:
        """Set a call's price aside; returns how much was, for a call that is alone as little as ``least_nusd``."""
        if not any(cap.holds_for(endpoint) for cap in self._book.caps):
            self._purse(endpoint, self._today()).used_nusd += price_nusd
            return price_nusd
        self._asked = True
        if (border := self._border()) is not None:
            return border
        if self._take(endpoint, price_nusd):
            return price_nusd
        async with self._turn:
            # Whoever was before may have brought enough for this one too, and midnight may have passed.
            if (border := self._border()) is not None:
                return border
            if self._take(endpoint, price_nusd):
                return price_nusd
            return await self._fetch(endpoint, price_nusd, least_nusd)

    def release(self, endpoint: str, price_nusd: int) -> None:
        """A call ended, or never left: what was set aside for it is free. What it cost is told by ``book``."""
        for (where, _day), purse in sorted(self._purses.items()):
            if where == endpoint:
                # The oldest day first: what is held for a day that is over serves nobody.
                part = min(price_nusd, purse.used_nusd)
                purse.used_nusd -= part
                price_nusd -= part

    def carry(self, attempts: Sequence[Attempt]) -> None:
        """Calls of an earlier process are gone on with: their price is set aside again, not unknown any more."""
        for attempt in attempts:
            key, nusd = self._open.pop(attempt.id, (key_of(attempt, self._book.calendar), None))
            if nusd is not None:
                self._change(key, self._sums.get(key, Sum()).less_unknown(1, nusd))
            purse = self._purse(key.endpoint, key.day)
            purse.used_nusd += attempt.estimate_nusd or 0

    def intended(self, attempt: Attempt) -> None:
        """An attempt is on the books of the run. Of two for one slot, both may bring the picture."""
        if attempt.hedge:
            self._hedged.setdefault(attempt.slot_id, False)

    def book(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """A receipt is on the books of the run: count it, once."""
        found, nusd = self._open.pop(attempt.id, (None, 0))
        key = found or key_of(attempt, self._book.calendar)
        before = self._sums.get(key, Sum())
        if found:
            before = before.less_unknown(1, nusd)
        part = sum_of(attempt, None if self._was_counted(attempt) else outcome, self._list_price)
        self._change(key, before.plus(part))
        self._purse(key.endpoint, key.day).owed_nusd += part.spent_nusd

    def _was_counted(self, attempt: Attempt) -> bool:
        """Whether the picture that this attempt brought came with another one before."""
        brought = attempt.fault is None
        before = self._hedged.get(attempt.slot_id, False)
        if brought and attempt.slot_id in self._hedged:
            self._hedged[attempt.slot_id] = True
        return before or not brought

    # --- the purse ----------------------------------------------------------------------------------------------------

    def _today(self) -> str:
        return self._book.calendar.day(self._clock.now())

    def _border(self) -> WaitUntil | None:
        """Just before midnight nothing is set aside: the call might leave on the next day."""
        now_s = self._clock.now()
        seconds = self._book.calendar.ends(Period.DAY, now_s) - now_s
        if seconds > BORDER_S:
            return None
        return WaitUntil(self._clock.monotonic() + seconds + ROUNDING_S, "a new day of the caps begins")

    def _purse(self, endpoint: str, day: str) -> Purse:
        return self._purses.setdefault((endpoint, day), Purse())

    def _take(self, endpoint: str, price_nusd: int) -> bool:
        purse = self._purse(endpoint, self._today())
        if purse.free_nusd < price_nusd:
            return False
        purse.used_nusd += price_nusd
        return True

    def _change(self, key: Key, part: Sum) -> None:
        self._sums[key] = part
        self._dirty.add(key)

    async def _fetch(self, endpoint: str, price_nusd: int, least_nusd: int) -> int | WaitUntil | Shut:
        """Have more set aside in the book."""
        now_s, day = self._clock.now(), self._today()
        purse = self._purse(endpoint, day)
        alone = not self._in_flight
        ask = Ask(endpoint, day, purse.used_nusd, price_nusd, AHEAD * price_nusd, now_s, least_nusd, alone)
        try:
            answer = await self._written(ask)
        except StateError as error:
            words = f"the book of spending cannot be reached, so no cap can be held: {error}"
            return Shut(Fault(FaultKind.BUDGET, words, Charged.NO))
        if isinstance(answer, Refused):
            return await self._refused(answer, now_s)
        self._stuck_since = None
        granted = min(price_nusd, purse.free_nusd)
        if self._today() != day or granted < least_nusd:
            # Midnight passed meanwhile, or a call came out dearer than what was set aside for it.
            return WaitUntil(self._clock.monotonic(), "the caps are looked at again")
        purse.used_nusd += granted
        return granted

    @property
    def _in_flight(self) -> bool:
        return any(purse.used_nusd for purse in self._purses.values())

    async def _refused(self, refused: Refused, wall_s: float) -> WaitUntil | Shut:
        """Wait while calls in flight may leave something: our own as long as they take, those of others for a while."""
        now_s = self._clock.monotonic()
        if self._in_flight:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now_s
        if not refused.waits or (self._stuck_since is not None and now_s - self._stuck_since > PATIENCE_S):
            return Shut(fault_of(refused, self._book.calendar, wall_s))
        # Two that wait for what the other has in reserve would wait for ever.
        await self._give_back()
        why = f"what is left of {refused.state.cap.told()} is set aside for calls in flight"
        return WaitUntil(self._clock.monotonic() + RECHECK_S, why)

    async def _give_back(self) -> None:
        if any(purse.free_nusd > 0 for purse in self._purses.values()):
            with contextlib.suppress(StateError):
                await self._written(None, trim=True)

    # --- the book -----------------------------------------------------------------------------------------------------

    async def _written(self, ask: Ask | None, *, trim: bool = False) -> int | Refused:
        """One transaction: the sums that changed, and what is held; ``trim`` gives back what is not in use.

        What happens while it is under way, or comes of it when it fails, must not find more in a purse than the book
        has: so a purse is made smaller before, and larger after.
        """
        keys, self._dirty = self._dirty, set()
        asked = (ask.endpoint, ask.day) if ask else None
        owed = {place: purse.owed_nusd for place, purse in self._purses.items()}
        holds = {place: purse.kept(trim=trim or place == asked) for place, purse in self._purses.items()}
        for place, nusd in holds.items():
            self._purses[place].held_nusd = nusd + owed[place]
        entry = Entry(self._run.id, {key: self._sums[key] for key in keys}, holds)
        try:
            answer = await self._book.write(entry, ask)
        except BaseException:
            self._dirty |= keys
            raise
        for place, nusd in holds.items():
            purse = self._purses[place]
            purse.held_nusd = answer if place == asked and isinstance(answer, int) else nusd
            purse.owed_nusd -= owed[place]
        self._forget_days()
        return answer

    def _forget_days(self) -> None:
        today = self._today()
        for (endpoint, day), purse in list(self._purses.items()):
            if day < today and purse == Purse():
                del self._purses[endpoint, day]

    async def _beat(self) -> None:
        """Tell the book now and then how the run stands; what is set aside and not asked for goes to others."""
        while True:
            await self._clock.sleep(BEAT_S)
            trim, self._asked = not self._asked, False
            async with self._turn:
                with contextlib.suppress(StateError):
                    await self._written(None, trim=trim)
