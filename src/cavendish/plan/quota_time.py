"""When calls may start and a job will be done, by what the quota allows: arithmetic only."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from ..catalog.cards import Limits

MINUTE_S = 60.0
TEN_MINUTES_S = 600.0
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Load:
    """What one call takes of a quota: input tokens, money in nano-dollars, pictures. 0 where it is not known."""

    tokens: int = 0
    nusd: int = 0
    pictures: int = 1


@dataclass(frozen=True, slots=True)
class Today:
    """The day that a daily quota is in: the seconds until it is renewed, and how many requests it had already."""

    ends_in_s: float = DAY_S
    used: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """Seconds until the last picture is there, and the limit that alone would take longest (empty: none delays it).

    ``seconds`` is infinite when a single picture is more than a limit allows.
    """

    seconds: float
    bound_by: str = ""


@dataclass(frozen=True, slots=True)
class Starts:
    """When calls may start, as early as the limits allow: ``ends[i]`` calls have started by ``at_s[i]``, and no more.

    A limit of R a minute lets R calls start at once and the next R sixty seconds later. Empty when a single call is
    more than a limit allows.
    """

    at_s: Sequence[float]
    ends: Sequence[int]

    @classmethod
    def of(cls, calls: int, limits: Limits, latency_s: float, load: Load, today: Today) -> Starts:
        """The first so many calls, each of which lasts ``latency_s``."""
        windows = _windows(limits, latency_s, load)
        if calls < 1 or any(window.capacity < 1 for window in windows):
            return cls((), ())
        if limits.requests_per_day is not None and limits.requests_per_day < 1:
            return cls((), ())
        return _bursts(calls, windows, _Days(limits.requests_per_day, today))

    def by(self, at_s: float, lasting_s: float = 0.0) -> int:
        """How many calls that last so long are over at a moment; all, when it is infinite."""
        run = len(self.ends) if at_s == inf else bisect_right(self.at_s, at_s, key=lambda start_s: start_s + lasting_s)
        return self.ends[run - 1] if run else 0

    def of_call(self, number: int) -> float:
        """When the so-many-th call starts (the first is 1); infinite for one that never does."""
        run = bisect_left(self.ends, number)
        return self.at_s[run] if run < len(self.at_s) else inf


@dataclass(frozen=True, slots=True)
class _Window:
    """At most ``capacity`` starts in any ``period_s`` seconds."""

    name: str
    capacity: int
    period_s: float


def finish_time(
    calls: int, limits: Limits, latency_s: float, load: Load | None = None, today: Today | None = None
) -> Finish:
    """When so many calls are done, started as early as the limits allow. Every call is taken to last ``latency_s``.

    100 pictures at 10 a minute, one call each, take nine minutes and one latency.
    """
    load, today = load or Load(), today or Today()
    if calls < 1:
        return Finish(0.0)
    return Finish(
        Starts.of(calls, limits, latency_s, load, today).of_call(calls) + latency_s,
        bound_by(calls, limits, latency_s, load, today),
    )


def bound_by(calls: int, limits: Limits, latency_s: float, load: Load, today: Today) -> str:
    """The limit that alone would let so many calls start last; empty when none delays any."""
    alone_s: dict[str, float] = {}
    for window in _windows(limits, latency_s, load):
        alone_s[window.name] = (calls - 1) // window.capacity * window.period_s if window.capacity else inf
    only_day = Limits(requests_per_day=limits.requests_per_day)
    alone_s["requests_per_day"] = Starts.of(calls, only_day, latency_s, load, today).of_call(calls)
    slowest = max(alone_s, key=lambda name: alone_s[name])
    return slowest if alone_s[slowest] else ""


def _windows(limits: Limits, latency_s: float, load: Load) -> list[_Window]:
    known = (
        ("requests_per_minute", limits.requests_per_minute, 1, MINUTE_S),
        ("images_per_minute", limits.images_per_minute, load.pictures, MINUTE_S),
        ("tokens_per_minute", limits.tokens_per_minute, load.tokens, MINUTE_S),
        ("spend_per_10_minutes", limits.spend_per_10_minutes_nusd, load.nusd, TEN_MINUTES_S),
        ("in_flight", limits.in_flight, 1, latency_s),
    )
    return [
        _Window(name, limit // each, period_s) for name, limit, each, period_s in known if limit is not None and each
    ]


class _Days:
    """A quota that is renewed at a fixed hour, whatever was left of it. Asked in the order of time."""

    def __init__(self, per_day: int | None, today: Today) -> None:
        self._per_day = per_day
        self._ends_s = today.ends_in_s
        self._left = max(0, (per_day or 0) - today.used)

    def room(self, at_s: float, wanted: int) -> tuple[float, int]:
        """When, from ``at_s`` on, calls may start, and how many of those that are wanted. They count as started."""
        if self._per_day is None:
            return at_s, wanted
        if at_s < self._ends_s and not self._left:
            at_s = self._ends_s
        if at_s >= self._ends_s:
            self._ends_s += DAY_S * (1 + (at_s - self._ends_s) // DAY_S)
            self._left = self._per_day
        allowed = min(wanted, self._left)
        self._left -= allowed
        return at_s, allowed


def _bursts(calls: int, windows: list[_Window], days: _Days) -> Starts:
    """Each call waits for the one that is ``capacity`` before it to leave the window.

    Calls that start together are kept as one run, so the work goes by bursts and not by calls.
    """
    ends: list[int] = []
    starts: list[float] = []
    behind = [0] * len(windows)
    done = 0
    while done < calls:
        start_s = starts[-1] if starts else 0.0
        end = calls
        for number, window in enumerate(windows):
            leaves = done - window.capacity
            if leaves < 0:
                end = min(end, window.capacity)
                continue
            while ends[behind[number]] <= leaves:
                behind[number] += 1
            run = behind[number]
            start_s = max(start_s, starts[run] + window.period_s)
            end = min(end, ends[run] + window.capacity)
        start_s, allowed = days.room(start_s, end - done)
        end = done + allowed
        if starts and starts[-1] == start_s:
            ends[-1] = end
        else:
            starts.append(start_s)
            ends.append(end)
        done = end
    return Starts(starts, ends)
