"""Wholesale: what the lines of a batch are bought by: the batch APIs of providers, and the jobs that go there.

A portion is some lines of a batch that are bought together. Each line stays a job of the desk with its own books; what
the provider's jobs did not make, each then buys by calls of its own, as any other job does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ....engine.bulk.chunk import is_bulk
from ....engine.bulk.ports import BulkLane, BulkPolicy
from ....engine.bulk.run import BulkEngine, Places
from ....engine.flight import Parts
from ....engine.policy import Policy
from ....engine.ports import Closing, Lane, Ledger
from ....engine.recover import LOST
from ....errors import InputError
from ....io.blobs.folder import FolderBlobs
from ....io.desk.books import DeskBooks
from ....io.desk.ledger import JobLedger
from ....io.desk.several import SeveralLedger, job_of
from ....model.attempt import Attempt, AttemptState
from ....model.call import Reply
from ....model.fault import Charged, Fault, FaultKind
from ....model.result import Outcome, Slot
from ...build import Workshop
from ...bulk import bulk_lanes, quickened
from ...routes import Routes
from .shelf import JobBlobs
from .till import Till
from .watching import Watching

BY_JOBS_S: Final = 22 * 3600.0
"""So long after a batch began, what no job has made is left to single calls: they have the rest of its day."""

WINDOW_S: Final = 24 * 3600.0
"""How long a batch may take, by OpenAI's ``completion_window``; what has no result by then expires."""

AGAIN_S: Final = 60.0
"""When a provider that could not be asked about its jobs is asked again."""

BY_JOBS_ALONE: Final = Fault(
    FaultKind.JOB_FAILED, "the provider's batch brought no picture, and the batch is to be bought in no other way"
)
LEFT: Final = Fault(FaultKind.CANCELLED, "the gateway ends; its jobs go on, and are found again")


@dataclass(frozen=True, slots=True)
class Means:
    """What portions are bought with."""

    workshop: Workshop
    books: DeskBooks
    blobs: FolderBlobs
    till: Till
    timeout_s: float | None = None


class Wholesale:
    """Knows which models can be bought by jobs, and by which lanes."""

    def __init__(self, means: Means) -> None:
        self.means = means
        self._lanes: dict[tuple[tuple[str, ...], str], tuple[BulkLane, ...]] = {}

    async def why_not(self, routes: Routes, name: str) -> str:
        """Why a model cannot be bought by jobs; empty when it can."""
        try:
            routes.resolve(name)
            await self.means.workshop.ready(routes)
            self.lanes(routes, name)
        except InputError as error:
            return str(error)
        return ""

    def lanes(self, routes: Routes, name: str) -> tuple[BulkLane, ...]:
        """By which a model goes as part of a job. Raises ``InputError`` where there are none."""
        place = routes.wish.via, name
        if place not in self._lanes:
            means = self.means
            self._lanes[place] = bulk_lanes(means.workshop, routes, name, means.blobs, means.timeout_s)
        return self._lanes[place]

    def portion(self, batch_id: str, begun_at: float, *, only: bool = False) -> Portion:
        """A portion of a batch, without any line yet. ``only``: what no job makes is not bought otherwise."""
        return Portion(self, batch_id, begun_at, only=only)


