"""Bill pages: what the simulated systems say they billed, in each one's own form, out of the simulator's books."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ..model.money import NUSD_PER_USD, as_float
from .books import Books, Entry, masked

CREDITS: Final = 1_000.0
"""What an account at Black Forest Labs begins with: ten dollars."""

Query = Mapping[str, str]
Page = Callable[[Sequence[Entry], Query], Any]


def page_at(books: Books, path: str, query: Query, key: str) -> Any:
    """The page at a path of the server's for who holds a key, ``None`` where there is none, or not what is asked for.

    Pages of a key show what it used, those of an account what all of its keys did.
    """
    for ending, systems, page in PAGES:
        if path.endswith(ending) and path.startswith(
            tuple(f"/{system}/" for system in systems) if systems else "/sim/"
        ):
            whose = masked(key) if key and page in OF_A_KEY else ""
            return page([entry for entry in books.billed if _is_of(entry, systems, whose)], query)
    return None


def _is_of(entry: Entry, systems: Sequence[str], key: str) -> bool:
    if key and entry.key != key:
        return False
    return not systems or any(f"{entry.endpoint}-".startswith(f"{system}-") for system in systems)


def _all(entries: Sequence[Entry], _query: Query) -> Any:
    """The simulator's own form: exact."""
    return {
        "data": [
            {"id": entry.id, "at": entry.wall, "model": entry.model, "billed_nusd": entry.billed_nusd}
            for entry in entries
        ]
    }


def _generation(entries: Sequence[Entry], query: Query) -> Any:
    """OpenRouter: one call."""
    found = next((entry for entry in entries if entry.id == query.get("id")), None)
    if found is None:
        return None
    created = datetime.fromtimestamp(found.wall, UTC).isoformat()
    cost = as_float(found.billed_nusd)
    return {"data": {"id": found.id, "model": found.model, "created_at": created, "total_cost": cost, "usage": cost}}


def _total(entries: Sequence[Entry], _query: Query) -> Any:
    """OpenRouter: an account, and the only key that it has."""
    used = as_float(_sum(entries))
    return {"data": {"total_credits": 100.0, "total_usage": used, "usage": used}}


def _credits(entries: Sequence[Entry], _query: Query) -> Any:
    """Black Forest Labs: what is left, in cents."""
    return {"credits": CREDITS - _sum(entries) * 100 / NUSD_PER_USD}


def _time_series(entries: Sequence[Entry], _query: Query) -> Any:
    """fal: units and their price, by day and model; a row for each price."""
    days: dict[str, dict[tuple[str, int], int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        pictures = max(1, entry.pictures)
        days[_day(entry)][entry.model, entry.billed_nusd // pictures] += pictures
    return {
        "time_series": [
            {
                "bucket": f"{day}T00:00:00Z",
                "results": [
                    {"endpoint_id": model, "unit": "image", "quantity": count, "unit_price": as_float(price)}
                    for (model, price), count in sorted(sold.items())
                ],
            }
            for day, sold in sorted(days.items())
        ],
        "has_more": False,
        "next_cursor": None,
    }


def _costs(entries: Sequence[Entry], _query: Query) -> Any:
    """OpenAI: costs by day and line item."""
    days: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        days[_day(entry)][f"{entry.model}, image output"] += entry.billed_nusd
    return {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()),
                "results": [
                    {"amount": {"value": as_float(cost), "currency": "usd"}, "line_item": item}
                    for item, cost in sorted(items.items())
                ],
            }
            for day, items in sorted(days.items())
        ],
        "has_more": False,
        "next_page": None,
    }


def _dashboard(entries: Sequence[Entry], _query: Query) -> Any:
    """A relay: what the key has used, in cents."""
    return {"object": "list", "total_usage": _sum(entries) * 100 / NUSD_PER_USD}


def _sum(entries: Iterable[Entry]) -> int:
    return sum(entry.billed_nusd for entry in entries)


def _day(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.wall, UTC).date().isoformat()


PAGES: Final[tuple[tuple[str, tuple[str, ...], Page], ...]] = (
    ("/usage", (), _all),
    ("/generation", ("openrouter",), _generation),
    ("/credits", ("openrouter",), _total),
    ("/key", ("openrouter",), _total),
    ("/credits", ("bfl",), _credits),
    ("/models/usage", ("fal", "fal-direct"), _time_series),
    ("/organization/costs", ("openai",), _costs),
    ("/dashboard/billing/usage", ("apiyi", "apiyi-ark"), _dashboard),
)
"""By the end of their paths, whose they are (the simulator's own are about all calls), and what they show."""

OF_A_KEY: Final = frozenset({_all, _dashboard})
"""The others are an account's."""
