"""RollingSpend: never more money in any ten minutes than the account allows."""

from __future__ import annotations

import math

from ..model.request import JsonValue
from .window import SlidingWindow

SPEND_PERIOD_S = 600.0
"""Google's spend limits are per rolling ten minutes (ai.google.dev/gemini-api/docs/rate-limits, August 2026)."""


class RollingSpend:
    """Holds a call's estimate while it is in flight, and its true cost for ten minutes from its end.

    A price is known when the picture is, so providers book it at the end or, at the earliest, at the start. Counting
    from the end is right for the first and on the safe side for the second. All amounts in nano-dollars.
    """

    __slots__ = ("_window", "held_nusd")

    def __init__(self, limit_nusd: int | None, guard_s: float) -> None:
        self._window = SlidingWindow(math.inf if limit_nusd is None else limit_nusd, SPEND_PERIOD_S, guard_s)
        self.held_nusd = 0

    @property
    def limit_nusd(self) -> float:
        """The limit; infinite when it is not known."""
        return self._window.limit

    def restrict(self, limit_nusd: int | None) -> None:
        """Models of one key share one purse: the lowest limit that any of them states holds."""
        if limit_nusd is not None:
            self._window.limit = min(self._window.limit, limit_nusd)

    def earliest(self, now_s: float, amount_nusd: int) -> float | None:
        """When so much can be held; ``None`` when a call in flight must end first."""
        if not amount_nusd:
            return now_s
        limit = self._window.limit
        if self.held_nusd + min(amount_nusd, limit) > limit:
            return None
        return self._window.earliest(now_s, self.held_nusd + amount_nusd)

    def frees_at(self, now_s: float) -> float | None:
        """When the oldest spend is ten minutes old; ``None`` when there was none."""
        return self._window.frees_at(now_s)

    def hold(self, amount_nusd: int) -> None:
        """Set a call's estimate aside."""
        self.held_nusd += amount_nusd

    def release(self, amount_nusd: int) -> None:
        """The call is over: what was set aside for it is free."""
        self.held_nusd -= amount_nusd

    def spent(self, now_s: float, amount_nusd: int) -> None:
        """So much was billed just now."""
        if amount_nusd:
            self._window.take(now_s, amount_nusd)

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values. What is held is of the grants of all models."""
        return {"spent": self._window.to_state(now_s), "held": self.held_nusd}

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave at ``now_s``."""
        self._window.restore(state["spent"], now_s)
        self.held_nusd = state["held"]
