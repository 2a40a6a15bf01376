"""Simplex: a linear programme in exact fractions, kept optimal while bounds are added to it.

It starts from an answer that costs least but may break bounds, and repairs one bound at a time (the dual simplex
method), so what was found is of use again when a bound is added. Bland's rule: of several candidates the one with the
smallest number, so it ends, and always at the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

ZERO = Fraction(0)


@dataclass(slots=True)
class Tableau:
    """Variables are numbers, none below zero. ``rows`` states the basic ones by the others.

    ``basic[i] = right[i] - sum(rows[i][j] * x[j])``, and the cost is ``value + sum(slope[j] * x[j])`` with no slope
    below zero.
    """

    value: Fraction
    slope: dict[int, Fraction]
    basic: list[int] = field(default_factory=list[int])
    right: list[Fraction] = field(default_factory=list[Fraction])
    rows: list[dict[int, Fraction]] = field(default_factory=list[dict[int, Fraction]])

    def copy(self) -> Tableau:
        """The same, to go on with apart."""
        rows = [dict(row) for row in self.rows]
        return Tableau(self.value, dict(self.slope), list(self.basic), list(self.right), rows)

    def add(self, number: int, right: Fraction, row: Mapping[int, Fraction]) -> None:
        """A further basic variable, stated by those that are not basic."""
        self.basic.append(number)
        self.right.append(right)
        self.rows.append({j: share for j, share in row.items() if share})

    def at_most(self, number: int, bound: int, slack: int) -> None:
        """``x[number] <= bound`` for a basic variable; ``slack`` is a number that is free."""
        i = self.basic.index(number)
        self.add(slack, bound - self.right[i], {j: -share for j, share in self.rows[i].items()})

    def at_least(self, number: int, bound: int, slack: int) -> None:
        """``x[number] >= bound`` for a basic variable; ``slack`` is a number that is free."""
        i = self.basic.index(number)
        self.add(slack, self.right[i] - bound, self.rows[i])

    def solve(self) -> bool:
        """Repair all bounds at the least cost; false when they contradict each other."""
        while broken := [(number, i) for i, number in enumerate(self.basic) if self.right[i] < 0]:
            leaving = min(broken)[1]
            row = self.rows[leaving]
            able = [(self.slope.get(j, ZERO) / -share, j) for j, share in row.items() if share < 0]
            if not able:
                return False
            self._swap(leaving, min(able)[1])
        return True

    def answer(self) -> dict[int, Fraction]:
        """The values of the variables that are not zero."""
        return {number: value for number, value in zip(self.basic, self.right, strict=True) if value}

    def _swap(self, leaving: int, entering: int) -> None:
        """The variable ``entering`` becomes basic in place of the one in row ``leaving``."""
        old = self.rows[leaving]
        pivot = old.pop(entering)
        row = {j: share / pivot for j, share in old.items()}
        row[self.basic[leaving]] = 1 / pivot
        right = self.right[leaving] / pivot
        self.basic[leaving], self.right[leaving], self.rows[leaving] = entering, right, row
        for i, other in enumerate(self.rows):
            if i != leaving and (share := other.pop(entering, None)):
                self.right[i] -= share * right
                _take(other, share, row)
        if slope := self.slope.pop(entering, None):
            self.value += slope * right
            _take(self.slope, slope, row)


def _take(line: dict[int, Fraction], times: Fraction, row: Mapping[int, Fraction]) -> None:
    """Subtract a row so many times, leaving no zeros behind."""
    for j, share in row.items():
        left = line.get(j, ZERO) - times * share
        if left:
            line[j] = left
        else:
            line.pop(j, None)
