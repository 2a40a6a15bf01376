"""Step: what happens to a slot next. Pure: a state and an event give a state and effects.

::

    READY --leave--> IN_FLIGHT --picture--> DELIVERED
      ^                 |  |  `--fault, bound reached--> FAILED
      |                 |  `--ticket--> PENDING --(poll)--> as IN_FLIGHT
      `--fault, try again (after a back-off, or at the next lane)

``TRANSITIONS`` is the same as a table; anything else is an ``IllegalEvent``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ..model.call import Ticket
from ..model.fault import Charged, Fault, FaultKind
from .policy import PACED, SHUTTING, STOPPING, TOO_MUCH_AT_ONCE, Policy

WAITS_BEFORE_RETRY = frozenset(
    {FaultKind.OVERLOADED, FaultKind.SERVER_ERROR, FaultKind.CONNECT, FaultKind.TIMEOUT, FaultKind.CUT}
)
"""A picture that did not come for these reasons is more likely to come a little later; others are tried at once."""


class Phase(StrEnum):
    """Where a slot stands."""

    READY = "ready"
    IN_FLIGHT = "in_flight"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class IllegalEvent(RuntimeError):
    """An event came that the slot's phase does not allow: a bug in the engine."""


@dataclass(frozen=True, slots=True)
class SlotState:
    """One slot's standing: how often it was tried, which faults it met, and at which of its lanes it is."""

    phase: Phase = Phase.READY
    attempts: int = 0
    lane: int = 0
    lanes: int = 1
    counts: Mapping[FaultKind, int] = field(default_factory=dict[FaultKind, int])

    @property
    def tried(self) -> int:
        """Tries that count against the bound: all that failed but were not merely paced."""
        return sum(count for kind, count in self.counts.items() if kind not in PACED)


@dataclass(frozen=True, slots=True)
class Left:
    """A call for this slot left."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A picture came and was found good."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No picture came. ``roll`` in [0, 1) spreads the back-off; ``several``: other slots shared the call."""

    fault: Fault
    roll: float = 0.0
    several: bool = False


@dataclass(frozen=True, slots=True)
class Ticketed:
    """The provider took the job and will be asked again."""

    ticket: Ticket
    after_s: float


Event = Left | Accepted | Refused | Ticketed


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Queue the slot again, not before so many seconds from now."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Deliver:
    """The slot ended well."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The slot ended without a picture."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class PollLater:
    """Ask for the job again after so many seconds."""

    ticket: Ticket
    after_s: float


@dataclass(frozen=True, slots=True)
class StopRun:
    """The run cannot go on; the slot stays open, to be resumed."""

    fault: Fault


Effect = TryAgain | Deliver | GiveUp | PollLater | StopRun

TRANSITIONS: Mapping[tuple[Phase, type[Event]], frozenset[Phase]] = {
    (Phase.READY, Left): frozenset({Phase.IN_FLIGHT}),
    (Phase.IN_FLIGHT, Accepted): frozenset({Phase.DELIVERED}),
    (Phase.IN_FLIGHT, Refused): frozenset({Phase.READY, Phase.FAILED}),
    (Phase.IN_FLIGHT, Ticketed): frozenset({Phase.PENDING}),
    (Phase.PENDING, Accepted): frozenset({Phase.DELIVERED}),
    (Phase.PENDING, Refused): frozenset({Phase.READY, Phase.FAILED}),
    (Phase.PENDING, Ticketed): frozenset({Phase.PENDING}),
}


def step(state: SlotState, event: Event, policy: Policy) -> tuple[SlotState, Effect | None]:
    """The slot's next state, and what to do about it."""
    if (state.phase, type(event)) not in TRANSITIONS:
        message = f"a slot that is {state.phase} cannot meet {type(event).__name__}"
        raise IllegalEvent(message)
    match event:
        case Left():
            return replace(state, phase=Phase.IN_FLIGHT, attempts=state.attempts + 1), None
        case Accepted():
            return replace(state, phase=Phase.DELIVERED), Deliver()
        case Ticketed(ticket, after_s):
            return replace(state, phase=Phase.PENDING), PollLater(ticket, after_s)
        case Refused(fault, roll, several):
            if several and fault.kind in TOO_MUCH_AT_ONCE:
                return _counted(state, fault.kind), TryAgain(0.0)
            return _refused(state, fault, roll, policy)


def _counted(state: SlotState, kind: FaultKind) -> SlotState:
    return replace(state, phase=Phase.READY, counts={**state.counts, kind: state.counts.get(kind, 0) + 1})


def _refused(state: SlotState, fault: Fault, roll: float, policy: Policy) -> tuple[SlotState, Effect]:
    kind = fault.kind
    counted = _counted(state, kind)
    if kind in STOPPING:
        return counted, StopRun(fault)
    if kind in SHUTTING:
        return _next_lane(counted, fault)
    if not may_retry(counted, fault, policy):
        if kind in WAITS_BEFORE_RETRY and counted.lane + 1 < counted.lanes:
            # An outage of one provider is what the others are there for. Each gets one try more.
            return _next_lane(counted, fault)
        return replace(counted, phase=Phase.FAILED), GiveUp(fault)
    # The provider's own wait is the governor's business: it holds every slot of the key back, not this one alone.
    wait = policy.backoff(counted.counts[kind] - 1, roll) if kind in WAITS_BEFORE_RETRY else 0.0
    return counted, TryAgain(wait)


def _next_lane(state: SlotState, fault: Fault) -> tuple[SlotState, Effect]:
    if state.lane + 1 < state.lanes:
        return replace(state, lane=state.lane + 1), TryAgain(0.0)
    return state, StopRun(fault)


def may_retry(state: SlotState, fault: Fault, policy: Policy) -> bool:
    """Whether a slot whose counts already hold this fault has a try left."""
    kind = fault.kind
    if kind in PACED:
        return sum(state.counts.get(paced, 0) for paced in PACED) <= policy.paced_tries
    bound = policy.refills.get(kind, 0)
    if fault.charged is Charged.YES and kind in WAITS_BEFORE_RETRY:
        # Patience is for what costs nothing.
        bound = min(bound, policy.charged_tries)
    return state.counts[kind] <= bound and state.tried < policy.total_tries
