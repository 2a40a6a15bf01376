"""BookedLedger: a run's ledger that tells whoever counts of each receipt once it is durable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...engine.passing import PassingLedger
from ...engine.ports import Ledger
from ...model.attempt import Attempt
from ...model.result import Outcome, Slot


class Bookkeeper(Protocol):
    """Who counts what a run's attempts come to."""

    def intended(self, attempt: Attempt) -> None:
        """An attempt is on the books of the run."""
        ...

    def book(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """A receipt is on the books of the run."""
        ...


class BookedLedger(PassingLedger):
    """A ledger, watched."""

    def __init__(self, ledger: Ledger, account: Bookkeeper) -> None:
        super().__init__(ledger)
        self._account = account

    async def intend_all(self, entries: Sequence[tuple[Attempt, Slot]]) -> None:
        """Passed on: what it may cost was set aside before."""
        await super().intend_all(entries)
        for attempt, _ in entries:
            self._account.intended(attempt)

    async def settle_all(self, receipts: Sequence[tuple[Attempt, Outcome | None]]) -> None:
        """Passed on, and counted."""
        await super().settle_all(receipts)
        for attempt, outcome in receipts:
            self._account.book(attempt, outcome)
