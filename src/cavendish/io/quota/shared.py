"""SharedQuotas: quotas kept in a database, shared by all processes that use the same key."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...catalog.cards import Limits
from ...engine.ports import Clock, Cost, Dice, Grant, Shut, WaitUntil
from ...govern.counter import Ask, Block, Ended, Report, Served, Unused
from ...govern.day import PACIFIC
from ...govern.fairness import OF_A_SHARE, Priority
from ...govern.governors import Place
from ...govern.pacing import DEFAULT_PACING, Pacing
from ...govern.verdict import Closed, Ending, Wait
from ...model.fault import Fault
from ...model.request import Notice
from ..state.database import Database, Link, StateError
from .absent import Absent
from .branch import Branch, roomy
from .holder import BEAT_S, DEAD_S, Holder
from .line import Line, Means
from .local import LocalQuota, LocalQuotas
from .pulse import Pulse
from .table import Receipt, Site, Visit, call, drop_old, restored

BLOCK = 16
"""So many calls at least may be granted at once: a visit costs a millisecond or, far away, a tenth of a second."""

MOST = 256
"""So many at most. Whoever is as busy as this is granted what it is likely to need within ``HOLD_S``."""

HOLD_S = 0.25
"""How long granted calls may take to leave: long enough for a busy loop, short enough that nobody misses them."""

LONGEST_HOLD_S = 5.0
"""To a database that is far away: a grant has to come back before it may be used."""

VISITS_IN_TIME = 4
"""A grant may be used for as long as so many visits take, when that is longer than ``HOLD_S``."""

HOLD_KEPT = 0.9
"""Of a hold that turned out to be longer than needed, after each visit."""

TRIES = 5
"""Grants that come back too late to be used, one after another, before it is time for a pause."""
PAUSE_S = 1.0

MEND_S = 30.0
"""How often a database that failed is tried again."""

FLUSH_S = 0.2
"""News of calls that went well is told at most this much later, together."""

ROUNDING_S = 1e-6
"""A moment of the store's clock, told by ours, may be so far from what it was."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a quota: how urgently, and whom to tell what it should know of how quotas are kept.

    Those of one ``name`` have one share among them, in however many processes they ask; without one each has its own.
    """

    priority: Priority = Priority.INTERACTIVE
    tell: Callable[[Sequence[Notice]], None] = lambda _notices: None
    name: str = ""


SOMEBODY = Asker()


class SharedQuota:
    """The engine's ``Quota`` over a database: one run's way to one place."""

    def __init__(self, quotas: SharedQuotas, branch: Branch, name: str, asker: Asker) -> None:
        self._quotas = quotas
        self._branch = branch
        self._name = name
        self._asker = asker
        self._heard = 0
        self._is_new = True
        self._pulse = Pulse(HOLD_S)
        self._absent = Absent()
        self._line = Line(Means(self._visit, self._take, self._give_back, quotas.start))

    async def reserve(self, cost: Cost, wanted: int = 1) -> Grant | WaitUntil | Shut:
        """Ask for leave. What is left of a block that was granted a moment ago is used first."""
        self._absent.came()
        for _ in range(TRIES):
            self._hear()
            if (local := self._quotas.local(self._branch)) is not None:
                return await local.reserve(cost, wanted)
            match self._take(cost) or await self._line.ask(cost, wanted):
                case Grant() as grant:
                    return grant
                case Wait(until_s, why, _, failing):
                    self._absent.went(wanted, self._quotas.clock.monotonic())
                    return WaitUntil(until_s, why, failing)
                case Closed(fault):
                    return Shut(fault)
                case None:
                    pass
        return WaitUntil(self._quotas.clock.monotonic() + PAUSE_S, "the shared quota answers slowly")

    def _take(self, cost: Cost) -> Grant | None:
        now_s = self._quotas.clock.monotonic()
        grant_id = self._branch.take(self._name, cost, now_s)
        if grant_id is None:
            return None
        self._pulse.beat(now_s)
        return Grant(grant_id)

    def _give_back(self, grant: Grant) -> None:
        self._branch.ended(Unused(grant.id))
        self._quotas.flush_soon(self._branch, FLUSH_S)

    async def settle(self, grant: Grant, fault: Fault | None, latency_s: float, spent_nusd: int | None) -> None:
        """The call ended: what it teaches is told soon, a fault at once."""
        if (local := self._quotas.local(self._branch)) is not None:
            await local.settle(grant, fault, latency_s, spent_nusd)
            return
        ending = Ending(fault, latency_s, spent_nusd, self._quotas.dice.uniform())
        self._branch.ended(Ended(grant.id, ending, self._quotas.clock.monotonic() - latency_s))
        if fault is None:
            self._quotas.flush_soon(self._branch, FLUSH_S)
        else:
            self._branch.expire(math.inf)
            self._quotas.flush_soon(self._branch, 0.0)

    async def cancel(self, grant: Grant) -> None:
        """The call never left: as if it had not been granted."""
        if (local := self._quotas.local(self._branch)) is not None:
            await local.cancel(grant)
            return
        self._give_back(grant)

    def _hear(self) -> None:
        if self._heard < len(self._quotas.notices):
            news, self._heard = self._quotas.notices[self._heard :], len(self._quotas.notices)
            self._asker.tell(news)

    async def _visit(self, cost: Cost, wanted: int) -> Served | None:
        """One visit; what it grants is in the pocket. ``None`` when the database failed."""
        quotas, branch = self._quotas, self._branch
        if (holder := await quotas.open()) is None:
            return None
        # What is left did not fit this call.
        branch.give_back(self._name)
        now_s = quotas.clock.monotonic()
        ahead = self._pulse.beats(now_s)
        ask = Ask(
            holder.name,
            f"{holder.name}/{self._name}",
            cost,
            max(1, wanted) + self._absent.wanted(now_s),
            min(MOST, max(BLOCK, ahead), max(1, wanted, ahead)),
            roomy(cost),
            self._asker.priority,
            quotas.hold_s,
            is_new=self._is_new,
            is_alone=branch.asks(self._name, now_s) and not self._line.is_shared,
            ahead=max(0, ahead - wanted),
        )
        visited = await quotas.visit(branch, ask)
        if visited is None:
            return None
        self._is_new = False
        served, began_s = visited
        if isinstance(served, Block):
            branch.put(self._name, served.ids, cost, began_s + ask.hold_s)
            quotas.flush_soon(branch, ask.hold_s)
        return served


class SharedQuotas:
    """The quotas that this process shares, one for each key, endpoint and model. Belongs to one event loop.

    When the database fails this process goes on by itself, from what it knew last, says so in ``notices``, and comes
    back to it when it works again.
    """

    def __init__(
        self,
        opening: Callable[[], Awaitable[Database]],
        clock: Clock,
        dice: Dice,
        pacing: Pacing = DEFAULT_PACING,
    ) -> None:
        self._opening = opening
        self._opened = asyncio.Lock()
        self._database: Database | None = None
        self._holder: Holder | None = None
        self._local: LocalQuotas | None = None
        self.clock = clock
        self.dice = dice
        self.notices: list[Notice] = []
        self._pacing = pacing
        self._branches: dict[Place, Branch] = {}
        self._named: dict[tuple[Place, str], SharedQuota] = {}
        self._born = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._heart: asyncio.Task[None] | None = None
        self._mending: asyncio.Task[None] | None = None
        self._beat_s = self._visited_s = -math.inf
        self._ahead_s = 0.0
        self.hold_s = HOLD_S

    def quota(self, place: Place, limits: Limits, zone: str = PACIFIC, asker: Asker = SOMEBODY) -> SharedQuota:
        """A run's way to this place. ``limits`` and ``zone`` as for ``LocalQuotas.quota``."""
        branch = self._branches.get(place)
        if branch is None:
            branch = self._branches[place] = Branch(Site(place, limits, zone, self._pacing))
        if asker.name:
            name = f"{OF_A_SHARE}{asker.name}/{asker.priority.value}"
            if (place, name) not in self._named:
                self._named[place, name] = SharedQuota(self, branch, name, asker)
            return self._named[place, name]
        self._born += 1
        return SharedQuota(self, branch, str(self._born), asker)

    async def close(self) -> None:
        """Tell what there is to tell, give back what is held, and leave."""
        await _cancelled(self._heart)
        await _cancelled(self._mending)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for branch in self._branches.values():
            if branch.timer is not None:
                branch.timer.cancel()
            branch.expire(math.inf)
            if branch.has_news:
                await self.visit(branch, None)
        if self._database is not None:
            with contextlib.suppress(StateError):
                if self._holder is not None and self._local is None:
                    await self._database.transact(self._holder.leave)
                await self._database.close()

    # --- for the quotas ---------------------------------------------------------------------------------------------

    def local(self, branch: Branch) -> LocalQuota | None:
        """The quota of this process alone, once the database has failed."""
        if self._local is None:
            branch.local = None
        elif branch.local is None:
            branch.local = self._local.quota(branch.site.place, branch.site.limits, branch.site.zone)
        return branch.local

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Work that goes on whoever waits for it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def open(self) -> Holder | None:
        """Open the database when that was not done yet. ``None`` when it has failed."""
        async with self._opened:
            if self._database is None and self._local is None:
                try:
                    self._holder = await asyncio.to_thread(Holder.this_process)
                    self._database = await self._opening()
                    self._heart = asyncio.ensure_future(self._beat())
                    await self._database.transact(drop_old)
                except StateError as error:
                    self._fall_back(error)
        return self._holder if self._local is None else None

    async def visit(self, branch: Branch, ask: Ask | None) -> tuple[Served | None, float] | None:
        """Tell and ask. Gives the answer, its moments by our clock, and the moment of the visit; else ``None``."""
        if self._database is None or self._holder is None or self._local is not None:
            return None
        visit = Visit(branch.site, self._holder, branch.told(), ask, self._beat_s, branch.swept_s)
        try:
            receipt, began_s = await self._database.transact(self._work(branch, visit), lock=branch.site.lock)
        except StateError as error:
            self._fall_back(error)
            return None
        self._note(branch, receipt, began_s)
        served = receipt.served
        if isinstance(served, Wait):
            served = replace(served, until_s=served.until_s - self._ahead_s + ROUNDING_S)
        return served, began_s

    def flush_soon(self, branch: Branch, delay_s: float) -> None:
        """Tell what there is to tell in so many seconds, or earlier."""
        loop = asyncio.get_running_loop()
        if branch.timer is not None:
            if branch.timer.when() <= loop.time() + delay_s:
                return
            branch.timer.cancel()
        branch.timer = loop.call_later(delay_s, self._flush_now, branch)

    # --- within -----------------------------------------------------------------------------------------------------

    def _work(self, branch: Branch, visit: Visit) -> Callable[[Link], tuple[Receipt, float]]:
        def work(link: Link) -> tuple[Receipt, float]:
            began_s = self.clock.monotonic()
            now_s = link.now_s()
            told = replace(visit, reports=_by_store(visit.reports, now_s - began_s))
            # Taken, not read: work that has to be done again begins with what the database says.
            known, branch.found = branch.found, None
            receipt = call(link, told, now_s, known)
            branch.found = receipt.found
            return receipt, began_s

        return work

    def _note(self, branch: Branch, receipt: Receipt, began_s: float) -> None:
        self._ahead_s = receipt.now_s - began_s
        self._visited_s = now_s = self.clock.monotonic()
        needed_s = VISITS_IN_TIME * (now_s - began_s)
        self.hold_s = min(LONGEST_HOLD_S, max(HOLD_S, needed_s, HOLD_KEPT * self.hold_s))
        branch.texts = receipt.found.texts
        if receipt.swept:
            branch.swept_s = receipt.now_s
        if receipt.beaten:
            self._beat_s = receipt.now_s
        if receipt.found.anew:
            text = f"what was known of {branch.site.place.endpoint}'s quota could not be read: counting begins anew"
            self._note_once(Notice("quota_begun_anew", text))

    def _flush_now(self, branch: Branch) -> None:
        branch.timer = None
        branch.expire(self.clock.monotonic())
        if branch.has_news:
            self.start(self.visit(branch, None))
        if branch.holds:
            self.flush_soon(branch, self.hold_s)

    async def _beat(self) -> None:
        """Say that this process is there, while it has something of a quota or may wait for it."""
        while True:
            await self.clock.sleep(BEAT_S)
            is_waiting = self.clock.monotonic() < self._visited_s + DEAD_S
            if is_waiting or any(branch.out > 0 for branch in self._branches.values()):
                await self._beat_once()

    async def _beat_once(self) -> None:
        holder, database = self._holder, self._database
        if holder is not None and database is not None and self._local is None:
            with contextlib.suppress(StateError):
                await database.transact(lambda link: holder.beat(link, link.now_s()))

    def _fall_back(self, error: StateError) -> None:
        if self._local is not None:
            return
        self._local = LocalQuotas(self.clock, self.dice, self._pacing)
        texts = {name: text for branch in self._branches.values() for name, text in branch.texts.items()}
        self._local.restore(restored(texts), -self._ahead_s)
        self._note_once(Notice("quota_not_shared", f"the quota is not shared with other processes: {error}"))
        if self._mending is None or self._mending.done():
            self._mending = asyncio.ensure_future(self._mend())

    def _note_once(self, notice: Notice) -> None:
        if notice not in self.notices:
            self.notices.append(notice)

    async def _mend(self) -> None:
        """Look now and then whether the database works again, and share again when it does."""
        while self._local is not None:
            await self.clock.sleep(MEND_S)
            with contextlib.suppress(StateError):
                database = await self._opening()
                before, self._database, self._local = self._database, database, None
                self._beat_s = -math.inf
                if before is not None:
                    await before.close()
                if self._heart is None:
                    self._heart = asyncio.ensure_future(self._beat())


def _by_store(reports: Sequence[Report], ahead_s: float) -> list[Report]:
    """The reports with moments of the store's clock."""
    return [each if isinstance(each, Unused) else replace(each, at_s=each.at_s + ahead_s) for each in reports]


async def _cancelled(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
