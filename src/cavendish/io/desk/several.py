"""SeveralLedger: the engine's ledger for several jobs of a gateway at once, each of which keeps its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from ...engine.ports import Standing, Tally
from ...model.attempt import Attempt
from ...model.result import Failure, Outcome, Slot
from ..state.port import Link
from .books import DeskBooks, Entry, put_attempt, put_outcome
from .ledger import JobLedger


class SeveralLedger:
    """Implements ``engine.ports.Ledger``. Slots are named after their jobs: ``JOB.ORDINAL``."""

    def __init__(self, books: DeskBooks, ledgers: Mapping[str, JobLedger]) -> None:
        self._books = books
        self._ledgers = ledgers

    def _of(self, slot_id: str) -> JobLedger:
        return self._ledgers[job_of(slot_id)]

    async def intend(self, attempt: Attempt, slot: Slot) -> None:
        """Passed on."""
        await self.intend_all(((attempt, slot),))

    async def intend_all(self, entries: Sequence[tuple[Attempt, Slot]]) -> None:
        """For all of them, in one transaction."""
        for attempt, slot in entries:
            await self._of(slot.id).memory.intend(attempt, slot)
        await self._write({attempt.slot_id for attempt, _ in entries}, [_put(attempt) for attempt, _ in entries])

    async def waiting(self, attempt: Attempt) -> None:
        """Passed on."""
        await self.waiting_all((attempt,))

    async def waiting_all(self, attempts: Sequence[Attempt]) -> None:
        """For all of them, in one transaction."""
        for attempt in attempts:
            await self._of(attempt.slot_id).memory.waiting(attempt)
        await self._write({attempt.slot_id for attempt in attempts}, [_put(attempt) for attempt in attempts])

    async def settle(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """Passed on."""
        await self.settle_all(((attempt, outcome),))

    async def settle_all(self, receipts: Sequence[tuple[Attempt, Outcome | None]]) -> None:
        """For all of them, in one transaction."""
        entries: list[Entry] = []
        for attempt, outcome in receipts:
            await self._of(attempt.slot_id).memory.settle(attempt, outcome)
            entries.append(_put(attempt))
            if outcome is not None:
                entries.append(put_outcome(job_of(attempt.slot_id), outcome))
        await self._write({attempt.slot_id for attempt, _ in receipts}, entries)

    async def conclude(self, outcome: Failure) -> None:
        """Passed on."""
        await self._of(outcome.slot.id).conclude(outcome)

    async def standing(self, slot_id: str) -> Standing | None:
        """As its job's ledger knows it."""
        return await self._of(slot_id).standing(slot_id)

    async def keep(self, slot: Slot) -> None:
        """Passed on."""
        await self._of(slot.id).keep(slot)

    async def open_attempts(self) -> Sequence[tuple[Attempt, Slot]]:
        """Those of all jobs."""
        return [entry for ledger in self._ledgers.values() for entry in await ledger.open_attempts()]

    async def hashes(self, form: str) -> Iterable[str]:
        """Of the pictures of one job: its slots are all of one form."""
        return await self._ledgers[form].hashes(form)

    async def tally(self) -> Tally:
        """The sums of all."""
        tallies = [await ledger.tally() for ledger in self._ledgers.values()]
        names = [one.name for one in fields(Tally)]
        return Tally(**{name: sum(getattr(tally, name) for tally in tallies) for name in names})

    async def rows_settled(self, rows: int) -> None:
        """A job is one row."""

    async def _write(self, slot_ids: Iterable[str], entries: Sequence[Entry]) -> None:
        jobs = {job_of(slot_id) for slot_id in slot_ids}

        def all_of_them(link: Link) -> None:
            for job in jobs:
                self._books.must_own(link, job)
            for entry in entries:
                entry(link)

        await self._books.write(all_of_them)


def job_of(slot_id: str) -> str:
    """The job that a slot belongs to."""
    return slot_id.rpartition(".")[0]


def _put(attempt: Attempt) -> Entry:
    return put_attempt(job_of(attempt.slot_id), attempt)
