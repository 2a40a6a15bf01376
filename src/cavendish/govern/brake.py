"""Brake: what a provider's complaints hold back, for one model, one key or one endpoint."""

from __future__ import annotations

import math
from enum import Enum

from ..model.fault import Fault, FaultKind, Scope
from ..model.request import JsonValue
from .breaker import Breaker
from .pacing import Pacing, spread
from .verdict import Closed, Wait

K = FaultKind

PACED = frozenset({K.RATE_LIMITED, K.DAY_QUOTA, K.SPEND_LIMIT})
FAILING = frozenset({K.OVERLOADED, K.SERVER_ERROR, K.CONNECT})
CLOSING = frozenset({K.BAD_KEY, K.FORBIDDEN, K.NO_CREDIT, K.NO_QUOTA, K.MODEL_NOT_FOUND})
SILENT = frozenset({K.TIMEOUT, K.CANCELLED, K.BUDGET, K.DISK_FULL})
"""These say nothing of whether the provider works."""

HINTED = PACED | FAILING
"""Faults whose ``retry_after_s`` is obeyed."""


class News(Enum):
    """What the end of a call says to a brake."""

    WORKS = "works"
    FAILS = "fails"
    SHUT = "shut"
    NOTHING = "nothing"


def reach(fault: Fault) -> Scope:
    """How far a fault reaches: as far as it says; one that only names the call, as far as its kind usually does."""
    if fault.scope is not Scope.CALL:
        return fault.scope
    if fault.kind in {K.BAD_KEY, K.NO_CREDIT, K.SPEND_LIMIT}:
        return Scope.KEY
    return Scope.ENDPOINT if fault.kind is K.CONNECT else Scope.MODEL


def news_for(scope: Scope, fault: Fault | None) -> News:
    """What a call's end says to the brake of this scope."""
    if fault is None:
        return News.WORKS
    if fault.kind in FAILING or is_closing(fault):
        if reach(fault) is not scope:
            return News.NOTHING
        return News.FAILS if fault.kind in FAILING else News.SHUT
    return News.NOTHING if fault.kind in SILENT else News.WORKS


def is_closing(fault: Fault) -> bool:
    """Whether waiting does not help. A limit of zero is no limit to wait for, whatever the kind says."""
    return fault.kind in CLOSING or (fault.kind in PACED and fault.limit_value == 0)


def asked_wait_s(fault: Fault) -> float | None:
    """The wait that the provider asked for, when it is one."""
    wait = fault.retry_after_s
    return wait if wait is not None and math.isfinite(wait) and wait >= 0 else None


class Brake:
    """A cool-down that a provider asked for or that we chose, and a breaker."""

    __slots__ = ("_level", "_pacing", "_pressed_at", "_until_s", "_why", "breaker")

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._until_s = -math.inf
        self._why = ""
        self._level = 0
        self._pressed_at = -math.inf
        self.breaker = Breaker(pacing)

    def obstacle(self, now_s: float) -> Wait | Closed | None:
        """What keeps a call from leaving now."""
        if now_s >= self._until_s and not self.breaker.openings:
            return None
        broken = self.breaker.obstacle(now_s)
        if now_s >= self._until_s or isinstance(broken, Closed):
            return broken
        cooling = Wait(self._until_s, self._why)
        if broken is None:
            return cooling
        return Wait(max(self._until_s, broken.until_s), cooling.why, broken.needs_settle, broken.failing)

    def cool(self, until_s: float, why: str) -> None:
        """No calls before this moment. The longest such wait holds."""
        if until_s > self._until_s:
            self._until_s, self._why = until_s, why

    def back_off(self, left_at_s: float, now_s: float, roll: float) -> None:
        """Wait longer each time. Calls that left before the last back-off tell nothing new."""
        if left_at_s <= self._pressed_at:
            return
        wait = spread(self._pacing.backoff_s, self._pacing.backoff_cap_s, self._level, roll)
        self._level += 1
        self._pressed_at = now_s
        self.cool(now_s + wait, "the provider said to slow down, not for how long")

    def went_well(self, grant_id: str, left_at_s: float) -> None:
        """A call brought what it was sent for."""
        self.breaker.answered(grant_id)
        if left_at_s > self._pressed_at:
            self._level = 0

    def hear(self, news: News, grant_id: str, left_at_s: float, now_s: float, roll: float) -> None:
        """A call ended. ``SHUT`` is told through ``breaker.condemn``, which needs the fault."""
        if news is News.WORKS:
            self.breaker.answered(grant_id)
        elif news is News.FAILS:
            self.breaker.failed(grant_id, left_at_s, now_s, roll)
        else:
            self.breaker.released(grant_id)

    def calm(self, left_at_s: float) -> None:
        """A call that left after the last back-off was not held against us."""
        if left_at_s > self._pressed_at:
            self._level = 0

    def forget(self) -> None:
        """As if nothing had been heard."""
        self._until_s = self._pressed_at = -math.inf
        self._level = 0
        self.breaker = Breaker(self._pacing)

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values; moments as seconds from ``now_s``."""
        cooling = self._until_s > now_s
        wait = [self._until_s - now_s, self._why] if cooling else None
        pressed = self._pressed_at - now_s if self._level else None
        return {"wait": wait, "level": self._level, "pressed": pressed, "breaker": self.breaker.to_state(now_s)}

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave at ``now_s``."""
        self._level = state["level"]
        self._pressed_at = -math.inf if state["pressed"] is None else now_s + state["pressed"]
        if state["wait"] is not None:
            self._until_s, self._why = now_s + state["wait"][0], state["wait"][1]
        self.breaker.restore(state["breaker"], now_s)
