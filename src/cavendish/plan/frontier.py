"""Frontier: the cheapest plan for each time by which a job may be finished, and the one that a wish picks out.

What can be made by a time grows in steps, as the next minute or day begins. So there are only so many times at which
anything changes, and the cheapest plan for a time (``optimum``) is asked for at those. A time is kept by slow calls:
nine in ten are faster.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from .optimum import Choice, Programme, optimum
from .options import MOST_TIMES, WHOLE, Pace, Way

MOST_POINTS = 24
"""Plans of a frontier; of more, those whose times are a like part of each other are shown."""


@dataclass(frozen=True, slots=True)
class Plan:
    """So many pictures each way, by the numbers of the ways; ways that make none are left out.

    ``cost_nusd`` is the least for its time, unless ``at_least_nusd`` is less: then all that is proved is that none
    costs less than that. ``usual_s`` and ``slow_s`` say when the last picture is there; infinite when it is not known.
    """

    counts: tuple[tuple[int, int], ...]
    cost_nusd: int
    at_least_nusd: int
    usual_s: float
    slow_s: float


@dataclass(slots=True)
class Planner:
    """Finds plans. ``counts`` are the pictures of each kind."""

    counts: Sequence[int]
    ways: Sequence[Way]
    _times: list[float] = field(default_factory=list[float])
    _known: dict[int, Plan | None] = field(default_factory=dict[int, Plan | None])

    def __post_init__(self) -> None:
        made = {0.0} if not any(self.counts) else set[float]()
        made.update(at_s for way in self.ways for pace in way.paces.values() for at_s in pace.times(most=MOST_TIMES))
        self._times = sorted(made)

    # --- wishes -----------------------------------------------------------------------------------------------------

    def cheapest(self) -> Plan | None:
        """The plan that costs least, and of those the fastest; ``None`` when some picture can be made nowhere."""
        return self._fastest_of(self._at(len(self._times) - 1))

    def fastest(self) -> Plan | None:
        """The plan that is finished first, ``None`` when the end of none is known."""
        return self._first(lambda _: True, bisect_left(self._times, inf))

    def by(self, deadline_s: float) -> Plan | None:
        """The cheapest plan that is finished by then, and of those the fastest."""
        return self._fastest_of(self._at(bisect_right(self._times, deadline_s) - 1))

    def within(self, budget_nusd: int) -> Plan | None:
        """The fastest plan that costs no more; one whose end is not known, if no other does."""
        return self._first(lambda plan: plan.cost_nusd <= budget_nusd)

    def frontier(self) -> tuple[Plan, ...]:
        """The cheapest plan for each time, the slowest and cheapest first."""
        last = self.cheapest()
        every = self._walk(last, 1.0)
        if len(every) <= MOST_POINTS:
            return every
        slowest_s = next(plan.slow_s for plan in every if plan.slow_s < inf)
        fastest = self.fastest() or every[-1]
        return self._walk(last, (fastest.slow_s / slowest_s) ** (1 / (MOST_POINTS - 2)))

    # --- the search -------------------------------------------------------------------------------------------------

    def _walk(self, last: Plan | None, ratio: float) -> tuple[Plan, ...]:
        """From the cheapest plan to the fastest, each at most ``ratio`` of the time of the one before."""
        found: list[Plan] = []
        while last is not None and len(found) <= MOST_POINTS:
            found.append(last)
            before = bisect_right(self._times, last.slow_s) - 1
            below = before - 1 if self._times[before] == last.slow_s else before
            if last.slow_s < inf:
                below = min(below, bisect_right(self._times, last.slow_s * ratio) - 1)
            last = self._fastest_of(self._at(below)) or (self.fastest() if ratio < 1.0 else None)
            if last is not None and last.slow_s >= found[-1].slow_s:
                break
        return tuple(found)

    def _fastest_of(self, plan: Plan | None) -> Plan | None:
        if plan is None:
            return None
        return self._first(lambda other: other.cost_nusd <= plan.cost_nusd) or plan

    def _first(self, suits: Callable[[Plan], bool], below: int | None = None) -> Plan | None:
        """The plan for the earliest time whose cheapest plan suits: what suits at one time does at all later ones.

        Of the times whose number is below a bound.
        """
        low, high = 0, len(self._times) if below is None else below
        best: Plan | None = None
        while low < high:
            middle = (low + high) // 2
            plan = self._at(middle)
            if plan is not None and suits(plan):
                best, high = plan, middle
            else:
                low = middle + 1
        return best

    def _at(self, number: int) -> Plan | None:
        """The cheapest plan for the time of that number."""
        if number < 0:
            return None
        if number not in self._known:
            self._known[number] = self._plan(self._times[number])
        return self._known[number]

    def _plan(self, at_s: float) -> Plan | None:
        able = [number for number, way in enumerate(self.ways) if way.by(at_s)]
        pools: dict[str, int] = {}
        choices: list[Choice] = []
        for number in able:
            way = self.ways[number]
            bound = {name: pace for name, pace in way.paces.items() if pace.is_bound and at_s < inf}
            takes = {pools.setdefault(name, len(pools)): pace.part(at_s) for name, pace in bound.items()}
            choices.append(Choice(way.kind, way.each_nusd, takes))
        found = optimum(Programme(self.counts, choices, (WHOLE,) * len(pools)))
        if found is None:
            return None
        counts = tuple((number, count) for number, count in zip(able, found.counts, strict=True) if count)
        return Plan(counts, found.cost, found.bound, self.end_s(counts, slow=False), self.end_s(counts, slow=True))

    def end_s(self, counts: Sequence[tuple[int, int]], *, slow: bool, supposing: bool = False) -> float:
        """When so many pictures by each way are there: a pool's share of its time for each.

        ``supposing`` that there are no limits but those that are known, so it is the least that it takes.
        """
        pools: dict[str, list[tuple[Pace, int]]] = {}
        for number, count in counts:
            for name, pace in self.ways[number].paces.items():
                pools.setdefault(name, []).append((pace.supposed() if supposing else pace, count))
        return max((_pool_ends_s(parts, slow=slow) for parts in pools.values()), default=0.0)


def _pool_ends_s(parts: Sequence[tuple[Pace, int]], *, slow: bool) -> float:
    """The first moment by which a pool's shares are no more than the whole of it."""
    alone_s = max(pace.done_s(count, slow=slow) for pace, count in parts)
    bound = [(pace, count) for pace, count in parts if pace.is_bound]
    if alone_s == inf or len(bound) < 2:
        return alone_s
    moments = sorted({at_s for pace, _ in bound for at_s in pace.times(slow=slow) if at_s >= alone_s})
    number = bisect_left(moments, 1, key=lambda at_s: _fits(bound, at_s, slow=slow))
    return moments[number] if number < len(moments) else inf


def _fits(parts: Sequence[tuple[Pace, int]], at_s: float, *, slow: bool) -> int:
    """1 when a pool can make all of these by a moment, else 0."""
    return int(sum(count * pace.part(at_s, slow=slow) for pace, count in parts) <= WHOLE)
