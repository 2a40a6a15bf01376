"""Budget: a cap on what a run may cost, held with hundreds of calls in flight. Pure."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """May a call of this price leave?"""

    GO = "go"
    WAIT = "wait"
    STOP = "stop"


class Budget:
    """Reserve before a call, settle after it. All amounts in nano-dollars; ``cap_nusd`` ``None`` means no cap.

    ``spent_nusd`` holds what was billed and what may have been: a call of unknown fate counts as billed.
    """

    def __init__(self, cap_nusd: int | None, spent_nusd: int = 0) -> None:
        self.cap_nusd = cap_nusd
        self.spent_nusd = spent_nusd
        self.reserved_nusd = 0

    def ask(self, price_nusd: int) -> Verdict:
        """``WAIT`` when it would fit if calls in flight turned out cheaper, ``STOP`` when it cannot fit any more."""
        if self.cap_nusd is None:
            return Verdict.GO
        if self.spent_nusd + self.reserved_nusd + price_nusd <= self.cap_nusd:
            return Verdict.GO
        fits_later = self.reserved_nusd > 0 and self.spent_nusd + price_nusd <= self.cap_nusd
        return Verdict.WAIT if fits_later else Verdict.STOP

    def reserve(self, price_nusd: int) -> None:
        """Set a call's price aside before it leaves."""
        self.reserved_nusd += price_nusd

    def settle(self, reserved_nusd: int, cost_nusd: int) -> None:
        """The call ended: what was set aside is released, what it cost is spent."""
        self.reserved_nusd -= reserved_nusd
        self.spent_nusd += cost_nusd

    @property
    def left_nusd(self) -> int | None:
        """What may still be reserved; ``None`` without a cap."""
        return None if self.cap_nusd is None else self.cap_nusd - self.spent_nusd - self.reserved_nusd
