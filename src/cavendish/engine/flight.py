"""Flight: one attempt from its intent to its receipt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from ..model.attempt import Attempt, AttemptState
from ..model.blob import Blob
from ..model.call import Call, Done, Fetch, Later, Poll, Reply
from ..model.fault import Charged, Fault, FaultKind
from ..model.request import Image, Part, Text
from ..model.result import Failure, Picture, Slot
from .budget import Budget
from .policy import Policy
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

    def money_moved(self) -> None:
        """A reservation was settled: who waits may look again."""
        ...


@dataclass(frozen=True, slots=True)
class Landing:
    """What came back for an attempt: the reply, how long it took, and what had been set aside for it."""

    attempt: Attempt
    reply: Reply
    latency_s: float = 0.0
    reserved_nusd: int = 0


FETCH_TRIES = 5
"""Addresses of pictures live for minutes: with the usual back-off this takes half of one."""
DISK_FULL = Fault(FaultKind.DISK_FULL, "no room left where the pictures are written", Charged.UNKNOWN)
GIVEN_UP = Fault(FaultKind.CANCELLED, "given up before its answer came", Charged.UNKNOWN)


class Flight:
    """Makes attempts. Knows one slot at a time; what concerns the whole run it tells its host."""

    def __init__(self, host: Host, parts: Parts, policy: Policy) -> None:
        self._host = host
        self._parts = parts
        self._policy = policy

    def cost_of(self, work: Work, price_nusd: int) -> Cost:
        """What the next call of this slot takes of a quota."""
        return Cost(requests=1, images=1, tokens=work.lane.input_tokens(work.slot), nusd=price_nusd)

    async def fly(self, lane: Lane, work: Work, grant: Grant, price_nusd: int) -> None:
        """One attempt: intent on the books, the call, the landing."""
        if self._host.halted:
            await self._never_left(lane, grant, price_nusd)
            return
        work.state, _ = step(work.state, Left(), self._policy)
        attempt = self._intent(lane, work)
        try:
            await self._parts.ledger.intend(attempt, work.slot)
        except BaseException as error:
            await self._never_left(lane, grant, price_nusd)
            if not isinstance(error, OutOfSpace):
                raise
            self._host.left_open(work, DISK_FULL)
            return
        self._parts.progress.slot_started(work.slot, attempt)
        landing = await self._flown(lane, work, attempt, grant, price_nusd)
        if landing is not None:
            await self.land(lane, work, landing)

    async def _never_left(self, lane: Lane, grant: Grant, price_nusd: int) -> None:
        await lane.quota.cancel(grant)
        self._money(price_nusd, 0)

    async def _flown(self, lane: Lane, work: Work, attempt: Attempt, grant: Grant, price_nusd: int) -> Landing | None:
        """The call, and its grant given back however it ended; ``None`` when the disk was full."""
        started = self._parts.clock.monotonic()
        try:
            attempt, reply = await self._exchange(lane, work, attempt, lane.make_call(work.slot, attempt.number))
        except BaseException as error:
            # Full disk, hung up, or broken by a bug: the provider may have made the picture, so it counts as bought.
            arrived = isinstance(error, OutOfSpace)
            latency_s = self._parts.clock.monotonic() - started
            await lane.quota.settle(grant, None if arrived else GIVEN_UP, latency_s, price_nusd)
            self._money(price_nusd, price_nusd)
            if not arrived:
                raise
            self._host.left_open(work, DISK_FULL)
            return None
        latency_s = self._parts.clock.monotonic() - started
        spent = self._price(lane, work.slot, reply)
        fault = reply if isinstance(reply, Fault) else None
        await lane.quota.settle(grant, fault, latency_s, price_nusd if spent is None else spent)
        return Landing(attempt, reply, latency_s, price_nusd)

    async def resume(self, lane: Lane, work: Work, attempt: Attempt) -> None:
        """Go on polling a job that an earlier process opened: nothing is bought again."""
        assert attempt.ticket is not None
        started = self._parts.clock.monotonic()
        attempt, reply = await self._exchange(lane, work, attempt, Poll(attempt.ticket))
        await self.land(lane, work, Landing(attempt, reply, self._parts.clock.monotonic() - started))

    async def land(self, lane: Lane, work: Work, landing: Landing) -> None:
        """Judge what came, make it durable, and do what ``step`` says."""
        try:
            verdict = await self._judge(lane, work, landing)
            await self._settle(lane, work, landing, verdict)
        except OutOfSpace:
            self._money(landing.reserved_nusd, landing.reserved_nusd)
            self._host.left_open(work, DISK_FULL)

    # --- the call -----------------------------------------------------------------------------------------------

    def _intent(self, lane: Lane, work: Work) -> Attempt:
        return Attempt(
            id=self._parts.dice.fresh_id(),
            slot_id=work.slot.id,
            number=work.state.attempts,
            route=lane.route,
            state=AttemptState.INTENT,
            estimate_nusd=lane.pricing.estimate(work.slot),
            intent_at=self._parts.clock.now(),
        )

    async def _exchange(self, lane: Lane, work: Work, attempt: Attempt, call: Call) -> tuple[Attempt, Done | Fault]:
        """Call, and poll for as long as the provider says later. The ticket is on the books before each wait."""
        for _ in range(self._policy.poll_limit):
            reply = (await lane.provider.call(call, attempt.id)).reply
            if not isinstance(reply, Later):
                return attempt, await self._fetched(lane, attempt, reply)
            work.state, effect = step(work.state, Ticketed(reply.ticket, reply.after_s), self._policy)
            assert isinstance(effect, PollLater)
            if attempt.ticket != reply.ticket:
                attempt = replace(attempt, state=AttemptState.WAITING, ticket=reply.ticket)
                await self._parts.ledger.waiting(attempt)
            await self._parts.clock.sleep(effect.after_s)
            call = Poll(effect.ticket)
        return attempt, Fault(FaultKind.JOB_EXPIRED, "the job did not end within the polls allowed", Charged.UNKNOWN)

    async def _fetched(self, lane: Lane, attempt: Attempt, reply: Done | Fault) -> Done | Fault:
        """A picture that came as a URL is fetched now: such addresses die within minutes."""
        if isinstance(reply, Fault) or not any(p.uri for p in reply.pictures):
            return reply
        parts = list(reply.parts)
        for index in reply.finals:
            part = parts[index]
            if isinstance(part, Image) and part.blob is None and part.uri:
                got = await self._got(lane, part.uri, attempt.id)
                if not isinstance(got, Done):
                    fault = got if isinstance(got, Fault) else Fault(FaultKind.MALFORMED, "a picture was not there")
                    return replace(fault, charged=Charged.YES, usage=reply.usage)
                parts[index] = replace(part, blob=got.pictures[0].blob)
        return replace(reply, parts=tuple(parts))

    async def _got(self, lane: Lane, url: str, attempt_id: str) -> Reply:
        """A picture by its address, which is asked again before the picture is bought again."""
        for tries in range(FETCH_TRIES - 1):
            reply = (await lane.provider.call(Fetch(url), attempt_id)).reply
            if not isinstance(reply, Fault) or reply.kind not in WAITS_BEFORE_RETRY:
                return reply
            await self._parts.clock.sleep(self._policy.backoff(tries, self._parts.dice.uniform()))
        return (await lane.provider.call(Fetch(url), attempt_id)).reply

    # --- the landing ----------------------------------------------------------------------------------------------

    async def _judge(self, lane: Lane, work: Work, landing: Landing) -> Picture | Fault:
        reply = landing.reply
        if isinstance(reply, Fault):
            return lane.pricing.charged(reply)
        assert isinstance(reply, Done)
        blob = reply.pictures[-1].blob if reply.pictures else None
        if blob is None:
            return _bought(Fault(FaultKind.NO_IMAGE, "the reply held no picture"), reply)
        dimensions = await self._parts.blobs.dimensions(blob)
        if dimensions is None:
            return _bought(Fault(FaultKind.NOT_AN_IMAGE, f"{blob.size} bytes that are no whole picture"), reply)
        if not self._host.twins.add(work.slot.id, blob.sha256):
            return _bought(Fault(FaultKind.DUPLICATE, "byte for byte a picture that this request has already"), reply)
        return await self._picture(lane, work, landing, reply, dimensions)

    async def _picture(
        self, lane: Lane, work: Work, landing: Landing, reply: Done, dimensions: tuple[int, int]
    ) -> Picture:
        final = reply.pictures[-1]
        assert final.blob is not None
        blob = await self._parts.blobs.place(final.blob, work.slot)
        extras, signature = await self._keep(landing.attempt.id, reply, final.signature)
        cost = lane.pricing.cost(work.slot, reply.usage, reply)
        return Picture(
            slot=work.slot,
            blob=blob,
            width=dimensions[0],
            height=dimensions[1],
            route=lane.route,
            attempts=landing.attempt.number,
            cost_nusd=work.spent_nusd + (cost or 0),
            cost_known=work.spent_known and cost is not None,
            text=reply.text,
            usage=reply.usage,
            extras=extras,
            signature=signature,
            grounding=reply.grounding,
            notices=(*lane.notices(work.slot), *reply.notices),
            latency_s=landing.latency_s,
            finish=reply.finish,
            answered_by=reply.answered_by,
            response_id=reply.response_id,
        )

    async def _keep(
        self, attempt_id: str, reply: Done, signature: str | Blob | None
    ) -> tuple[tuple[Part, ...], str | Blob | None]:
        """Drafts, thoughts and signatures stay for good: a later turn needs them."""
        wanted = [b for part in reply.extras for b in _blobs_of(part)]
        if isinstance(signature, Blob):
            wanted.append(signature)
        if not wanted:
            return reply.extras, signature
        kept = dict(zip((b.ref for b in wanted), await self._parts.blobs.keep(attempt_id, wanted), strict=True))
        extras = tuple(_with_kept(part, kept) for part in reply.extras)
        return extras, kept[signature.ref] if isinstance(signature, Blob) else signature

    async def _settle(self, lane: Lane, work: Work, landing: Landing, verdict: Picture | Fault) -> None:
        attempt, cost = self._receipt(lane, work, landing, verdict)
        event = Refused(verdict, self._parts.dice.uniform()) if isinstance(verdict, Fault) else Accepted()
        work.state, effect = step(work.state, event, self._policy)
        assert effect is not None
        work.spent_nusd += cost
        work.spent_known = work.spent_known and attempt.cost_nusd is not None
        outcome = verdict if isinstance(verdict, Picture) else self._failure(lane, work, effect)
        await self._parts.ledger.settle(attempt, outcome)
        self._money(landing.reserved_nusd, cost)
        await self._parts.blobs.forget(attempt.id)
        self._parts.progress.attempt_ended(work.slot, attempt)
        self._do(work, effect, outcome)

    def _receipt(self, lane: Lane, work: Work, landing: Landing, verdict: Picture | Fault) -> tuple[Attempt, int]:
        """The attempt as settled, and what to count for it: an unknown bill counts as the estimate."""
        fault = verdict if isinstance(verdict, Fault) else None
        charged = fault.charged if fault else Charged.YES
        cost: int | None = None
        if charged is Charged.NO:
            cost = 0
        elif charged is Charged.YES:
            cost = self._price(lane, work.slot, landing.reply)
        usage = landing.reply.usage
        settled = replace(
            landing.attempt,
            state=AttemptState.SETTLED,
            settled_at=self._parts.clock.now(),
            charged=charged,
            cost_nusd=cost,
            usage=usage,
            fault=fault,
        )
        return settled, (landing.attempt.estimate_nusd or 0) if cost is None else cost

    def _price(self, lane: Lane, slot: Slot, reply: Reply) -> int | None:
        if isinstance(reply, Later):
            return None
        return lane.pricing.cost(slot, reply.usage, reply)

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
