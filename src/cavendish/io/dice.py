"""The real dice: chance from the operating system, and ids that sort by time of birth."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: in ascending order, without letters that look like digits."""

_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_LENGTH = 26
_COUNTER_BITS = 16
_RANDOM_BITS = 64


class SystemDice:
    """Implements ``engine.ports.Dice``.

    An id is 26 digits: 48 bits of milliseconds, a 16-bit counter within the millisecond, 64 random bits. Within one
    object ids only ever ascend, even when the clock is set back; the random bits are drawn anew for each id, so
    that a forked process gives others.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._random = random.Random()
        self._moment = 0

    def uniform(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()

    def fresh_id(self) -> str:
        """A new id, greater than all before it."""
        self._moment = max(self._moment + 1, int(self._now() * 1000) << _COUNTER_BITS)
        number = self._moment << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        return "".join([_PAIRS[number >> shift & 1023] for shift in range(5 * (_LENGTH - 2), -1, -10)])
