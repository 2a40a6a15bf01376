"""Run: carries out what ``step`` decides: feeds slots to lanes, lets calls leave, accounts for every slot.

Order of durability for each picture: intent on the books, send, bytes on disk, receipt on the books. Everything that
decides is in ``step``, ``policy``, ``budget`` and behind the quota port.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace

from ..model.attempt import Attempt
from ..model.fault import Fault, FaultKind
from ..model.result import Failure, Outcome, Picture, Slot
from .budget import Budget
from .flight import DISK_FULL, Flight, Parts, estimated
from .hedge import Hedges
from .policy import FINAL, Policy
from .pool import Pool, Pools
from .ports import Closing, Detour, Lane, OutOfSpace, Slots, Standing, WaitUntil, each
from .queue import RouteQueue, Work, spent
from .recover import Job, Recovery
from .rows import Rows
from .step import Phase, SlotState
from .twins import Twins
from .way import Leave, Ways

MARK_EVERY_S = 2.0
"""How often the settled rows are noted: a crash costs at most this much re-reading."""

RECHECK_S = 5.0
"""A wait with no known end is looked at again this often, in case another process ended it."""

LOOK_AGAIN_S = 60.0
"""A longer wait is looked at again this often: the machine may have slept past its end, or its wall clock was set."""

DAY_WAIT_S = 3600.0
"""A quota that asks for more than this is a daily one, whatever it says."""

QUEUE_FACTOR = 2
"""Slots read ahead for each call that may be in flight: enough to keep every lane busy, few enough for flat memory."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: ``stop`` is ``None`` when every slot has its outcome.

    ``closings`` are the keys and routes that it lost on the way.
    """

    stop: Fault | None = None
    detours: tuple[Detour, ...] = ()
    closings: tuple[Closing, ...] = ()


class Engine:
    """One run over one ledger. ``lanes_for`` gives the lanes that a slot may take, the preferred one first."""

    def __init__(
        self,
        parts: Parts,
        lanes_for: Callable[[Slot], Sequence[Lane]],
        policy: Policy | None = None,
        max_cost_nusd: int | None = None,
    ) -> None:
        self._parts = parts
        self._lanes_for = lanes_for
        self._policy = policy or Policy()
        self._cap_nusd = max_cost_nusd
        self._pools = Pools(self._key_lost)
        self._queues: dict[tuple[int, ...], RouteQueue] = {}
        self._dispatchers: set[asyncio.Task[None]] = set()
        self._flights: set[asyncio.Task[None]] = set()
        self._live: dict[str, Work] = {}
        self._resumed: set[str] = set()
        self._rows = Rows()
        self._stop: Fault | None = None
        self._stranded: Fault | None = None
        self._crash: BaseException | None = None
        self._halted = False
        self._changed = asyncio.Event()
        self._all_read = False
        self._fresh = True
        self._marked_at = 0.0
        self._budget = Budget(max_cost_nusd)
        self._twins = Twins(parts.ledger, fresh=True)
        self._flight = Flight(self, parts, self._policy)
        self._ways = Ways(self, parts.clock, self._policy)
        self._hedges = Hedges(self._policy.hedge) if self._policy.hedge else None
        self._pairs: dict[asyncio.Task[None], Work] = {}
        self._asking = 0
        self._detours: Counter[tuple[str, str]] = Counter()
        self._closings: list[Closing] = []

    # --- from outside -------------------------------------------------------------------------------------------

    async def run(self, slots: Slots) -> RunEnd:
        """Work until every slot has its outcome, or something stops the run.

        Raises whatever a part raised that is neither a fault nor a full disk; nothing settled is lost then.
        """
        await self._begin()
        feeder = asyncio.ensure_future(self._feed(slots))
        feeder.add_done_callback(self._task_ended)
        self._dispatchers.add(feeder)
        try:
            await self._until_over()
        finally:
            await self._close()
        if self._crash is not None:
            raise self._crash
        detours = tuple(Detour(*kind, count) for kind, count in self._detours.items())
        return RunEnd(self._stop or self._stranded, detours, tuple(self._closings))

    def stop(self, fault: Fault) -> None:
        """No new calls; those in flight are finished and kept. The run can be resumed."""
        if self._stop is None:
            self._stop = fault
            for task in self._dispatchers:
                task.cancel()
        self._changed.set()

    def abort(self) -> None:
        """Cancel the calls in flight too: their fate is unknown, and reported so."""
        self.stop(Fault(FaultKind.CANCELLED, "interrupted"))
        for task in self._flights:
            # Not at once: a task that is cancelled before its first step could not give its grant back.
            task.get_loop().call_soon(task.cancel)

    # --- what a flight tells the run ------------------------------------------------------------------------------

    def requeue(self, work: Work, after_s: float) -> None:
        """Try this slot again, not before so many seconds from now."""
        self._move_on(work, self._parts.clock.monotonic() + after_s)

    def ended(self, work: Work, outcome: Outcome) -> None:
        """This slot has its outcome."""
        self._forget(work)
        self._rows.leave(work.slot.row)
        if isinstance(outcome, Picture):
            if work.detour and outcome.route != work.lane.route:
                self._detours[str(outcome.route), work.detour] += 1
            if self._hedges is not None:
                self._hedges.took(outcome.route, work.slot, outcome.latency_s)
        self._changed.set()

    def left_open(self, work: Work, fault: Fault) -> None:
        """This slot cannot go on, nor can the run. Another call for the slot may still end it."""
        self.stop(fault)
        if work.state.live <= 1 and work.slot.id in self._live:
            self._strand(work, fault)

    def close_lane(self, lane: Lane, work: Work, fault: Fault) -> None:
        """A key is of no more use in this run. The slot goes on without it, when no other call is at it."""
        pool = self._pools.holding(lane)
        if pool is not None:
            pool.shut(lane, fault)
        if work.state.phase is Phase.READY:
            self._move_on(work, fault=fault)

    def narrow(self, lane: Lane, most: int) -> None:
        """No later call of this route is to be asked for more pictures than so many."""
        pool = self._pools.holding(lane)
        if pool is not None:
            pool.most = min(most, pool.most or most)

    def money_moved(self) -> None:
        """A reservation was settled or a place in flight freed: who waits may look again."""
        for queue in self._queues.values():
            queue.wake.set()

    # --- what a search for a way asks -------------------------------------------------------------------------------

    @property
    def places_left(self) -> int:
        """How many more calls may be in flight."""
        return self._policy.concurrency - len(self._flights) - self._asking

    def set_free(self) -> None:
        """What was set aside was not needed: who is poor may look again."""
        for queue in self._queues.values():
            if queue.poor:
                queue.wake.set()

    @property
    def halted(self) -> bool:
        """Whether no call may leave any more."""
        return self._halted or self._stop is not None or self._crash is not None

    @property
    def budget(self) -> Budget:
        """The run's cap."""
        return self._budget

    @property
    def twins(self) -> Twins:
        """The run's memory of pictures."""
        return self._twins

    # --- begin and end ----------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        common = self._parts.common
        if common is not None:
            await common.turn()
        tally = await self._parts.ledger.tally()
        self._fresh = tally.attempts == 0 and tally.delivered + tally.failed == 0
        self._twins = common.twins if common else Twins(self._parts.ledger, fresh=self._fresh)
        jobs: Sequence[Job] = ()
        if not self._fresh:
            jobs = await self._recover()
            if tally.in_flight:  # else nothing was settled, and sums over a million attempts take their time
                tally = await self._parts.ledger.tally()
        # Sums count an attempt at work as bought; here it is set aside until it is known.
        reserved = sum(estimated(job.attempts) for job in jobs)
        if common is not None:
            self._budget = await common.opened(reserved, self.money_moved)
        else:
            self._budget = Budget(self._cap_nusd, tally.billed_nusd + tally.unknown_nusd - reserved, self._parts.caps)
        for job in jobs:
            self._budget.carry(job.attempts)
        for job in jobs:
            self._track_flight(self._flight.resume(job.lane, job.works, job.attempts, job.reply))

    async def _recover(self) -> Sequence[Job]:
        recovery = Recovery(self._parts, self._policy, self._twins, self._lanes_for)
        jobs = await recovery.run()
        for job in jobs:
            for work in job.works:
                if work.state.phase is Phase.DELIVERED or work.slot.id in self._resumed:
                    continue
                self._resumed.add(work.slot.id)
                # The input is read later: this says nothing of the rows before.
                self._rows.hold(work.slot.row)
                await self._enter(work)
        if recovery.stop is not None:
            self.stop(recovery.stop)
        return jobs

    async def _until_over(self) -> None:
        while not self._over():
            self._changed.clear()
            if self._only_slow_ones():
                await self._wait_for_slow_ones()
            else:
                await self._changed.wait()

    def _only_slow_ones(self) -> bool:
        """Whether all that is in flight are calls whose slots have their pictures from another call."""
        if not self._flights or (self._stop is None and (self._live or not self._all_read)):
            return False
        return all(task in self._pairs and self._is_slow(self._pairs[task]) for task in self._flights)

    async def _wait_for_slow_ones(self) -> None:
        """A while. What is given up then is put in order as after a crash: it may have been billed."""
        assert self._policy.hedge is not None
        _, slow = await asyncio.wait(set(self._flights), timeout=self._policy.hedge.grace_s)
        if slow:
            await _cancelled(slow)
            await Recovery(self._parts, self._policy, self._twins, self._lanes_for).run()

    def _over(self) -> bool:
        if self._crash is not None or self._stop is not None:
            # What is in flight was paid for: it is finished and kept, whatever broke elsewhere.
            return not self._flights
        return self._all_read and not self._live and not self._flights

    async def _close(self) -> None:
        self._halted = True
        await _cancelled(self._dispatchers)
        # Flights are left when a part broke or the caller was cancelled. Each takes its first step before it is
        # cancelled, so that it can give its grant back.
        await asyncio.sleep(0)
        await _cancelled(self._flights | self._dispatchers)
        if self._crash is None:
            with contextlib.suppress(OutOfSpace):
                await self._mark_rows(force=True)
        for work in list(self._live.values()):
            self._strand(work, self._stop or Fault(FaultKind.CANCELLED, "the run ended early"))

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._dispatchers.discard(task)
        self._flights.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, OutOfSpace):
            self.stop(DISK_FULL)
        elif error is not None and self._crash is None:
            self._crash = error
            self.stop(Fault(FaultKind.CANCELLED, "the run broke off"))
        self._changed.set()

    # --- feeding ------------------------------------------------------------------------------------------------------

    async def _feed(self, slots: Slots) -> None:
        row: list[Work] = []
        async for slot in each(slots):
            if row and row[0].slot.row != slot.row:
                self._begin_all(row)
            if slot.id in self._resumed:
                await self._met(slot, await self._standing(slot))
            elif slot.id not in self._live and not await self._kept(slot):
                row.append(await self._work(slot))
            if not self._may_share(row, slot):
                self._begin_all(row)
            await self._mark_rows()
            await self._until_room()
        self._begin_all(row)
        self._all_read = True
        self._changed.set()

    async def _work(self, slot: Slot) -> Work:
        lanes, before = tuple(self._lanes_for(slot)), await self._attempts_before(slot)
        state = SlotState(routes=len(self._pools.of(lanes)), attempts=len(before))
        work = Work(slot, lanes, state, *spent(before))
        self._rows.enter(slot.row)
        await self._enter(work)
        return work

    def _may_share(self, row: Sequence[Work], slot: Slot) -> bool:
        """Whether more slots of this row are to come that could go in one call with these."""
        comes_more = slot.ordinal + 1 < slot.request.n and not self._is_full
        return comes_more and any(lane.several.most > 1 for work in row[:1] for lane in work.lanes)

    def _begin_all(self, works: list[Work]) -> None:
        """Queue slots that were held until all of their row were read."""
        for work in works:
            self._move_on(work)
        works.clear()

    async def _kept(self, slot: Slot) -> bool:
        standing = await self._standing(slot)
        if standing is None or standing.outcome is None:
            return False
        if isinstance(standing.outcome, Failure) and standing.outcome.fault.kind not in FINAL:
            return False
        await self._met(slot, standing)
        self._parts.progress.slot_kept(replace(standing.outcome, slot=slot))
        return True

    async def _met(self, slot: Slot, standing: Standing | None) -> None:
        """The input still wants what was begun before: it is done, or a job of an earlier process is at it."""
        known = standing.slot if standing else None
        if known is None or known != slot or known.columns != slot.columns:
            await self._parts.ledger.keep(slot)
        self._rows.skip(slot.row)

    async def _attempts_before(self, slot: Slot) -> Sequence[Attempt]:
        standing = await self._standing(slot)
        return standing.attempts if standing else ()

    async def _standing(self, slot: Slot) -> Standing | None:
        return None if self._fresh else await self._parts.ledger.standing(slot.id)

    async def _enter(self, work: Work) -> None:
        self._live[work.slot.id] = work
        await self._twins.enter(work.slot.id)

    def _move_on(self, work: Work, not_before: float | None = None, fault: Fault | None = None) -> None:
        """Queue the slot for its routes, when one of them is open; strand it when none is."""
        pools = self._pools.of(work.lanes)[work.state.route :]
        if all(pool.closed is not None for pool in pools):
            fault = fault or pools[-1].closed
        else:
            queue = self._queue(pools)
            if queue.closed is None:
                queue.put(work, not_before)
                return
            fault = queue.closed
        self._strand(work, fault or Fault(FaultKind.CANCELLED, "no route is open"))

    async def _until_room(self) -> None:
        while self._is_full:
            self._changed.clear()
            await self._changed.wait()

    @property
    def _is_full(self) -> bool:
        return len(self._live) >= self._policy.concurrency * QUEUE_FACTOR

    async def _mark_rows(self, *, force: bool = False) -> None:
        now = self._parts.clock.monotonic()
        if force or now - self._marked_at >= MARK_EVERY_S:
            self._marked_at = now
            before = self._rows.mark
            if self._rows.settled(all_read=self._all_read) != before:
                await self._parts.ledger.rows_settled(self._rows.mark)

    # --- dispatching --------------------------------------------------------------------------------------------------

    def _queue(self, pools: tuple[Pool, ...]) -> RouteQueue:
        name = tuple(map(id, pools))
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = RouteQueue(pools)
            self._track(self._dispatch(queue))
        return queue

    def _track(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Begin what ends when no more calls are to leave."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._task_ended)
        self._dispatchers.add(task)
        return task

    async def _dispatch(self, queue: RouteQueue) -> None:
        while True:
            now = self._parts.clock.monotonic()
            work = queue.take(now)
            if work is None:
                due_at = queue.due_at()
                await queue.rest(None if due_at is None else max(0.0, due_at - now))
            else:
                works = [work]
                if (leave := await self._leave(queue, works)) is not None:
                    self._launch(works, leave)

    async def _leave(self, queue: RouteQueue, works: list[Work]) -> Leave | None:
        """Wait for a place in flight, for money and for a quota, in that order: a grant counts from its moment."""
        while queue.closed is None and queue.is_open:
            if self.halted or self.places_left < 1:
                await queue.rest(None)
                continue
            self._asking += 1
            try:
                found = await self._ways.find(queue, works)
            finally:
                self._asking -= 1
            if isinstance(found, Leave):
                return found
            if isinstance(found, WaitUntil):
                await self._wait(queue, found)
            elif queue.is_open:
                await queue.rest(None)
        for work in works:
            self._move_on(work)
        return None

    def _key_lost(self, closing: Closing) -> None:
        if not any(_is_same(closing, other) for other in self._closings):
            self._closings.append(closing)
            self._parts.progress.key_lost(closing)
        for queue in list(self._queues.values()):
            queue.wake.set()
            if not queue.is_open:
                for work in queue.drain():
                    self._move_on(work)

    def _shut(self, queue: RouteQueue, fault: Fault) -> None:
        """Nothing of this queue can go in this run."""
        queue.closed = fault
        queue.wake.set()
        for work in queue.drain():
            self._strand(work, fault)

    async def _wait(self, queue: RouteQueue, wait: WaitUntil) -> None:
        seconds = wait.at - self._parts.clock.monotonic()
        if seconds == float("inf"):
            await queue.rest(RECHECK_S)
            return
        if seconds > self._policy.max_wait_s and not self._flights:
            kind = FaultKind.DAY_QUOTA if seconds > DAY_WAIT_S else FaultKind.RATE_LIMITED
            fault = Fault(kind, wait.why, retry_after_s=seconds)
            if any(other.closed is None and other.is_open for other in self._queues.values() if other is not queue):
                # The other queues go on without it.
                self._shut(queue, fault)
                return
            self.stop(fault)
        self._parts.progress.waiting(wait.why, max(0.0, seconds))
        await queue.rest(min(max(0.0, seconds), LOOK_AGAIN_S))

    def _launch(self, works: Sequence[Work], leave: Leave) -> None:
        for work in works:
            work.detour = leave.detour or work.moved
        flight = self._track_flight(self._flight.fly(leave.lane, works, leave.grant, leave.price_nusd))
        if self._hedges is not None:
            self._hedges.left()
            if len(works) == 1 and works[0].gate is None:
                watcher = self._track(self._watch(flight, leave.lane, works[0]))
                flight.add_done_callback(lambda _: watcher.cancel())

    async def _watch(self, flight: asyncio.Task[None], lane: Lane, work: Work) -> None:
        """Send a second call for the slot when this one is slow."""
        assert self._hedges is not None
        clock, hedges = self._parts.clock, self._hedges
        started = clock.monotonic()
        while not work.answered:
            after_s = hedges.after_s(lane.route, work.slot)
            left_s = RECHECK_S if after_s is None else started + after_s - clock.monotonic()
            if left_s <= 0 and hedges.may and self.places_left > 0:
                pools = [pool for pool in self._pools.of(work.lanes)[work.state.route :] if pool.closed is None]
                self._asking += 1
                try:
                    leave = await self._ways.second(pools, lane, work)
                finally:
                    self._asking -= 1
                if leave is not None:
                    hedges.hedged()
                    hedge = self._flight.hedge(leave.lane, work, leave.grant, leave.price_nusd)
                    self._pairs |= {flight: work, self._track_flight(hedge): work}
                    return
            await clock.sleep(left_s if left_s > 0 else RECHECK_S)

    @staticmethod
    def _is_slow(work: Work) -> bool:
        return work.state.phase is Phase.DELIVERED

    def _track_flight(self, flight: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(flight)
        self._flights.add(task)
        task.add_done_callback(self._flight_ended)
        return task

    def _flight_ended(self, task: asyncio.Task[None]) -> None:
        self._pairs.pop(task, None)
        self._task_ended(task)
        self.money_moved()

    def _strand(self, work: Work, fault: Fault) -> None:
        """The slot stays open. Its row is never marked as settled, so a resumed run finds it."""
        self._stranded = self._stranded or fault
        self._forget(work)
        self._parts.progress.slot_left(work.slot, fault)
        self._changed.set()

    def _forget(self, work: Work) -> None:
        if self._live.pop(work.slot.id, None) is not None:
            self._twins.leave(work.slot.id)


def _is_same(one: Closing, other: Closing) -> bool:
    """Whether a key that was lost for one model is the one that was lost for another before."""
    return bool(one.key) and all(
        (one.key == other.key, one.route.endpoint == other.route.endpoint, one.fault.kind is other.fault.kind)
    )


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel them all, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
