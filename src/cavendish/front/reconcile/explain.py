"""Explain: a bill against our books. Every amount is kept: ours and all differences together are theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ...model.bill import Bill, BillLine
from .by_call import of_absent, of_pairs
from .by_sum import Case, of_group, repriced_days
from .calls import OurCall
from .difference import Account, Difference, Kind, Prices, counted, total
from .match import Canonical, Group, Pair, Rest, best_shift, billed, by_name, groups


def reconcile(bill: Bill, calls: Iterable[OurCall], canonical: Canonical, prices: Prices) -> Account:
    """Set a bill against those of our calls that can be on it."""
    rest = by_name(bill, (call for call in calls if call.endpoint in bill.endpoints))
    pairs = [pair for pair in rest.pairs if _stated(pair.lines)]
    plain = _stated_groups(groups(bill, rest, canonical))
    shift_s = best_shift(bill, rest, canonical)
    moved = _stated_groups(groups(bill, rest, canonical, shift_s)) if shift_s else plain
    ours = total(pair.call for pair in pairs) + total(rest.absent) + sum(group.booked_nusd for group in plain)
    theirs = sum(billed(pair.lines) for pair in pairs) + sum(group.billed_nusd for group in plain)
    differences = (
        *of_pairs(pairs, prices),
        *of_absent(rest.absent),
        *_border(plain, moved, shift_s),
        *_of_groups(moved, prices),
    )
    compared = len(pairs) + len(rest.absent) + sum(len(group.calls) for group in plain)
    return Account(bill.source, compared, ours, theirs, differences, tuple(_left_out(bill, rest, pairs)))


def _stated(lines: Iterable[BillLine]) -> bool:
    return all(line.amount_nusd is not None for line in lines)


def _stated_groups(found: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(group for group in found if _stated(group.lines))


def _of_groups(found: Sequence[Group], prices: Prices) -> Iterator[Difference]:
    by_model: dict[str, list[Group]] = defaultdict(list)
    for group in found:
        by_model[group.key[1]].append(group)
    repriced = {group.key for days in by_model.values() for group in repriced_days(days)}
    nameless = any(group.lines and not group.known for group in found)
    missing = nameless and any(group.booked_nusd and not group.lines for group in found)
    cases = (Case(group, prices, group.key in repriced, missing) for group in found)
    return (difference for case in cases if (difference := of_group(case)))


def _border(plain: Sequence[Group], moved: Sequence[Group], shift_s: float) -> Iterator[Difference]:
    """Calls that stand on another day of the bill because its days begin at another hour."""
    if not shift_s:
        return
    before = {call.name: group.key for group in plain for call in group.calls}
    after = {call.name: group.key for group in moved for call in group.calls}
    number = sum(before.get(name) != after.get(name) for name in before.keys() | after.keys())
    amount = sum(group.booked_nusd for group in moved) - sum(group.booked_nusd for group in plain)
    hours = abs(shift_s) / 3600
    how = f"{hours:g} h {'earlier' if shift_s > 0 else 'later'}" if hours >= 0.25 else "as calls end, not as they begin"
    text = f"{counted(number)} near midnight are on another day of the bill: its days run {how}"
    yield Difference(Kind.DAY_BORDER, amount, text, number)


def _left_out(bill: Bill, rest: Rest, pairs: Sequence[Pair]) -> Iterator[str]:
    if rest.uncompared:
        why = "outside of its time" if bill.complete else "without a name that it could be asked about"
        yield f"{counted(len(rest.uncompared))} of ours not compared: {why}"
    unstated = sum(line.amount_nusd is None for line in bill.lines)
    if unstated:
        yield f"{counted(unstated, 'line')} of the bill without an amount: not compared, with what they are about"
    if len(pairs) < len(rest.pairs):
        yield f"{counted(len(rest.pairs) - len(pairs))} of ours stand there without an amount"
