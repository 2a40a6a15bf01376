"""Rules: whether a key may ask for something, by which endpoints, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ....catalog.resolve import Resolved
from ....engine.budget import Budget
from ....io.desk.keys import KeyRules
from ....model.money import dollars
from ....model.request import ImageRequest
from ....model.result import Slot
from ....plan.estimate import PriceBook
from ...routes import SIMULATOR, Routes
from .refusal import forbidden, unasked

RoutesVia = Callable[[tuple[str, ...]], Routes]
"""The gateway's routes by these endpoints alone."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How a request may go: ``via`` is empty for the way it would take without a key.

    Of all its pictures, ``price_nusd`` is the most that they can cost as far as that is known, ``least_nusd`` what they
    are expected to; ``None`` where no price is known.
    """

    via: tuple[str, ...] = ()
    price_nusd: int | None = None
    least_nusd: int | None = None


def matches(patterns: Iterable[str], names: Iterable[str]) -> bool:
    """Whether one of the names is like one of the patterns (``*``, ``?``, ``[abc]``); case does not matter."""
    lowered = [name.lower() for name in names]
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns for name in lowered)


def ways_for(rules: KeyRules, routes: Routes, request: ImageRequest, routes_via: RoutesVia) -> Ways:
    """How a key's request may go. Raises ``Refused``, and ``RequestError`` for a model that is not known."""
    if rules.max_n is not None and request.n > rules.max_n:
        raise unasked(f"this key may ask for at most {rules.max_n} pictures at once, not {request.n}")
    if rules.ipm is not None and request.n > rules.ipm:
        raise unasked(f"this key may ask for {rules.ipm} pictures a minute, so not for {request.n} at once")
    usual = routes.resolve(request.model)
    if rules.models and not any(matches(rules.models, names_of(one, request.model)) for one in usual):
        raise forbidden(f"this key may not use {request.model}; it may use {', '.join(rules.models)}")
    if all(_may(rules, one, request) for one in usual):
        return _priced((), usual, request)
    others = _others(rules, routes, request.model)
    found = routes_via(others).resolve(request.model) if others else usual
    allowed = [one for one in found if _may(rules, one, request)]
    if not allowed:
        raise forbidden(_why_not(rules, found, request))
    return _priced(tuple(one.endpoint.name for one in allowed), allowed, request)


def names_of(resolved: Resolved, asked: str) -> set[str]:
    """All that a model is called: in the catalog, by people, by who made it, by who serves it."""
    card = resolved.card
    bare = asked.strip().removeprefix("models/").removeprefix(f"{resolved.endpoint.name}/")
    return {card.id, *card.aliases, *(known.id for known in card.ids), resolved.route.wire_model, bare}


def _others(rules: KeyRules, routes: Routes, name: str) -> tuple[str, ...]:
    """The endpoints that a key may go by instead of the usual ones; none when the caller named one itself."""
    if name.strip().partition("/")[0] in routes.catalog.endpoints:
        return ()
    keyed = [
        offer.endpoint
        for offer in routes.catalog.offers_called(name)
        if offer.endpoint != SIMULATOR and routes.settings.endpoints[offer.endpoint].keys.value
    ]
    return tuple(endpoint for endpoint in keyed if not rules.routes or endpoint in rules.routes)


def _may(rules: KeyRules, resolved: Resolved, request: ImageRequest) -> bool:
    if rules.routes and resolved.endpoint.name not in rules.routes:
        return False
    price = _estimate(resolved, request)
    return rules.max_price_nusd is None or (price is not None and price <= rules.max_price_nusd)


def _why_not(rules: KeyRules, found: Sequence[Resolved], request: ImageRequest) -> str:
    here = [one for one in found if not rules.routes or one.endpoint.name in rules.routes]
    if not here:
        return f"this key may go by {', '.join(rules.routes)}, where {request.model} is not to be had now"
    prices = [price for one in here if (price := _estimate(one, request)) is not None]
    cheapest = f"costs {dollars(min(prices))}" if prices else "has no price that is known"
    ceiling = dollars(rules.max_price_nusd or 0)
    return f"this key may pay {ceiling} for a picture, and one of {request.model} in this form {cheapest}"


def _priced(via: tuple[str, ...], ways: Sequence[Resolved], request: ImageRequest) -> Ways:
    """With the price of the dearest way, since it may come to that."""
    prices, leasts = zip(*(_prices(one, request) for one in ways), strict=True)
    known = None not in prices and None not in leasts
    return Ways(via, max(prices) * request.n, max(leasts) * request.n) if known else Ways(via)


def _prices(resolved: Resolved, request: ImageRequest) -> tuple[int | None, int | None]:
    """What to set aside for a picture, as the engine will, and what it is expected to cost."""
    estimate = _estimate(resolved, request)
    if estimate is None:
        return None, None
    return Budget(None).price("", estimate, PriceBook.of(resolved).bound(_slot(request))), estimate


def _estimate(resolved: Resolved, request: ImageRequest) -> int | None:
    return PriceBook.of(resolved).estimate(_slot(request))


def _slot(request: ImageRequest) -> Slot:
    return Slot("", "", 0, 0, request)
