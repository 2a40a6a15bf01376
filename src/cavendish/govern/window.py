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

ROUNDING_S = 1e-6
"""A moment that went through another clock's numbers may be so far from what it was."""


@dataclass(slots=True)
class Run:
    """An amount that was taken from ``first_s`` to ``last_s``, and counts as taken at ``last_s``."""

    first_s: float
    last_s: float
    amount: int


class SlidingWindow:
    """At most ``limit`` in any half-open stretch of ``period_s + guard_s`` seconds.

    What is taken at ``t`` is free again at ``t + period_s + guard_s``. Holds at most 5,121 runs however large the
    limit, some 9,200 when they are told out of order, and needs constant time but for the runs that fall out. Moments
    of asking must not decrease from call to call. An amount above the whole limit is let through alone: our figure may
    be out of date, and the provider will say.
    """

    __slots__ = ("_runs", "_span_s", "_total", "limit")

    def __init__(self, limit: float, period_s: float, guard_s: float = 0.0) -> None:
        self.limit = limit
        self._span_s = period_s + guard_s
        self._runs: deque[Run] = deque()
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
        return self._total

    def frees_at(self, now_s: float) -> float | None:
        """When the oldest amount falls out; ``None`` when the window is empty."""
        self.taken(now_s)
        return self._runs[0].last_s + self._span_s if self._runs else None

    def take(self, at_s: float, amount: int) -> None:
        """Take so much at this moment, which may lie a little before or after others that were taken."""
        if not amount:
            return
        self._total += amount
        later: list[Run] = []
        while self._runs and self._runs[-1].last_s > at_s:
            later.append(self._runs.pop())
        self._append(at_s, amount, later)
        self._runs.extend(reversed(later))

    def _append(self, at_s: float, amount: int, later: list[Run]) -> None:
        """Count it with a run beside it where runs are many, else as a run of its own."""
        coarse_s = self._span_s / COARSE_RUNS if len(self._runs) + len(later) >= EXACT_RUNS else 0.0
        if later and (later[-1].first_s <= at_s or later[-1].last_s - at_s < coarse_s):
            later[-1].first_s = min(at_s, later[-1].first_s)
            later[-1].amount += amount
        elif self._runs and at_s - self._runs[-1].first_s < coarse_s:
            self._runs[-1].last_s = at_s
            self._runs[-1].amount += amount
        elif self._runs and self._runs[-1].last_s == at_s:
            self._runs[-1].amount += amount
        else:
            self._runs.append(Run(at_s, at_s, amount))

    def give_back(self, at_s: float, amount: int) -> None:
        """Undo a ``take`` of that moment; no effect when it has fallen out already."""
        for run in reversed(self._runs):
            if run.first_s <= at_s + ROUNDING_S:
                if at_s <= run.last_s + ROUNDING_S:
                    taken = min(amount, run.amount)
                    run.amount -= taken
                    self._total -= taken
                break
        while self._runs and not self._runs[-1].amount:
            self._runs.pop()

    def to_state(self, now_s: float) -> JsonValue:
        """The window as JSON values; moments as seconds from ``now_s``."""
        self.taken(now_s)
        return [[run.first_s - now_s, run.last_s - now_s, run.amount] for run in self._runs if run.amount]

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave; ``now_s`` is the moment it was given, on this process's clock."""
        self._runs = deque(Run(now_s + first, now_s + last, amount) for first, last, amount in state)
        self._total = sum(run.amount for run in self._runs)
