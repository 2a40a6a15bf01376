"""Seen: which keys were met before, in 16 to 32 bytes a key, however long the keys are."""

from __future__ import annotations

from array import array

FIRST_SLOTS = 1 << 10
MASK = (1 << 64) - 1


class Seen:
    """A set of 64-bit hashes with open addressing.

    Two keys of a million have the same hash with a chance of one in forty million; who asks makes sure.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * FIRST_SLOTS))
        self._used = 0

    def add(self, key: str) -> bool:
        """Remember a key. True when it (or one with its hash) was there before."""
        hashed = hash(key) & MASK or 1
        if self._put(self._slots, hashed):
            return True
        self._used += 1
        if self._used * 2 > len(self._slots):
            self._grow()
        return False

    @staticmethod
    def _put(slots: array[int], hashed: int) -> bool:
        mask = len(slots) - 1
        at = hashed & mask
        while slots[at]:
            if slots[at] == hashed:
                return True
            at = (at + 1) & mask
        slots[at] = hashed
        return False

    def _grow(self) -> None:
        slots = array("Q", bytes(8 * 2 * len(self._slots)))
        for hashed in self._slots:
            if hashed:
                self._put(slots, hashed)
        self._slots = slots
