"""Heir: which lane of this run goes on with a call that an earlier process made, and at whose prices. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..model.attempt import Attempt
from ..model.call import Done
from ..model.fault import Charged, Fault, FaultKind
from ..model.request import Notice
from ..model.result import Slot
from ..model.usage import Usage
from .ports import Lane


@dataclass(frozen=True, slots=True)
class BookedPrice:
    """The price that was written down before a call left, where the route's own prices are not at hand any more."""

    nusd: int | None

    def estimate(self, slot: Slot) -> int | None:  # noqa: ARG002
        """What the call was expected to cost."""
        return self.nusd

    def bound(self, slot: Slot) -> int | None:  # noqa: ARG002
        """It was let in before."""
        return self.nusd

    def cost(self, slot: Slot, usage: Usage, reply: Done | Fault, pictures: int = 1) -> int | None:  # noqa: ARG002
        """What the provider says; else the estimate, for what was charged."""
        charged = reply.charged if isinstance(reply, Fault) else Charged.YES
        if charged is Charged.NO:
            return 0
        if usage.cost_nusd is not None:
            return usage.cost_nusd
        return self.nusd if charged is Charged.YES else None

    def charged(self, fault: Fault) -> Fault:
        """The fault as it is."""
        return fault


def pricer(lanes: Sequence[Lane], attempts: Sequence[Attempt]) -> Lane:
    """A lane that prices what these attempts of one call brought: one of their route, else one that knows the books."""
    first = attempts[0]
    ours = [lane for lane in lanes if lane.route == first.route]
    return min(ours, key=lambda lane: lane.key != first.key, default=None) or _booked(lanes[0], attempts)


def heir(lanes: Sequence[Lane], attempts: Sequence[Attempt]) -> Lane | None:
    """The lane that can ask for the job of these attempts, or fetch what came of it: nobody else knows of it.

    That is one of the same endpoint with the same key, where both are known. A model's name there may have changed with
    the catalog: then the job is priced as it was on the books.
    """
    first = attempts[0]
    ours = [lane for lane in lanes if lane.route.endpoint == first.route.endpoint and _opens(lane.key, first.key)]
    if not ours:
        return None
    best = min(ours, key=lambda lane: lane.route != first.route)
    return best if best.route == first.route else _booked(best, attempts)


def unreachable(lanes: Sequence[Lane], attempt: Attempt) -> Fault:
    """Why there is no heir."""
    words = f"a job is at work by {attempt.route}, which is not among the routes of this run"
    if any(lane.route.endpoint == attempt.route.endpoint for lane in lanes):
        words = f"a job is at work by {attempt.route} with a key that is not set: its fingerprint is {attempt.key}"
    return Fault(FaultKind.BAD_KEY, words, Charged.NO)


def _opens(key: str, wanted: str) -> bool:
    return not key or not wanted or key == wanted


def _nothing_to_say(_slot: Slot) -> tuple[Notice, ...]:
    return ()


def _booked(lane: Lane, attempts: Sequence[Attempt]) -> Lane:
    """A lane as if it led to where the call went."""
    prices = [attempt.estimate_nusd for attempt in attempts]
    nusd = None if None in prices else sum(price or 0 for price in prices)
    return replace(lane, route=attempts[0].route, pricing=BookedPrice(nusd), notices=_nothing_to_say)
