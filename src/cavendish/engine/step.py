"""Step: what happens to a slot next. Pure: a state and an event give a state and effects.

::

    READY --leave--> IN_FLIGHT --picture--> DELIVERED
      ^                 |  |  `--fault, bound reached--> FAILED
      |                 |  `--ticket--> PENDING --(poll)--> as IN_FLIGHT
      `--fault, try again (after a back-off, by another key or the next route)

A hedge is a second call while the first is not answered: the first picture of the two ends the slot, a fault of one
only leaves the other. ``TRANSITIONS`` is the same as a table; anything else is an ``IllegalEvent``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ..model.call import Ticket
from ..model.fault import Charged, Fault, FaultKind
from .policy import PACED, SHUTTING, STOPPING, TOO_MUCH_AT_ONCE, WITHHELD, Policy

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
    """One slot's standing: how often it was tried and which faults it met.

    ``route`` is the first of its routes that it may still take, ``live`` how many calls for it are under way.
    """

    phase: Phase = Phase.READY
    attempts: int = 0
    route: int = 0
    routes: int = 1
    counts: Mapping[FaultKind, int] = field(default_factory=dict[FaultKind, int])
    live: int = 0

    @property
    def tried(self) -> int:
        """Tries that count against the bound: all that failed but were not merely paced."""
        return sum(count for kind, count in self.counts.items() if kind not in PACED)


@dataclass(frozen=True, slots=True)
class Left:
    """A call for this slot left."""


@dataclass(frozen=True, slots=True)
class Hedged:
    """A second call for it left."""


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


Event = Left | Hedged | Accepted | Refused | Ticketed


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


@dataclass(frozen=True, slots=True)
class ShutLane:
    """The key that the call went with is of no more use; the slot goes on without it when no other call is at it."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Bide:
    """Nothing: another call for the slot is under way, or has ended it."""


Effect = TryAgain | Deliver | GiveUp | PollLater | StopRun | ShutLane | Bide

TRANSITIONS: Mapping[tuple[Phase, type[Event]], frozenset[Phase]] = {
    (Phase.READY, Left): frozenset({Phase.IN_FLIGHT}),
    (Phase.IN_FLIGHT, Hedged): frozenset({Phase.IN_FLIGHT}),
    (Phase.IN_FLIGHT, Accepted): frozenset({Phase.DELIVERED}),
    (Phase.IN_FLIGHT, Refused): frozenset({Phase.READY, Phase.FAILED, Phase.IN_FLIGHT}),
    (Phase.IN_FLIGHT, Ticketed): frozenset({Phase.PENDING}),
    (Phase.PENDING, Hedged): frozenset({Phase.PENDING}),
    (Phase.PENDING, Accepted): frozenset({Phase.DELIVERED}),
    (Phase.PENDING, Refused): frozenset({Phase.READY, Phase.FAILED, Phase.PENDING}),
    (Phase.PENDING, Ticketed): frozenset({Phase.PENDING}),
    # Of the slower of two calls.
    (Phase.DELIVERED, Accepted): frozenset({Phase.DELIVERED}),
    (Phase.DELIVERED, Refused): frozenset({Phase.DELIVERED}),
    (Phase.DELIVERED, Ticketed): frozenset({Phase.DELIVERED}),
}


def step(state: SlotState, event: Event, policy: Policy) -> tuple[SlotState, Effect | None]:
    """The slot's next state, and what to do about it."""
    if (state.phase, type(event)) not in TRANSITIONS:
        message = f"a slot that is {state.phase} cannot meet {type(event).__name__}"
        raise IllegalEvent(message)
    match event:
        case Left():
            # Written out, here and below: what happens to each slot is no place for ``replace``, which is slow.
            tries = state.attempts + 1
            return SlotState(Phase.IN_FLIGHT, tries, state.route, state.routes, state.counts, 1), None
        case Hedged():
            return replace(state, attempts=state.attempts + 1, live=state.live + 1), None
        case Accepted():
            live = state.live - 1
            ended = SlotState(Phase.DELIVERED, state.attempts, state.route, state.routes, state.counts, live)
            return ended, Bide() if state.phase is Phase.DELIVERED else Deliver()
        case Ticketed(ticket, after_s):
            phase = state.phase if state.phase is Phase.DELIVERED else Phase.PENDING
            return replace(state, phase=phase), PollLater(ticket, after_s)
        case Refused():
            return _refused(state, event, policy)


def _counted(state: SlotState, kind: FaultKind) -> SlotState:
    """One more fault met, one call fewer under way."""
    live = state.live - 1
    phase = state.phase if live > 0 or state.phase is Phase.DELIVERED else Phase.READY
    return replace(state, phase=phase, counts={**state.counts, kind: state.counts.get(kind, 0) + 1}, live=live)


def _refused(state: SlotState, event: Refused, policy: Policy) -> tuple[SlotState, Effect]:
    fault, kind = event.fault, event.fault.kind
    counted = _counted(state, kind)
    if kind in STOPPING:
        return counted, StopRun(fault)
    if kind in SHUTTING:
        return counted, ShutLane(fault)
    if counted.phase is not Phase.READY:
        return counted, Bide()
    if event.several and kind in TOO_MUCH_AT_ONCE:
        return counted, TryAgain(0.0)
    if event.several and kind in WITHHELD:
        return replace(counted, counts=state.counts), TryAgain(0.0)
    if not may_retry(counted, fault, policy):
        if kind in WAITS_BEFORE_RETRY and counted.route + 1 < counted.routes:
            # An outage of one provider is what the others are there for. Each gets one try more.
            return replace(counted, route=counted.route + 1), TryAgain(0.0)
        return replace(counted, phase=Phase.FAILED), GiveUp(fault)
    # The provider's own wait is the governor's business: it holds every slot of the key back, not this one alone.
    wait = policy.backoff(counted.counts[kind] - 1, event.roll) if kind in WAITS_BEFORE_RETRY else 0.0
    return counted, TryAgain(wait)


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
