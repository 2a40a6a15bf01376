"""Lease: a grant that was not given back yet."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.request import JsonValue


@dataclass(slots=True)
class Lease:
    """When a granted call left (monotonic seconds), what it took, and in which runs and on which day that is
    counted.
    """

    left_at_s: float
    requests: int
    images: int
    tokens: int
    nusd: int
    day: float
    request_run: int
    image_run: int
    token_run: int

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values; the moment as seconds from ``now_s``."""
        taken = [self.requests, self.images, self.tokens, self.nusd]
        return [self.left_at_s - now_s, *taken, self.day, self.request_run, self.image_run, self.token_run]

    @classmethod
    def of_state(cls, state: JsonValue, now_s: float) -> Lease:
        """What ``to_state`` gave at ``now_s``."""
        return cls(now_s + state[0], *state[1:])
