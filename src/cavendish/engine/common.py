"""Common: what two engines at work at one run have between them: one budget, and one memory of its pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .budget import CAUTION, Budget, Verdict
from .ports import Caps, Ledger
from .twins import Twins

PARTIES = 2
"""An engine for jobs and one for single calls."""


class SharedBudget(Budget):
    """A budget of a plan, which must not cost more than it says; tells all who wait for money when some was settled."""

    def __init__(self, cap_nusd: int | None, spent_nusd: int, caps: Caps | None) -> None:
        super().__init__(cap_nusd, spent_nusd, caps)
        self.told: list[Callable[[], None]] = []

    def ask(self, price_nusd: int, least_nusd: int | None = None) -> Verdict:
        """As in ``Budget``, but a call that is alone must fit with a draft beside its picture, too."""
        if least_nusd is not None:
            least_nusd = min(price_nusd, least_nusd * CAUTION // 1000)
        return super().ask(price_nusd, least_nusd)

    def settle(self, reserved_nusd: int, cost_nusd: int, endpoint: str = "") -> None:
        """As in ``Budget``."""
        super().settle(reserved_nusd, cost_nusd, endpoint)
        for tell in self.told:
            tell()


class Common:
    """The meeting place of two engines. The one for jobs begins first, and neither buys before both have begun.

    So each puts its own part of what a crash left in order, and the sums of the books are taken once, when both have.
    """

    def __init__(self, ledger: Ledger, cap_nusd: int | None, caps: Caps | None, *, fresh: bool) -> None:
        self.twins = Twins(ledger, fresh=fresh)
        self._ledger = ledger
        self._cap_nusd = cap_nusd
        self._caps = caps
        self._reserved_nusd = 0
        self._begun: list[Callable[[], None]] = []
        self._first_begun = asyncio.Event()
        self._all_begun = asyncio.Event()
        self._budget = SharedBudget(cap_nusd, 0, caps)

    @property
    def all_begun(self) -> bool:
        """Whether either may have bought something."""
        return self._all_begun.is_set()

    async def turn(self) -> None:
        """Wait until the other one has put its part in order."""
        await self._first_begun.wait()

    async def opened(self, reserved_nusd: int, money_moved: Callable[[], None]) -> Budget:
        """This engine has begun; gives the budget when the other one has, too.

        ``reserved_nusd`` is what its calls of an earlier process were expected to cost: the sums of the books count it
        as spent, and it is to be set aside instead.
        """
        self._reserved_nusd += reserved_nusd
        self._begun.append(money_moved)
        self._first_begun.set()
        if len(self._begun) == PARTIES:
            tally = await self._ledger.tally()
            spent_nusd = tally.billed_nusd + tally.unknown_nusd - self._reserved_nusd
            self._budget = SharedBudget(self._cap_nusd, spent_nusd, self._caps)
            self._budget.told = self._begun
            self._all_begun.set()
        await self._all_begun.wait()
        return self._budget
