"""Purse: what all models of one key share, its brake and its money."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.request import JsonValue
from .brake import Brake
from .pacing import Pacing
from .spend import RollingSpend


@dataclass(frozen=True, slots=True)
class Purse:
    """The state of one key at one endpoint."""

    brake: Brake
    spend: RollingSpend

    @classmethod
    def empty(cls, pacing: Pacing) -> Purse:
        """A key of which nothing is known."""
        return cls(Brake(pacing), RollingSpend(None, pacing.guard_s))

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values; moments as seconds from ``now_s``."""
        return {"brake": self.brake.to_state(now_s), "spend": self.spend.to_state(now_s)}

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave at ``now_s``."""
        self.brake.restore(state["brake"], now_s)
        self.spend.restore(state["spend"], now_s)
