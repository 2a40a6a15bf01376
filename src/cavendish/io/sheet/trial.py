"""Trial: the first sheet of a model goes alone, and a model that draws no grids is asked for no more of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from ...engine.ports import Cost, Grant, Quota, Shut, WaitUntil
from ...model.fault import Charged, Fault, FaultKind

MOST_BAD: Final = 2
"""Sheets in a row of which no cell is any good, before the route is given up: each costs as much as a good one."""

GIVEN_UP = "sheets_given_up"


@dataclass(slots=True)
class Trial:
    """What a run has seen of one route's sheets. ``most_at_once`` bounds those in flight once one was good."""

    most_at_once: int
    good: int = 0
    bad_in_a_row: int = 0
    in_flight: int = 0

    def judged(self, *, good: bool) -> None:
        """A sheet came. ``good``: some of its cells are."""
        self.good += good
        self.bad_in_a_row = 0 if good else self.bad_in_a_row + 1

    def may_leave(self) -> WaitUntil | Shut | None:
        """Whether another may leave now: ``None`` when it may."""
        if self.bad_in_a_row >= MOST_BAD:
            words = f"{self.bad_in_a_row} sheets in a row were no good: the rest is drawn one by one"
            return Shut(Fault(FaultKind.NO_IMAGE, words, Charged.NO, reason=GIVEN_UP))
        if self.in_flight >= (self.most_at_once if self.good else 1):
            return WaitUntil(math.inf, "a sheet that is not back yet")
        return None


class SheetQuota:
    """Implements ``engine.ports.Quota`` around a key's own: a sheet is one picture to it, whatever is cut from it."""

    def __init__(self, inner: Quota, trial: Trial) -> None:
        self._inner = inner
        self._trial = trial

    async def reserve(self, cost: Cost, wanted: int = 1) -> Grant | WaitUntil | Shut:
        """Ask for leave to have one sheet drawn."""
        refused = self._trial.may_leave()
        if refused is not None:
            return refused
        # Counted before the question, which others may ask meanwhile.
        self._trial.in_flight += 1
        answer: Grant | WaitUntil | Shut | None = None
        try:
            answer = await self._inner.reserve(replace(cost, images=1), wanted)
            return answer
        finally:
            if not isinstance(answer, Grant):
                self._trial.in_flight -= 1

    async def settle(self, grant: Grant, fault: Fault | None, latency_s: float, spent_nusd: int | None) -> None:
        """The call ended."""
        self._trial.in_flight -= 1
        await self._inner.settle(grant, fault, latency_s, spent_nusd)

    async def cancel(self, grant: Grant) -> None:
        """The call never left."""
        self._trial.in_flight -= 1
        await self._inner.cancel(grant)
