"""Summary: how a run went, for people and for programs."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...engine.budget import MAX_COST
from ...engine.ports import Closing, Detour, Tally
from ...model.fault import Charged, Fault
from ...model.money import NUSD_PER_USD, as_float, dollars
from ...model.result import Failure, Outcome, Picture
from ..advice import who

FEW = 8
"""Pictures whose files are named one by one; of more, the folder tells better."""
FAILURES_SHOWN = 10
NOTICES_KEPT = 1000
"""Different notices: their texts name sizes and models, of which there are few."""
MODELS_KEPT = 1000
"""Different models: more than there are, but a file may name anything."""
NOTICES_SHOWN = 5
HOURS_AS_DAYS = 100
"""So many are told in days."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What outcomes do not tell. ``kept`` of the pictures were there before this run; ``skipped`` are broken rows.

    ``list_price`` gives a picture's standard price in nano-dollars, ``None`` where it is not known. ``models`` are the
    names of those that are compared: row after row asks the same of each in turn. ``detours`` and ``closings`` are what
    this run met on its way: pictures that came by another route than the first, and keys that were of no more use.
    """

    folder: Path
    title: str = ""
    left: int = 0
    kept: int = 0
    skipped: int = 0
    duration_s: float = 0.0
    simulated: bool = False
    stopped: Fault | None = None
    list_price: Callable[[Picture], int | None] | None = None
    models: tuple[str, ...] = ()
    detours: tuple[Detour, ...] = ()
    closings: tuple[Closing, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteSum:
    """What one route delivered, and what its pictures cost with all their attempts."""

    pictures: int = 0
    cost_nusd: int = 0


@dataclass(frozen=True, slots=True)
class ModelSum:
    """What one model made of what it was asked. ``cost_nusd`` holds failures too; ``latency_s`` is of all pictures."""

    pictures: int = 0
    failures: int = 0
    cost_nusd: int = 0
    cost_known: bool = True
    latency_s: float = 0.0

    def plus(self, outcome: Outcome) -> ModelSum:
        """With one more outcome."""
        delivered = isinstance(outcome, Picture)
        return ModelSum(
            self.pictures + delivered,
            self.failures + (not delivered),
            self.cost_nusd + outcome.cost_nusd,
            self.cost_known and outcome.cost_known,
            self.latency_s + (outcome.latency_s if delivered else 0.0),
        )

    @property
    def each_nusd(self) -> int | None:
        """What a picture came to, failures included."""
        return self.cost_nusd // self.pictures if self.pictures else None

    @property
    def each_s(self) -> float | None:
        """Seconds that a picture took."""
        return self.latency_s / self.pictures if self.pictures else None

    def to_json(self) -> dict[str, Any]:
        """For programs: dollars and seconds; those of one picture are ``None`` where there is none."""
        each_nusd, each_s = self.each_nusd, self.each_s
        return {
            "pictures": self.pictures,
            "failures": self.failures,
            "cost": as_float(self.cost_nusd),
            "cost_known": self.cost_known,
            "cost_per_picture": None if each_nusd is None else as_float(each_nusd),
            "seconds_per_picture": None if each_s is None else round(each_s, 3),
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run went. Money in nano-dollars, times in seconds.

    ``left`` slots have no outcome yet: they are what ``resume`` is for. ``unknown_nusd`` is the most that
    ``unknown_attempts`` may have cost besides; ``saved_nusd`` compares with list prices, where they are known for all.
    ``models`` goes by the name that was asked for, or where models are compared by those of ``facts.models``;
    ``rounds`` is how many times they were asked the same.
    """

    facts: RunFacts
    delivered: int = 0
    failed: int = 0
    billed_nusd: int = 0
    unknown_nusd: int = 0
    unknown_attempts: int = 0
    unpriced_attempts: int = 0
    saved_nusd: int | None = None
    routes: Mapping[str, RouteSum] = field(default_factory=dict[str, RouteSum])
    failures: Mapping[str, int] = field(default_factory=dict[str, int])
    notices: Mapping[str, int] = field(default_factory=dict[str, int])
    first_pictures: tuple[Picture, ...] = ()
    first_failures: tuple[Failure, ...] = ()
    models: Mapping[str, ModelSum] = field(default_factory=dict[str, ModelSum])
    rounds: int = 0

    @property
    def cost(self) -> float:
        """Dollars billed by this folder's calls, as far as known."""
        return as_float(self.billed_nusd)

    @property
    def unknown_cost(self) -> float:
        """Dollars that attempts of unknown fate may have cost besides."""
        return as_float(self.unknown_nusd)

    @property
    def pictures_per_minute(self) -> float | None:
        """Of those that this run delivered; ``None`` when it took no time or delivered none."""
        fresh = self.delivered - self.facts.kept
        return fresh * 60 / self.facts.duration_s if fresh > 0 and self.facts.duration_s > 0 else None

    @property
    def resume(self) -> str:
        """The command that completes what is left, with a cap that is enough where one stopped it; else empty."""
        if not self.facts.left:
            return ""
        stop = self.facts.stopped
        more = f" --max-cost {self._enough(stop)}" if stop is not None and stop.limit == MAX_COST else ""
        return f"cavendish resume {shlex.quote(str(self.facts.folder))}{more}"

    def _enough(self, stop: Fault) -> str:
        """Dollars that all of the run should come to, by what its pictures cost so far."""
        each = max(self.billed_nusd // max(1, self.delivered), stop.usage.cost_nusd or 0)
        all_of_it = self.billed_nusd + self.unknown_nusd + self.facts.left * each
        cents = -(-all_of_it * 100 // NUSD_PER_USD)
        return f"{cents // 100}.{cents % 100:02}"

    def text(self, *, paths: bool = True) -> str:
        """For people: lines without colour and without a line end. ``paths``: with the files of a few pictures."""
        return "\n".join(_lines(self, paths=paths))

    def to_json(self) -> dict[str, Any]:
        """For programs: dollars as numbers."""
        facts = self.facts
        return {
            "folder": str(facts.folder),
            "delivered": self.delivered,
            "failed": self.failed,
            "skipped": facts.skipped,
            "left": facts.left,
            "kept": facts.kept,
            "billed": as_float(self.billed_nusd),
            "unknown": as_float(self.unknown_nusd),
            "unknown_attempts": self.unknown_attempts,
            "unpriced_attempts": self.unpriced_attempts,
            "saved": None if self.saved_nusd is None else as_float(self.saved_nusd),
            "routes": {
                name: {"pictures": route.pictures, "cost": as_float(route.cost_nusd)}
                for name, route in self.routes.items()
            },
            "models": {name: model.to_json() for name, model in self.models.items()},
            "failures": dict(self.failures),
            "notices": [{"text": text, "count": count} for text, count in self.notices.items()],
            "duration_s": round(facts.duration_s, 3),
            "pictures_per_minute": self.pictures_per_minute,
            "simulated": facts.simulated,
            "detours": [{"route": e.route, "why": e.why, "pictures": e.pictures} for e in facts.detours],
            "lost": [{"route": str(e.route), "key": e.key, "why": e.fault.kind.value} for e in facts.closings],
            "stopped": None if facts.stopped is None else facts.stopped.kind.value,
            "resume": self.resume or None,
        }


def summarise(outcomes: Iterable[Outcome], tally: Tally, facts: RunFacts) -> Summary:
    """Sum all outcomes up, one at a time. ``tally`` is the ledger's, which also knows attempts without an outcome."""
    count = _Count(facts)
    for outcome in outcomes:
        count.add(outcome)
    return Summary(
        facts=facts,
        delivered=count.delivered,
        failed=count.failed,
        billed_nusd=tally.billed_nusd,
        unknown_nusd=tally.unknown_nusd,
        unknown_attempts=tally.unknown_attempts + tally.in_flight,
        unpriced_attempts=tally.unpriced_attempts,
        saved_nusd=count.saved_nusd(),
        routes={name: RouteSum(count.pictures[name], count.cost[name]) for name in count.pictures},
        failures=dict(count.failures.most_common()),
        notices=dict(count.notices.most_common()),
        first_pictures=tuple(count.first_pictures),
        first_failures=tuple(count.first_failures),
        models=count.models,
        rounds=count.rounds,
    )


class _Count:
    def __init__(self, facts: RunFacts) -> None:
        self._price = facts.list_price
        self._list_nusd: int | None = 0 if facts.list_price else None
        self.delivered = 0
        self.failed = 0
        self.pictures: Counter[str] = Counter()
        self.cost: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.notices: Counter[str] = Counter()
        self.first_pictures: list[Picture] = []
        self.first_failures: list[Failure] = []
        self._compared = facts.models
        self.models = dict.fromkeys(facts.models, ModelSum())
        self.rounds = 0
        self._round = -1

    def add(self, outcome: Outcome) -> None:
        self._model(outcome)
        if isinstance(outcome, Picture):
            self._picture(outcome)
        else:
            self.failed += 1
            self.failures[outcome.fault.kind.value] += 1
            if len(self.first_failures) < FAILURES_SHOWN:
                self.first_failures.append(outcome)

    def _model(self, outcome: Outcome) -> None:
        name, row, count = outcome.slot.request.model, outcome.slot.row, len(self._compared)
        if count:
            name = self._compared[row % count]
            self.rounds += row // count != self._round
            self._round = row // count
        if name in self.models or len(self.models) < MODELS_KEPT:
            self.models[name] = self.models.get(name, ModelSum()).plus(outcome)

    def _picture(self, picture: Picture) -> None:
        self.delivered += 1
        route = str(picture.route)
        self.pictures[route] += 1
        self.cost[route] += picture.cost_nusd
        for notice in picture.notices:
            if notice.text in self.notices or len(self.notices) < NOTICES_KEPT:
                self.notices[notice.text] += 1
        if len(self.first_pictures) < FEW:
            self.first_pictures.append(picture)
        if self._price is not None and self._list_nusd is not None:
            price = self._price(picture) if picture.cost_known else None
            self._list_nusd = None if price is None else self._list_nusd + price

    def saved_nusd(self) -> int | None:
        if self._list_nusd is None or not self.delivered:
            return None
        saved = self._list_nusd - sum(self.cost.values())
        return saved if saved > 0 else None


# --- for people ------------------------------------------------------------------------------------------------------


def money(amount_nusd: int) -> str:
    """Dollars with as many places as the amount is worth."""
    return dollars(amount_nusd, 2 if amount_nusd >= NUSD_PER_USD else 4)


def duration(seconds: float) -> str:
    """``12 s``, ``3 min 20 s``, ``5 h 7 min``, ``8 d 1 h``; ``24 h`` for a whole number of them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, spare = divmod(hours, 24)
    if hours >= HOURS_AS_DAYS:
        return _both((days, "d"), (spare, "h"))
    if hours:
        return _both((hours, "h"), (minutes, "min"))
    return _both((minutes, "min"), (rest, "s")) if minutes else f"{rest} s"


def _both(large: tuple[int, str], small: tuple[int, str]) -> str:
    return " ".join(f"{count} {unit}" for count, unit in (large, small)[: 2 if small[0] else 1])


def plural(count: int, noun: str) -> str:
    """``1 picture``, ``2,000 pictures``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


_CHARGED = {Charged.YES: "billed", Charged.NO: "not billed", Charged.UNKNOWN: "possibly billed"}


def why(failure: Failure) -> str:
    """One line on a failure: its class, the provider's word and sentence, whether it was billed."""
    fault = failure.fault
    said = f" ({fault.reason})" if fault.reason and fault.reason.lower() != fault.kind.value else ""
    message = f": {' '.join(fault.message.split())[:160]}" if fault.message else ""
    # Earlier attempts may have been billed although the last one was not.
    paid = f"cost {money(failure.cost_nusd)}" if failure.cost_nusd else _CHARGED[fault.charged]
    return f"{fault.kind.value}{said}{message}; {plural(failure.attempts, 'attempt')}, {paid}"


def _lines(summary: Summary, *, paths: bool) -> Iterable[str]:
    facts = summary.facts
    if facts.simulated:
        yield "simulated: no provider was called and nothing was spent"
    yield _first_line(summary)
    if paths and summary.delivered <= FEW:
        yield from (f"  {facts.folder / picture.blob.ref}" for picture in summary.first_pictures)
    yield from (f"  {failure.slot.key}: {why(failure)}" for failure in summary.first_failures)
    if (more := summary.failed - len(summary.first_failures)) > 0:
        yield f"  and {more:,} more in {facts.folder / 'failures.jsonl'}"
    yield from _bill(summary)
    shown = list(summary.notices.items())[:NOTICES_SHOWN]
    yield from (f"note: {text}{f' ({count:,} times)' if count > 1 else ''}" for text, count in shown)
    if (rest := len(summary.notices) - len(shown)) > 0:
        yield f"note: and {plural(rest, 'other notice')} in {facts.folder / 'metadata.jsonl'}"
    yield from _ways(facts)
    if (rate := summary.pictures_per_minute) is not None:
        yield f"{duration(facts.duration_s)}, {rate:,.1f} pictures a minute"
    if summary.delivered:
        yield f"see {facts.folder / 'index.html'}"
    if summary.resume:
        yield ""
        yield f"hint: {plural(facts.left, 'picture')} left; {summary.resume}"


def _ways(facts: RunFacts) -> Iterable[str]:
    """What did not go by the way that was meant, and why."""
    yield from (f"{plural(each.pictures, 'picture')} by {each.route}, since {each.why}" for each in facts.detours)
    yield from (f"out of use: {who(closing)} ({closing.fault.kind.value})" for closing in facts.closings)


def _first_line(summary: Summary) -> str:
    facts = summary.facts
    kept = f" ({facts.kept:,} of them before)" if facts.kept else ""
    line = f"{summary.delivered:,} delivered{kept}, {summary.failed:,} failed, {facts.skipped:,} skipped"
    if facts.left:
        line += f", {facts.left:,} left"
    return line if facts.stopped is None else f"{line}; stopped: {facts.stopped.message or facts.stopped.kind.value}"


def _bill(summary: Summary) -> Iterable[str]:
    line = f"{'would have been billed' if summary.facts.simulated else 'billed'} {money(summary.billed_nusd)}"
    if summary.unknown_attempts:
        attempts = plural(summary.unknown_attempts, "attempt")
        line += f", and at most {money(summary.unknown_nusd)} for {attempts} of unknown fate"
    elif summary.unknown_nusd:
        line += f", and about {money(summary.unknown_nusd)} that no bill was given for"
    if summary.unpriced_attempts:
        line += f"; no price is known for {plural(summary.unpriced_attempts, 'attempt')}"
    if summary.saved_nusd:
        line += f"; {money(summary.saved_nusd)} less than the list price"
    yield line
    if summary.facts.models:
        yield from (f"  {name}: {told(model)}" for name, model in summary.models.items())
    elif len(summary.routes) > 1:
        for name, route in summary.routes.items():
            yield f"  {name}: {plural(route.pictures, 'picture')}, {money(route.cost_nusd)}"


def told(model: ModelSum) -> str:
    """What a model did, in one line."""
    parts = [plural(model.pictures, "picture")]
    if model.failures:
        parts.append(f"{model.failures:,} failed")
    parts.append(money(model.cost_nusd) + ("" if model.cost_known else " or more"))
    if model.each_nusd is not None and model.each_s is not None and model.pictures > 1:
        parts.append(f"{money(model.each_nusd)} and {duration(model.each_s)} each")
    elif model.each_s is not None:
        parts.append(duration(model.each_s))
    return ", ".join(parts)
