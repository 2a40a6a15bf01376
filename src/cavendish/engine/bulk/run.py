"""BulkEngine: fills jobs with slots, has them carried, and says what is left for others.

Nothing is bought twice: the attempts of a job are on the books, under its name, before it is asked for; a run that is
resumed finds its jobs there and goes on with them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...model.attempt import Attempt, AttemptState
from ...model.fault import Charged, Fault, FaultKind
from ...model.result import Failure, Outcome, Slot
from ..budget import Budget, Verdict
from ..flight import DISK_FULL, Flight, Parts
from ..policy import FINAL, Policy
from ..ports import Lane, OutOfSpace, Shut, Slots, each
from ..queue import Work
from ..recover import Recovery
from ..rows import Rows
from ..step import Left, Phase, SlotState, step
from ..twins import Twins
from .carry import Carrier
from .chunk import Chunk, Filling, intents, is_bulk, key_of, regrouped
from .ports import BulkLane, BulkPolicy

LIVE = frozenset({AttemptState.INTENT, AttemptState.WAITING})
LEAVING = frozenset({FaultKind.CANCELLED, FaultKind.DISK_FULL})
"""These end the run at once: what is with a provider is found again by its name."""

CAPS_AGAIN_S = 1.0
"""A slot that there is no money for is tried again when a job has ended, and not sooner than this."""

LEFT_MOST = 10_000
"""Slots held for elsewhere while no job is at work; the rest of the input need not be held with them."""


@dataclass(frozen=True, slots=True)
class BulkEnd:
    """How a bulk run ended. ``rest`` are the slots that are to be bought elsewhere, in their order."""

    stop: Fault | None = None
    rest: AsyncIterator[Slot] | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where slots may go: ``bulk`` as jobs, the preferred one first; ``all`` are those and the routes of single calls.

    The latter are for what an earlier run left on the books.
    """

    bulk: Callable[[Slot], Sequence[BulkLane]]
    all: Callable[[Slot], Sequence[Lane]]


