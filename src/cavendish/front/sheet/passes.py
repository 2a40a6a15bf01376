"""Passes: a run with sheets goes over its slots twice: sheet by sheet, and then one by one what the sheets left open.

To whoever watches, the two are one run: what failed on a sheet is only told when it failed alone, too.
"""

from __future__ import annotations

from typing import Any, cast

from ...engine.ports import Ledger, Progress
from ...model.fault import Fault
from ...model.result import Outcome, Picture, Slot


class _OnlySheets:
    """What is to be seen of the first pass: attempts, and the pictures that came. ``cut`` are their slots."""

    def __init__(self, progress: Progress, cut: set[str]) -> None:
        self._progress = progress
        self._cut = cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._progress, name)

    def slot_ended(self, outcome: Outcome) -> None:
        """A picture is told; what failed is tried again."""
        if isinstance(outcome, Picture):
            self._cut.add(outcome.slot.id)
            self._progress.slot_ended(outcome)

    def slot_kept(self, outcome: Outcome) -> None:
        """The second pass meets it, too."""

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """The second pass takes it on, or tells so."""


class _OnlyRest:
    """What is to be seen of the second pass: all but the pictures that the first one told of."""

    def __init__(self, progress: Progress, cut: set[str]) -> None:
        self._progress = progress
        self._cut = cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._progress, name)

    def slot_kept(self, outcome: Outcome) -> None:
        """Told of what there was before the run."""
        if outcome.slot.id not in self._cut:
            self._progress.slot_kept(outcome)


class _Unmarked:
    """A ledger in which no row is noted as settled: only some slots of each are met in the first pass."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def rows_settled(self, rows: int) -> None:
        """Not noted."""


def only_sheets(progress: Progress, cut: set[str]) -> Progress:
    """The progress of the first pass."""
    return cast("Progress", _OnlySheets(progress, cut))


def only_rest(progress: Progress, cut: set[str]) -> Progress:
    """The progress of the second pass."""
    return cast("Progress", _OnlyRest(progress, cut))


def unmarked(ledger: Ledger) -> Ledger:
    """The ledger of the first pass."""
    return cast("Ledger", _Unmarked(ledger))
