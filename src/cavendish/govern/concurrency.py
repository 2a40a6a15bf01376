"""InFlight: how many calls may be under way at once, stated or found out."""

from __future__ import annotations

import math

from ..model.request import JsonValue
from .adaptive import Adaptive, LatencyWatch
from .pacing import Pacing

KEEP_ON_COMPLAINT = 0.8
KEEP_ON_LATENCY = 0.9


class InFlight:
    """Counts calls under way against a limit.

    A stated limit is kept as it is. One that nobody stated is searched for from ``first_in_flight`` up. But when calls
    per minute are limited, those already bound the calls in flight, and the search starts at the top: a known minute's
    worth may leave as a burst, and only an overloaded provider brings it down.
    """

    __slots__ = ("_adaptive", "_filled_at_s", "_first", "_known", "_most", "_watch", "count")

    def __init__(self, known: int | None, pacing: Pacing, *, paced: bool) -> None:
        self._known: float | None = known
        self._first, self._most = pacing.first_in_flight, pacing.most_in_flight
        self._adaptive = self._search(paced=paced)
        self._watch = LatencyWatch()
        self._filled_at_s = -math.inf
        self.count = 0

    def _search(self, *, paced: bool) -> Adaptive:
        first = self._most if paced else min(self._first, self._most)
        return Adaptive(first, self._most, ramping=not paced)

    @property
    def limit(self) -> float:
        """How many may be under way."""
        return self._adaptive.limit if self._known is None else self._known

    def is_full(self, aside: int = 0) -> bool:
        """Whether the next call has to wait until another ends, with so many places kept for others.

        One call is always let through.
        """
        return self.count + aside >= max(1, self.limit)

    def forget(self, *, paced: bool) -> None:
        """Begin the search anew."""
        self._adaptive = self._search(paced=paced)
        self._watch = LatencyWatch()

    def enter(self, now_s: float) -> None:
        """One more is under way."""
        self.count += 1
        if self.count >= self.limit:
            self._filled_at_s = now_s

    def resume(self, count: int) -> None:
        """So many were under way when the state was taken, and still are."""
        self.count = count

    def leave(self) -> None:
        """One is back, or was never sent."""
        self.count -= 1

    def restrict(self, limit: int | None) -> None:
        """A provider stated the limit, or (``None``) what it once stated is out of date."""
        self._known = limit

    def went_well(self, left_at_s: float, now_s: float, latency_s: float) -> None:
        """A call came back: grow when all room was used since it left, draw back when calls take much longer."""
        if self._watch.inflated(latency_s):
            if self._adaptive.limit > self._first:
                seen = max(self.count, self._first / KEEP_ON_LATENCY)
                self._adaptive.shrink(left_at_s, now_s, KEEP_ON_LATENCY, seen)
        elif self._filled_at_s >= left_at_s:
            self._adaptive.grow()

    def complained(self, left_at_s: float, now_s: float) -> None:
        """The provider had too much to do.

        Draws back from what was in flight, or from the search's start when that was less: a complaint in a quiet moment
        is no sign that one call is too many.
        """
        self._adaptive.shrink(left_at_s, now_s, KEEP_ON_COMPLAINT, max(self.count, self._first))

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values. The count belongs to grants, and is restored with them."""
        filled = self._filled_at_s - now_s if math.isfinite(self._filled_at_s) else None
        return {"limit": self._adaptive.to_state(now_s), "latency": self._watch.to_state(), "filled": filled}

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave at ``now_s``."""
        self._adaptive.restore(state["limit"], now_s)
        self._watch.restore(state["latency"])
        self._filled_at_s = -math.inf if state["filled"] is None else now_s + state["filled"]
