"""Trouble: calm and burst in turn, so that overload comes in clusters as it does in life."""

from __future__ import annotations

import math
from typing import Literal

from .dice import SeededDice
from .faults import Mishap
from .profile import Bursts

State = Literal["calm", "burst"]

NEXT: dict[State, State] = {"calm": "burst", "burst": "calm"}
"""The whole machine: each state's length is drawn when it begins."""


class Trouble:
    """What state the provider is in at a moment. Moments may only ascend."""

    def __init__(self, bursts: Bursts, dice: SeededDice) -> None:
        self._bursts = bursts
        self._dice = dice
        self._state: State = "calm"
        self._until = self._length() if bursts.mean_burst_s > 0 and bursts.mean_calm_s > 0 else math.inf

    def state(self, now: float) -> State:
        """Calm or burst at this moment (monotonic seconds)."""
        while now >= self._until:
            self._state = NEXT[self._state]
            self._until += self._length()
        return self._state

    def strikes(self, now: float, dice: SeededDice) -> Mishap | None:
        """What a burst does to a call, if there is one and it is hit."""
        if self.state(now) == "calm" or dice.uniform() >= self._bursts.share:
            return None
        return self._bursts.kinds[dice.between(0, len(self._bursts.kinds) - 1)]

    def _length(self) -> float:
        mean = self._bursts.mean_calm_s if self._state == "calm" else self._bursts.mean_burst_s
        return max(0.1, -mean * math.log(1.0 - self._dice.uniform()))
