"""Flight: one call from the intents of its slots to their receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..govern.dimension import Dimension, dimension_of
from ..model.attempt import Attempt, AttemptState
from ..model.blob import Blob
from ..model.call import Call, Done, Fetch, Later, Open, Poll, Reply
from ..model.fault import Charged, Fault, FaultKind
from ..model.request import Image, Part, Text
from ..model.result import Failure, Picture, Slot
from .budget import Budget
from .deal import Bill, Found, Good, beside, bills, deal, said
from .policy import PACED, TOO_MUCH_AT_ONCE, Policy
from .ports import Blobs, Clock, Cost, Dice, Grant, Lane, Ledger, OutOfSpace, Progress
from .queue import Work
from .step import (
    WAITS_BEFORE_RETRY,
    Accepted,
    Deliver,
    Effect,
    GiveUp,
    Left,
    PollLater,
    Refused,
    StopRun,
    Ticketed,
    TryAgain,
    step,
)
from .twins import Twins


@dataclass(frozen=True, slots=True)
class Parts:
    """What every run is given."""

    ledger: Ledger
    blobs: Blobs
    clock: Clock
    dice: Dice
    progress: Progress


class Host(Protocol):
    """The run, as a flight sees it."""

    @property
    def halted(self) -> bool:
        """Whether no call may leave any more."""
        ...

    @property
    def budget(self) -> Budget:
        """The run's cap."""
        ...

    @property
    def twins(self) -> Twins:
        """The run's memory of pictures."""
        ...

    def requeue(self, work: Work, after_s: float) -> None:
        """Try this slot again, not before so many seconds from now."""
        ...

    def ended(self, work: Work) -> None:
        """This slot has its outcome."""
        ...

    def left_open(self, work: Work, fault: Fault) -> None:
        """This slot cannot go on in this run."""
        ...

    def narrow(self, lane: Lane, most: int) -> None:
        """No later call of this lane is to be asked for more pictures than so many."""
        ...

    def money_moved(self) -> None:
        """A reservation was settled: who waits may look again."""
        ...


@dataclass(frozen=True, slots=True)
class Landing:
    """What came back for a call's attempts: the reply, how long it took, and what had been set aside for it.

    ``lost`` says, by their places among the parts, why pictures that the reply names could not be fetched.
    """

    attempts: tuple[Attempt, ...]
    reply: Reply
    latency_s: float = 0.0
    reserved_nusd: int = 0
    lost: Mapping[int, Fault] = field(default_factory=dict[int, Fault])


