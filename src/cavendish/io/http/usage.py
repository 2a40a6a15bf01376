"""Usage: what providers say they billed, asked over HTTP: by call, by day, or as a meter that only runs.

The forms are those of the systems' own documents (2026-11). Which an endpoint has, and at which path, the catalog says
in its option ``usage``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from ...model.bill import Bill, BillLine
from ...model.fault import Fault, FaultKind
from ...model.money import NUSD_PER_USD, nusd
from ...wire.message import WireResponse
from ...wire.reading import integer, items, member, number, text

USAGE: Final = "usage"
"""The option of an endpoint that says how its bill is read: ``reader`` and ``path``, and the host in ``base_url``."""

CALLS_ASKED: Final = 10_000
"""A month of a studio; a call is asked about by a request of its own."""
AT_ONCE: Final = 8
PAGES: Final = 200
DAY_S: Final = 86_400
EDGE_S: Final = 0.001
"""A day has its first moment, and not the first of the next."""
STEP_NUSD: Final = 1_000
"""A thousandth of a thousandth of a dollar: what is left of amounts that were floats on the way."""

Look = Callable[[str], Awaitable[WireResponse | Fault]]
"""A plain GET of a path below the endpoint's address, with its key."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be read: the bill of these endpoints, about calls with these names, of this time (epoch seconds)."""

    source: str
    endpoints: tuple[str, ...]
    ids: tuple[str, ...]
    since: float
    until: float
    path: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter shows: all that was spent so far, in nano-dollars. Only the difference of two readings means much.

    A balance is a meter too: what is left, below zero.
    """

    source: str
    endpoints: tuple[str, ...]
    spent_nusd: int


Found = Bill | Reading | Fault
UsageReader = Callable[[Look, Asked], Awaitable[Found]]


# --- by call ----------------------------------------------------------------------------------------------------------


async def read_generations(look: Look, asked: Asked) -> Found:
    """OpenRouter: each call by its generation's name. One that is not there, or not yet, has no line."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> WireResponse | Fault:
        async with gate:
            return await look(f"{asked.path}?id={quote(name, safe='')}")

    answers = await asyncio.gather(*(one(name) for name in asked.ids[:CALLS_ASKED]))
    lines = tuple(
        _generation(member(answer.body, "data"), name)
        for name, answer in zip(asked.ids, answers, strict=False)
        if isinstance(answer, WireResponse)
    )
    refused = next((answer for answer in answers if isinstance(answer, Fault) and answer.status != NOT_FOUND), None)
    if refused is not None and not lines:
        return refused
    return Bill(asked.source, asked.endpoints, lines, complete=False)


NOT_FOUND: Final = 404


def _generation(data: Any, name: str) -> BillLine:
    return BillLine(
        amount_nusd=_dollars(number(data, "total_cost")),
        id=name,
        at=_seconds(text(data, "created_at")),
        model=text(data, "model"),
        quantity=1,
        step_nusd=STEP_NUSD,
        place=name,
    )


async def read_simulator(look: Look, asked: Asked) -> Found:
    """The simulator's own books: each call that it billed, by the name that it gave it."""
    answer = await look(asked.path)
    if isinstance(answer, Fault):
        return answer
    lines = tuple(_simulated(entry) for entry in items(answer.body, "data"))
    return Bill(asked.source, asked.endpoints, lines, since=asked.since, until=asked.until)


def _simulated(entry: Any) -> BillLine:
    return BillLine(
        amount_nusd=integer(entry, "billed_nusd"),
        id=text(entry, "id"),
        at=number(entry, "at"),
        model=text(entry, "model"),
        quantity=1,
        place=text(entry, "id"),
    )


# --- by day -----------------------------------------------------------------------------------------------------------


async def read_time_series(look: Look, asked: Asked) -> Found:
    """fal: billed units and their price, by day and model. Wants a key that may see the account's usage."""
    query = {"start": _iso(asked.since), "end": _iso(asked.until + 1), "timeframe": "day", "expand": "time_series"}
    lines: list[BillLine] = []
    async for page in _pages(look, asked.path, query, next_name="next_cursor", param="cursor"):
        if isinstance(page, Fault):
            return page
        for bucket in items(page, "time_series"):
            lines += _units(bucket)
    return _by_day(asked, lines)


def _units(bucket: Any) -> Iterator[BillLine]:
    at = _seconds(text(bucket, "bucket"))
    for result in items(bucket, "results"):
        quantity, price = number(result, "quantity"), number(result, "unit_price")
        amount = None if quantity is None or price is None else _dollars(quantity * price)
        stated = _dollars(number(result, "cost"))
        counts = quantity is not None and quantity.is_integer() and "image" in text(result, "unit")
        yield BillLine(
            amount_nusd=amount if stated is None else stated,
            day=None if at is None else datetime.fromtimestamp(at, UTC).date(),
            model=text(result, "endpoint_id"),
            quantity=int(quantity) if counts and quantity is not None else None,
            step_nusd=STEP_NUSD,
            place=text(bucket, "bucket"),
        )


