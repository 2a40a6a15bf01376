"""Pulse: how many calls left of late, which is how many are likely to leave soon."""

from __future__ import annotations

import math


class Pulse:
    """Counts beats in stretches of ``span_s`` seconds: no list of moments, however many there are."""

    __slots__ = ("_before", "_count", "_span_s", "_stretch")

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._stretch = -math.inf
        self._count = self._before = 0

    def beat(self, now_s: float) -> None:
        """One more left at this moment."""
        self._turn(now_s)
        self._count += 1

    def beats(self, now_s: float) -> int:
        """How many left within the last ``span_s`` seconds, about: an older stretch counts by what of it is left."""
        self._turn(now_s)
        part = now_s / self._span_s - self._stretch
        return self._count + int(self._before * (1.0 - part))

    def _turn(self, now_s: float) -> None:
        stretch = math.floor(now_s / self._span_s)
        if stretch > self._stretch:
            self._before = self._count if stretch == self._stretch + 1 else 0
            self._count = 0
            self._stretch = stretch
