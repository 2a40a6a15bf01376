"""By call: what differs between a call and the lines that name it, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...model.money import dollars
from .calls import OurCall
from .difference import Difference, Kind, Prices, Verdict, counted, total
from .match import Pair, billed, slack

DRAFTS_MOST = 4
"""A model shows up to two drafts before its picture; twice that is no draft any more."""
PART = 50
"""Amounts that differ by less than a fiftieth are taken for the same price: prompts are of different lengths."""
FEW = 3
"""So many calls are named in a sentence; and so many with one ratio in a row are a new price, not chance."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A pair with its class."""

    kind: Kind
    pair: Pair

    @property
    def delta_nusd(self) -> int:
        return billed(self.pair.lines) - self.pair.call.booked_nusd


def of_pairs(pairs: Sequence[Pair], prices: Prices) -> Iterator[Difference]:
    """What calls and the lines that name them differ by: one difference for each class and offer."""
    repriced = set(_repriced(pairs, prices))
    found: dict[tuple[Kind, str, str, str], list[_Found]] = defaultdict(list)
    for pair in pairs:
        kind = Kind.PRICE if pair.call.name in repriced else _kind(pair, prices)
        if kind:
            call = pair.call
            found[kind, call.endpoint, call.model, call.mode].append(_Found(kind, pair))
    for name in sorted(found):
        yield from _told(name[0], found[name], prices)


def of_absent(calls: Sequence[OurCall]) -> Iterator[Difference]:
    """Calls whose names are not on a bill that lists all names."""
    fates = [call for call in calls if call.unknown]
    if fates:
        verdicts = tuple(Verdict.of(call, 0) for call in fates)
        text = f"{counted(len(fates))} of unknown fate: not on the bill by name, so not billed"
        yield Difference(Kind.UNKNOWN_FATE, -total(fates), text, len(fates), verdicts)
    unbilled = [call for call in calls if not call.unknown and call.booked_nusd]
    if unbilled:
        text = f"{counted(len(unbilled))} in our books, but not on the bill by name ({_named(unbilled)})"
        yield Difference(Kind.NOT_BILLED, -total(unbilled), text, len(unbilled))


def _kind(pair: Pair, prices: Prices) -> Kind | None:
    """Why the two differ, ``None`` when they do not."""
    call, theirs = pair.call, billed(pair.lines)
    delta, may_be_off = theirs - call.booked_nusd, slack(pair.lines)
    if call.unknown:
        return Kind.UNKNOWN_FATE
    if call.unpriced:
        return Kind.PRICE
    if not delta:
        return None
    if abs(delta) <= may_be_off:
        return Kind.ROUNDING
    if not theirs:
        return Kind.NOT_BILLED
    if not call.booked_nusd:
        return Kind.BOOKED_FREE
    return Kind.DRAFTS if is_drafts(call, delta, prices, may_be_off) else Kind.UNEXPLAINED


def is_drafts(call: OurCall, delta_nusd: int, prices: Prices, slack_nusd: int) -> bool:
    """Whether more was billed by one or a few whole pictures, of a call whose answer did not count its drafts.

    Where a call has a flat price, what it counts has no part in what we booked.
    """
    if (call.counted and not prices.is_flat(call)) or delta_nusd <= 0:
        return False
    return any(
        abs(delta_nusd - count * price) <= max(slack_nusd, count * price // PART)
        for price in prices.pictures(call)
        if price
        for count in range(1, DRAFTS_MOST + 1)
    )


def _repriced(pairs: Sequence[Pair], prices: Prices) -> Iterator[tuple[str, str]]:
    """The calls that were billed by another price: from some moment on all of an offer's, and all alike."""
    by_offer: dict[tuple[str, str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.call.booked_nusd and billed(pair.lines) and not pair.call.unknown:
            by_offer[pair.call.endpoint, pair.call.model, pair.call.mode].append(pair)
    for offered in by_offer.values():
        offered.sort(key=lambda pair: (pair.call.at, pair.call.name))
        last: list[Pair] = []
        while offered and _kind(offered[-1], prices) in {Kind.DRAFTS, Kind.UNEXPLAINED}:
            last.append(offered.pop())
        if len(last) >= FEW and is_one_ratio([(billed(pair.lines), pair.call.booked_nusd) for pair in last]):
            yield from (pair.call.name for pair in last)


def is_one_ratio(amounts: Sequence[tuple[int, int]]) -> bool:
    """Whether theirs and ours stand in one ratio throughout, within a fiftieth."""
    theirs, ours = amounts[0]
    return all(abs(a * ours - b * theirs) * PART <= b * theirs for a, b in amounts)


# --- sentences --------------------------------------------------------------------------------------------------------


def _told(kind: Kind, found: Sequence[_Found], prices: Prices) -> Iterator[Difference]:
    calls = [each.pair.call for each in found]
    amount = sum(each.delta_nusd for each in found)
    if kind is Kind.UNKNOWN_FATE:
        yield from _fates(found)
        return
    number, offer = counted(len(calls)), prices.source(calls[0])
    texts = {
        Kind.ROUNDING: f"amounts of {number} are rounded on the bill",
        Kind.NOT_BILLED: f"{number} in our books stand on the bill with nothing ({_named(calls)})",
        Kind.BOOKED_FREE: f"{number} that we booked as free were billed ({_named(calls)}): {offer}",
        Kind.DRAFTS: f"{number} were billed by whole pictures more, drafts it seems, than we booked ({_named(calls)})",
        Kind.PRICE: repriced_text(calls, sum(billed(each.pair.lines) for each in found), offer),
        Kind.UNEXPLAINED: f"{number} were billed at another amount than we booked ({_named(calls)})",
    }
    yield Difference(kind, amount, texts[kind], len(calls))


def repriced_text(calls: Sequence[OurCall], theirs_nusd: int, offer: str) -> str:
    """That calls were billed by another price than the catalog's: which, and what it seems to be."""
    number, ours = counted(len(calls)), total(calls)
    pictures = sum(len(call.attempts) for call in calls)
    implied = f"{dollars(round(theirs_nusd / pictures))} a picture"
    if not ours or any(call.unpriced for call in calls):
        return f"{number} without a known price were billed at {implied}: {offer}"
    return f"{number} were billed at {implied}, {theirs_nusd / ours:.3g} times what we booked: {offer}"


def _fates(found: Sequence[_Found]) -> Iterator[Difference]:
    for was_billed in (True, False):
        part = [each for each in found if bool(billed(each.pair.lines)) is was_billed]
        if not part:
            continue
        verdicts = tuple(Verdict.of(each.pair.call, billed(each.pair.lines)) for each in part)
        text = f"{counted(len(part))} of unknown fate: {'' if was_billed else 'not '}billed, by name"
        yield Difference(Kind.UNKNOWN_FATE, sum(each.delta_nusd for each in part), text, len(part), verdicts)


def _named(calls: Sequence[OurCall]) -> str:
    names = [call.ids[0] if call.ids else call.attempts[0] for call in calls[:FEW]]
    more = len(calls) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")
