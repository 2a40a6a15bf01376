"""Breaker: after failures in a row, no calls for a while, then one to see whether it is over.

::

    CLOSED --failures in a row, or a verdict--> OPEN --time--> HALF_OPEN --granted--> PROBING
      ^                                           ^                                    |  |  |
      |                                           `--------------- it failed ----------'  |  |
      `----------------------------------------------------- it was answered -------------'  |
                                                          HALF_OPEN <-- it never left -------'
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum

from ..model.fault import Fault
from ..model.plain import from_plain, to_plain
from ..model.request import JsonValue
from .pacing import Pacing, spread
from .verdict import Closed, Wait


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    PROBING = "probing"


class Breaker:
    """Opens for ``breaker_s``, doubling with each probe that fails, or for a verdict: then asking gives ``Closed``.

    ``openings`` counts how often it opened since it was last closed; zero means closed.
    """

    __slots__ = ("_failures", "_opened_at", "_pacing", "_probe", "_until_s", "_verdict", "openings")

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._failures = 0
        self.openings = 0
        self._opened_at = -math.inf
        self._until_s = -math.inf
        self._probe = ""
        self._verdict: Fault | None = None

    def state(self, now_s: float) -> BreakerState:
        """Where it stands now."""
        if not self.openings:
            return BreakerState.CLOSED
        if self._probe:
            return BreakerState.PROBING
        return BreakerState.OPEN if now_s < self._until_s else BreakerState.HALF_OPEN

    def obstacle(self, now_s: float) -> Wait | Closed | None:
        """What keeps a call from leaving now."""
        state = self.state(now_s)
        if state is BreakerState.CLOSED or state is BreakerState.HALF_OPEN:
            return None
        if state is BreakerState.PROBING:
            return Wait(now_s, "one call to see whether the provider is well again", needs_settle=True, failing=True)
        if self._verdict is not None:
            return Closed(self._verdict)
        return Wait(self._until_s, "the provider failed several times in a row", failing=True)

    def granted(self, grant_id: str) -> None:
        """A call leaves: it is the probe, when one is due."""
        if self.openings and not self._probe:
            self._probe = grant_id

    def failed(self, grant_id: str, left_at_s: float, now_s: float, roll: float) -> None:
        """A call met a failing provider. Calls that left before it opened tell nothing new."""
        if self.openings:
            if grant_id == self._probe:
                self._open(now_s, roll)
        elif left_at_s > self._opened_at:
            self._failures += 1
            if self._failures >= self._pacing.breaker_after:
                self._open(now_s, roll)

    def answered(self, grant_id: str) -> None:
        """A call met a working provider. While it is open only the probe's word counts."""
        if self.openings and grant_id != self._probe:
            return
        self._failures = self.openings = 0
        self._probe = ""
        self._verdict = None

    def released(self, grant_id: str) -> None:
        """A call never left, or was lost."""
        if grant_id == self._probe:
            self._probe = ""

    def abandon(self, is_gone: Callable[[str], bool]) -> None:
        """The probe was sent by somebody who is gone: another may be sent."""
        if self._probe and is_gone(self._probe):
            self._probe = ""

    def reconsider(self, now_s: float) -> None:
        """Somebody new asks: a verdict that is not from just now is looked at again with one call."""
        if self._verdict is not None and now_s >= self._opened_at + self._pacing.recheck_anew_s:
            self._until_s = min(self._until_s, now_s)

    def condemn(self, fault: Fault, now_s: float) -> None:
        """Close for good, as far as we can tell; one call may look again after ``recheck_closed_s``."""
        self._verdict = fault
        self.openings += 1
        self._probe = ""
        self._opened_at = now_s
        self._until_s = now_s + self._pacing.recheck_closed_s

    def _open(self, now_s: float, roll: float) -> None:
        wait = spread(self._pacing.breaker_s, self._pacing.breaker_cap_s, self.openings, roll)
        self.openings += 1
        self._probe = ""
        self._opened_at = now_s
        self._until_s = now_s + wait

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values; moments as seconds from ``now_s``."""
        if not self.openings:
            return {"failures": self._failures}
        verdict = None if self._verdict is None else to_plain(self._verdict)
        times = {"opened": self._opened_at - now_s, "until": self._until_s - now_s}
        where = {"openings": self.openings, "probe": self._probe, "verdict": verdict}
        return {"failures": self._failures, **where, **times}

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave at ``now_s``."""
        self._failures = state["failures"]
        self.openings = state.get("openings", 0)
        if self.openings:
            self._probe = state["probe"]
            self._opened_at, self._until_s = now_s + state["opened"], now_s + state["until"]
            self._verdict = None if state["verdict"] is None else from_plain(state["verdict"], Fault)