@dataclass(frozen=True, slots=True)
class Member:
    """A line's job. ``routes`` are those by jobs, ``calls`` the lanes of single calls.

    ``recorded`` gives what arrived for it in an earlier life. ``ended`` is set when each slot has its outcome.
    """

    slots: Sequence[Slot]
    ledger: JobLedger
    watching: Watching
    routes: Routes
    calls: Callable[[Slot], Sequence[Lane]]
    recorded: Callable[[], Awaitable[Mapping[str, Reply]]]
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Portion:
    """Lines that are bought together. ``stop`` is what an engine has, for each of its jobs."""

    def __init__(self, wholesale: Wholesale, batch_id: str, begun_at: float, *, only: bool) -> None:
        self.only = only
        self._wholesale = wholesale
        self._means = wholesale.means
        self._batch = batch_id
        self._due_at = begun_at + BY_JOBS_S
        self._members: dict[str, Member] = {}
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over.add_done_callback(lambda over: over.cancelled() or over.exception())
        self._engine: BulkEngine | None = None
        self._left = asyncio.Event()
        self._given_up = asyncio.Event()

    def add(self, job_id: str, member: Member) -> None:
        """One more line. All are there before it is bought."""
        self._members[job_id] = member

    async def worked(self, job_id: str) -> None:
        """Return when jobs have done for this line what they can. Raises what broke the buying off."""
        ended = asyncio.ensure_future(self._members[job_id].ended.wait())
        try:
            await asyncio.wait({ended, self._over}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._over
        finally:
            ended.cancel()

    def stop(self, fault: Fault) -> None:
        """Leave all as it is when the gateway ends. One line cannot be taken out of a job."""
        if fault.kind is not FaultKind.CANCELLED:
            self._left.set()
            if self._engine is not None:
                self._engine.stop(LEFT)

    def give_up(self) -> None:
        """Cancel the jobs at the provider; what they have made is fetched."""
        self._given_up.set()
        if self._engine is not None:
            self._engine.give_up()

    def break_off(self, error: BaseException) -> None:
        """Whoever waits is told that there will be no buying."""
        if self._over.done():
            return
        if isinstance(error, Exception):
            self._over.set_exception(error)
        else:
            self._over.cancel()

    # --- buying -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Buy, until no line waits for a job any more."""
        ledger = SeveralLedger(self._means.books, {name: member.ledger for name, member in self._members.items()})
        booked = self._means.till.of(ledger)
        try:
            while await self._bought(booked):
                await self._pause()
        except BaseException as error:
            self.break_off(error)
            raise
        if not await _by_jobs(ledger):  # else the gateway ends, and what its jobs may cost is still to be counted
            self._means.till.settled(ledger)
        self._over.set_result(None)

    async def _bought(self, ledger: Ledger) -> bool:
        """Have what no call was made for put into jobs, and all jobs carried; whether some are still open."""
        before = await _by_jobs(ledger)
        clock = self._means.workshop.clock
        slots = [] if clock.now() >= self._due_at else await self._untouched(ledger)
        if self._left.is_set() or not (slots or before):
            return False
        asked_at = min((attempt.intent_at for attempt in before), default=clock.now())
        engine = self._engine = await self._made(ledger, self._due_at - asked_at)
        if self._given_up.is_set():
            engine.give_up()
        await engine.run(slots)
        self._engine = None
        after = await _by_jobs(ledger)
        if not after or self._left.is_set():
            return False
        if clock.now() < self._due_at + WINDOW_S - BY_JOBS_S:
            return True
        await ledger.settle_all([(_unknown(attempt, clock.now()), None) for attempt in after])
        return False

    async def _made(self, ledger: Ledger, deadline_s: float) -> BulkEngine:
        means, shop = self._means, self._means.workshop
        recorded: dict[str, Reply] = {}
        for member in self._members.values():
            recorded.update(await member.recorded())
        blobs = JobBlobs(means.blobs, recorded)
        parts = Parts(ledger, blobs, shop.clock, shop.dice, _Telling(self._members), means.till.caps(BY_JOBS_S))
        bounds = BulkPolicy(deadline_s=max(0.0, deadline_s), misses_online=True)
        if any(member.routes.simulated for member in self._members.values()):
            bounds = quickened(bounds)
        return BulkEngine(parts, Places(self._lanes, self._every), self._batch, Policy(), bounds)

    async def _untouched(self, ledger: Ledger) -> list[Slot]:
        """The slots for which no call was made yet: what a job has missed is not the jobs' any more."""
        slots = [slot for member in self._members.values() for slot in member.slots]
        return [slot for slot in slots if await ledger.standing(slot.id) is None]

    async def _pause(self) -> None:
        events = [event for event in (self._left, self._given_up) if not event.is_set()]
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _lanes(self, slot: Slot) -> Sequence[BulkLane]:
        try:
            return self._wholesale.lanes(self._members[job_of(slot.id)].routes, slot.request.model)
        except InputError:
            return ()  # the settings have changed since it was asked for

    def _every(self, slot: Slot) -> Sequence[Lane]:
        return (*(place.lane for place in self._lanes(slot)), *self._members[job_of(slot.id)].calls(slot))


class _Telling:
    """Implements ``engine.ports.Progress``: each line is told of its own."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        self._members = members

    def _of(self, slot: Slot) -> Member:
        return self._members[job_of(slot.id)]

    def slot_started(self, slot: Slot, attempt: Attempt) -> None:
        """Passed on."""
        self._of(slot).watching.slot_started(slot, attempt)

    def attempt_ended(self, slot: Slot, attempt: Attempt) -> None:
        """Passed on."""
        self._of(slot).watching.attempt_ended(slot, attempt)

    def slot_ended(self, outcome: Outcome) -> None:
        """Passed on; with its last, the line need not wait for the others."""
        member = self._of(outcome.slot)
        member.watching.slot_ended(outcome)
        if len(member.watching.ended) == len(member.slots):
            member.ended.set()

    def slot_kept(self, outcome: Outcome) -> None:
        """Passed on."""
        self.slot_ended(outcome)

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """Not told: it is bought otherwise."""

    def waiting(self, why: str, seconds: float) -> None:
        """Each of them waits."""
        for member in self._members.values():
            if not member.ended.is_set():
                member.watching.waiting(why, seconds)

    def key_lost(self, closing: Closing) -> None:
        """The operator's business."""


async def _by_jobs(ledger: Ledger) -> list[Attempt]:
    return [attempt for attempt, _ in await ledger.open_attempts() if is_bulk(attempt)]


def _unknown(attempt: Attempt, now: float) -> Attempt:
    return replace(attempt, state=AttemptState.UNKNOWN, settled_at=now, charged=Charged.UNKNOWN, fault=LOST)
