"""Accounts: which endpoints share one bill, and which bill a run's calls are on."""

from __future__ import annotations

from collections.abc import Iterable

from ...catalog.cards import EndpointCard
from ...catalog.resolve import Catalog
from ...errors import RequestError
from .calls import OurCall


def on_one_bill(catalog: Catalog, endpoint: str) -> tuple[str, ...]:
    """All endpoints whose calls are on the bill of one: those that take the same key."""
    card = catalog.endpoints[endpoint]
    return tuple(name for name, other in catalog.endpoints.items() if name == endpoint or _share(card, other))


def _share(one: EndpointCard, other: EndpointCard) -> bool:
    return bool(one.key_env) and one.key_env[:1] == other.key_env[:1]


def check_endpoint(catalog: Catalog, name: str) -> str:
    """The name, if it is an endpoint's. Raises ``RequestError``."""
    if name not in catalog.endpoints:
        known = tuple(catalog.endpoints)
        hints = (f"known: {', '.join(known)}",)
        raise RequestError(f"no endpoint is named {name!r}", field="via", allowed=known, hints=hints)
    return name


def bills_of(catalog: Catalog, calls: Iterable[OurCall]) -> tuple[str, ...]:
    """The endpoints that were called, one for each bill."""
    found: list[str] = []
    for name in sorted({call.endpoint for call in calls} & catalog.endpoints.keys()):
        if not any(name in on_one_bill(catalog, other) for other in found):
            found.append(name)
    return tuple(found)


def the_one_bill(catalog: Catalog, calls: Iterable[OurCall]) -> str:
    """The endpoint whose bill an export can only be. Raises ``RequestError`` when it may be several's."""
    found = bills_of(catalog, calls)
    if len(found) != 1:
        there = ", ".join(found) or "none"
        raise RequestError(
            f"whose bill is it? the calls went to: {there}",
            field="via",
            allowed=found,
            hints=("say whose the export is: --via ENDPOINT",),
        )
    return found[0]
