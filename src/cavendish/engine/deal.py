"""Deal: what one reply gave, dealt to the slots of its call, with the bill divided to the last nano-dollar. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace

from ..model.call import Done
from ..model.fault import Charged, Fault, FaultKind
from ..model.request import Image, Part, Text
from ..model.usage import NOTHING_USED, Usage


@dataclass(frozen=True, slots=True)
class Good:
    """A picture that was judged and found good: its place among the reply's parts, and its size in pixels."""

    index: int
    width: int
    height: int


Found = Good | Fault
"""What a slot got of a reply."""


@dataclass(frozen=True, slots=True)
class Bill:
    """One slot's part of what a call cost (``None``: not known) and used."""

    cost_nusd: int | None
    usage: Usage


def deal(reply: Done, good: Sequence[Good], bad: Sequence[Fault], slots: int) -> tuple[Found, ...]:
    """The good pictures in their order, then the faults of bad ones, then why others are missing: one for each slot."""
    found: list[Found] = [*good[:slots], *bad]
    found += [_counted(fault, reply) for fault in reply.shortfall]
    short = Fault(FaultKind.NO_IMAGE, "the reply held fewer pictures than it was asked for", reason=reply.finish)
    found += [short] * slots
    return tuple(found[:slots])


def _counted(fault: Fault, reply: Done) -> Fault:
    """A missing picture's fault. That it adds nothing to the bill, the bill or the count of pictures may tell."""
    used = reply.usage
    came = sum(isinstance(part, Image) for part in reply.parts)
    told = used.cost_nusd is not None or 0 < used.images < came + len(reply.shortfall)
    return replace(fault, charged=Charged.NO) if told and fault.charged is Charged.UNKNOWN else fault


def bills(found: Sequence[Found], cost_nusd: int | None, usage: Usage) -> tuple[Bill, ...]:
    """Each slot's part: those whose pictures came or whose faults were charged share alike.

    The parts sum up to the cost. What is not known to be charged has no cost that is known; what was not has none.
    """
    payers = [i for i, one in enumerate(found) if isinstance(one, Good) or one.charged is Charged.YES]
    bearers = payers or range(len(found))
    parts = dict(zip(bearers, divided(usage, len(bearers)), strict=True))
    costs = dict(zip(payers, _costs(cost_nusd, len(payers)), strict=True))
    free = {i for i, one in enumerate(found) if isinstance(one, Fault) and one.charged is Charged.NO}
    return tuple(Bill(0 if i in free else costs.get(i), parts.get(i, NOTHING_USED)) for i in range(len(found)))


def _costs(cost_nusd: int | None, among: int) -> list[int | None]:
    return [None] * among if cost_nusd is None else [*shares(cost_nusd, among)]


def shares(amount: int, among: int) -> list[int]:
    """An amount in parts that differ by one at most and sum up to it."""
    return [amount * (i + 1) // among - amount * i // among for i in range(among)]


def divided(usage: Usage, among: int) -> list[Usage]:
    """What a call used, in parts that sum up to it."""
    if among == 1:
        return [usage]
    counts = {f.name: value for f in fields(usage) if (value := getattr(usage, f.name)) is not None}
    parts = {name: shares(value, among) for name, value in counts.items()}
    return [Usage(**{name: amounts[i] for name, amounts in parts.items()}) for i in range(among)]


def beside(reply: Done, good: Sequence[Good], judged: Collection[int]) -> tuple[tuple[tuple[int, Part], ...], ...]:
    """What goes with each picture: the words, drafts and thoughts before it; with the last all that follows, too.

    Each part with its place in the reply. ``judged`` are the places of all pictures that were judged. One more than was
    asked for is not, so it is kept.
    """
    ends = [*(one.index for one in good[:-1]), len(reply.parts)]
    begins = [0, *ends[:-1]]
    return tuple(
        tuple((i, reply.parts[i]) for i in range(begin, end) if i not in judged)
        for begin, end in zip(begins, ends, strict=True)
    )


def said(parts: Iterable[Part]) -> str:
    """The words in these parts that the model said aloud."""
    return "\n".join(part.text for part in parts if isinstance(part, Text) and not part.thought)
