"""When a job will be done, by what the quota allows: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ..catalog.cards import Limits

MINUTE_S = 60.0
TEN_MINUTES_S = 600.0
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Load:
    """What one picture takes of a quota: input tokens, and money in nano-dollars. 0 where it is not known."""

    tokens: int = 0
    nusd: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """Seconds until the last picture is there, and the limit that alone would take longest (empty: none delays it).

    ``seconds`` is infinite when a single picture is more than a limit allows.
    """

    seconds: float
    bound_by: str = ""


@dataclass(frozen=True, slots=True)
class _Window:
    """At most ``capacity`` starts in any ``period_s`` seconds."""

    name: str
    capacity: int
    period_s: float


def finish_time(
    pictures: int, limits: Limits, latency_s: float, load: Load | None = None, *, until_new_day_s: float = DAY_S
) -> Finish:
    """When so many pictures are done, one call each, started as early as the limits allow.

    A limit of R a minute lets R calls start at once and the next R sixty seconds later, so 100 pictures at 10 a minute
    take nine minutes and one latency. A daily quota is renewed after ``until_new_day_s``, and then every day. Every
    call is taken to last ``latency_s``.
    """
    windows = _windows(limits, latency_s, load or Load())
    per_day = limits.requests_per_day
    if pictures < 1:
        return Finish(0.0)
    if shut := next((window for window in windows if window.capacity < 1), None):
        return Finish(inf, shut.name)
    started_s = _last_start(pictures, windows, _Days(per_day, until_new_day_s))
    alone_s = {window.name: (pictures - 1) // window.capacity * window.period_s for window in windows}
    alone_s["requests_per_day"] = _last_start(pictures, [], _Days(per_day, until_new_day_s))
    slowest = max(alone_s, key=lambda name: alone_s[name])
    return Finish(started_s + latency_s, slowest if alone_s[slowest] else "")


def _windows(limits: Limits, latency_s: float, load: Load) -> list[_Window]:
    known = (
        ("requests_per_minute", limits.requests_per_minute, 1, MINUTE_S),
        ("images_per_minute", limits.images_per_minute, 1, MINUTE_S),
        ("tokens_per_minute", limits.tokens_per_minute, load.tokens, MINUTE_S),
        ("spend_per_10_minutes", limits.spend_per_10_minutes_nusd, load.nusd, TEN_MINUTES_S),
        ("in_flight", limits.in_flight, 1, latency_s),
    )
    return [
        _Window(name, limit // each, period_s) for name, limit, each, period_s in known if limit is not None and each
    ]


class _Days:
    """A quota that is renewed at a fixed hour, whatever was left of it. Asked in the order of time."""

    def __init__(self, per_day: int | None, until_new_day_s: float) -> None:
        self._per_day = per_day
        self._ends_s = until_new_day_s
        self._left = per_day or 0

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


def _last_start(pictures: int, windows: list[_Window], days: _Days) -> float:
    """When the last call starts: each waits for the one that is ``capacity`` before it to leave the window.

    Calls that start together are kept as one run, so the work goes by bursts and not by pictures.
    """
    ends: list[int] = []
    starts: list[float] = []
    behind = [0] * len(windows)
    done = 0
    while done < pictures:
        start_s = starts[-1] if starts else 0.0
        end = pictures
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
    return starts[-1]
