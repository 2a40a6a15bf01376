"""Run: carries out what ``step`` decides: feeds slots to lanes, lets calls leave, accounts for every slot.

Order of durability for each picture: intent on the books, send, bytes on disk, receipt on the books. Everything that
decides is in ``step``, ``policy``, ``budget`` and behind the quota port.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace

from ..model.attempt import Attempt
from ..model.fault import Charged, Fault, FaultKind
from ..model.result import Failure, Slot
from .budget import Budget, Verdict
from .flight import DISK_FULL, Flight, Parts, estimated
from .policy import FINAL, SHUTTING, Policy
from .ports import Grant, Lane, OutOfSpace, Shut, Slots, Standing, WaitUntil, each
from .queue import LaneQueue, Work, spent
from .recover import Job, Recovery
from .rows import Rows
from .step import SlotState
from .twins import Twins

MARK_EVERY_S = 2.0
"""How often the settled rows are noted: a crash costs at most this much re-reading."""

RECHECK_S = 5.0
"""A wait with no known end is looked at again this often, in case another process ended it."""

DAY_WAIT_S = 3600.0
"""A quota that asks for more than this is a daily one, whatever it says."""

QUEUE_FACTOR = 2
"""Slots read ahead for each call that may be in flight: enough to keep every lane busy, few enough for flat memory."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: ``stop`` is ``None`` when every slot has its outcome."""

    stop: Fault | None = None


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
        self._queues: dict[int, LaneQueue] = {}
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
        return RunEnd(self._stop or self._stranded)

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
        queue = self._queue(work.lane)
        if queue.closed is not None:
            self._move_on(work, queue.closed)
            return
        queue.put(work, self._parts.clock.monotonic() + after_s)

    def ended(self, work: Work) -> None:
        """This slot has its outcome."""
        self._forget(work)
        self._rows.leave(work.slot.row)
        self._changed.set()

    def left_open(self, work: Work, fault: Fault) -> None:
        """This slot cannot go on: with a shut lane its fellows of that lane stop too, else the run does."""
        if fault.kind in SHUTTING:
            queue = self._queue(work.lane)
            self._shut(queue, fault)
        else:
            self.stop(fault)
        self._strand(work, fault)

    def narrow(self, lane: Lane, most: int) -> None:
        """No later call of this lane is to be asked for more pictures than so many."""
        queue = self._queue(lane)
        queue.most = min(most, queue.most or most)

    def money_moved(self) -> None:
        """A reservation was settled or a place in flight freed: who waits may look again."""
        for queue in self._queues.values():
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
        tally = await self._parts.ledger.tally()
        self._fresh = tally.attempts == 0 and tally.delivered + tally.failed == 0
        self._twins = Twins(self._parts.ledger, fresh=self._fresh)
        jobs: Sequence[Job] = ()
        if not self._fresh:
            jobs = await self._recover()
            if tally.in_flight:  # else nothing was settled, and sums over a million attempts take their time
                tally = await self._parts.ledger.tally()
        # Sums count an attempt at work as bought; here it is set aside until it is known.
        reserved = sum(estimated(job.attempts) for job in jobs)
        self._budget = Budget(self._cap_nusd, tally.billed_nusd + tally.unknown_nusd - reserved)
        self._budget.reserve(reserved)
        for job in jobs:
            self._track_flight(self._flight.resume(job.works[0].lane, job.works, job.attempts, job.reply))

    async def _recover(self) -> Sequence[Job]:
        recovery = Recovery(self._parts, self._policy, self._twins, self._lanes_for)
        jobs = await recovery.run()
        for job in jobs:
            for work in job.works:
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
            await self._changed.wait()

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
        work = Work(slot, lanes, SlotState(lanes=len(lanes), attempts=len(before)), *spent(before))
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
            self._move_on(work, None)
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

    def _move_on(self, work: Work, fault: Fault | None) -> None:
        """Queue the slot at its first lane that is open; strand it when none is."""
        for number in range(work.state.lane, len(work.lanes)):
            queue = self._queue(work.lanes[number])
            if queue.closed is None:
                work.state = SlotState(
                    work.state.phase, work.state.attempts, number, len(work.lanes), work.state.counts
                )
                queue.put(work)
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

    def _queue(self, lane: Lane) -> LaneQueue:
        queue = self._queues.get(id(lane))
        if queue is None:
            queue = self._queues[id(lane)] = LaneQueue(lane)
            task = asyncio.ensure_future(self._dispatch(queue))
            task.add_done_callback(self._task_ended)
            self._dispatchers.add(task)
        return queue

    async def _dispatch(self, queue: LaneQueue) -> None:
        while True:
            now = self._parts.clock.monotonic()
            work = queue.take(now)
            if work is None:
                due_at = queue.due_at()
                await queue.rest(None if due_at is None else max(0.0, due_at - now))
            else:
                works = [work]
                if (leave := await self._leave(queue, works)) is not None:
                    self._launch(queue, works, *leave)

    async def _leave(self, queue: LaneQueue, works: list[Work]) -> tuple[Grant, int] | None:
        """Wait for a place in flight, for money and for the quota, in that order: a grant counts from its moment.

        Who may share the call is added to ``works`` at the last moment.
        """
        each = queue.lane.pricing.estimate(works[0].slot) or 0
        while queue.closed is None:
            if len(self._flights) >= self._policy.concurrency or not self._affordable(each):
                await queue.rest(None)
                continue
            self._gather(queue, works, each)
            price = each * len(works)
            answer = await queue.lane.quota.reserve(self._flight.cost_of(works, price))
            match answer:
                case Grant():
                    return answer, price
                case WaitUntil(at, why):
                    await self._wait(queue, at, why)
                case Shut(fault):
                    self._shut(queue, fault)
        for work in works:
            self._move_on(work, queue.closed)
        return None

    def _gather(self, queue: LaneQueue, works: list[Work], each_nusd: int) -> None:
        """As many slots of one form as a call of this lane is best asked for, and the cap has room for."""
        first, several = works[0], queue.lane.several
        most = min(several.bound(first.slot.request), queue.most or several.most)
        left = self._budget.left_nusd
        if left is not None and each_nusd:
            most = min(most, left // each_nusd)
        if most == len(works) == 1:
            return
        queue.put_back(works[1:])
        now = self._parts.clock.monotonic()
        ready = 1 + queue.fellows(first, now)
        best = several.split(ready, first.slot.request, 1 + len(queue))[0]
        works[1:] = queue.take_fellows(first, min(best, most) - 1, now)

    def _shut(self, queue: LaneQueue, fault: Fault) -> None:
        """The lane is closed for the rest of the run: its slots go on to their next lanes."""
        queue.closed = fault
        queue.wake.set()
        for other in queue.drain():
            self._move_on(other, fault)

    def _affordable(self, price_nusd: int) -> bool:
        verdict = self._budget.ask(price_nusd)
        if verdict is Verdict.STOP:
            self.stop(Fault(FaultKind.BUDGET, "the next picture would pass the cap", Charged.NO))
        return verdict is Verdict.GO

    async def _wait(self, queue: LaneQueue, at: float, why: str) -> None:
        seconds = at - self._parts.clock.monotonic()
        if seconds == float("inf"):
            await queue.rest(RECHECK_S)
            return
        if seconds > self._policy.max_wait_s and not self._flights:
            kind = FaultKind.DAY_QUOTA if seconds > DAY_WAIT_S else FaultKind.RATE_LIMITED
            fault = Fault(kind, why, retry_after_s=seconds)
            if any(other.closed is None for other in self._queues.values() if other is not queue):
                # The other lanes go on without it.
                self._shut(queue, fault)
                return
            self.stop(fault)
        self._parts.progress.waiting(why, max(0.0, seconds))
        await queue.rest(max(0.0, seconds))

    def _launch(self, queue: LaneQueue, works: Sequence[Work], grant: Grant, price_nusd: int) -> None:
        self._budget.reserve(price_nusd)
        self._track_flight(self._flight.fly(queue.lane, works, grant, price_nusd))

    def _track_flight(self, flight: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(flight)
        self._flights.add(task)
        task.add_done_callback(self._flight_ended)

    def _flight_ended(self, task: asyncio.Task[None]) -> None:
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


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel them all, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
