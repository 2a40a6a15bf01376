"""Lanes of sheets: the ways by which several slots of one prompt are drawn as the cells of one picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from ...catalog.shape import told
from ...engine.ports import Lane
from ...io.sheet.provider import SheetProvider
from ...io.sheet.trial import SheetQuota, Trial
from ...model.call import Call, Done, Open
from ...model.fault import Fault
from ...model.request import Image, Part
from ...model.result import Slot
from ...model.usage import Usage
from ...plan.estimate import PriceBook, input_tokens
from ...plan.expand import for_slot
from ...plan.sheet import SHEET, Leaf, SheetBook
from ...plan.split import Several


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that is asked for, and how many slots it is for."""

    book: SheetBook
    leaf: Leaf
    wanted: int


@dataclass(frozen=True, slots=True)
class SheetPrices:
    """Implements ``engine.ports.Pricing``: a sheet's one price, in equal parts for its slots."""

    inner: PriceBook
    sheet: Sheet

    def estimate(self, slot: Slot) -> int | None:
        """One slot's part of what the call is expected to cost, rounded up."""
        return self._part(self.inner.estimate(self._whole(slot)))

    def bound(self, slot: Slot) -> int | None:
        """One slot's part of the most that it can cost."""
        return self._part(self.inner.bound(self._whole(slot)))

    def cost(self, slot: Slot, usage: Usage, reply: Done | Fault, pictures: int = 1) -> int | None:  # noqa: ARG002
        """What the call cost: one picture was bought, whatever was cut from it."""
        return self.inner.cost(self._whole(slot), usage, _bought(reply))

    def charged(self, fault: Fault) -> Fault:
        """By the route's own rule."""
        return self.inner.charged(fault)

    def _whole(self, slot: Slot) -> Slot:
        return replace(slot, request=self.sheet.book.written(slot.request, self.sheet.leaf))

    def _part(self, nusd: int | None) -> int | None:
        return None if nusd is None else -(-nusd // self.sheet.wanted)


def _bought(reply: Done | Fault) -> Done | Fault:
    """The reply as it was billed: with the sheet once, and without the cells, of which the provider knows nothing."""
    if isinstance(reply, Fault):
        return reply
    parts: list[Part] = []
    for part in reply.parts:
        if not isinstance(part, Image) or (part.cell == 0 and part not in parts):
            parts.append(part)
    return replace(reply, parts=tuple(parts), finals=())


def sheet_lane(lane: Lane, asked: Sheet, provider: SheetProvider, trial: Trial) -> Lane:
    """A lane like this one that draws so many slots as one sheet."""
    book, leaf, wanted = asked.book, asked.leaf, asked.wanted
    resolved = book.resolved
    return replace(
        lane,
        route=replace(lane.route, mode=f"{SHEET}-{leaf.grid}"),
        provider=provider.of(leaf.grid, wanted),
        quota=SheetQuota(lane.quota, trial),
        pricing=SheetPrices(PriceBook.of(resolved), asked),
        make_call=partial(_call, asked),
        input_tokens=partial(_tokens, asked),
        several=Several(most=wanted),
    )


def _call(sheet: Sheet, slot: Slot, attempt: int) -> Call:
    resolved = sheet.book.resolved
    one = for_slot(slot, resolved.route.wire_model, attempt)
    return Open(told(sheet.book.written(one, sheet.leaf), resolved))


def _tokens(sheet: Sheet, slot: Slot) -> int:
    return input_tokens(sheet.book.written(slot.request, sheet.leaf), sheet.book.resolved.card)
