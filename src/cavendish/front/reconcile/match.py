"""Match: which calls on our books and which lines of a bill are about the same.

By the provider's own name of a call where there is one; the rest by day and model, as sums.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ...model.bill import Bill, BillLine
from .calls import OurCall

Canonical = Callable[[str], str | None]
"""The catalog's name for a model as a bill writes it, ``None`` when it knows none."""

Key = tuple[str, str]
"""A day, or ``""`` where the bill does not part them; a model, or ``""`` likewise."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A call, and the lines that bear one of its names."""

    call: OurCall
    lines: tuple[BillLine, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Calls and lines of one day and model. ``known`` is false for a model of which the catalog knows nothing."""

    key: Key
    calls: tuple[OurCall, ...]
    lines: tuple[BillLine, ...]
    known: bool = True

    @property
    def booked_nusd(self) -> int:
        """What our books say of it."""
        return sum(call.booked_nusd for call in self.calls)

    @property
    def billed_nusd(self) -> int:
        """What the bill says of it, without the lines that state no amount."""
        return billed(self.lines)

    @property
    def slack_nusd(self) -> int:
        """How far its lines may be off by rounding."""
        return slack(self.lines)

    @property
    def is_exact(self) -> bool:
        """Whether the two agree, but for rounding."""
        return abs(self.billed_nusd - self.booked_nusd) <= self.slack_nusd


@dataclass(frozen=True, slots=True)
class Rest:
    """What has no partner by name. ``absent`` calls have a name that is not on a bill that lists all names."""

    pairs: tuple[Pair, ...]
    absent: tuple[OurCall, ...]
    calls: tuple[OurCall, ...]
    lines: tuple[BillLine, ...]
    uncompared: tuple[OurCall, ...]


def billed(lines: Iterable[BillLine]) -> int:
    """The sum of lines."""
    return sum(line.amount_nusd or 0 for line in lines)


def slack(lines: Iterable[BillLine]) -> int:
    """How far rounding may have taken the sum of lines from the truth: half a step each."""
    return sum(-(-line.step_nusd // 2) for line in lines)


def by_name(bill: Bill, calls: Iterable[OurCall]) -> Rest:
    """Pair calls with the lines that name them; of the rest, leave out what the bill does not cover."""
    named: dict[str, list[BillLine]] = defaultdict(list)
    for line in sorted(bill.lines, key=_line_order):
        if line.id:
            named[line.id].append(line)
    pairs: list[Pair] = []
    alone: list[OurCall] = []
    for call in sorted(calls, key=lambda call: call.name):
        found = tuple(line for each in (*call.ids, *call.attempts) for line in named.pop(each, ()))
        pairs += [Pair(call, found)] if found else []
        alone += [] if found else [call]
    lines = tuple(line for line in sorted(bill.lines, key=_line_order) if not line.id or line.id in named)
    if not bill.complete:
        return Rest(tuple(pairs), (), (), lines, tuple(alone))
    lists_names = bool(pairs) and all(line.id for line in bill.lines)
    calendar = Calendar(bill)
    absent = tuple(call for call in alone if lists_names and call.ids and calendar.covers(call.at))
    left = tuple(call for call in alone if not (lists_names and call.ids and calendar.covers(call.at)))
    return Rest(tuple(pairs), absent, left, lines, tuple(call for call in left if not calendar.covers(call.at)))


class Calendar:
    """The days of a bill, as its lines or its bounds say. They begin ``shift_s`` earlier than those of its zone."""

    def __init__(self, bill: Bill, shift_s: float = 0.0) -> None:
        self._zone = ZoneInfo(bill.zone)
        self._shift_s = shift_s
        self._since, self._until = bill.since, bill.until
        days = {day for line in bill.lines if (day := self.day_of(line))}
        self._first, self._last = min(days, default=""), max(days, default="")
        self.parts_days = bool(days)

    def day_of(self, line: BillLine) -> str:
        """The day of a line, empty when it has none."""
        if line.day is not None:
            return line.day.isoformat()
        return "" if line.at is None else self._iso(line.at)

    def day_at(self, at: float) -> str:
        """The day on which the bill has a call."""
        return self._iso(at + self._shift_s)

    def covers(self, at: float) -> bool:
        """Whether the bill is about this time."""
        if self._since is not None or self._until is not None:
            return (self._since is None or self._since < at) and (self._until is None or at <= self._until)
        return not self.parts_days or self._first <= self.day_at(at) <= self._last

    def _iso(self, at: float) -> str:
        return datetime.fromtimestamp(at, UTC).astimezone(self._zone).date().isoformat()


def groups(bill: Bill, rest: Rest, canonical: Canonical, shift_s: float = 0.0) -> tuple[Group, ...]:
    """The rest of both sides by day and model, in order."""
    calendar = Calendar(bill, shift_s)
    parts_models = any(line.model for line in bill.lines)
    calls: dict[Key, list[OurCall]] = defaultdict(list)
    lines: dict[Key, list[BillLine]] = defaultdict(list)
    unknown: set[str] = set()
    for line in rest.lines:
        name = canonical(line.model) if line.model else ""
        unknown |= {line.model} if name is None else set()
        lines[calendar.day_of(line), line.model if name is None else name].append(line)
    for call in rest.calls:
        if calendar.covers(call.at):
            model = (canonical(call.model) or call.model) if parts_models else ""
            calls[calendar.day_at(call.at) if calendar.parts_days else "", model].append(call)
    return tuple(
        Group(key, tuple(calls.get(key, ())), tuple(lines.get(key, ())), key[1] not in unknown)
        for key in sorted({*calls, *lines})
    )


# --- days that begin at another hour ----------------------------------------------------------------------------------

QUARTER_S = 900
MOST_SHIFT_S = 14 * 3600
LAGS_S = (15, 30, 60, 120, 300)
"""A call may be billed when it ends and not when it begins: that much later."""

SHIFTS_S = tuple(
    sorted((*LAGS_S, *range(-MOST_SHIFT_S, MOST_SHIFT_S + 1, QUARTER_S)), key=lambda seconds: (abs(seconds), -seconds))
)


def best_shift(bill: Bill, rest: Rest, canonical: Canonical) -> float:
    """By how much the bill's days begin too early, in seconds: the least that makes more days agree.

    Zero unless two days then agree that did not, and none ceases to: what one day lacks must be found on another.
    """
    plain = groups(bill, rest, canonical)
    wrong = [group for group in plain if group.key[0] and not group.is_exact]
    if not any(group.calls for group in wrong) or not any(group.lines for group in wrong):
        return 0.0
    sums = _Sums(bill, rest, canonical)
    agreeing = {group.key for group in plain if group.is_exact}
    for shift_s in SHIFTS_S:
        now = sums.agreeing(plain, shift_s) if shift_s else agreeing
        if agreeing < now and len(now) > len(agreeing) + 1:
            return float(shift_s)
    return 0.0


class _Sums:
    """What was booked until any moment, by model: so that a hundred shifts need not go through all calls each."""

    def __init__(self, bill: Bill, rest: Rest, canonical: Canonical) -> None:
        self._zone = ZoneInfo(bill.zone)
        by_model: dict[str, list[OurCall]] = defaultdict(list)
        parts_models = any(line.model for line in bill.lines)
        for call in rest.calls:
            by_model[(canonical(call.model) or call.model) if parts_models else ""].append(call)
        self._times: dict[str, Sequence[float]] = {}
        self._totals: dict[str, Sequence[int]] = {}
        for model, calls in by_model.items():
            calls.sort(key=lambda call: call.at)
            self._times[model] = [call.at for call in calls]
            self._totals[model] = _running(call.booked_nusd for call in calls)

    def agreeing(self, plain: Iterable[Group], shift_s: float) -> set[Key]:
        return {
            group.key
            for group in plain
            if abs(group.billed_nusd - self._booked(group.key, shift_s)) <= group.slack_nusd
        }

    def _booked(self, key: Key, shift_s: float) -> int:
        day, model = key
        if not day or model not in self._times:
            return 0
        begins = datetime.fromisoformat(day).replace(tzinfo=self._zone)
        ends = begins + timedelta(days=1)
        times, totals = self._times[model], self._totals[model]
        low, high = (bisect_left(times, edge.timestamp() - shift_s) for edge in (begins, ends))
        return totals[high] - totals[low]


def _running(amounts: Iterable[int]) -> list[int]:
    totals = [0]
    for amount in amounts:
        totals.append(totals[-1] + amount)
    return totals


def _line_order(line: BillLine) -> tuple[object, ...]:
    at = -1.0 if line.at is None else line.at
    amount = -1 if line.amount_nusd is None else line.amount_nusd
    return line.id, at, str(line.day or ""), line.model, amount, line.quantity or 0, line.step_nusd, line.place


def names_of(known: Mapping[str, str]) -> Canonical:
    """Reads a model's name as a bill may write it: a known one, or a text with a known one in it as words.

    Of several the longest counts: "gemini 3.1 flash lite image" is not "gemini 3.1 flash".
    """
    spelled = sorted(((_words(name), model) for name, model in known.items()), key=lambda pair: (-len(pair[0]), pair))
    exact = dict(reversed(spelled))
    seen: dict[str, str | None] = {}

    def find(text: str) -> str | None:
        if text not in seen:
            words = _words(text)
            inside = (model for name, model in spelled if f" {name} " in f" {words} ")
            seen[text] = exact.get(words) or next(inside, None)
        return seen[text]

    return find


def _words(text: str) -> str:
    return " ".join("".join(letter if letter.isalnum() or letter == "." else " " for letter in text.lower()).split())
