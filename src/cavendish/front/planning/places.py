"""Places: which endpoints a plan may think of, and a model's routes there; what cannot be had is told with its reason.

A plan makes no call, so it needs no key: without any, it compares all endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from ...catalog.cards import Limits
from ...catalog.resolve import Resolved
from ...config import MAX_RPM
from ...errors import ConfigError, RequestError
from .. import said
from ..order import BATCH
from ..routes import SIMULATOR, Routes, RouteWish
from ..stand_in import stand_in

if TYPE_CHECKING:
    from ..build import Setup

RETIRED = "model_retired"
ALL = ""
"""Stands for every endpoint, where something is said of each."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a user says of keys, for all endpoints or by endpoint: ``10`` or ``google=10,apiyi=60``."""

    words: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def read(cls, text: str | None) -> Said:
        """Each part is a word, or ENDPOINT=WORD."""
        parts = [part.strip().rpartition("=") for part in (text or "").split(",") if part.strip()]
        return cls({place.strip(): word.strip() for place, _, word in parts})

    def of(self, endpoint: str) -> str | None:
        """What was said of this endpoint."""
        return self.words.get(endpoint, self.words.get(ALL))


@dataclass(frozen=True, slots=True)
class Route:
    """A model at an endpoint in a mode. ``why_not`` says why it is not to be planned with, if so."""

    resolved: Resolved
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """An endpoint that has no route to a model, and why."""

    endpoint: str
    model: str
    why_not: str


@dataclass(slots=True)
class WideRoutes(Routes):
    """Routes of which none is preferred: a request is checked against the first that offers its model."""

    @classmethod
    def like(cls, routes: Routes) -> Self:
        """The same wishes without a preference."""
        return cls(routes.catalog, routes.settings, routes.wish, routes.today)

    def endpoints(self, name: str) -> Sequence[str]:
        """One that offers the model, rather one that surely does."""
        return sorted(self.places(name), key=lambda endpoint: self._doubts(name, endpoint))[:1]

    def places(self, name: str) -> Sequence[str]:
        """All endpoints that offer it: of those that were named, else wherever. Raises ``RequestError`` for none."""
        prefix = name.strip().partition("/")[0]
        if prefix in self.catalog.endpoints:
            return (prefix,)
        offered = tuple(dict.fromkeys(offer.endpoint for offer in self.catalog.offers_called(name)))
        if not self.named:
            found = tuple(endpoint for endpoint in offered if endpoint != SIMULATOR)
        else:
            found = tuple(endpoint for endpoint in self.named if endpoint in offered or self._takes_any(endpoint))
        if not found:
            raise self.catalog.nowhere(name, self.catalog.find(name), self.named[0] if self.named else None)
        return found

    @property
    def named(self) -> tuple[str, ...]:
        """The endpoints that the user named, if any. Raises ``ConfigError`` for one that there is not."""
        settings = self.settings.endpoint.value
        wanted = self.wish.via or ((settings,) if settings else ())
        for endpoint in wanted:
            self._must_be_usable(endpoint)
        return wanted

    def has_key(self, endpoint: str) -> bool:
        """Whether a call could be made there, as far as can be told without asking."""
        card = self.catalog.endpoints[endpoint]
        if card.auth == "google":
            return self._has_key(endpoint) or bool(self.settings.endpoints[endpoint].project.value)
        return self._has_key(endpoint) or not card.needs_key

    def _takes_any(self, endpoint: str) -> bool:
        return endpoint == SIMULATOR or endpoint in self.catalog.open_offers


def wide_routes(setup: Setup, wish: RouteWish) -> WideRoutes:
    """Routes to plan with, as the settings and a wish have them."""
    return WideRoutes.like(setup.routes(wish))


def routes_to(routes: WideRoutes, name: str) -> Iterator[Route | Missing]:
    """Every route to a model in each of its modes, with those that are out of the question."""
    for endpoint in routes.named:
        if endpoint not in routes.places(name):
            yield Missing(endpoint, name, "does not offer it")
    for endpoint in routes.places(name):
        modes = [routes.wish.mode] if routes.wish.mode else [None]
        try:
            usual = _at(routes, endpoint, name, modes[0])
        except RequestError as error:
            yield Missing(endpoint, name, error.message)
            continue
        # What no price is known of has no modes to choose from.
        for mode in modes if routes.wish.mode else usual.offer.prices or [usual.route.mode]:
            resolved = replace(usual, route=replace(usual.route, mode=str(mode)))
            yield Route(resolved, _why_not(routes, resolved))


def _at(routes: WideRoutes, endpoint: str, name: str, mode: str | None) -> Resolved:
    other = stand_in(routes.catalog, name, routes.today, mode) if endpoint == SIMULATOR else None
    return other or routes.catalog.resolve(name, endpoint, routes.today, mode)


def _why_not(routes: WideRoutes, resolved: Resolved) -> str:
    """Why a route is nothing to plan with, empty if it is. Whoever names an endpoint may plan before there is a key."""
    card, mode = resolved.endpoint, resolved.route.mode
    endpoint = resolved.route.endpoint
    if endpoint in routes.named:
        return ""
    if routes.has_any_key and not routes.has_key(endpoint):
        if card.auth == "google":
            return f"there is no project (set {', '.join(card.place_env.get('project', ()))})"
        return f"there is no key (set {card.key_env[0]})" if card.key_env else "there is no key"
    if routes.has_key(endpoint) and routes.wish.mode is None and mode not in {card.default_mode, BATCH}:
        return f"the key has to be one that is billed so (say --mode {mode})"
    return "" if routes.has_any_key else ended(resolved)


def ended(resolved: Resolved) -> str:
    """That a route may not answer any more, empty if it surely does."""
    said_of_it = next((notice.text for notice in resolved.notices if notice.code == RETIRED), "")
    return said_of_it.partition(";")[0]


def limits_at(routes: WideRoutes, resolved: Resolved, tiers: Said, rates: Said) -> Limits:
    """The limits of a key there.

    Raises ``ConfigError`` for a tier that was said of this very endpoint, or of the only one, and is none of its;
    ``RequestError`` for a rate that is none.
    """
    endpoint = resolved.route.endpoint
    rate, tier = rates.of(endpoint), tiers.of(endpoint)
    rpm = None if rate is None else _whole(rate)
    own = replace(routes.wish, tier=tier, rpm=rpm)
    try:
        return Routes(routes.catalog, routes.settings, own, routes.today).limits(resolved)
    except ConfigError:
        if endpoint in tiers.words or len(routes.named) == 1:
            raise
        # A tier is one vendor's word: of the others it says nothing.
        return Routes(routes.catalog, routes.settings, replace(own, tier=None), routes.today).limits(resolved)


def _whole(text: str) -> int:
    if not text.isdecimal():
        message = f"rpm must be a number of requests a minute, or ENDPOINT=NUMBER, not {text!r}"
        raise RequestError(message, field="rpm")
    return said.whole("rpm", int(text), 1, MAX_RPM)
