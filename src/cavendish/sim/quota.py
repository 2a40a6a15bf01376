"""The provider's own quota: counts calls in windows and says which limit a call would break, and for how long.

Time is an argument in seconds. Windows of a minute run on the monotonic time, the day's on the calendar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

Algorithm = Literal["fixed_window", "sliding_window", "token_bucket"]
Measure = Literal["requests", "images", "tokens", "nusd", "day", "tasks"]

MINUTE_S = 60.0
SPEND_WINDOW_S = 600.0


class Window(Protocol):
    """One limit on one measure."""

    def wait_s(self, now: float, amount: int) -> float:
        """Seconds until this amount fits, 0 when it fits now. An amount above the limit counts as the limit."""
        ...

    def take(self, now: float, amount: int) -> None:
        """Count it."""
        ...

    def used(self, now: float) -> int:
        """How much of the limit is taken."""
        ...


class FixedWindow:
    """So much in each period; periods begin at multiples of their length, whoever calls."""

    def __init__(self, limit: int, period_s: float) -> None:
        self._limit = limit
        self._period_s = period_s
        self._index: int = -1
        self._used = 0

    def wait_s(self, now: float, amount: int) -> float:
        self._roll(now)
        if self._used + min(amount, self._limit) <= self._limit:
            return 0.0
        return (self._index + 1) * self._period_s - now

    def take(self, now: float, amount: int) -> None:
        self._roll(now)
        self._used += amount

    def used(self, now: float) -> int:
        self._roll(now)
        return self._used

    def _roll(self, now: float) -> None:
        index = int(now // self._period_s)
        if index != self._index:
            self._index, self._used = index, 0


class SlidingWindow:
    """So much in any period: what was taken at t is free again at t + period."""

    def __init__(self, limit: int, period_s: float) -> None:
        self._limit = limit
        self._period_s = period_s
        self._log: deque[tuple[float, int]] = deque()
        self._used = 0

    def wait_s(self, now: float, amount: int) -> float:
        self._roll(now)
        excess = self._used + min(amount, self._limit) - self._limit
        if excess <= 0:
            return 0.0
        for at, taken in self._log:
            excess -= taken
            if excess <= 0:
                return at + self._period_s - now
        return self._period_s

    def take(self, now: float, amount: int) -> None:
        self._roll(now)
        self._log.append((now, amount))
        self._used += amount

    def used(self, now: float) -> int:
        self._roll(now)
        return self._used

    def _roll(self, now: float) -> None:
        while self._log and self._log[0][0] + self._period_s <= now:
            self._used -= self._log.popleft()[1]


class TokenBucket:
    """Full at first, refilled evenly at limit per period, never above the limit."""

    def __init__(self, limit: int, period_s: float) -> None:
        self._limit = limit
        self._per_s = limit / period_s
        self._level = float(limit)
        self._at: float | None = None

    def wait_s(self, now: float, amount: int) -> float:
        self._refill(now)
        missing = min(amount, self._limit) - self._level
        return missing / self._per_s if missing > 1e-9 else 0.0  # refilling in steps leaves dust

    def take(self, now: float, amount: int) -> None:
        self._refill(now)
        self._level -= amount

    def used(self, now: float) -> int:
        self._refill(now)
        return round(self._limit - self._level)

    def _refill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self._level = min(float(self._limit), self._level + (now - self._at) * self._per_s)
        self._at = now


class DayWindow:
    """So much from one midnight to the next in a time zone, whatever the length of that day. Takes wall time."""

    def __init__(self, limit: int, zone: ZoneInfo) -> None:
        self._limit = limit
        self._zone = zone
        self._ends_at = 0.0
        self._used = 0

    def wait_s(self, now: float, amount: int) -> float:
        self._roll(now)
        return 0.0 if self._used + min(amount, self._limit) <= self._limit else self._ends_at - now

    def take(self, now: float, amount: int) -> None:
        self._roll(now)
        self._used += amount

    def used(self, now: float) -> int:
        self._roll(now)
        return self._used

    def _roll(self, now: float) -> None:
        if now >= self._ends_at:
            self._ends_at, self._used = next_midnight(now, self._zone), 0


def next_midnight(wall: float, zone: ZoneInfo) -> float:
    """The end of the day that this moment lies in; epoch seconds. A day may have 23 or 25 hours."""
    local = datetime.fromtimestamp(wall, zone)
    tomorrow = (local + timedelta(days=1)).date()
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone).timestamp()


@dataclass(frozen=True, slots=True)
class QuotaPlan:
    """The limits of one key; ``None`` means none. Spend in nano-dollars per rolling ten minutes.

    ``active_tasks`` is how many stored jobs may be under way at once.
    """

    algorithm: Algorithm = "sliding_window"
    requests_per_minute: int | None = None
    images_per_minute: int | None = None
    tokens_per_minute: int | None = None
    requests_per_day: int | None = None
    spend_per_10_minutes_nusd: int | None = None
    active_tasks: int | None = None
    day_zone: str = "America/Los_Angeles"


@dataclass(frozen=True, slots=True)
class Load:
    """What one call takes of each limit. The money is what it will be billed."""

    requests: int = 1
    images: int = 1
    tokens: int = 0
    nusd: int = 0


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that a call would break, how much of it is taken, and when the call would fit."""

    measure: Measure
    limit: int
    wait_s: float
    used: int = 0