class BulkEngine:
    """One bulk run over one ledger. Implements what a flight and a carrier need of their host."""

    def __init__(
        self,
        parts: Parts,
        places: Places,
        run_id: str,
        policy: Policy | None = None,
        bounds: BulkPolicy | None = None,
        max_cost_nusd: int | None = None,
    ) -> None:
        self._parts = parts
        self._places = places
        self._run_id = run_id
        self._policy = policy or Policy()
        self._bounds = bounds or BulkPolicy()
        self._cap_nusd = max_cost_nusd
        self._live: dict[str, Work] = {}
        self._filling: dict[int, Filling] = {}
        self._again: list[tuple[float, Work]] = []
        self._left: list[Slot] = []
        self._left_nusd = 0
        self._elsewhere: set[str] = set()
        self._taken_up: set[str] = set()
        self._shut: dict[int, Fault] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._given_up = asyncio.Event()
        self._stop: Fault | None = None
        self._crash: BaseException | None = None
        self._deadline_at: float | None = None
        self._fresh = True
        self._all_read = False
        self._ended = 0
        self._launched = 0
        self._rows = Rows()
        self.budget = Budget(max_cost_nusd)
        self.twins = Twins(parts.ledger, fresh=True)
        flight = Flight(self, parts, self._policy)
        self._carrier = Carrier(self, flight, parts, self._policy, self._bounds)

    # --- from outside -----------------------------------------------------------------------------------------------

    async def run(self, slots: Slots) -> BulkEnd:
        """Work until every slot has its outcome, is left for elsewhere, or something stops the run."""
        stream = each(slots)
        try:
            await self._begin()
            await self._feed(stream)
            await self._until_over()
        except OutOfSpace:
            self.stop(DISK_FULL)
        finally:
            await self._close()
        if self._crash is not None:
            raise self._crash
        return self._end(stream)

    def stop(self, fault: Fault) -> None:
        """No new jobs. Those at work are waited for, unless the run was interrupted or the disk is full."""
        if self._stop is None:
            self._stop = fault
        if fault.kind in LEAVING:
            self._hurry.set()
        self._changed.set()

    def abort(self) -> None:
        """Leave everything as it is: jobs go on at the provider, and are found again."""
        self.stop(Fault(FaultKind.CANCELLED, "interrupted"))
        for task in self._tasks:
            task.cancel()

    def give_up(self) -> None:
        """The jobs at work are cancelled now, as if their time were over; what they have made is fetched."""
        self._deadline_at = self._parts.clock.now()
        self._given_up.set()
        self._changed.set()

    # --- what a flight tells ----------------------------------------------------------------------------------------

    @property
    def halted(self) -> bool:
        """Whether no call may leave any more."""
        return self._stop is not None or self._crash is not None

    def requeue(self, work: Work, after_s: float) -> None:
        """Try this slot again, in another job."""
        self._again.append((self._parts.clock.monotonic() + after_s, work))

    def ended(self, work: Work, outcome: Outcome) -> None:  # noqa: ARG002
        """This slot has its outcome."""
        self._forget(work.slot)
        if work.slot.id in self._taken_up:
            self._taken_up.discard(work.slot.id)
        else:
            self._rows.leave(work.slot.row)

    def left_open(self, work: Work, fault: Fault) -> None:
        """No job will make this one."""
        if fault.kind is FaultKind.DISK_FULL:
            self.stop(fault)
        self._leave(work.slot)

    def close_lane(self, lane: Lane, work: Work, fault: Fault) -> None:  # noqa: ARG002
        """No job will make this one; what is to become of others, the next job tells."""
        self._leave(work.slot)

    def narrow(self, lane: Lane, most: int) -> None:
        """Every line of a job asks for one picture."""

    def money_moved(self) -> None:
        """A reservation was settled."""
        self._changed.set()

    # --- what a carrier asks ----------------------------------------------------------------------------------------

    @property
    def leaving(self) -> bool:
        """Whether everything is to be left as it stands on the books."""
        return self._crash is not None or self._hurry.is_set()

    @property
    def overdue(self) -> bool:
        """Whether the deadline has passed."""
        return self._deadline_at is not None and self._parts.clock.now() >= self._deadline_at

    async def pause(self, seconds: float, why: str = "") -> None:
        """Wait, but not beyond the moment at which all is left, or the deadline passes."""
        if self._deadline_at is not None and not self.overdue:
            seconds = min(seconds, max(0.0, self._deadline_at - self._parts.clock.now()) + 0.001)
        if why:
            self._parts.progress.waiting(why, seconds)
        ends = {asyncio.ensure_future(self._parts.clock.sleep(seconds)), asyncio.ensure_future(self._hurry.wait())}
        if not self._given_up.is_set():
            ends.add(asyncio.ensure_future(self._given_up.wait()))
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancelled(ends)

    def shut(self, place: BulkLane, fault: Fault) -> None:
        """No further job is to be asked for here."""
        self._shut[id(place)] = fault
        if not self._bounds.goes_online:
            self.stop(fault)

    # --- begin and end ----------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        tally = await self._parts.ledger.tally()
        self._fresh = tally.attempts == 0 and tally.delivered + tally.failed == 0
        common = self._parts.common
        self.twins = common.twins if common else Twins(self._parts.ledger, fresh=self._fresh)
        waiting: list[tuple[Work, Attempt]] = []
        if not self._fresh:
            recovery = Recovery(self._parts, self._policy, self.twins, self._places.all)
            waiting = [pair for job in await recovery.run() for pair in zip(job.works, job.attempts, strict=True)]
            if recovery.stop is not None:
                self.stop(recovery.stop)
            tally = await self._parts.ledger.tally()
        ours = [(work, attempt) for work, attempt in waiting if is_bulk(attempt)]
        self._elsewhere = {a.slot_id for work, a in waiting if not is_bulk(a) and work.picture is None}
        # Sums count a waiting attempt as bought; here it is set aside until it is known.
        reserved = sum(attempt.estimate_nusd or 0 for _, attempt in ours)
        if common is not None:
            self.budget = await common.opened(reserved, self.money_moved)
        else:
            self.budget = Budget(self._cap_nusd, tally.billed_nusd + tally.unknown_nusd - reserved, self._parts.caps)
        self._set_deadline([attempt.intent_at for _, attempt in ours])
        for name, group in regrouped(ours).items():
            await self._take_up(name, group)

    def _set_deadline(self, asked_at: Sequence[float]) -> None:
        if self._bounds.deadline_s is not None:
            self._deadline_at = min(asked_at, default=self._parts.clock.now()) + self._bounds.deadline_s

    async def _take_up(self, name: str, group: Sequence[tuple[Work, Attempt]]) -> None:
        """Go on with a job of an earlier process."""
        first, attempt = group[0]
        place = self._owner(first.slot, attempt)
        if place is None:
            words = f"the job {name} belongs to the key with the fingerprint {key_of(attempt)}, which is not set"
            self._elsewhere.update(attempt.slot_id for _, attempt in group)
            self.stop(Fault(FaultKind.BAD_KEY, words, Charged.NO))
            return
        # When it was asked for is not on the books: it may have been a moment before the process ended.
        chunk = Chunk(name, place, maybe_sent=True, asked_at=self._parts.clock.now())
        for found, attempt in sorted(group, key=lambda pair: pair[1].id):
            work = replace(found, lanes=(place.lane,), state=SlotState(Phase.PENDING, attempt.number, live=1))
            chunk.open[attempt.id] = work, attempt
            chunk.reserved[attempt.id] = attempt.estimate_nusd or 0
            chunk.job_id = chunk.job_id or (attempt.ticket.id if attempt.ticket else "")
            self.budget.carry([attempt])
            # Its row does not count as read: those before it may not have been.
            self._taken_up.add(work.slot.id)
            self._live[work.slot.id] = work
            await self.twins.enter(work.slot.id)
        self._track(self._carrier.carry(chunk))

    def _owner(self, slot: Slot, attempt: Attempt) -> BulkLane | None:
        wanted = key_of(attempt), attempt.route.endpoint
        return next((p for p in self._places.bulk(slot) if (p.jobs.key, p.lane.route.endpoint) == wanted), None)

    async def _close(self) -> None:
        if self._tasks and self.leaving:
            # They look up soon, and what has arrived is put on the books first.
            await asyncio.wait(self._tasks)
        # Those that are left when a part broke hold nothing that is not on the books.
        await _cancelled(self._tasks)
        if self._crash is None:
            with contextlib.suppress(OutOfSpace):
                await self._parts.ledger.rows_settled(self._rows.settled(all_read=self._all_read))

    def _end(self, stream: AsyncIterator[Slot]) -> BulkEnd:
        for work in list(self._live.values()):
            self._leave(work.slot)
        left = sorted(self._left, key=lambda slot: (slot.row, slot.ordinal))
        if self._stop is None and self._bounds.goes_online:
            return BulkEnd(rest=_chained(left, stream))
        stop = self._stop
        if stop is None and (left or self.overdue):
            stop = Fault(FaultKind.JOB_EXPIRED, "not all was made in the time that the batch had", Charged.NO)
        for slot in left:
            assert stop is not None
            self._parts.progress.slot_left(slot, stop)
        return BulkEnd(stop)

    # --- feeding ----------------------------------------------------------------------------------------------------

    @property
    def _takes_more(self) -> bool:
        return not self.halted and not self.overdue

    @property
    def _takes_none(self) -> bool:
        """Whether nothing has gone as a job for long, and nothing is at work."""
        return len(self._left) >= LEFT_MOST and not self._tasks and not self._filling

    async def _feed(self, stream: AsyncIterator[Slot]) -> None:
        while self._takes_more and not self._takes_none:
            slot = await anext(stream, None)
            if slot is None:
                self._all_read = True
                break
            await self._take(slot)
            await self._launch_full()
        await self._launch_all()

    async def _launch_full(self) -> None:
        for filling in list(self._filling.values()):
            if filling.is_full(self._bounds):
                await self._launch(filling)

    async def _launch_all(self) -> None:
        for filling in list(self._filling.values()):
            await self._launch(filling)

    async def _take(self, slot: Slot) -> None:
        if slot.id in self._live or slot.id in self._elsewhere or await self._kept(slot):
            return
        place = self._place_for(slot)
        if place is None:
            # Not on the books, so the row must not count as settled: the next run begins behind those.
            self._rows.enter(slot.row)
            self._left.append(slot)
            return
        before = await self._attempts_before(slot)
        costs = [attempt.cost_nusd for attempt in before]
        state = SlotState(attempts=len(before))
        work = Work(slot, (place.lane,), state, sum(cost or 0 for cost in costs), None not in costs)
        await self._enter(work)
        self._fill(place, work)

    def _place_for(self, slot: Slot) -> BulkLane | None:
        """The first route that is open, its keys in turns: job after job."""
        places = [place for place in self._places.bulk(slot) if id(place) not in self._shut]
        keys = [place for place in places if place.lane.route == places[0].lane.route]
        return keys[self._launched % len(keys)] if keys else None

    def _fill(self, place: BulkLane, work: Work) -> None:
        self._filling.setdefault(id(place), Filling(place)).add(work)

    async def _kept(self, slot: Slot) -> bool:
        standing = None if self._fresh else await self._parts.ledger.standing(slot.id)
        if standing is None or standing.outcome is None:
            return False
        if isinstance(standing.outcome, Failure) and standing.outcome.fault.kind not in FINAL:
            return False
        if standing.slot is None or standing.slot != slot or standing.slot.columns != slot.columns:
            await self._parts.ledger.keep(slot)
        self._rows.skip(slot.row)
        self._parts.progress.slot_kept(replace(standing.outcome, slot=slot))
        return True

    async def _attempts_before(self, slot: Slot) -> Sequence[Attempt]:
        standing = None if self._fresh else await self._parts.ledger.standing(slot.id)
        return standing.attempts if standing else ()

    async def _enter(self, work: Work) -> None:
        self._live[work.slot.id] = work
        self._rows.enter(work.slot.row)
        await self.twins.enter(work.slot.id)

    # --- launching --------------------------------------------------------------------------------------------------

    async def _launch(self, filling: Filling) -> None:
        """Put a job on the books and send it on its way, when there is room for one more."""
        place = filling.place
        self._filling.pop(id(place), None)
        while len(self._tasks) >= self._bounds.jobs and self._takes_more:
            await self._change()
        prices = await self._let_in(filling.works)
        works = [work for work in filling.works if work.slot.id in prices]
        if not works:
            return
        if not self._takes_more or id(place) in self._shut:
            for work in works:
                self.budget.settle(prices[work.slot.id], 0, place.lane.route.endpoint)
                self._leave(work.slot)
            return
        self._launched += 1
        chunk = await self._written_down(place, works)
        chunk.reserved = {attempt_id: prices[work.slot.id] for attempt_id, (work, _) in chunk.open.items()}
        self._track(self._carrier.carry(chunk))

    async def _let_in(self, works: Sequence[Work]) -> dict[str, int]:
        """Set the prices of slots aside, by slot. One without room waits for what others leave, or stays open."""
        prices: dict[str, int] = {}
        verdict = Verdict.GO
        for work in works:
            if verdict is Verdict.GO:
                price, verdict = await self._set_aside(work, first=not prices)
                if verdict is Verdict.GO:
                    prices[work.slot.id] = price
                    continue
            if verdict is Verdict.WAIT:
                self.requeue(work, CAPS_AGAIN_S)
            else:
                self._leave(work.slot)
        return prices

    async def _set_aside(self, work: Work, *, first: bool) -> tuple[int, Verdict]:
        route, pricing = work.lane.route, work.lane.pricing
        estimate = pricing.estimate(work.slot) or 0
        price = self.budget.price(str(route), estimate, pricing.bound(work.slot))
        verdict = self.budget.ask(price, estimate)
        if verdict is Verdict.STOP:
            self.stop(self.budget.fault)
        if verdict is not Verdict.GO:
            return 0, verdict
        price = self.budget.within(price)
        while not isinstance(refused := await self.budget.set_aside(route.endpoint, price, estimate), int):
            if isinstance(refused, Shut):
                self.stop(refused.fault)
                return 0, Verdict.STOP
            if self._tasks or not first or self.leaving:
                return 0, Verdict.WAIT
            # No job of ours will free anything: others do, or the shared caps say that it is in vain.
            await self.pause(max(0.0, refused.at - self._parts.clock.monotonic()), refused.why)
        return refused, Verdict.GO

    async def _written_down(self, place: BulkLane, works: Sequence[Work]) -> Chunk:
        for work in works:
            work.state, _ = step(work.state, Left(), self._policy)
        ids = [self._parts.dice.fresh_id() for _ in works]
        chunk = intents(works, place, ids, self._run_id, self._parts.clock.now())
        await self._parts.ledger.intend_all([(attempt, work.slot) for work, attempt in chunk.open.values()])
        for work, attempt in chunk.open.values():
            self._parts.progress.slot_started(work.slot, attempt)
        return chunk

    async def _until_over(self) -> None:
        """Until no job is at work: what has to be made again goes into further jobs as others end."""
        while not self.leaving and (self._tasks or self._again):
            if self._again and self._takes_more:
                await self._launch_again()
            if not self._tasks:
                break
            ended = self._ended
            while self._tasks and self._ended == ended and not self.leaving:
                await self._change()
        for _, work in self._again:
            self._leave(work.slot)

    async def _launch_again(self) -> None:
        due_at = max(at for at, _ in self._again)
        works, self._again = [work for _, work in self._again], []
        if self._bounds.misses_online:
            works = self._by_jobs_again(works, due_at)
        if works:
            await self.pause(max(0.0, due_at - self._parts.clock.monotonic()))
        for work in works:
            place = next((p for p in self._places.bulk(work.slot) if p.lane is work.lane), None)
            if place is None or id(place) in self._shut:
                self._leave(work.slot)
            else:
                self._fill(place, work)
                await self._launch_full()
        await self._launch_all()

    def _by_jobs_again(self, works: Sequence[Work], due_at: float) -> list[Work]:
        """Those that take a further job, which may take a day: the cap has no room for single calls for them.

        While other jobs are at work it is waited for what they leave of their money.
        """
        missed = [work for work in works if work.state.attempts]
        by_job = sum(work.estimate(work.lane) or 0 for work in missed)
        kept: list[Work] = []
        for work in missed:
            others = by_job - (work.estimate(work.lane) or 0)
            if self._goes_online(work, others):
                by_job = others
            else:
                kept.append(work)
        if self._tasks:
            self._again += [(due_at, work) for work in kept]
            kept = []
        return [*(work for work in works if not work.state.attempts), *kept]

    def _goes_online(self, work: Work, others_nusd: int) -> bool:
        """Leave a slot to single calls, if the cap has room for that beside those that were left before and others."""
        lane = next((lane for lane in self._places.all(work.slot) if lane.route.mode != work.lane.route.mode), None)
        price = None if lane is None else lane.pricing.estimate(work.slot)
        room = self.budget.left_nusd
        if price is None or (room is not None and self._left_nusd + price + others_nusd > room):
            return False
        self._left_nusd += price
        self._leave(work.slot)
        return True

    # --- the rest ---------------------------------------------------------------------------------------------------

    def _leave(self, slot: Slot) -> None:
        if slot.id in self._live:
            self._forget(slot)
            self._left.append(slot)

    def _forget(self, slot: Slot) -> None:
        if self._live.pop(slot.id, None) is not None:
            self.twins.leave(slot.id)

    def _track(self, carrying: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(carrying)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended += 1
        error = None if task.cancelled() else task.exception()
        if isinstance(error, OutOfSpace):
            self.stop(DISK_FULL)
        elif error is not None and self._crash is None:
            self._crash = error
            self._hurry.set()
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


async def _cancelled(tasks: Iterable[asyncio.Future[Any]]) -> None:
    held = list(tasks)
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)


async def _chained(first: Iterable[Slot], then: AsyncIterator[Slot]) -> AsyncIterator[Slot]:
    for slot in first:
        yield slot
    async for slot in then:
        yield slot
