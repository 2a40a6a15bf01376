"""SlidingWindow: never more than so much in any stretch of time, and never less than could be."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..model.request import JsonValue

EXACT_RUNS = 1024
"""Up to so many runs every start is kept with its own moment."""

COARSE_RUNS = 4096
"""Beyond them, starts within this fraction of the span count as one, at the later moment: 15 ms in a minute, 0.03 % of
it."""


@dataclass(slots=True)
class Run:
    """An amount that was taken from ``first_s`` to ``last_s``, and counts as taken at ``last_s``."""

    first_s: float
    last_s: float
    amount: int


class SlidingWindow:
    """At most ``limit`` in any half-open stretch of ``period_s + guard_s`` seconds.

    What is taken at ``t`` is free again at ``t + period_s + guard_s``. Holds at most 5,121 runs however large the
    limit, and needs constant time but for the runs that fall out. Moments must not decrease from call to call. An
    amount above the whole limit is let through alone: our figure may be out of date, and the provider will say.
    """

    __slots__ = ("_first", "_runs", "_span_s", "_total", "limit")

    def __init__(self, limit: float, period_s: float, guard_s: float = 0.0) -> None:
        self.limit = limit
        self._span_s = period_s + guard_s
        self._runs: deque[Run] = deque()
        self._first = 0
        self._total = 0

    def earliest(self, now_s: float, amount: int) -> float:
        """When so much can be taken: ``now_s``, or the moment at which enough has fallen out."""
        excess = self.taken(now_s) + min(amount, self.limit) - self.limit
        at = now_s
        for run in self._runs:
            if excess <= 0:
                break
            excess -= run.amount
            at = run.last_s + self._span_s
        return at

    def taken(self, now_s: float) -> int:
        """How much the window holds now."""
        runs = self._runs
        while runs and runs[0].last_s + self._span_s <= now_s:
            self._total -= runs.popleft().amount
            self._first += 1
        return self._total

    def frees_at(self, now_s: float) -> float | None:
        """When the oldest amount falls out; ``None`` when the window is empty."""
        self.taken(now_s)
        return self._runs[0].last_s + self._span_s if self._runs else None

    def take(self, now_s: float, amount: int) -> int:
        """Take so much now. Returns the number of its run, for ``give_back``."""
        runs = self._runs
        self._total += amount
        if runs:
            run = runs[-1]
            coarse = len(runs) >= EXACT_RUNS and now_s < run.first_s + self._span_s / COARSE_RUNS
            if coarse or now_s == run.last_s:
                run.last_s = now_s
                run.amount += amount
                return self._first + len(runs) - 1
        runs.append(Run(now_s, now_s, amount))
        return self._first + len(runs) - 1

    def give_back(self, number: int, amount: int) -> None:
        """Undo a ``take``; no effect when its run has fallen out already."""
        runs = self._runs
        place = number - self._first
        if not 0 <= place < len(runs):
            return
        runs[place].amount -= amount
        self._total -= amount
        while runs and runs[-1].amount == 0:
            runs.pop()

    def to_state(self, now_s: float) -> JsonValue:
        """The window as JSON values; moments as seconds from ``now_s``."""
        self.taken(now_s)
        runs = [[run.first_s - now_s, run.last_s - now_s, run.amount] for run in self._runs]
        return {"first": self._first, "runs": runs}

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave; ``now_s`` is the moment it was given, on this process's clock."""
        self._first = state["first"]
        self._runs = deque(Run(now_s + first, now_s + last, amount) for first, last, amount in state["runs"])
        self._total = sum(run.amount for run in self._runs)
