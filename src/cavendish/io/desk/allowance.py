"""Allowance: what a key's limits let through, decided in the transaction that writes a job down.

The rule that holds a budget under any number of requests and replicas: what a key's ended jobs cost, and what is held
for those at work, is never more than its budget. A job is written down with its hold or not at all; its end takes the
hold away and adds what it cost in one transaction. A job whose replica dies is another's, and its hold with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import orjson

from ...govern.window import SlidingWindow
from ...model.attempt import Attempt
from ...model.request import JsonValue
from ..spend.calendar import Calendar
from ..spend.sums import Key, Sum, key_of, sum_of
from ..state.port import Link
from .keys import KeyEntry, KeyRules, key_in
from .period import ends_at, first_day

MINUTE_S: Final = 60.0


class Limit(StrEnum):
    """Which limit a request is beyond. ``IN_FLIGHT``: of the budget, what is left is held for requests at work."""

    KEY = "key"
    RPM = "requests_per_minute"
    IPM = "images_per_minute"
    BUDGET = "budget"
    IN_FLIGHT = "in_flight"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a job is to take of its key's limits.

    ``price_nusd`` is the most that all its pictures can cost as far as that is known, ``least_nusd`` what they are
    expected to: enough for a job that is alone. A price that is not known is ``None``.
    """

    holder: str
    job: str
    images: int
    price_nusd: int | None
    least_nusd: int | None


@dataclass(frozen=True, slots=True)
class Denied:
    """Not now, or not at all. ``wait_s`` is when to ask again, ``None`` where that would not help."""

    limit: Limit
    value: int = 0
    wait_s: float | None = None
    spent_nusd: int = 0


@dataclass(frozen=True, slots=True)
class Meter:
    """How a key's requests of the last minute stand, for its client: what is left, and in how many seconds it is all
    there again.
    """

    limit: int
    left: int
    reset_s: float


@dataclass(frozen=True, slots=True)
class Granted:
    """The job may begin, with so much held for it (``None``: the key has no budget)."""

    held_nusd: int | None
    meter: Meter | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A job at its end. ``outcomes`` says of each slot whether it has its picture.

    ``model`` and ``begun_at`` are where the job counts when no call was made for it.
    """

    holder: str
    job: str
    model: str
    begun_at: float
    attempts: Sequence[Attempt]
    outcomes: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Spent:
    """How a key's budget stands in its present period."""

    spent_nusd: int
    held_nusd: int
    ends_at: float | None


def admit(link: Link, wish: Wish, calendar: Calendar, wall_s: float) -> Granted | Denied:
    """Take what a job needs of its key's limits: all of it, or nothing."""
    entry = key_in(link, wish.holder)
    if entry is None or not entry.is_live(wall_s):
        return Denied(Limit.KEY)
    denied = _over_the_minute(link, entry, wish) if entry.rules.rpm or entry.rules.ipm else None
    if denied is not None:
        return denied
    held = _held_for(link, entry, wish, calendar, wall_s)
    if isinstance(held, Denied):
        return held
    if held is not None:
        link.run(_PUT_HOLD, job=wish.job, holder=wish.holder, nusd=held)
    return Granted(held, _count(link, entry, wish))


def extend(link: Link, holder: str, job: str, more_nusd: int, calendar: Calendar, wall_s: float) -> int | Denied:
    """Hold so much more for a job at work; returns what is then held for it."""
    entry = key_in(link, holder)
    rows = link.run("SELECT nusd FROM key_holds WHERE job = :job", job=job)
    held = int(rows[0][0]) if rows else 0
    if entry is None or entry.rules.budget_nusd is None:
        return held + more_nusd
    spent = spent_of(link, entry, calendar, wall_s)
    room = entry.rules.budget_nusd - spent.spent_nusd - spent.held_nusd
    if room < more_nusd:
        return _short(entry, spent, spent.spent_nusd + held + more_nusd, wall_s)
    link.run(_PUT_HOLD, job=job, holder=holder, nusd=held + more_nusd)
    return held + more_nusd


def settle(link: Link, ended: Ended, calendar: Calendar) -> None:
    """A job has ended: what was held for it is free, what it cost is spent."""
    last = {attempt.slot_id: attempt.id for attempt in ended.attempts if attempt.fault is None}
    sums: dict[Key, Sum] = {}
    for attempt in ended.attempts:
        brought = ended.outcomes.get(attempt.slot_id, False) and last.get(attempt.slot_id) == attempt.id
        key = key_of(attempt, calendar)
        sums[key] = sums.get(key, Sum()).plus(replace(sum_of(attempt, None), pictures=int(brought)))
    # A job is one request, however many routes it took.
    first = next(iter(sums), Key(calendar.day(ended.begun_at), "", ended.model, ""))
    failed = sum(not brought for brought in ended.outcomes.values())
    for key, part in {first: Sum(), **sums}.items():
        counts = {"requests": 1, "failed": failed} if key == first else {"requests": 0, "failed": 0}
        link.run(_ADD_SUM, holder=ended.holder, **key._asdict(), **counts, **_values(part))
    link.run("DELETE FROM key_holds WHERE job = :job", job=ended.job)


def spent_of(link: Link, entry: KeyEntry, calendar: Calendar, wall_s: float) -> Spent:
    """How a key's budget stands."""
    first = first_day(calendar, entry.rules.per, wall_s)
    spent = link.run(_SPENT, holder=entry.id, first=first)[0][0]
    held = link.run("SELECT COALESCE(SUM(nusd), 0) FROM key_holds WHERE holder = :holder", holder=entry.id)[0][0]
    return Spent(int(spent), int(held), ends_at(calendar, entry.rules.per, wall_s))


