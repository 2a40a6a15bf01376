"""Optimum: pictures of several kinds shared out among ways to draw them, at the least cost that can be.

The model: every kind has so many pictures, and each goes one way. Ways share pools (the time of a key, its money in
ten minutes, the places of the run). Of a pool, a picture takes its part: one that could be made 90 times by the
deadline if the pool made nothing else takes a ninetieth. No pool gives more than it has.

That is an integer linear programme. Its relaxation is solved exactly (``simplex``), and where that splits a picture,
both ways of not splitting it are tried (branch and bound). All in whole numbers and exact fractions, so the
answer is the optimum, not near it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, gcd

from .simplex import Tableau

MOST_NODES = 100
"""A job's programme takes a handful. Subset sums in disguise could take for ever: then the answer says how far from
the optimum it may be, which is less than the price of a picture or two."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Pictures of kind ``kind`` go this way for ``cost`` each, and take so much of each pool, by its number."""

    kind: int
    cost: int
    takes: Mapping[int, int] = field(default_factory=dict[int, int])


@dataclass(frozen=True, slots=True)
class Programme:
    """``counts`` are the pictures of each kind, ``pools`` what each pool has to give.

    Of choices that cost the same the earlier is preferred.
    """

    counts: Sequence[int]
    choices: Sequence[Choice]
    pools: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Optimum:
    """How many pictures each choice makes, and their cost. No answer costs less than ``bound``."""

    counts: tuple[int, ...]
    cost: int
    bound: int

    @property
    def exact(self) -> bool:
        """Whether it is proved that nothing is cheaper."""
        return self.bound == self.cost


def optimum(programme: Programme, most_nodes: int = MOST_NODES) -> Optimum | None:
    """The cheapest whole answer, ``None`` when the pools do not give enough for all.

    When ``most_nodes`` are used up before an answer was found, there is none either.
    """
    start = _relaxed(programme)
    return None if start is None else _Search(programme, most_nodes).run(start)


def _relaxed(programme: Programme) -> Tableau | None:
    """Every picture by its cheapest choice, the pools as bounds that this may break."""
    first = _cheapest(programme)
    if any(count and kind not in first for kind, count in enumerate(programme.counts)):
        return None
    choices, counts = programme.choices, programme.counts
    value = sum(counts[kind] * choices[j].cost for kind, j in first.items())
    others = [j for j, choice in enumerate(choices) if first[choice.kind] != j]
    slope = {j: Fraction(choices[j].cost - choices[first[choices[j].kind]].cost) for j in others}
    tableau = Tableau(Fraction(value), {j: cost for j, cost in slope.items() if cost})
    for kind, basic in first.items():
        tableau.add(basic, Fraction(counts[kind]), {j: Fraction(1) for j in others if choices[j].kind == kind})
    for pool, whole in enumerate(programme.pools):
        row = {j: _takes(choices, j, pool) - _takes(choices, first[choices[j].kind], pool) for j in others}
        used = sum(counts[kind] * _takes(choices, j, pool) for kind, j in first.items())
        tableau.add(len(choices) + pool, Fraction(whole - used), {j: Fraction(more) for j, more in row.items()})
    return tableau


def _cheapest(programme: Programme) -> dict[int, int]:
    """The choice to begin with, for each kind that has pictures."""
    first: dict[int, int] = {}
    for j, choice in enumerate(programme.choices):
        best = first.get(choice.kind)
        if best is None or choice.cost < programme.choices[best].cost:
            first[choice.kind] = j
    return first


def _takes(choices: Sequence[Choice], j: int, pool: int) -> int:
    return choices[j].takes.get(pool, 0)


class _Search:
    """Branch and bound, the nearer side first."""

    def __init__(self, programme: Programme, most_nodes: int) -> None:
        self._programme = programme
        self._left = most_nodes
        self._next = len(programme.choices) + len(programme.pools)
        self._best: tuple[int, tuple[int, ...]] | None = None
        self._base, self._step = _steps(programme)

    def run(self, start: Tableau) -> Optimum | None:
        """Look at open cases until none can be cheaper than the best that was found."""
        if not start.solve():
            return None
        cases = [(self._bound(start), start)]
        while cases and self._left:
            bound, case = cases.pop()
            if self._best is not None and bound >= self._best[0]:
                continue
            self._left -= 1
            cases.extend(self._branches(case))
        if self._best is None:
            return None
        cost, counts = self._best
        return Optimum(counts, cost, min([cost, *(bound for bound, _ in cases)]))

    def _branches(self, case: Tableau) -> list[tuple[int, Tableau]]:
        """The cases that a case falls into, the one to be looked at first at the end; none for a whole answer."""
        answer = case.answer()
        whole = len(self._programme.choices)
        split = min((j for j, value in answer.items() if j < whole and value.denominator > 1), default=None)
        self._keep(_rounded(self._programme, answer))
        if split is None:
            return []
        below = answer[split].numerator // answer[split].denominator
        low, high = case.copy(), case
        low.at_most(split, below, self._next)
        high.at_least(split, below + 1, self._next)
        self._next += 1
        sides = [high, low] if answer[split] - below < Fraction(1, 2) else [low, high]
        return [(self._bound(side), side) for side in sides if side.solve()]

    def _keep(self, counts: tuple[int, ...] | None) -> None:
        if counts is None:
            return
        cost = sum(count * choice.cost for count, choice in zip(counts, self._programme.choices, strict=True))
        if self._best is None or cost < self._best[0]:
            self._best = cost, counts

    def _bound(self, case: Tableau) -> int:
        """The least that a whole answer of this case may cost: costs come in steps."""
        return self._base + ceil((case.value - self._base) / self._step) * self._step


def _rounded(programme: Programme, answer: Mapping[int, Fraction]) -> tuple[int, ...] | None:
    """A whole answer near one that splits pictures: those go, one by one, where it costs least and there is room."""
    choices = programme.choices
    counts = [int(answer.get(j, 0)) for j in range(len(choices))]
    room = list(programme.pools)
    for count, choice in zip(counts, choices, strict=True):
        for pool, share in choice.takes.items():
            room[pool] -= count * share
    left = list(programme.counts)
    for j, count in enumerate(counts):
        left[choices[j].kind] -= count
    for j in sorted(range(len(choices)), key=lambda j: (choices[j].cost, j)):
        takes = choices[j].takes
        more = min([left[choices[j].kind], *(room[pool] // share for pool, share in takes.items() if share)])
        counts[j] += more
        left[choices[j].kind] -= more
        for pool, share in takes.items():
            room[pool] -= more * share
    return None if any(left) else tuple(counts)


def _steps(programme: Programme) -> tuple[int, int]:
    """Every answer costs a fixed sum and a multiple of a step."""
    first = _cheapest(programme)
    choices = programme.choices
    base = sum(programme.counts[kind] * choices[j].cost for kind, j in first.items())
    return base, gcd(*(choice.cost - choices[first[choice.kind]].cost for choice in choices)) or 1
