"""Till: a gateway's money, in the book of all spending and under the caps that are shared with every run.

To the book, one life of a gateway is one run. What its jobs have in flight when it ends is counted as unknown, until
another life has them; what it held when it died is free again then. See ``legacy``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from ....engine.ports import Caps, Clock, Ledger, Shut, WaitUntil
from ....io.ledger.memory import MemoryLedger
from ....io.spend.account import Account
from ....io.spend.book import RunEntry
from ....io.spend.ledger import BookedLedger
from ....model.attempt import Attempt
from ....model.fault import Charged, Fault, FaultKind
from ....model.result import Slot
from ...build import Workshop
from ...spending import list_prices, machine

TITLE = "gateway"


class Till:
    """Open it before the first job, close it after the last."""

    def __init__(self, workshop: Workshop, store: Path, owner: str) -> None:
        self._workshop = workshop
        self._store = store
        self._owner = owner
        self._stack = AsyncExitStack()
        self._account: Account | None = None
        self._jobs = _AllJobs()
        self._caps: Caps | None = None

    async def open(self) -> None:
        """Open this life's entry in the book.

        Raises ``ConfigError`` when there are caps and no book to hold them by.
        """
        shop = self._workshop
        prices = list_prices(shop.setup.catalog, datetime.fromtimestamp(shop.clock.now(), UTC).date())
        run = RunEntry(self._owner, str(self._store), machine(), TITLE, shop.clock.now(), owner=shop.dice.fresh_id())
        booked = await self._stack.enter_async_context(shop.spending.booked(run, self._jobs, prices, lambda _: None))
        self._account, self._caps = booked.account, booked.caps

    def caps(self, max_wait_s: float) -> Caps | None:
        """The shared caps, for one job that waits so long for what others have set aside."""
        return Bounded(self._caps, self._workshop.clock, max_wait_s) if self._caps else None

    def of(self, ledger: Ledger) -> Ledger:
        """A job's ledger, which from now on tells the book of each receipt."""
        if self._account is None:
            return ledger
        self._jobs.ledgers.append(ledger)
        return BookedLedger(ledger, self._account)

    def settled(self, ledger: Ledger) -> None:
        """A job has ended, and nothing of it is in flight."""
        if ledger in self._jobs.ledgers:
            self._jobs.ledgers.remove(ledger)

    async def close(self) -> None:
        """Let go of what is set aside."""
        await self._stack.aclose()


class Bounded:
    """Implements ``engine.ports.Caps``: an answer that is always to wait becomes a refusal.

    A run may wait long for what others hold; the client of a gateway is there, and waits for an answer.
    """

    def __init__(self, caps: Caps, clock: Clock, max_wait_s: float) -> None:
        self._caps = caps
        self._clock = clock
        self._max_wait_s = max_wait_s
        self._since: float | None = None

    async def ask(self, endpoint: str, price_nusd: int, least_nusd: int) -> int | WaitUntil | Shut:
        """Set a price aside."""
        answer = await self._caps.ask(endpoint, price_nusd, least_nusd)
        if not isinstance(answer, WaitUntil):
            self._since = None
            return answer
        now_s = self._clock.monotonic()
        self._since = now_s if self._since is None else self._since
        if now_s - self._since < self._max_wait_s:
            return answer
        return Shut(Fault(FaultKind.BUDGET, answer.why or "what is left of a cap is set aside", Charged.NO))

    def release(self, endpoint: str, price_nusd: int) -> None:
        """Passed on."""
        self._caps.release(endpoint, price_nusd)

    def carry(self, attempts: Sequence[Attempt]) -> None:
        """Passed on."""
        self._caps.carry(attempts)


class _AllJobs(MemoryLedger):
    """The ledger of a life, as far as the book asks for it: nothing before it, and what is open at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.ledgers: list[Ledger] = []

    async def open_attempts(self) -> Sequence[tuple[Attempt, Slot]]:
        """Those of all jobs that have not ended."""
        return [entry for ledger in self.ledgers for entry in await ledger.open_attempts()]
