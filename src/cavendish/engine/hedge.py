"""Hedge: how long a call may take before a second one for its slot leaves, and how many may. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field

from ..model.result import Route, Slot
from .policy import Hedge

REMEMBERED = 500
"""Calls of a kind that are looked back at: enough for a tail, few enough to follow a provider that changes."""


@dataclass(slots=True)
class Latencies:
    """What the latest calls of one kind took."""

    latest: deque[float] = field(default_factory=deque[float])
    ordered: list[float] = field(default_factory=list[float])

    def add(self, latency_s: float) -> None:
        """One more."""
        self.latest.append(latency_s)
        insort(self.ordered, latency_s)
        if len(self.latest) > REMEMBERED:
            del self.ordered[bisect_left(self.ordered, self.latest.popleft())]

    def quantile(self, share: float) -> float:
        """What so many of them took at most."""
        return self.ordered[max(0, math.ceil(share * len(self.ordered)) - 1)]


class Hedges:
    """Counts calls and hedges, and learns how long calls take: by route and size of picture."""

    def __init__(self, rule: Hedge) -> None:
        self._rule = rule
        self._known: dict[tuple[Route, str | None], Latencies] = {}
        self._calls = 0
        self._hedges = 0

    def left(self) -> None:
        """A first call left."""
        self._calls += 1

    def hedged(self) -> None:
        """A second one did."""
        self._hedges += 1

    def took(self, route: Route, slot: Slot, latency_s: float) -> None:
        """A call brought its picture."""
        self._known.setdefault((route, slot.request.size), Latencies()).add(latency_s)

    @property
    def may(self) -> bool:
        """Whether one more is allowed."""
        return self._hedges < max(1.0, self._rule.share * self._calls)

    def after_s(self, route: Route, slot: Slot) -> float | None:
        """When a call is slow; ``None`` as long as that is not known."""
        if self._rule.after_s is not None:
            return self._rule.after_s
        known = self._known.get((route, slot.request.size))
        if known is None or len(known.ordered) < self._rule.samples:
            return None
        return known.quantile(self._rule.quantile)