@dataclass(frozen=True, slots=True)
class Share:
    """One slot's part of a reply. ``beside`` is what goes with its picture, each with its place among the parts."""

    attempt: Attempt
    good: Good
    bill: Bill
    beside: tuple[tuple[int, Part], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the slots of a call got. ``looked_at`` are the places of the pictures that were judged."""

    found: tuple[Found, ...]
    looked_at: frozenset[int] = frozenset()


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

    def cost_of(self, works: Sequence[Work], price_nusd: int) -> Cost:
        """What the next call of these slots takes of a quota."""
        first = works[0]
        return Cost(requests=1, images=len(works), tokens=first.lane.input_tokens(first.slot), nusd=price_nusd)

    async def fly(self, lane: Lane, works: Sequence[Work], grant: Grant, price_nusd: int) -> None:
        """One call: intent on the books for each of its slots, the call, the landing."""
        if self._host.halted:
            await self._never_left(lane, grant, price_nusd)
            return
        for work in works:
            work.state, _ = step(work.state, Left(), self._policy)
        attempts = self._intents(lane, works)
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
        self._money(price_nusd, 0)

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
            self._money(price_nusd, price_nusd)
            if not arrived:
                raise
            self._left_open(works, DISK_FULL)
            return None
        latency_s = self._parts.clock.monotonic() - started
        reply = landing.reply
        assert not isinstance(reply, Later)
        spent = lane.pricing.cost(works[0].slot, reply.usage, reply, len(works))
        await lane.quota.settle(grant, _lesson(reply), latency_s, price_nusd if spent is None else spent)
        return replace(landing, latency_s=latency_s, reserved_nusd=price_nusd)

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
            self._money(reserved_nusd, reserved_nusd)
            if not isinstance(error, OutOfSpace):
                raise
            self._left_open(works, DISK_FULL)
            return
        latency_s = self._parts.clock.monotonic() - started
        await self.land(lane, works, replace(landing, latency_s=latency_s, reserved_nusd=reserved_nusd))

    async def land(self, lane: Lane, works: Sequence[Work], landing: Landing) -> None:
        """Judge what came, make it durable, and do what ``step`` says."""
        try:
            judged = await self._judge(lane, works, landing)
            await self._settle(lane, works, landing, await self._accounted(lane, works, landing, judged))
        except OutOfSpace:
            self._money(landing.reserved_nusd, landing.reserved_nusd)
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
                estimate_nusd=lane.pricing.estimate(work.slot),
                intent_at=self._parts.clock.now(),
                shared=ids[0] if len(works) > 1 else "",
                place=place,
            )
            for place, work in enumerate(works)
        )

    async def _exchange(self, lane: Lane, works: Sequence[Work], attempts: tuple[Attempt, ...], call: Call) -> Landing:
        """Call, and poll for as long as the provider says later. The ticket is on the books before each wait."""
        for _ in range(self._policy.poll_limit):
            reply = (await lane.provider.call(call, attempts[0].call_id)).reply
            if not isinstance(reply, Later):
                return await self._fetched(lane, attempts, reply)
            effect = self._ticketed(works, reply)
            if attempts[0].ticket != reply.ticket:
                attempts = tuple(replace(a, state=AttemptState.WAITING, ticket=reply.ticket) for a in attempts)
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

    async def _judge(self, lane: Lane, works: Sequence[Work], landing: Landing) -> Judged:
        reply = landing.reply
        if isinstance(reply, Fault):
            return Judged((lane.pricing.charged(reply),) * len(works))
        assert isinstance(reply, Done)
        good: list[Good] = []
        bad: list[Fault] = []
        looked_at: set[int] = set()
        for index in reply.finals:
            if len(good) < len(works):
                looked_at.add(index)
                found = landing.lost.get(index) or await self._look(works[0].slot, reply, index)
                if isinstance(found, Good):
                    good.append(found)
                else:
                    bad.append(found)
        if not reply.finals:
            bad = [_bought(Fault(FaultKind.NO_IMAGE, "the reply held no picture"), reply)] * len(works)
        told = replace(reply, shortfall=tuple(lane.pricing.charged(fault) for fault in reply.shortfall))
        return Judged(deal(told, good, bad, len(works)), frozenset(looked_at))

    async def _look(self, slot: Slot, reply: Done, index: int) -> Found:
        """One picture of a reply: whole, and not yet had?"""
        part = reply.parts[index]
        blob = part.blob if isinstance(part, Image) else None
        if blob is None:
            return _bought(Fault(FaultKind.NO_IMAGE, "the reply held no picture"), reply)
        dimensions = await self._parts.blobs.dimensions(blob)
        if dimensions is None:
            return _bought(Fault(FaultKind.NOT_AN_IMAGE, f"{blob.size} bytes that are no whole picture"), reply)
        if not self._host.twins.add(slot.id, blob.sha256):
            return _bought(Fault(FaultKind.DUPLICATE, "byte for byte a picture that this request has already"), reply)
        return Good(index, *dimensions)

    async def _accounted(
        self, lane: Lane, works: Sequence[Work], landing: Landing, judged: Judged
    ) -> list[tuple[Attempt, Picture | Fault]]:
        """The bill divided and the good pictures at their places: each slot's attempt as settled, and its verdict."""
        reply, found = landing.reply, judged.found
        assert not isinstance(reply, Later)
        cost = lane.pricing.cost(works[0].slot, reply.usage, reply, len(works))
        parts = bills(found, cost, reply.usage)
        good = [one for one in found if isinstance(one, Good)]
        extras = beside(reply, good, judged.looked_at) if isinstance(reply, Done) else ()
        accounted: list[tuple[Attempt, Picture | Fault]] = []
        for place, (attempt, one, bill) in enumerate(zip(landing.attempts, found, parts, strict=True)):
            if isinstance(one, Fault):
                verdict: Picture | Fault = replace(one, usage=bill.usage)
            else:
                share = Share(attempt, one, bill, extras[place])
                verdict = await self._picture(lane, works[place], landing, share)
            accounted.append((self._receipt(attempt, verdict, bill), verdict))
        return accounted

    async def _picture(self, lane: Lane, work: Work, landing: Landing, share: Share) -> Picture:
        reply, good, cost = landing.reply, share.good, share.bill.cost_nusd
        assert isinstance(reply, Done)
        final = reply.parts[good.index]
        assert isinstance(final, Image)
        assert final.blob is not None
        blob = await self._parts.blobs.place(final.blob, work.slot)
        extras, signature = await self._keep(share.attempt.call_id, [part for _, part in share.beside], final.signature)
        return Picture(
            slot=work.slot,
            blob=blob,
            width=good.width,
            height=good.height,
            route=lane.route,
            attempts=share.attempt.number,
            cost_nusd=work.spent_nusd + (cost or 0),
            cost_known=work.spent_known and cost is not None,
            text=said(part for _, part in share.beside),
            usage=share.bill.usage,
            extras=extras,
            signature=signature,
            grounding=reply.grounding,
            notices=(*lane.notices(work.slot), *reply.notices),
            latency_s=landing.latency_s,
            finish=reply.finish,
            answered_by=reply.answered_by,
            response_id=reply.response_id,
            place=sum(index < good.index for index, _ in share.beside),
        )

    async def _keep(
        self, call_id: str, parts: Sequence[Part], signature: str | Blob | None
    ) -> tuple[tuple[Part, ...], str | Blob | None]:
        """Drafts, thoughts and signatures stay for good: a later turn needs them."""
        wanted = [b for part in parts for b in _blobs_of(part)]
        if isinstance(signature, Blob):
            wanted.append(signature)
        if not wanted:
            return tuple(parts), signature
        kept = dict(zip((b.ref for b in wanted), await self._parts.blobs.keep(call_id, wanted), strict=True))
        extras = tuple(_with_kept(part, kept) for part in parts)
        return extras, kept[signature.ref] if isinstance(signature, Blob) else signature

    async def _settle(
        self, lane: Lane, works: Sequence[Work], landing: Landing, accounted: Sequence[tuple[Attempt, Picture | Fault]]
    ) -> None:
        self._take_to_heart(lane, works, landing.reply)
        ends: list[tuple[Effect, Picture | Failure | None]] = []
        spent = 0
        for work, (attempt, verdict) in zip(works, accounted, strict=True):
            effect = self._step(work, verdict, several=len(works) > 1)
            # To the cap an unknown bill counts as the estimate; the price of the picture tells what is known.
            spent += (attempt.estimate_nusd or 0) if attempt.cost_nusd is None else attempt.cost_nusd
            work.spent_nusd += attempt.cost_nusd or 0
            work.spent_known = work.spent_known and attempt.cost_nusd is not None
            ends.append((effect, verdict if isinstance(verdict, Picture) else self._failure(lane, work, effect)))
        await self._parts.ledger.settle_all(
            [(attempt, end) for (attempt, _), (_, end) in zip(accounted, ends, strict=True)]
        )
        self._money(landing.reserved_nusd, spent)
        await self._parts.blobs.forget(landing.attempts[0].call_id)
        for work, (attempt, _), (effect, outcome) in zip(works, accounted, ends, strict=True):
            self._parts.progress.attempt_ended(work.slot, attempt)
            self._do(work, effect, outcome)

    def _take_to_heart(self, lane: Lane, works: Sequence[Work], reply: Reply) -> None:
        """A call for several that can never be let in, whatever the words for it, is not made again as large."""
        if len(works) == 1 or not isinstance(reply, Fault):
            return
        if reply.kind in TOO_MUCH_AT_ONCE:
            self._host.narrow(lane, 1)
        elif reply.limit_value and dimension_of(reply) is Dimension.IMAGES:
            self._host.narrow(lane, reply.limit_value)

    def _step(self, work: Work, verdict: Picture | Fault, *, several: bool) -> Effect:
        refused = isinstance(verdict, Fault)
        event = Refused(verdict, self._parts.dice.uniform(), several=several) if refused else Accepted()
        work.state, effect = step(work.state, event, self._policy)
        assert effect is not None
        return effect

    def _receipt(self, attempt: Attempt, verdict: Picture | Fault, bill: Bill) -> Attempt:
        fault = verdict if isinstance(verdict, Fault) else None
        return replace(
            attempt,
            state=AttemptState.SETTLED,
            settled_at=self._parts.clock.now(),
            charged=fault.charged if fault else Charged.YES,
            cost_nusd=bill.cost_nusd,
            usage=bill.usage,
            fault=fault,
        )

    def _failure(self, lane: Lane, work: Work, effect: Effect) -> Failure | None:
        if not isinstance(effect, GiveUp):
            return None
        return Failure(
            work.slot, effect.fault, work.state.attempts, work.spent_nusd, cost_known=work.spent_known, route=lane.route
        )

    def _do(self, work: Work, effect: Effect, outcome: Picture | Failure | None) -> None:
        match effect:
            case TryAgain(after_s):
                self._host.requeue(work, after_s)
            case StopRun(fault):
                self._host.left_open(work, fault)
            case Deliver() | GiveUp():
                assert outcome is not None
                self._host.ended(work)
                self._parts.progress.slot_ended(outcome)
            case PollLater():
                message = "a landing cannot be polled"
                raise AssertionError(message)

    def _money(self, reserved_nusd: int, cost_nusd: int) -> None:
        self._host.budget.settle(reserved_nusd, cost_nusd)
        self._host.money_moved()


def estimated(attempts: Sequence[Attempt]) -> int:
    """What these attempts were expected to cost."""
    return sum(attempt.estimate_nusd or 0 for attempt in attempts)


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


def _bought(fault: Fault, reply: Done) -> Fault:
    """A fault found by us in an answer that was billed."""
    return replace(fault, charged=Charged.YES, usage=reply.usage, text=reply.text, reason=reply.finish)


def _blobs_of(part: Part) -> list[Blob]:
    own = [part.blob] if isinstance(part, Image) and part.blob else []
    return [*own, *([part.signature] if isinstance(part.signature, Blob) else [])]


def _with_kept(part: Part, kept: dict[str, Blob]) -> Part:
    signature = kept[part.signature.ref] if isinstance(part.signature, Blob) else part.signature
    if isinstance(part, Text):
        return replace(part, signature=signature)
    return replace(part, signature=signature, blob=kept[part.blob.ref] if part.blob else None)
