"""Budget: a cap on what a run may cost, held with hundreds of calls in flight; and the caps shared by all runs. Pure.

What is set aside for a call is rather too much than too little. Where the price of a call has a bound, that is the
bound. Where it has none (a model that thinks may draw drafts, and bill them), it is the estimate times the dearest call
that this run has seen, or ``CAUTION`` before it has seen enough. When the cap has no room for so much any more, calls
leave one at a time, as long as the estimate fits: then one call's excess is the most by which the cap can be passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..model.attempt import Attempt
from ..model.fault import Charged, Fault, FaultKind
from ..model.money import dollars
from ..model.usage import Usage
from .ports import Caps, Shut, WaitUntil

CAUTION = 2000
"""In thousandths of the estimate: one draft beside the picture."""

SEEN_ENOUGH = 50
"""Calls after which a run knows what its calls cost at most."""

MAX_COST = "max_cost"


class Verdict(Enum):
    """May a call of this price leave?"""

    GO = "go"
    WAIT = "wait"
    STOP = "stop"


@dataclass(slots=True)
class Margin:
    """How much dearer than estimated the calls of a route have turned out, in thousandths of the estimate."""

    dearest: int = 1000
    seen: int = 0

    def learn(self, estimate_nusd: int, cost_nusd: int) -> None:
        """A call was billed."""
        self.seen += 1
        self.dearest = max(self.dearest, -(-cost_nusd * 1000 // estimate_nusd))

    def over(self, estimate_nusd: int) -> int:
        """What to set aside."""
        factor = self.dearest if self.seen >= SEEN_ENOUGH else max(self.dearest, CAUTION)
        return -(-estimate_nusd * factor // 1000)


class Budget:
    """Reserve before a call, settle after it. All amounts in nano-dollars; ``cap_nusd`` ``None`` means no cap.

    ``spent_nusd`` holds what was billed and what may have been: a call of unknown fate counts as billed. ``caps`` are
    those that other runs are under, too; they are asked after this one.
    """

    def __init__(self, cap_nusd: int | None, spent_nusd: int = 0, caps: Caps | None = None) -> None:
        self.cap_nusd = cap_nusd
        self.spent_nusd = spent_nusd
        self.reserved_nusd = 0
        self._caps = caps
        self._margins: dict[str, Margin] = {}
        self._unfit_nusd = 0

    def ask(self, price_nusd: int, least_nusd: int | None = None) -> Verdict:
        """``WAIT`` when it would fit if calls in flight turned out cheaper, ``STOP`` when it cannot fit any more.

        ``least_nusd`` is what must fit when no other call is in flight: the price, unless told otherwise.
        """
        least_nusd = price_nusd if least_nusd is None else least_nusd
        if self.cap_nusd is None or self.spent_nusd + self.reserved_nusd + price_nusd <= self.cap_nusd:
            return Verdict.GO
        if self.spent_nusd + least_nusd > self.cap_nusd:
            self._unfit_nusd = least_nusd
            return Verdict.STOP
        return Verdict.WAIT if self.reserved_nusd > 0 else Verdict.GO

    def reserve(self, price_nusd: int) -> None:
        """Set a call's price aside before it leaves."""
        self.reserved_nusd += price_nusd

    def settle(self, reserved_nusd: int, cost_nusd: int, endpoint: str = "") -> None:
        """The call ended: what was set aside is released, what it cost is spent."""
        self.reserved_nusd -= reserved_nusd
        self.spent_nusd += cost_nusd
        if self._caps is not None:
            self._caps.release(endpoint, reserved_nusd)

    def put_back(self, reserved_nusd: int, endpoint: str) -> None:
        """The call does not leave now: what was set aside for it is free. Nobody is told, for nothing was spent."""
        self.reserved_nusd -= reserved_nusd
        if self._caps is not None:
            self._caps.release(endpoint, reserved_nusd)

    @property
    def left_nusd(self) -> int | None:
        """What may still be reserved; ``None`` without a cap."""
        return None if self.cap_nusd is None else self.cap_nusd - self.spent_nusd - self.reserved_nusd

    @property
    def fault(self) -> Fault:
        """Why a run stops whose next call does not fit. As its usage it has what that call was expected to cost."""
        words = (
            f"the next picture would pass the cap of {dollars(self.cap_nusd or 0, 2)} for this run: "
            f"{dollars(self.spent_nusd, 2)} are spent of it, and it is expected to cost {dollars(self._unfit_nusd)}"
        )
        unfit = Usage(cost_nusd=self._unfit_nusd)
        return Fault(FaultKind.BUDGET, words, Charged.NO, limit=MAX_COST, limit_value=self.cap_nusd, usage=unfit)

    # --- the price of a call ------------------------------------------------------------------------------------------

    def price(self, route: str, estimate_nusd: int, bound_nusd: int | None) -> int:
        """What to set aside for a picture on a route: the most that it can cost, as far as that is known."""
        if bound_nusd is not None:
            return max(bound_nusd, estimate_nusd)
        return self._margin(route).over(estimate_nusd)

    def within(self, price_nusd: int) -> int:
        """The price, or what is left where that is less: for a call that is alone."""
        left = self.left_nusd
        return price_nusd if left is None else min(price_nusd, left)

    def learn(self, route: str, estimate_nusd: int, cost_nusd: int) -> None:
        """What calls of a route cost, against what was expected."""
        if estimate_nusd > 0 and cost_nusd > 0:
            self._margin(route).learn(estimate_nusd, cost_nusd)

    def _margin(self, route: str) -> Margin:
        return self._margins.setdefault(route, Margin())

    # --- the caps of all runs -----------------------------------------------------------------------------------------

    async def set_aside(self, endpoint: str, price_nusd: int, least_nusd: int) -> int | WaitUntil | Shut:
        """Reserve a price that ``ask`` let go, here at once and under the shared caps; returns how much was reserved.

        Those may give less, down to ``least_nusd``, to a call that is alone. When the answer is another, or the caller
        is cancelled, nothing is reserved.
        """
        self.reserve(price_nusd)
        if self._caps is None:
            return price_nusd
        done = 0
        try:
            answer = await self._caps.ask(endpoint, price_nusd, min(least_nusd, price_nusd))
            done = answer if isinstance(answer, int) else 0
            return answer
        finally:
            self.reserved_nusd -= price_nusd - done

    def carry(self, attempts: Sequence[Attempt]) -> None:
        """A call of an earlier process is gone on with: it was let in then, and is set aside for whatever the cap."""
        self.reserve(sum(attempt.estimate_nusd or 0 for attempt in attempts))
        if self._caps is not None:
            self._caps.carry(attempts)
