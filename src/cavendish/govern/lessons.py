"""Lessons: the limits that hold: those stated to us, lowered by what providers said about them in a 429."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..catalog.cards import Limits
from ..model.fault import Fault
from ..model.request import JsonValue
from .dimension import Dimension, dimension_of

TEACHABLE = frozenset({Dimension.REQUESTS, Dimension.IMAGES, Dimension.TOKENS, Dimension.DAY, Dimension.IN_FLIGHT})
"""Money is left out: a fault's number does not say in which unit it is."""


class Lessons:
    """A taught limit holds while it is lower than the stated one, and for ``lasts_s`` seconds: tiers change."""

    __slots__ = ("_lasts_s", "_stated", "_taught", "ends_at_s")

    def __init__(self, limits: Limits, lasts_s: float) -> None:
        self._stated: Mapping[Dimension, int | None] = {
            Dimension.REQUESTS: limits.requests_per_minute,
            Dimension.IMAGES: limits.images_per_minute,
            Dimension.TOKENS: limits.tokens_per_minute,
            Dimension.DAY: limits.requests_per_day,
            Dimension.IN_FLIGHT: limits.in_flight,
        }
        self._lasts_s = lasts_s
        self._taught: dict[Dimension, tuple[int, float]] = {}
        self.ends_at_s = math.inf

    def limit(self, dimension: Dimension) -> int | None:
        """The limit that holds, ``None`` when none is known."""
        known = [self._taught[dimension][0]] if dimension in self._taught else []
        stated = self._stated[dimension]
        return min([*known, stated] if stated is not None else known, default=None)

    @property
    def taught(self) -> Mapping[Dimension, int]:
        """The limits that providers named and that hold."""
        return {dimension: value for dimension, (value, _) in self._taught.items() if value == self.limit(dimension)}

    def learn(self, fault: Fault, now_s: float) -> bool:
        """Take in the limit that a fault names, when it is lower than what we believed. Says whether it was."""
        dimension, value = dimension_of(fault), fault.limit_value
        if value is None or value <= 0 or dimension not in TEACHABLE:
            return False
        believed = self.limit(dimension)
        if believed is not None and value >= believed:
            return False
        self._taught[dimension] = (value, now_s)
        self._find_end()
        return True

    def forget(self, now_s: float) -> None:
        """Drop what was learned too long ago."""
        self._taught = {d: lesson for d, lesson in self._taught.items() if lesson[1] + self._lasts_s > now_s}
        self._find_end()

    def _find_end(self) -> None:
        self.ends_at_s = min((at for _, at in self._taught.values()), default=math.inf) + self._lasts_s

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values; moments as seconds from ``now_s``."""
        return {dimension.value: [value, at - now_s] for dimension, (value, at) in self._taught.items()}

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave at ``now_s``."""
        self._taught = {Dimension(name): (value, now_s + at) for name, (value, at) in state.items()}
        self._find_end()
