"""Flight: one call from the intents of its slots to their receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from ..govern.dimension import Dimension, dimension_of
from ..model.attempt import Attempt, AttemptState
from ..model.call import Call, Done, Fetch, Later, Open, Poll, Reply, Ticket
from ..model.fault import Charged, Fault, FaultKind
from ..model.request import Image, Part
from ..model.result import Failure, Outcome, Picture
from .deal import Bill
from .host import Host, Landing, Parts
from .judge import Judge
from .policy import PACED, SHUTTING, TOO_MUCH_AT_ONCE, WITHHELD, Policy
from .ports import Grant, Lane, OutOfSpace
from .queue import Work
from .step import (
    WAITS_BEFORE_RETRY,
    Accepted,
    Bide,
    Deliver,
    Effect,
    GiveUp,
    Hedged,
    Left,
    Phase,
    PollLater,
    Refused,
    ShutLane,
    StopRun,
    Ticketed,
    TryAgain,
    step,
)

FETCH_TRIES = 5
"""Addresses of pictures live for minutes: with the usual back-off this takes half of one."""
DISK_FULL = Fault(FaultKind.DISK_FULL, "no room left where the pictures are written", Charged.UNKNOWN)
GIVEN_UP = Fault(FaultKind.CANCELLED, "given up before its answer came", Charged.UNKNOWN)


class Flight:
    """Makes calls, each for one slot or several of one request. What concerns the whole run it tells its host."""

    def __init__(self, host: Host, parts: Parts, policy: Policy) -> None:
        self._host = host
        self._parts = parts
        self._policy = policy
        self._judge = Judge(host, parts)

    async def fly(self, lane: Lane, works: Sequence[Work], grant: Grant, price_nusd: int) -> None:
        """One call: intent on the books for each of its slots, the call, the landing."""
        if self._host.halted:
            await self._never_left(lane, grant, price_nusd)
            return
        for work in works:
            work.state, _ = step(work.state, Left(), self._policy)
            work.answered = False
        await self._fly(lane, works, self._intents(lane, works), (grant, price_nusd))

    async def hedge(self, lane: Lane, work: Work, grant: Grant, price_nusd: int) -> None:
        """A second call for a slot, when the first is still not answered."""
        if self._host.halted or work.answered:
            await self._never_left(lane, grant, price_nusd)
            return
        work.gate = asyncio.Lock()
        work.state, _ = step(work.state, Hedged(), self._policy)
        (attempt,) = self._intents(lane, (work,))
        await self._fly(lane, (work,), (replace(attempt, hedge=True),), (grant, price_nusd))

    async def _fly(
        self, lane: Lane, works: Sequence[Work], attempts: tuple[Attempt, ...], leave: tuple[Grant, int]
    ) -> None:
        grant, price_nusd = leave
        try:
            await self._parts.ledger.intend_all(
                [(attempt, work.slot) for attempt, work in zip(attempts, works, strict=True)]
            )
        except BaseException as error:
            await self._never_left(lane, grant, price_nusd)
            if not isinstance(error, OutOfSpace):
                raise
            self._left_open(works, DISK_FULL)
            return
        for attempt, work in zip(attempts, works, strict=True):
            self._parts.progress.slot_started(work.slot, attempt)
        landing = await self._flown(lane, works, attempts, grant, price_nusd)
        if landing is not None:
            await self.land(lane, works, landing)

    async def _never_left(self, lane: Lane, grant: Grant, price_nusd: int) -> None:
        await lane.quota.cancel(grant)
        self._money(lane, price_nusd, 0)

    def _left_open(self, works: Sequence[Work], fault: Fault) -> None:
        for work in works:
            self._host.left_open(work, fault)

    async def _flown(
        self, lane: Lane, works: Sequence[Work], attempts: tuple[Attempt, ...], grant: Grant, price_nusd: int
    ) -> Landing | None:
        """The call, and its grant given back however it ended; ``None`` when the disk was full."""
        started = self._parts.clock.monotonic()
        try:
            landing = await self._exchange(lane, works, attempts, _call_for(lane, works))
        except BaseException as error:
            # Full disk, hung up, or broken by a bug: the provider may have made the picture, so it counts as bought.
            arrived = isinstance(error, OutOfSpace)
            latency_s = self._parts.clock.monotonic() - started
            await lane.quota.settle(grant, None if arrived else GIVEN_UP, latency_s, price_nusd)
            self._money(lane, price_nusd, price_nusd)
            if not arrived:
                raise
            self._left_open(works, DISK_FULL)
            return None
        latency_s = self._parts.clock.monotonic() - started
        reply = landing.reply
        assert not isinstance(reply, Later)
        spent = landing.cost_nusd(lane, works)
        answered_s = latency_s - landing.left_after_s
        await lane.quota.settle(grant, _lesson(reply), answered_s, price_nusd if spent is None else spent)
        landing.latency_s, landing.reserved_nusd = latency_s, price_nusd
        return landing

    async def resume(self, lane: Lane, works: Sequence[Work], attempts: tuple[Attempt, ...], reply: Reply) -> None:
        """Go on with a call of an earlier process: poll its job, or fetch what its reply names. Nothing is bought.

        Its estimate is to be set aside before.
        """
        started, reserved_nusd = self._parts.clock.monotonic(), estimated(attempts)
        try:
            if isinstance(reply, Later):
                landing = await self._exchange(lane, works, attempts, Poll(reply.ticket))
            else:
                landing = await self._fetched(lane, attempts, reply)
        except BaseException as error:
            # It counts as bought: the job may well have made the pictures.
            self._money(lane, reserved_nusd, reserved_nusd)
            if not isinstance(error, OutOfSpace):
                raise
            self._left_open(works, DISK_FULL)
            return
        landing.latency_s, landing.reserved_nusd = self._parts.clock.monotonic() - started, reserved_nusd
        await self.land(lane, works, landing)

    async def land(self, lane: Lane, works: Sequence[Work], landing: Landing) -> None:
        """Judge what came, make it durable, and do what ``step`` says."""
        gate = works[0].gate
        for work in works:
            work.answered = True
        if gate is None:
            await self._land(lane, works, landing)
            return
        async with gate:
            await self._land(lane, works, landing)

    async def _land(self, lane: Lane, works: Sequence[Work], landing: Landing) -> None:
        try:
            if works[0].state.phase is Phase.DELIVERED:
                await self._land_beside(lane, works[0], landing)
                return
            judged = await self._judge.judge(lane, works, landing)
            await self._settle(lane, works, landing, await self._judge.accounted(lane, works, landing, judged))
        except OutOfSpace:
            self._money(lane, landing.reserved_nusd, landing.reserved_nusd)
            self._left_open(works, DISK_FULL)

    # --- the call -----------------------------------------------------------------------------------------------

    def _intents(self, lane: Lane, works: Sequence[Work]) -> tuple[Attempt, ...]:
        ids = [self._parts.dice.fresh_id() for _ in works]
        return tuple(
            Attempt(
                id=ids[place],
                slot_id=work.slot.id,
                number=work.state.attempts,
                route=lane.route,
                state=AttemptState.INTENT,
                estimate_nusd=work.estimate(lane),
                intent_at=self._parts.clock.now(),
                shared=ids[0] if len(works) > 1 else "",
                place=place,
                key=lane.key,
            )
            for place, work in enumerate(works)
        )

    async def _exchange(self, lane: Lane, works: Sequence[Work], attempts: tuple[Attempt, ...], call: Call) -> Landing:
        """Call, and poll for as long as the provider says later. The ticket is on the books before each wait."""
        left_after_s: float | None = None
        for _ in range(self._policy.poll_limit):
            answer = await lane.provider.call(call, attempts[0].call_id)
            left_after_s = answer.left_after_s if left_after_s is None else left_after_s
            reply, request_id = answer.reply, answer.request_id if isinstance(call, Open) else ""
            if not isinstance(reply, Later):
                landing = await self._fetched(lane, attempts, reply)
                landing.left_after_s, landing.request_id = left_after_s, request_id
                return landing
            effect = self._ticketed(works, reply)
            if attempts[0].ticket != reply.ticket:
                attempts = tuple(_ticketed(attempt, reply.ticket, request_id) for attempt in attempts)
                await self._parts.ledger.waiting_all(attempts)
            await self._parts.clock.sleep(effect.after_s)
            call = Poll(effect.ticket)
        fault = Fault(FaultKind.JOB_EXPIRED, "the job did not end within the polls allowed", Charged.UNKNOWN)
        return Landing(attempts, fault)

    def _ticketed(self, works: Sequence[Work], reply: Later) -> PollLater:
        effect: Effect | None = None
        for work in works:
            work.state, effect = step(work.state, Ticketed(reply.ticket, reply.after_s), self._policy)
        assert isinstance(effect, PollLater)
        return effect

    async def _fetched(self, lane: Lane, attempts: tuple[Attempt, ...], reply: Reply) -> Landing:
        """A picture that came as a URL is fetched now: such addresses die within minutes."""
        if not isinstance(reply, Done) or not any(p.uri for p in reply.pictures):
            return Landing(attempts, reply)
        parts, lost = list(reply.parts), dict[int, Fault]()
        for index in reply.finals:
            part = parts[index]
            if isinstance(part, Image) and part.blob is None and part.uri:
                got = await self._got(lane, part.uri, attempts[0].call_id)
                if isinstance(got, Done):
                    parts[index] = replace(part, blob=got.pictures[0].blob)
                else:
                    fault = got if isinstance(got, Fault) else Fault(FaultKind.MALFORMED, "a picture was not there")
                    lost[index] = replace(fault, charged=Charged.YES)
        return Landing(attempts, replace(reply, parts=tuple(parts)), lost=lost)

    async def _got(self, lane: Lane, url: str, call_id: str) -> Reply:
        """A picture by its address, which is asked again before the picture is bought again."""
        for tries in range(FETCH_TRIES - 1):
            reply = (await lane.provider.call(Fetch(url), call_id)).reply
            if not isinstance(reply, Fault) or reply.kind not in WAITS_BEFORE_RETRY:
                return reply
            await self._parts.clock.sleep(self._policy.backoff(tries, self._parts.dice.uniform()))
        return (await lane.provider.call(Fetch(url), call_id)).reply

    # --- the landing ----------------------------------------------------------------------------------------------

    async def _settle(
        self, lane: Lane, works: Sequence[Work], landing: Landing, accounted: Sequence[tuple[Attempt, Picture | Fault]]
    ) -> None:
        self._take_to_heart(lane, works, landing.reply)
        ends: list[tuple[Effect, Picture | Failure | None]] = []
        spent = 0
        for work, (attempt, verdict) in zip(works, accounted, strict=True):
            route = work.state.route
            effect = self._step(work, verdict, several=len(works) > 1 and isinstance(landing.reply, Fault))
            if work.state.route > route and isinstance(verdict, Fault):
                work.moved = f"{lane.route}: {verdict.message or verdict.kind.value}"
            # To the cap an unknown bill counts as the estimate; the price of the picture tells what is known.
            spent += (attempt.estimate_nusd or 0) if attempt.cost_nusd is None else attempt.cost_nusd
            work.spent_nusd += attempt.cost_nusd or 0
            work.spent_known = work.spent_known and attempt.cost_nusd is not None
            work.picture = verdict if isinstance(verdict, Picture) else None
            ends.append((effect, work.picture or self._failure(lane, work, effect, attempt.request_id)))
        await self._parts.ledger.settle_all(
            [(attempt, end) for (attempt, _), (_, end) in zip(accounted, ends, strict=True)]
        )
        self._host.budget.learn(str(lane.route), estimated(landing.attempts), spent)
        self._money(lane, landing.reserved_nusd, spent)
        await self._parts.blobs.forget(landing.attempts[0].call_id)
        for work, (attempt, _), (effect, outcome) in zip(works, accounted, ends, strict=True):
            self._parts.progress.attempt_ended(work.slot, attempt)
            self._do(lane, work, effect, outcome)

    async def _land_beside(self, lane: Lane, work: Work, landing: Landing) -> None:
        """The slot has its picture from another call: this one's bill is booked too, and what it drew kept beside."""
        (attempt,), reply, picture = landing.attempts, landing.reply, work.picture
        assert picture is not None
        assert not isinstance(reply, Later)
        cost = landing.cost_nusd(lane, (work,))
        fault = lane.pricing.charged(reply) if isinstance(reply, Fault) else None
        verdict: Picture | Fault = fault or picture
        parts = reply.parts if isinstance(reply, Done) else ()
        extras, _ = await self._judge.keep(attempt.call_id, [part for part in parts if _is_here(part)], None)
        settled = self._judge.receipt(attempt, verdict, Bill(cost, reply.usage), landing.request_id)
        work.picture = replace(
            picture,
            attempts=work.state.attempts,
            cost_nusd=picture.cost_nusd + (cost or 0),
            cost_known=picture.cost_known and cost is not None,
            extras=(*picture.extras, *extras),
        )
        self._step(work, verdict, several=False)
        await self._parts.ledger.settle_all([(settled, work.picture)])
        self._money(lane, landing.reserved_nusd, (settled.estimate_nusd or 0) if cost is None else cost)
        await self._parts.blobs.forget(attempt.call_id)
        self._parts.progress.attempt_ended(work.slot, settled)
        if fault is not None and fault.kind in SHUTTING:
            self._host.close_lane(lane, work, fault)

    def _take_to_heart(self, lane: Lane, works: Sequence[Work], reply: Reply) -> None:
        """A call for several that can never be let in, whatever the words for it, is not made again as large."""
        if len(works) == 1 or not isinstance(reply, Fault):
            return
        if reply.kind in TOO_MUCH_AT_ONCE:
            self._host.narrow(lane, 1)
        elif reply.kind in WITHHELD:
            for work in works:
                work.alone = True
        elif reply.limit_value and dimension_of(reply) is Dimension.IMAGES:
            self._host.narrow(lane, reply.limit_value)

    def _step(self, work: Work, verdict: Picture | Fault, *, several: bool) -> Effect:
        refused = isinstance(verdict, Fault)
        event = Refused(verdict, self._parts.dice.uniform(), several=several) if refused else Accepted()
        work.state, effect = step(work.state, event, self._policy)
        assert effect is not None
        return effect

    def _failure(self, lane: Lane, work: Work, effect: Effect, request_id: str) -> Failure | None:
        if not isinstance(effect, GiveUp):
            return None
        tries, cost_nusd = work.state.attempts, work.spent_nusd
        return Failure(work.slot, effect.fault, tries, cost_nusd, work.spent_known, lane.route, request_id)

    def _do(self, lane: Lane, work: Work, effect: Effect, outcome: Outcome | None) -> None:
        match effect:
            case TryAgain(after_s):
                self._host.requeue(work, after_s)
            case StopRun(fault):
                self._host.left_open(work, fault)
            case ShutLane(fault):
                self._host.close_lane(lane, work, fault)
            case Bide():
                # What the other call brings, decides.
                pass
            case Deliver() | GiveUp():
                assert outcome is not None
                self._host.ended(work, outcome)
                self._parts.progress.slot_ended(outcome)
            case PollLater():
                message = "a landing cannot be polled"
                raise AssertionError(message)

    def _money(self, lane: Lane, reserved_nusd: int, cost_nusd: int) -> None:
        self._host.budget.settle(reserved_nusd, cost_nusd, lane.route.endpoint)
        self._host.money_moved()


def estimated(attempts: Sequence[Attempt]) -> int:
    """What these attempts were expected to cost."""
    return sum(attempt.estimate_nusd or 0 for attempt in attempts)


def _ticketed(attempt: Attempt, ticket: Ticket, request_id: str) -> Attempt:
    """An attempt whose job was taken. What opened it names it: polls have names of their own."""
    name = attempt.request_id or request_id
    return replace(attempt, state=AttemptState.WAITING, ticket=ticket, request_id=name)


def _is_here(part: Part) -> bool:
    """Whether there is more of it than an address."""
    return not isinstance(part, Image) or part.blob is not None


def _call_for(lane: Lane, works: Sequence[Work]) -> Call:
    """The call of the first slot, asked for as many pictures as there are slots: they have one form."""
    call = lane.make_call(works[0].slot, works[0].state.attempts)
    if len(works) == 1 or not isinstance(call, Open):
        return call
    return replace(call, request=call.request.having(n=len(works)))


def _lesson(reply: Reply) -> Fault | None:
    """What a quota can learn from a reply: a limit may be met in the middle of a group."""
    if isinstance(reply, Done):
        return next((fault for fault in reply.shortfall if fault.kind in PACED), None)
    return reply if isinstance(reply, Fault) else None
