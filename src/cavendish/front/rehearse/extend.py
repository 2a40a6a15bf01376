"""Extend: what the play of a part says of the whole. Pure.

A run on quotas settles into a steady state within minutes: from then on every picture takes what the arithmetic of the
quota says. So the whole takes as long as the part did, and as long besides as the arithmetic has between the calls of
the part and those of the whole, times how much slower than the arithmetic the part was once it had found its pace. Sums
(calls, dollars, faults) grow with the pictures; their spread grows with the square root, as luck evens out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import median

from ...engine.bulk.ports import AT_ONCE_BY_JOBS
from .play import Played, Traffic
from .stage import Way

SETTLED = 0.25
"""The share of a part's calls in which it may still be finding its pace."""
SLOWEST, FASTEST = 4.0, 0.8
"""Beyond this a part is too short to say how much slower or faster than the arithmetic its route is."""
MINUTE_S, DAY_S = 60.0, 86_400.0
FEWEST_BURSTS = 3
"""The arithmetic goes by bursts: over fewer it says nothing of a pace."""


@dataclass(frozen=True, slots=True)
class Scale:
    """``part`` pictures were played of ``whole``."""

    part: int
    whole: int

    @property
    def factor(self) -> float:
        """How many parts the whole has."""
        return self.whole / self.part if self.part else 1.0

    def grown(self, found: Sequence[float]) -> list[float]:
        """Sums over parts as sums over wholes: the mean grows with the factor, the spread with its root."""
        if self.factor == 1.0:
            return list(found)
        mean = sum(found) / len(found)
        return [self.factor * mean + sqrt(self.factor) * (one - mean) for one in found]


@dataclass(frozen=True, slots=True)
class Window:
    """So many calls in a time."""

    calls: int
    period_s: float


@dataclass(frozen=True, slots=True)
class Pace:
    """The arithmetic of one route: its limits, how many calls may be in flight, and when its day ends."""

    way: Way
    in_flight: int
    until_new_day_s: float

    @property
    def is_known(self) -> bool:
        """Whether there is a limit to go by."""
        limits = self.way.limits
        known = limits.requests_per_minute, limits.images_per_minute, limits.requests_per_day
        return any(limit is not None for limit in (*known, limits.spend_per_10_minutes_nusd))

    def starts_s(self, calls: float, traffic: Traffic) -> float:
        """When the last of so many calls starts, the keys side by side; ``traffic`` says what a call is like."""
        each = ceil(calls / self.way.keys)
        windows = self._windows(traffic)
        per_day = self.way.limits.requests_per_day
        if per_day is None:
            return _last_start(each, windows)
        first = min(per_day, _within(self.until_new_day_s, windows))
        if each <= first:
            return _last_start(each, windows)
        days, today = divmod(each - first - 1, min(per_day, _within(DAY_S, windows)))
        return self.until_new_day_s + days * DAY_S + _last_start(today + 1, windows)

    def _windows(self, traffic: Traffic) -> list[Window]:
        limits, calls = self.way.limits, max(1, traffic.calls)
        in_flight = min(self.in_flight // self.way.keys, limits.in_flight or self.in_flight)
        known = (
            (limits.requests_per_minute, 1.0, MINUTE_S),
            (limits.images_per_minute, max(1.0, traffic.slots / calls), MINUTE_S),
            (limits.spend_per_10_minutes_nusd, traffic.billed_nusd / calls, 10 * MINUTE_S),
            (in_flight, 1.0, traffic.mean_s),
        )
        return [Window(max(1, int(most / each)), period_s) for most, each, period_s in known if most and each]


def _last_start(calls: int, windows: Sequence[Window]) -> float:
    return max(((calls - 1) // window.calls * window.period_s for window in windows), default=0.0)


def _within(seconds: float, windows: Sequence[Window]) -> int:
    """How many calls may start in a time."""
    rooms = [(int(seconds / window.period_s) + 1) * window.calls for window in windows if window.period_s]
    return max(1, min(rooms, default=1))


def times(plays: Sequence[Played], paces: Sequence[Pace], scale: Scale) -> list[float]:
    """When the whole would have ended in each play."""
    if scale.factor == 1.0:
        return [played.seconds for played in plays]
    ends = [played.seconds for played in plays]
    for pace in paces:
        name = pace.way.name
        traffic = [played.traffic.get(name, Traffic()) for played in plays]
        if not any(one.calls for one in traffic):
            continue
        slower = median(_slowness(pace, one) for one in traffic)
        calls = scale.grown([one.calls for one in traffic])
        for number, (one, many) in enumerate(zip(traffic, calls, strict=True)):
            ends[number] = max(ends[number], one.ended_s + _further_s(pace, one, many) * slower)
    return ends


def _further_s(pace: Pace, traffic: Traffic, calls: float) -> float:
    """How much later than the part's last call the last of so many starts, by the arithmetic."""
    if pace.way.is_batch:
        rounds = ceil(calls / AT_ONCE_BY_JOBS) - ceil(traffic.calls / AT_ONCE_BY_JOBS)
        return rounds * traffic.mean_s
    if pace.is_known:
        return pace.starts_s(calls, traffic) - pace.starts_s(traffic.calls, traffic)
    return (calls - traffic.calls) * _apart_s(traffic)


def _apart_s(traffic: Traffic) -> float:
    """How far apart calls started, once their pace was found: where no limit is known it is all there is to go by."""
    first, last = int(traffic.calls * SETTLED), traffic.calls - 1
    return (traffic.starts[last] - traffic.starts[first]) / (last - first) if last > first else 0.0


def _slowness(pace: Pace, traffic: Traffic) -> float:
    """How many times longer than the arithmetic the calls took to start, once the route had found its pace."""
    first, last = int(traffic.calls * SETTLED), traffic.calls
    if pace.way.is_batch or not pace.is_known or first < 1 or last - first < 2:
        return 1.0
    expected_s = pace.starts_s(last, traffic) - pace.starts_s(first, traffic)
    bursts = {pace.starts_s(first + (last - first) * part // 4, traffic) for part in range(5)}
    if expected_s <= 0 or len(bursts) < FEWEST_BURSTS:
        return 1.0
    found_s = traffic.starts[last - 1] - traffic.starts[first - 1]
    return min(SLOWEST, max(FASTEST, found_s / expected_s))
