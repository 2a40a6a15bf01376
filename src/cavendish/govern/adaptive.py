"""Adaptive: finds a limit that nobody stated; additive increase, multiplicative decrease."""

from __future__ import annotations

import math

from ..model.request import JsonValue

STEPS_TO_PEAK = 20.0
"""Growth per round of full use, as a part of the last peak: a drop by a twentieth is made good in one round."""

LEAST_STEP = 1.0
"""Per round of full use: a small limit is tried one higher each round."""

ROUNDING = 1e-9
"""Many small steps add up to a whole one but for their rounding."""

LATENCY_WARMUP = 20
RECENT_WEIGHT, USUAL_WEIGHT = 0.2, 0.02
INFLATED = 2.0
"""Twice the usual latency, seen over some five calls, is a queue that grows at the provider and no longer chance."""


class Adaptive:
    """A limit that grows while all goes well and shrinks when the provider complains.

    While ``ramping`` it grows by one per success, so it doubles per round trip; after the first complaint by a
    twentieth of its last peak per round, at least by one. Beyond that peak each round doubles the excess: one complaint
    that was about something else does not hold it down for long. It stays within ``floor`` and ``ceiling``.
    """

    __slots__ = ("_peak", "_shrunk_at", "ceiling", "floor", "ramping", "value")

    def __init__(self, value: float, ceiling: float, floor: float = 1.0, *, ramping: bool = False) -> None:
        self.value = value
        self.ceiling = ceiling
        self.floor = floor
        self.ramping = ramping
        self._peak = value
        self._shrunk_at = -math.inf

    @property
    def limit(self) -> float:
        """The limit as a whole number; infinite when there was never cause for one."""
        return self.value if self.value == math.inf else math.floor(self.value + ROUNDING)

    def grow(self) -> None:
        """A call that made full use of the limit went well."""
        if self.value < self.ceiling:
            by_round = max(LEAST_STEP, self._peak / STEPS_TO_PEAK, self.value - self._peak)
            step = 1.0 if self.ramping else by_round / self.limit
            self.value = min(self.ceiling, self.value + step)

    def shrink(self, left_at_s: float, now_s: float, keep: float, seen: float) -> bool:
        """A call that left at ``left_at_s`` met a complaint, with ``seen`` of the limit in use: keep so much of that.

        A call that left before the last shrink tells nothing new, so a burst that fails together shrinks once.
        """
        if left_at_s <= self._shrunk_at:
            return False
        self._peak = min(self.value, max(seen, self.floor))
        self.value = max(self.floor, self._peak * keep)
        self._shrunk_at = now_s
        self.ramping = False
        return True

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values; ``None`` stands for infinity."""
        numbers = (self.value, self.ceiling, self._peak, self._shrunk_at - now_s)
        value, ceiling, peak, shrunk = (number if math.isfinite(number) else None for number in numbers)
        return {"value": value, "ceiling": ceiling, "peak": peak, "shrunk": shrunk, "ramping": self.ramping}

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave at ``now_s``, unless it was found under another ceiling."""
        if _or_infinite(state["ceiling"]) != self.ceiling:
            return
        self.value = _or_infinite(state["value"])
        self._peak = _or_infinite(state["peak"])
        self._shrunk_at = -math.inf if state["shrunk"] is None else now_s + state["shrunk"]
        self.ramping = state["ramping"]


def _or_infinite(number: float | None) -> float:
    return math.inf if number is None else number


class LatencyWatch:
    """Tells when calls take much longer than they used to: two moving averages, a quick one and a slow one."""

    __slots__ = ("_calls", "_recent_s", "_usual_s")

    def __init__(self) -> None:
        self._calls = 0
        self._recent_s = 0.0
        self._usual_s = 0.0

    def inflated(self, latency_s: float) -> bool:
        """Take one more latency in, and say whether the recent ones are out of the usual."""
        self._calls += 1
        recent = max(RECENT_WEIGHT, 1 / self._calls)
        usual = max(USUAL_WEIGHT, 1 / self._calls)
        self._recent_s += recent * (latency_s - self._recent_s)
        self._usual_s += usual * (latency_s - self._usual_s)
        return self._calls > LATENCY_WARMUP and self._recent_s > INFLATED * self._usual_s

    def to_state(self) -> JsonValue:
        """As JSON values."""
        return [self._calls, self._recent_s, self._usual_s]

    def restore(self, state: JsonValue) -> None:
        """Take over what ``to_state`` gave."""
        self._calls, self._recent_s, self._usual_s = state
