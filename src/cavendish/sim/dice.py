"""Seeded chance: the same seed gives the same fortune on every machine and in every version of Python."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from statistics import NormalDist
from typing import TypeVar

Name = TypeVar("Name", bound=str)

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_NORMAL = NormalDist()
_Z90 = _NORMAL.inv_cdf(0.9)


def _mixed(state: int) -> int:
    """What splitmix64 makes of a state: each bit of it moves half of the others."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


class SeededDice:
    """``engine.ports.Dice``: a stream of numbers, and ids that sort by birth.

    ``stream`` names what the dice are for, so that one more throw here moves no throw there. The generator is
    splitmix64.
    """

    def __init__(self, seed: int, stream: str = "") -> None:
        # Mixed: else the throws of one seed would be those of the seed before, moved on by one.
        self._state = _mixed((seed * _GOLDEN + zlib.crc32(stream.encode()) * 0xD1B54A32D192ED03) & _MASK)
        self._prefix = f"{seed & 0xFFFFFFFF:08x}"
        self._born = 0

    def uniform(self) -> float:
        """A number in [0, 1)."""
        self._state = (self._state + _GOLDEN) & _MASK
        return (_mixed(self._state) >> 11) / (1 << 53)

    def fresh_id(self) -> str:
        """An id that these dice gave to nobody else."""
        self._born += 1
        return f"{self._prefix}-{self._born:010d}"

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def lognormal(self, p50: float, p90: float) -> float:
        """A number, half of the time below ``p50``, nine tenths below ``p90``, never above p90²/p50."""
        spread = math.log(p90 / p50) / _Z90 if p90 > p50 else 0.0
        z = _NORMAL.inv_cdf(max(self.uniform(), 1e-12))
        return p50 * math.exp(spread * min(z, 2 * _Z90))

    def pick(self, rates: Mapping[Name, float]) -> Name | None:
        """One of the names with its probability, ``None`` with what is left over."""
        throw = self.uniform()
        for name, rate in rates.items():
            throw -= rate
            if throw < 0:
                return name
        return None
