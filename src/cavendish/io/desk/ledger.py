"""JobLedger: the engine's ledger for one job of a gateway: kept in memory, written through to the books."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...engine.passing import PassingLedger
from ...model.attempt import Attempt, AttemptState
from ...model.result import Failure, Outcome, Slot
from ..ledger.memory import LIVE, MemoryLedger
from ..state.port import Link
from .books import DeskBooks, Entry, put_attempt, put_outcome
from .patience import insisted


class JobLedger(PassingLedger):
    """Implements ``engine.ports.Ledger`` for the slots of one job: few, so they are in memory, too."""

    def __init__(self, books: DeskBooks, job_id: str) -> None:
        self._books = books
        self._job = job_id
        self._memory = MemoryLedger()
        self._pictures = 0
        self._ending: Callable[[], Entry] | None = None
        self.ended = False
        super().__init__(self._memory)

    def ends_with(self, pictures: int, ending: Callable[[], Entry]) -> None:
        """When it has so many pictures and no call is under way, the job ends in the transaction of the last receipt.

        ``ended`` tells whether it did.
        """
        self._pictures, self._ending = pictures, ending

    @property
    def memory(self) -> MemoryLedger:
        """What is known of the job, for who writes it to the books together with other jobs."""
        return self._memory

    async def load(self, slots: Sequence[Slot]) -> None:
        """Take over what an earlier life of the gateway wrote of this job's slots."""
        by_id = {slot.id: slot for slot in slots}
        outcomes = {outcome.slot.id: outcome for outcome in await self._books.outcomes(self._job)}
        attempts = await self._books.attempts(self._job)
        last = {attempt.slot_id: attempt.id for attempt in attempts if attempt.state not in LIVE}
        for attempt in attempts:
            # Each as it was when it began: the ledger takes no other.
            await self._memory.intend(replace(attempt, state=AttemptState.INTENT), by_id[attempt.slot_id])
            if attempt.state is AttemptState.WAITING:
                await self._memory.waiting(attempt)
            elif attempt.state is not AttemptState.INTENT:
                ending = last[attempt.slot_id] == attempt.id
                await self._memory.settle(attempt, outcomes.get(attempt.slot_id) if ending else None)
        for outcome in outcomes.values():
            if isinstance(outcome, Failure):
                await self._memory.conclude(outcome)

    async def intend_all(self, entries: Sequence[tuple[Attempt, Slot]]) -> None:
        """``intend`` for all slots of one call, in one transaction."""
        await super().intend_all(entries)
        await self._write([put_attempt(self._job, attempt) for attempt, _ in entries])

    async def waiting_all(self, attempts: Sequence[Attempt]) -> None:
        """``waiting`` for all slots of one call, in one transaction."""
        await super().waiting_all(attempts)
        await self._write([put_attempt(self._job, attempt) for attempt in attempts])

    async def settle_all(self, receipts: Sequence[tuple[Attempt, Outcome | None]]) -> None:
        """``settle`` for all slots of one call, in one transaction."""
        await super().settle_all(receipts)
        entries: list[Entry] = []
        for attempt, outcome in receipts:
            entries.append(put_attempt(self._job, attempt))
            if outcome is not None:
                entries.append(put_outcome(self._job, outcome))
        ending = await self._at_the_end()
        await self._write([*entries, *ending])
        self.ended = bool(ending)

    async def _at_the_end(self) -> list[Entry]:
        if self._ending is None:
            return []
        tally = await self._memory.tally()
        return [self._ending()] if tally.delivered == self._pictures and not tally.in_flight else []

    async def conclude(self, outcome: Failure) -> None:
        """End a slot without a further attempt."""
        await super().conclude(outcome)
        await self._write([put_outcome(self._job, outcome)])

    async def rows_settled(self, rows: int) -> None:
        """A job is one row."""

    async def _write(self, entries: Sequence[Entry]) -> None:
        def all_of_them(link: Link) -> None:
            self._books.must_own(link, self._job)
            for entry in entries:
                entry(link)

        await insisted(lambda: self._books.write(all_of_them, brief=True))
