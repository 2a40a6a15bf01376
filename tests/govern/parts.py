"""A governor at rest, and short ways to ask it things."""

from __future__ import annotations

from dataclasses import replace

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost
from cavendish.govern.day import day_ends
from cavendish.govern.governor import Governor
from cavendish.govern.pacing import Pacing
from cavendish.govern.purse import Purse
from cavendish.govern.verdict import Ending, Granted, Verdict, Wait
from cavendish.model.fault import Charged, Fault, FaultKind, Scope

NOON = 1_770_062_400.0
"""2026-02-02 12:00 in Los Angeles."""

EXACT = Pacing(guard_s=0.0)
ONE = Cost()
ENDS = day_ends("America/Los_Angeles")
OPEN_LIMITS = Limits(requests_per_minute=1_000_000)
"""As good as none, and yet known: no search for a limit."""


def waited(verdict: object) -> Wait:
    """The verdict, which must be a wait."""
    assert isinstance(verdict, Wait), verdict
    return verdict


def granted(verdict: object) -> str:
    """The id of the grant that the verdict must be."""
    assert isinstance(verdict, Granted), verdict
    return verdict.id


class Desk:
    """A governor with its clocks: monotonic seconds from 0, and a wall clock that starts at noon and may be moved."""

    def __init__(self, limits: Limits = OPEN_LIMITS, pacing: Pacing = EXACT, wall: float = NOON, **shared) -> None:
        self.purse = Purse.empty(pacing)
        self.governor = Governor(limits, ENDS, pacing, **{"purse": self.purse, **shared})
        self.now = 0.0
        self.wall = wall

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def until(self, moment: float) -> None:
        # Not by adding the difference: that would round.
        self.wall += moment - self.now
        self.now = moment

    def ask(self, cost: Cost = ONE) -> Verdict:
        return self.governor.reserve(self.now, self.wall, cost)

    def go(self, cost: Cost = ONE) -> str:
        return granted(self.ask(cost))

    def wait(self, cost: Cost = ONE) -> Wait:
        return waited(self.ask(cost))

    def end(self, grant_id: str, fault: Fault | None = None, **ending) -> None:
        ending.setdefault("roll", 1.0)
        self.governor.settle(grant_id, self.now, self.wall, Ending(fault, **ending))

    def fail(self, kind: FaultKind, **fields) -> None:
        """One call leaves and comes back with this fault at once."""
        self.end(self.go(), fault(kind, **fields))


def fault(kind: FaultKind, **fields) -> Fault:
    return replace(Fault(kind), **{"charged": Charged.NO, "scope": Scope.CALL, **fields})
