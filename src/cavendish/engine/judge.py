"""Judge: what came of a call is looked at, placed, and turned into receipts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..model.attempt import Attempt, AttemptState
from ..model.blob import Blob
from ..model.call import Done, Later
from ..model.fault import Charged, Fault, FaultKind
from ..model.request import Image, Part, Text
from ..model.result import Picture, Slot
from .deal import Bill, Found, Good, beside, bills, deal, said
from .host import Host, Landing, Parts
from .ports import Lane
from .queue import Work


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


class Judge:
    """Judges for the flights of one run. Decides nothing of what happens next."""

    def __init__(self, host: Host, parts: Parts) -> None:
        self._host = host
        self._parts = parts

    async def judge(self, lane: Lane, works: Sequence[Work], landing: Landing) -> Judged:
        """What each slot of a call got of its reply."""
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
        if not reply.finals and not reply.shortfall:
            bad = [_bought(Fault(FaultKind.NO_IMAGE, "the reply held no picture"), reply)] * len(works)
        if reply.shortfall:
            reply = replace(reply, shortfall=tuple(lane.pricing.charged(fault) for fault in reply.shortfall))
        return Judged(deal(reply, good, bad, len(works)), frozenset(looked_at))

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

    async def accounted(
        self, lane: Lane, works: Sequence[Work], landing: Landing, judged: Judged
    ) -> list[tuple[Attempt, Picture | Fault]]:
        """The bill divided and the good pictures at their places: each slot's attempt as settled, and its verdict."""
        reply, found = landing.reply, judged.found
        assert not isinstance(reply, Later)
        parts = bills(found, landing.cost_nusd(lane, works), reply.usage)
        good = [one for one in found if isinstance(one, Good)]
        extras = beside(reply, good, judged.looked_at) if isinstance(reply, Done) else ()
        accounted: list[tuple[Attempt, Picture | Fault]] = []
        for place, (attempt, one, bill) in enumerate(zip(landing.attempts, found, parts, strict=True)):
            if isinstance(one, Fault):
                verdict: Picture | Fault = replace(one, usage=bill.usage)
            else:
                share = Share(attempt, one, bill, extras[place])
                verdict = await self._picture(lane, works[place], landing, share)
            accounted.append((self.receipt(attempt, verdict, bill, landing.request_id), verdict))
        return accounted

    async def _picture(self, lane: Lane, work: Work, landing: Landing, share: Share) -> Picture:
        reply, good, cost = landing.reply, share.good, share.bill.cost_nusd
        assert isinstance(reply, Done)
        final = reply.parts[good.index]
        assert isinstance(final, Image)
        assert final.blob is not None
        blob = await self._parts.blobs.place(final.blob, work.slot)
        extras, signature = await self.keep(share.attempt.call_id, [part for _, part in share.beside], final.signature)
        return Picture(
            slot=work.slot,
            blob=blob,
            width=good.width,
            height=good.height,
            route=lane.route,
            attempts=work.state.attempts,
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
            cell=final.cell,
        )

    async def keep(
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

    def receipt(self, attempt: Attempt, verdict: Picture | Fault, bill: Bill, request_id: str) -> Attempt:
        """The attempt as it is settled."""
        fault = verdict if isinstance(verdict, Fault) else None
        return replace(
            attempt,
            state=AttemptState.SETTLED,
            settled_at=self._parts.clock.now(),
            charged=fault.charged if fault else Charged.YES,
            cost_nusd=bill.cost_nusd,
            usage=bill.usage,
            fault=fault,
            request_id=attempt.request_id or request_id,
        )


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