_WINDOWS: dict[Algorithm, Callable[[int, float], Window]] = {
    "fixed_window": FixedWindow,
    "sliding_window": SlidingWindow,
    "token_bucket": TokenBucket,
}


class KeyQuota:
    """All limits of one key on one model, with the key's spend, which all its models share."""

    def __init__(self, plan: QuotaPlan, spend: Window | None, zone: ZoneInfo) -> None:
        make = _WINDOWS[plan.algorithm]
        per_minute: tuple[tuple[Measure, int | None], ...] = (
            ("requests", plan.requests_per_minute),
            ("images", plan.images_per_minute),
            ("tokens", plan.tokens_per_minute),
        )
        self._minute: list[tuple[Measure, int, Window]] = [
            (m, limit, make(limit, MINUTE_S)) for m, limit in per_minute if limit is not None
        ]
        self._day = DayWindow(plan.requests_per_day, zone) if plan.requests_per_day is not None else None
        self._spend = spend
        self._plan = plan

    def breaches(self, load: Load, now: float, wall: float) -> tuple[Breach, ...]:
        """Every limit that the call would break, the longest wait first; empty when it may pass."""
        found = [
            Breach(measure, limit, wait, window.used(now))
            for measure, limit, window in self._minute
            if (wait := window.wait_s(now, _amount(load, measure))) > 0
        ]
        if self._day and (wait := self._day.wait_s(wall, load.requests)) > 0:
            found.append(Breach("day", self._plan.requests_per_day or 0, wait, self._day.used(wall)))
        # What a call costs is known when it ends: one that begins below the limit may pass it.
        if self._spend and (wait := self._spend.wait_s(now, 1)) > 0:
            found.append(Breach("nusd", self._plan.spend_per_10_minutes_nusd or 0, wait, self._spend.used(now)))
        return tuple(sorted(found, key=lambda breach: -breach.wait_s))

    def take(self, load: Load, now: float, wall: float) -> None:
        """Count a call that was let in."""
        for measure, _, window in self._minute:
            window.take(now, _amount(load, measure))
        if self._day:
            self._day.take(wall, load.requests)

    def spend(self, nusd: int, now: float) -> None:
        """Count what a call was billed."""
        if self._spend and nusd:
            self._spend.take(now, nusd)

    def state(self, now: float, wall: float) -> dict[str, tuple[int, int]]:
        """What is used of each limit: ``{"requests": (7, 10)}``."""
        state = {str(measure): (window.used(now), limit) for measure, limit, window in self._minute}
        if self._day:
            state["day"] = (self._day.used(wall), self._plan.requests_per_day or 0)
        if self._spend:
            state["nusd"] = (self._spend.used(now), self._plan.spend_per_10_minutes_nusd or 0)
        return state


class Quotas:
    """The quotas of all keys: Google counts per model within a key, money per key."""

    def __init__(self, plan: QuotaPlan) -> None:
        self._plan = plan
        # Read from the system's files now: a call must not wait for the disk.
        self._zone = ZoneInfo(plan.day_zone)
        self._quotas: dict[tuple[str, str], KeyQuota] = {}
        self._spends: dict[str, Window] = {}

    def of(self, key: str, model: str) -> KeyQuota:
        """The quota of one key on one model."""
        if (key, model) not in self._quotas:
            self._quotas[key, model] = KeyQuota(self._plan, self._spend_of(key), self._zone)
        return self._quotas[key, model]

    def known(self) -> Iterable[tuple[str, str, KeyQuota]]:
        """Every key and model that called."""
        return ((key, model, quota) for (key, model), quota in self._quotas.items())

    def _spend_of(self, key: str) -> Window | None:
        limit = self._plan.spend_per_10_minutes_nusd
        if limit is None:
            return None
        return self._spends.setdefault(key, SlidingWindow(limit, SPEND_WINDOW_S))


def _amount(load: Load, measure: Measure) -> int:
    return {"requests": load.requests, "images": load.images, "tokens": load.tokens}[measure]
