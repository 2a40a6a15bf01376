"""Passing: a ledger and a blob store that pass everything on, for who watches or narrows a part of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..model.attempt import Attempt
from ..model.blob import Blob
from ..model.call import Reply
from ..model.result import Failure, Outcome, Slot
from .ports import Blobs, Ledger, Standing, Tally


class PassingLedger:
    """Implements ``Ledger`` on another one, whose docstrings hold here, too."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def intend(self, attempt: Attempt, slot: Slot) -> None:
        await self.intend_all(((attempt, slot),))

    async def intend_all(self, entries: Sequence[tuple[Attempt, Slot]]) -> None:
        await self._ledger.intend_all(entries)

    async def waiting(self, attempt: Attempt) -> None:
        await self.waiting_all((attempt,))

    async def waiting_all(self, attempts: Sequence[Attempt]) -> None:
        await self._ledger.waiting_all(attempts)

    async def settle(self, attempt: Attempt, outcome: Outcome | None) -> None:
        await self.settle_all(((attempt, outcome),))

    async def settle_all(self, receipts: Sequence[tuple[Attempt, Outcome | None]]) -> None:
        await self._ledger.settle_all(receipts)

    async def conclude(self, outcome: Failure) -> None:
        await self._ledger.conclude(outcome)

    async def standing(self, slot_id: str) -> Standing | None:
        return await self._ledger.standing(slot_id)

    async def keep(self, slot: Slot) -> None:
        await self._ledger.keep(slot)

    async def open_attempts(self) -> Sequence[tuple[Attempt, Slot]]:
        return await self._ledger.open_attempts()

    async def hashes(self, form: str) -> Iterable[str]:
        return await self._ledger.hashes(form)

    async def tally(self) -> Tally:
        return await self._ledger.tally()

    async def rows_settled(self, rows: int) -> None:
        await self._ledger.rows_settled(rows)


class PassingBlobs:
    """Implements ``Blobs`` on another store, whose docstrings hold here, too."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def place(self, blob: Blob, slot: Slot) -> Blob:
        return await self._blobs.place(blob, slot)

    async def keep(self, attempt_id: str, blobs: Sequence[Blob]) -> tuple[Blob, ...]:
        return await self._blobs.keep(attempt_id, blobs)

    async def dimensions(self, blob: Blob) -> tuple[int, int] | None:
        return await self._blobs.dimensions(blob)

    async def recorded(self) -> Mapping[str, Reply]:
        return await self._blobs.recorded()

    async def forget(self, attempt_id: str) -> None:
        await self._blobs.forget(attempt_id)

    def free_bytes(self) -> int:
        return self._blobs.free_bytes()
