"""By sum: what differs between the calls and the lines of one day and model, where no names tell, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...model.money import dollars
from .by_call import is_drafts, is_one_ratio, repriced_text
from .calls import OurCall
from .difference import Difference, Kind, Prices, Verdict, counted, total
from .match import Group

EXACT_SUMS_OF = 12
"""Of so few calls of unknown fate every choice is tried."""
NEAR = 0.3
"""An estimate is off by this part of one call at the most, or how many were billed cannot be told."""


@dataclass(frozen=True, slots=True)
class Case:
    """A group, and what is known beside it.

    ``repriced``: the model's days from this one on stand all in one ratio. ``missing``: somewhere on this bill, calls
    of ours have no line.
    """

    group: Group
    prices: Prices
    repriced: bool = False
    missing: bool = False

    @property
    def delta_nusd(self) -> int:
        """Theirs less ours."""
        return self.group.billed_nusd - self.group.booked_nusd

    @property
    def fates(self) -> list[OurCall]:
        """Calls of unknown fate."""
        return [call for call in self.group.calls if call.unknown]

    @property
    def paid(self) -> list[OurCall]:
        """Calls that are booked at a price."""
        return [call for call in self.group.calls if call.booked_nusd and not call.unknown]

    @property
    def quantity(self) -> int | None:
        """How many pictures or calls the lines count, where all of them do."""
        numbers = [1 if line.id else line.quantity for line in self.group.lines]
        return None if None in numbers or not numbers else sum(number or 0 for number in numbers)

    @property
    def where(self) -> str:
        """The group, for people."""
        day, model = self.group.key
        return ", ".join(part for part in (day, model) if part) or "in all"


def of_group(case: Case) -> Difference | None:
    """What one group differs by, ``None`` when it does not and nothing is to be told."""
    if case.group.is_exact:
        return _agreed(case)
    return next(found for reason in _REASONS if (found := reason(case)))


def _agreed(case: Case) -> Difference | None:
    """Sums that agree also say that calls of unknown fate were not billed."""
    fates = case.fates
    if fates and (case.group.lines or not case.missing):
        verdicts = tuple(Verdict.of(call, 0) for call in fates)
        text = f"{case.where}: {counted(len(fates))} of unknown fate not billed: the sum is reached without"
        return Difference(Kind.UNKNOWN_FATE, case.delta_nusd, text, len(fates), verdicts)
    if not case.delta_nusd:
        return None
    text = f"{case.where}: {counted(len(case.group.lines), 'line')} rounded on the bill"
    return Difference(Kind.ROUNDING, case.delta_nusd, text, len(case.group.calls))


def _not_ours(case: Case) -> Difference | None:
    if case.group.calls or not case.group.lines or (case.missing and not case.group.known):
        return None
    number = counted(len(case.group.lines), "line")
    text = f"{case.where}: {number} for which our books have no call: another program with this account"
    return Difference(Kind.NOT_OURS, case.delta_nusd, text, len(case.group.lines))


def _not_billed(case: Case) -> Difference | None:
    calls = case.group.calls
    if case.group.lines or not calls or case.missing:
        return None
    text = f"{case.where}: {counted(len(calls))} in our books, and no line on the bill"
    verdicts = tuple(Verdict.of(call, 0) for call in case.fates)
    return Difference(Kind.NOT_BILLED, case.delta_nusd, text, len(calls), verdicts)


def _unknown_fate(case: Case) -> Difference | None:
    fates, delta = case.fates, case.delta_nusd
    if not fates or delta <= 0:
        return None
    count = _billed_count(fates, delta, case.group.slack_nusd)
    if count is None:
        return None
    settled = count == len(fates)
    text = f"{case.where}: {counted(len(fates))} of unknown fate billed, {dollars(delta)}"
    if not settled:
        number = f"{count} of {counted(len(fates))} of unknown fate"
        text = f"{case.where}: {number} billed, {dollars(delta)}: which, a sum cannot tell"
    return Difference(Kind.UNKNOWN_FATE, delta, text, len(fates), _shared_out(fates, delta) if settled else ())


def _billed_count(fates: Sequence[OurCall], delta_nusd: int, slack_nusd: int) -> int | None:
    """How many calls of unknown fate an amount pays for, ``None`` when that cannot be told."""
    estimates = [call.estimate_nusd for call in fates]
    known = [each for each in estimates if each]
    if len(known) < len(fates):
        return 1 if len(fates) == 1 else None
    mean = sum(known) / len(known)
    count = min(len(known), max(1, round(delta_nusd / mean)))
    alike = max(known) - min(known) <= mean / 50
    amount = sum(known) if count == len(known) else count * mean if alike else None
    if amount is not None and abs(delta_nusd - amount) <= max(slack_nusd, NEAR * mean):
        return count
    return _exact_count(known, delta_nusd, slack_nusd) if len(known) <= EXACT_SUMS_OF else None


def _exact_count(estimates: Sequence[int], delta_nusd: int, slack_nusd: int) -> int | None:
    """The size of the one choice whose estimates are the amount, but for rounding."""
    sizes = {
        chosen.bit_count()
        for chosen in range(1, 1 << len(estimates))
        if abs(delta_nusd - sum(each for place, each in enumerate(estimates) if chosen >> place & 1)) <= slack_nusd
    }
    return sizes.pop() if len(sizes) == 1 else None


def _shared_out(fates: Sequence[OurCall], amount_nusd: int) -> tuple[Verdict, ...]:
    """An amount among all of these calls, by their estimates; the odd rest at the first."""
    weights = [call.estimate_nusd or 1 for call in fates]
    parts = [amount_nusd * weight // sum(weights) for weight in weights]
    parts[0] += amount_nusd - sum(parts)
    return tuple(Verdict.of(call, part) for call, part in zip(fates, parts, strict=True))


def _unpriced(case: Case) -> Difference | None:
    calls = [call for call in case.group.calls if call.unpriced]
    if not calls or case.delta_nusd <= 0 or case.fates:
        return None
    text = repriced_text(calls, case.delta_nusd, case.prices.source(calls[0]))
    return Difference(Kind.PRICE, case.delta_nusd, f"{case.where}: {text}", len(calls))


def _price(case: Case) -> Difference | None:
    """Another price: when the lines count as many as we do, or all days from here on stand in one ratio."""
    paid = case.paid
    if not paid or case.fates or not case.group.lines:
        return None
    same = len(paid) > 1 and case.quantity in {len(paid), sum(len(call.attempts) for call in paid)}
    if not (same and not _is_mixed(case)) and not case.repriced:
        return None
    text = repriced_text(paid, case.group.billed_nusd, case.prices.source(paid[0]))
    return Difference(Kind.PRICE, case.delta_nusd, f"{case.where}: {text}", len(paid))


def _is_mixed(case: Case) -> bool:
    """Whether drafts would explain it as well: then a count of calls proves no price."""
    paid = case.paid
    each = case.delta_nusd
    return any(is_drafts(call, each, case.prices, case.group.slack_nusd) for call in paid)


def _drafts(case: Case) -> Difference | None:
    paid = case.paid
    if not _is_mixed(case):
        return None
    text = f"{case.where}: drafts were billed that the answers did not count, by as much as whole pictures cost"
    return Difference(Kind.DRAFTS, case.delta_nusd, text, len(paid))


def _whole_calls(case: Case) -> Difference | None:
    """A number of whole calls, where all of ours cost the same."""
    amounts = {call.booked_nusd for call in case.paid}
    if len(amounts) != 1 or case.fates or not case.group.lines:
        return None
    each = amounts.pop()
    count = round(abs(case.delta_nusd) / each)
    if not count or abs(abs(case.delta_nusd) - count * each) > case.group.slack_nusd:
        return None
    difference = (case.quantity - len(case.paid)) if case.quantity is not None else None
    more = case.delta_nusd > 0
    if difference not in {None, count if more else -count}:
        return None
    words = (
        "more on the bill than in our books: another program with this account"
        if more
        else ("in our books that are not on the bill")
    )
    text = f"{case.where}: as much as {counted(count)} at {dollars(each)}, {words}"
    return Difference(Kind.NOT_OURS if more else Kind.NOT_BILLED, case.delta_nusd, text, count)


def _unexplained(case: Case) -> Difference:
    group = case.group
    text = f"{case.where}: {dollars(group.billed_nusd)} on the bill, {dollars(total(group.calls))} in our books"
    return Difference(Kind.UNEXPLAINED, case.delta_nusd, text, len(group.calls))


_REASONS: tuple[Callable[[Case], Difference | None], ...] = (
    _not_ours,
    _not_billed,
    _unknown_fate,
    _unpriced,
    _price,
    _drafts,
    _whole_calls,
    _unexplained,
)
"""In the order in which they are tried: the surest first."""


def repriced_days(groups: Sequence[Group]) -> Iterator[Group]:
    """The groups of one model whose days, from one on to the last, all stand in one ratio: two at the least."""
    last: list[Group] = []
    days = [group for group in groups if group.calls and group.lines]
    while days and not days[-1].is_exact:
        last.append(days.pop())
    amounts = [(group.billed_nusd, group.booked_nusd) for group in last]
    if len(last) > 1 and all(theirs > 0 and ours > 0 for theirs, ours in amounts) and is_one_ratio(amounts):
        yield from last
