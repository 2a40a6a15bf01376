"""Cap: how much may be spent in a day or a month, in all or at one endpoint; and how it is told that it is reached."""

from __future__ import annotations

from dataclasses import dataclass

from ...model.fault import Charged, Fault, FaultKind, Scope
from ...model.money import dollars
from .calendar import Calendar, Period


@dataclass(frozen=True, slots=True)
class Cap:
    """``endpoint`` is empty for what all endpoints share."""

    period: Period
    nusd: int
    endpoint: str = ""

    @property
    def setting(self) -> str:
        """The setting that it comes from."""
        name = f"max_cost_per_{self.period}"
        return f"endpoints.{self.endpoint}.{name}" if self.endpoint else name

    def holds_for(self, endpoint: str) -> bool:
        """Whether calls of this endpoint are under it."""
        return self.endpoint in {"", endpoint}

    def told(self) -> str:
        """For people: ``the cap of $5.00 a day for google``."""
        whose = f" for {self.endpoint}" if self.endpoint else ""
        return f"the cap of {dollars(self.nusd, 2)} a {self.period}{whose}"


@dataclass(frozen=True, slots=True)
class CapState:
    """How a cap stands: ``held_nusd`` is what calls in flight have set aside, ``ends_at`` when it is renewed."""

    cap: Cap
    spent_nusd: int
    held_nusd: int
    ends_at: float

    @property
    def left_nusd(self) -> int:
        """What may still be set aside; never below nothing."""
        return max(0, self.cap.nusd - self.spent_nusd - self.held_nusd)


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no room under this cap; ``waits`` when there may be once calls in flight have ended."""

    state: CapState
    waits: bool


def fault_of(refused: Refused, calendar: Calendar, wall_s: float) -> Fault:
    """Why a run stops: which cap, how much is spent of it, when it is renewed."""
    state = refused.state
    words = (
        f"the next picture would pass {state.cap.told()}: {dollars(state.spent_nusd, 2)} are spent of it; "
        f"it is renewed at {calendar.told(state.ends_at)}"
    )
    return Fault(
        FaultKind.BUDGET,
        words,
        Charged.NO,
        Scope.ENDPOINT if state.cap.endpoint else Scope.CALL,
        retry_after_s=max(0.0, state.ends_at - wall_s),
        limit=state.cap.setting,
        limit_value=state.cap.nusd,
    )