async def read_costs(look: Look, asked: Asked) -> Found:
    """OpenAI: costs by day and line item. Wants an admin key."""
    query = {
        "start_time": str(int(asked.since // DAY_S * DAY_S)),
        "end_time": str(int(asked.until // DAY_S * DAY_S) + DAY_S),
        "bucket_width": "1d",
        "group_by": "line_item",
        "limit": "180",
    }
    lines: list[BillLine] = []
    async for page in _pages(look, asked.path, query, next_name="next_page", param="page"):
        if isinstance(page, Fault):
            return page
        for bucket in items(page, "data"):
            lines += _costs(bucket)
    if foreign := next((line for line in lines if line.amount_nusd is None), None):
        return Fault(FaultKind.MALFORMED, f"a cost that is not in US dollars: {foreign.place}")
    return _by_day(asked, lines)


def _costs(bucket: Any) -> Iterator[BillLine]:
    at = number(bucket, "start_time")
    for result in items(bucket, "results"):
        amount = member(result, "amount")
        in_dollars = text(amount, "currency").lower() in {"usd", ""}
        yield BillLine(
            amount_nusd=_dollars(number(amount, "value")) if in_dollars else None,
            day=None if at is None else datetime.fromtimestamp(at, UTC).date(),
            model=text(result, "line_item"),
            step_nusd=STEP_NUSD,
            place=text(result, "line_item"),
        )


def _by_day(asked: Asked, lines: Sequence[BillLine]) -> Bill:
    """A bill of whole days in UTC; what it says of days on which we called nobody is not asked."""
    since, until = asked.since // DAY_S * DAY_S, (asked.until // DAY_S + 1) * DAY_S
    first, last = (datetime.fromtimestamp(at, UTC).date() for at in (since, until - 1))
    within = tuple(line for line in lines if line.day is None or first <= line.day <= last)
    return Bill(asked.source, asked.endpoints, within, since=since - EDGE_S, until=until - EDGE_S)


async def _pages(look: Look, path: str, query: Mapping[str, str], *, next_name: str, param: str) -> AsyncIterator[Any]:
    """Page after page, until there is none; a fault ends them."""
    cursor = ""
    for _ in range(PAGES):
        answer = await look(f"{path}?{urlencode({**query, **({param: cursor} if cursor else {})})}")
        if isinstance(answer, Fault):
            yield answer
            return
        yield answer.body
        cursor = text(answer.body, next_name)
        if not cursor:
            return


# --- meters -----------------------------------------------------------------------------------------------------------


async def read_credits(look: Look, asked: Asked) -> Found:
    """Black Forest Labs: what is left, in credits of a cent."""
    return await _meter(look, asked, lambda body: _cents(number(body, "credits"), sign=-1))


async def read_total_usage(look: Look, asked: Asked) -> Found:
    """OpenRouter: what the account has used in all, in dollars. Wants a management key."""
    return await _meter(look, asked, lambda body: _dollars(number(member(body, "data"), "total_usage")))


async def read_key_usage(look: Look, asked: Asked) -> Found:
    """OpenRouter: what a key has used in all, in dollars."""
    return await _meter(look, asked, lambda body: _dollars(number(member(body, "data"), "usage")))


async def read_dashboard(look: Look, asked: Asked) -> Found:
    """Relays of the one-api family: what a key has used in all, in cents."""
    return await _meter(look, asked, lambda body: _cents(number(body, "total_usage")))


async def _meter(look: Look, asked: Asked, read: Callable[[Any], int | None]) -> Found:
    answer = await look(asked.path)
    if isinstance(answer, Fault):
        return answer
    spent = read(answer.body)
    if spent is None:
        return Fault(FaultKind.MALFORMED, f"{asked.path} shows no amount", status=answer.status)
    return Reading(asked.source, asked.endpoints, spent)


READERS: Final[Mapping[str, UsageReader]] = {
    "generations": read_generations,
    "simulator": read_simulator,
    "time_series": read_time_series,
    "costs": read_costs,
    "credits": read_credits,
    "total_usage": read_total_usage,
    "key_usage": read_key_usage,
    "dashboard": read_dashboard,
}
"""By what the catalog calls them."""
METERS: Final = frozenset({"credits", "total_usage", "key_usage", "dashboard"})
"""Those that can be read before there is any call, and should."""


def _dollars(amount: float | None) -> int | None:
    return None if amount is None or abs(amount) > NUSD_PER_USD else nusd(round(amount, 12))


def _cents(amount: float | None, sign: int = 1) -> int | None:
    return None if amount is None else _dollars(sign * amount / 100)


def _seconds(moment: str) -> float | None:
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
