"""Lease: a grant that was not given back yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..model.request import JsonValue


@dataclass(slots=True)
class Lease:
    """When a granted call left (monotonic seconds), or the latest moment at which it may still leave; what it took, and
    the day on which that is counted.
    """

    left_at_s: float
    requests: int
    images: int
    tokens: int
    nusd: int
    day: float

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values; the moment as seconds from ``now_s``."""
        return [self.left_at_s - now_s, self.requests, self.images, self.tokens, self.nusd, self.day]

    @classmethod
    def of_state(cls, state: JsonValue, now_s: float) -> Lease:
        """What ``to_state`` gave at ``now_s``."""
        return cls(now_s + state[0], *state[1:])


def grant_name(holder: str, place: str, number: int) -> str:
    """A name that no other grant has, of whichever holder and model."""
    return f"{holder}/{place}/{number}"


def holder_of(grant_id: str) -> str:
    """Who holds a grant: a process by the name that it gave itself."""
    return grant_id.partition("/")[0]


IsGone = Callable[[str], bool]
"""Whether the holder of this name is gone, and will give nothing back."""