# --- the budget -------------------------------------------------------------------------------------------------------


def _held_for(link: Link, entry: KeyEntry, wish: Wish, calendar: Calendar, wall_s: float) -> int | Denied | None:
    budget = entry.rules.budget_nusd
    if budget is None:
        return None
    if wish.price_nusd is None or wish.least_nusd is None:
        return Denied(Limit.BUDGET, budget)
    spent = spent_of(link, entry, calendar, wall_s)
    room = budget - spent.spent_nusd - spent.held_nusd
    if room >= wish.price_nusd:
        return wish.price_nusd
    if not spent.held_nusd and room >= wish.least_nusd:
        return room
    return _short(entry, spent, spent.spent_nusd + wish.least_nusd, wall_s)


IN_FLIGHT_S: Final = 2.0
"""When to ask again where requests at work may leave something: they take some seconds."""


def _short(entry: KeyEntry, spent: Spent, needed_nusd: int, wall_s: float) -> Denied:
    """Why there is no room: it is spent, or held for others who may not need all of it."""
    budget = entry.rules.budget_nusd or 0
    if needed_nusd <= budget and spent.held_nusd:
        return Denied(Limit.IN_FLIGHT, budget, IN_FLIGHT_S, spent.spent_nusd)
    wait_s = None if spent.ends_at is None else max(0.0, spent.ends_at - wall_s)
    return Denied(Limit.BUDGET, budget, wait_s, spent.spent_nusd)


# --- the last minute --------------------------------------------------------------------------------------------------


def _over_the_minute(link: Link, entry: KeyEntry, wish: Wish) -> Denied | None:
    now_s = link.now_s()
    requests, images = _windows(link, entry, now_s)
    waits = [
        (window.earliest(now_s, amount) - now_s, limit, value)
        for window, amount, limit, value in (
            (requests, 1, Limit.RPM, entry.rules.rpm),
            (images, wish.images, Limit.IPM, entry.rules.ipm),
        )
        if value
    ]
    wait_s, limit, value = max(waits, key=lambda wait: wait[0])
    return Denied(limit, value, wait_s) if wait_s > 0 else None


def _count(link: Link, entry: KeyEntry, wish: Wish) -> Meter | None:
    if not (entry.rules.rpm or entry.rules.ipm):
        return None
    now_s = link.now_s()
    requests, images = _windows(link, entry, now_s)
    requests.take(now_s, 1)
    images.take(now_s, wish.images)
    # With the moments of the store's clock, which goes on while nobody looks.
    limited = ((requests, entry.rules.rpm), (images, entry.rules.ipm))
    state = orjson.dumps([window.to_state(0.0) if limit else [] for window, limit in limited]).decode()
    link.run(_PUT_WINDOW, holder=entry.id, state=state)
    return _meter(requests, entry.rules, now_s)


def _windows(link: Link, entry: KeyEntry, now_s: float) -> tuple[SlidingWindow, SlidingWindow]:
    rows = link.run("SELECT state FROM key_windows WHERE holder = :holder", holder=entry.id)
    states: list[JsonValue] = orjson.loads(rows[0][0]) if rows else [[], []]
    made: list[SlidingWindow] = []
    for limit, state in zip((entry.rules.rpm, entry.rules.ipm), states, strict=True):
        window = SlidingWindow(limit or float("inf"), MINUTE_S)
        window.restore(state if limit else [], 0.0)
        window.taken(now_s)
        made.append(window)
    return made[0], made[1]


def _meter(requests: SlidingWindow, rules: KeyRules, now_s: float) -> Meter | None:
    if rules.rpm is None:
        return None
    left = max(0, rules.rpm - requests.taken(now_s))
    return Meter(rules.rpm, left, max(0.0, requests.earliest(now_s, rules.rpm) - now_s))


# --- rows ------------------------------------------------------------------------------------------------------------

_PUT_HOLD = (
    "INSERT INTO key_holds (job, holder, nusd) VALUES (:job, :holder, :nusd)"
    " ON CONFLICT (job) DO UPDATE SET nusd = excluded.nusd"
)
_PUT_WINDOW = (
    "INSERT INTO key_windows (holder, state) VALUES (:holder, :state)"
    " ON CONFLICT (holder) DO UPDATE SET state = excluded.state"
)
_SPENT = "SELECT COALESCE(SUM(billed_nusd + unknown_nusd), 0) FROM key_sums WHERE holder = :holder AND day >= :first"
_ADD_SUM = (
    "INSERT INTO key_sums (holder, day, endpoint, model, mode, requests, pictures, failed, billed_nusd, unknown_nusd)"
    " VALUES (:holder, :day, :endpoint, :model, :mode, :requests, :pictures, :failed, :billed_nusd, :unknown_nusd)"
    " ON CONFLICT (holder, day, endpoint, model, mode) DO UPDATE SET requests = key_sums.requests + excluded.requests,"
    " pictures = key_sums.pictures + excluded.pictures, failed = key_sums.failed + excluded.failed,"
    " billed_nusd = key_sums.billed_nusd + excluded.billed_nusd,"
    " unknown_nusd = key_sums.unknown_nusd + excluded.unknown_nusd"
)


def _values(part: Sum) -> dict[str, int]:
    return {"pictures": part.pictures, "billed_nusd": part.billed_nusd, "unknown_nusd": part.unknown_nusd}
