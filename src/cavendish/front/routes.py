"""Routes: which endpoints a run may use, and what each model's name comes to there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any

from ..catalog.cards import EndpointCard, Limits
from ..catalog.fit import check_prompt, fit, insist, told
from ..catalog.resolve import Catalog, Resolved, UnknownModel
from ..config import MAX_RPM, Settings
from ..dialects.by_name import DIALECTS
from ..errors import ConfigError, RequestError
from ..govern.fairness import Priority
from ..io.http.files_placed import FILES_API
from ..io.http.provider import TIMEOUT_HEADER
from ..io.http.stated import COST_HEADER
from ..io.http.usage import USAGE
from ..model.call import Open
from ..model.request import ImageRequest, Notice, Text
from ..wire.dialect import Dialect
from . import said
from .stand_in import SIMULATOR, stand_in

TRANSPORT_OPTIONS = frozenset({TIMEOUT_HEADER, FILES_API, USAGE, COST_HEADER})
"""Options of an endpoint that are the transport's, not the dialect's."""

DEFAULT_MODELS = ("nano-banana-2.1", "nano-banana-2", "gpt-image-2", "seedream-4.5", "flux-2-pro")
"""What is drawn with when nothing is said: the first that is to be had where the user has a key."""


@dataclass(frozen=True, slots=True)
class RouteWish:
    """What the user said about routes: endpoints in the order of preference, the tier and rate of the key, the mode.

    ``keyless``: nothing will be called, so a key is not asked for. Raises ``RequestError`` for what can be none of
    these.
    """

    via: tuple[str, ...] = ()
    tier: str | None = None
    rpm: int | None = None
    mode: str | None = None
    strict: bool = False
    keyless: bool = False

    def __post_init__(self) -> None:
        said.words("via", self.via)
        for name in ("tier", "mode"):
            if (value := getattr(self, name)) is not None:
                said.text(name, value)
        if self.rpm is not None:
            said.whole("rpm", self.rpm, 1, MAX_RPM)


NAMES_KEPT = 4096
"""Models by the names that they were asked for by: anybody may make up one that an endpoint is to know."""

FITS_KEPT = 1024
"""Requests of so many kinds are remembered: the rows of a file mostly differ in their words alone."""


@dataclass(slots=True)
class Routes:
    """Resolves names, each once. ``notices`` collects what the catalog had to say, each once.

    ``priority`` is how urgently what is asked for by these routes is wanted, ``of_simulator`` what the
    simulator allows where it does not do as its provider's usual tier.
    """

    catalog: Catalog
    settings: Settings
    wish: RouteWish
    today: date
    notices: dict[str, Notice] = field(default_factory=dict[str, Notice])
    priority: Priority = Priority.INTERACTIVE
    of_simulator: Limits | None = None
    _known: dict[str, tuple[Resolved, ...]] = field(default_factory=dict[str, tuple[Resolved, ...]])
    _fits: dict[object, _Fit] = field(default_factory=dict[object, "_Fit"])

    def anew(self) -> Routes:
        """The same routes with nothing noted yet: for one more request of a program that serves many."""
        return replace(self, notices={})

    def resolve(self, name: str) -> tuple[Resolved, ...]:
        """The routes to a model, the preferred one first. Raises ``RequestError`` or ``ConfigError``."""
        if name not in self._known:
            found = tuple(self._at(endpoint, name) for endpoint in self.endpoints(name))
            for resolved in found:
                # A tier that the route does not have is an error now, not when the first call is to leave.
                self.limits(resolved)
            if len(self._known) >= NAMES_KEPT:
                self._known.clear()
            self._known[name] = found
        for resolved in self._known[name]:
            self._note(resolved.notices)
        return self._known[name]

    def _at(self, endpoint: str, name: str) -> Resolved:
        other = stand_in(self.catalog, name, self.today, self.wish.mode) if endpoint == SIMULATOR else None
        return other or self.catalog.resolve(name, endpoint, self.today, self.wish.mode)

    def fitted(self, request: ImageRequest) -> ImageRequest:
        """The request as its model can do it, normalised with notices. Raises ``RequestError`` for what no model can.

        Its ``model`` is a name that stays the same while ids come and go: the canonical one, or the exact id that the
        user gave.
        """
        found = self.resolve(request.model)
        kind = _but_for_words(request)
        known = self._fits.get(kind) if kind else None
        if known is None or known.found is not found:
            known = self._fit(found, request)
            if kind:
                if len(self._fits) >= FITS_KEPT:
                    self._fits.clear()
                self._fits[kind] = known
        else:
            for resolved in found:
                check_prompt(request, resolved.card)
        self._note(known.notices)
        return request.having(**known.changes) if known.changes else request

    def _fit(self, found: tuple[Resolved, ...], request: ImageRequest) -> _Fit:
        first, *others = found
        fitted = fit(request, first, strict=self.wish.strict)
        notices = [notice for other in others for notice in fit(request, other, strict=self.wish.strict).notices]
        notices += fitted.notices
        # How many pictures one call is asked for is the run's business, and no loss where a call gives one.
        notices += dialect_of(first).unsupported(Open(told(fitted.request, first).having(n=1)))
        place = f"{first.endpoint.name}/"
        # Whoever named the endpoint with the model is not sent elsewhere.
        named = place if request.model.strip().startswith(place) else ""
        as_named = request.model.removeprefix(place) == first.route.wire_model
        made = fitted.request.having(model=request.model if as_named else named + first.card.id)
        changes = {name: getattr(made, name) for name in _FIELDS if getattr(made, name) != getattr(request, name)}
        return _Fit(found, changes, tuple(notices))

    def endpoints(self, name: str) -> Sequence[str]:
        """Where a model is asked for: where the user said, else where there is a key, else at the simulator."""
        wanted = self.wish.via or ((self.settings.endpoint.value,) if self.settings.endpoint.value else ())
        if SIMULATOR in wanted and len(wanted) > 1:
            raise _no_stand_in("name sim alone, or leave it out")
        if wanted:
            for endpoint in wanted:
                self._must_be_usable(endpoint)
            return wanted
        named = name.strip().partition("/")[0]
        if named in self.catalog.endpoints:
            self._must_be_usable(named)
            if named == SIMULATOR and not self.simulated:
                raise _no_stand_in("name sim as the endpoint of the whole run")
            if named != SIMULATOR and SIMULATOR in self._asked:
                raise _no_stand_in("name an endpoint for all of the run")
            return (named,)
        offers = self.catalog.offers_called(name)
        keyed = [offer.endpoint for offer in offers if self._has_key(offer.endpoint)]
        if not keyed and self.has_any_key:
            places = [offer.endpoint for offer in offers if offer.endpoint != SIMULATOR]
            if not places:
                raise self.catalog.nowhere(name, self.catalog.find(name))
            hint = f"it is offered at {', '.join(places)}"
            raise ConfigError(f"there is no key for an endpoint that offers {name}", hints=(hint,))
        if not (keyed or self.simulated):
            raise _no_stand_in("name an endpoint for all of the run")
        # Of several the catalog's first; but none that cannot do it, or may have ended, while another still can.
        return sorted(keyed, key=lambda endpoint: self._doubts(name, endpoint))[:1] or (SIMULATOR,)

    def _doubts(self, name: str, endpoint: str) -> int:
        """How far an endpoint is from being sure to have a model, in the mode that is wished: 0 when it is."""
        try:
            resolved = self.catalog.resolve(name, endpoint, self.today, self.wish.mode)
        except RequestError:
            return 2
        return 1 if any(notice.code == "model_retired" for notice in resolved.notices) else 0

    @property
    def default_model(self) -> str:
        """The model of the settings, else the first of ``DEFAULT_MODELS`` that the run's endpoints offer."""
        if self.settings.model.value:
            return self.settings.model.value
        places = self.wish.via or tuple(filter(None, (self.settings.endpoint.value,)))
        places = places or tuple(n for n in self.catalog.endpoints if self._has_key(n)) or (SIMULATOR,)
        for name in DEFAULT_MODELS:
            card = self.catalog.find(name)
            if card and any(self.catalog.offer(place, card.id) for place in places):
                return name
        for place in places:
            if place in self.catalog.open_offers:
                hint = f"{place} takes any name: say -m MODEL, as its server calls it"
                raise UnknownModel("no model is named", hints=(hint,))
            for offer in self.catalog.offers_at(place):
                return offer.model
        return DEFAULT_MODELS[0]

    @property
    def has_any_key(self) -> bool:
        """Whether the user holds a key for anything."""
        return any(self._has_key(name) for name in self.catalog.endpoints)

    @property
    def simulated(self) -> bool:
        """Whether the simulator may answer: it was asked for, or there is no key for anything."""
        wanted = {*self.wish.via, self.settings.endpoint.value}
        # An endpoint that takes no key may have been named with a model.
        elsewhere = wanted - {None} or self.has_any_key or self._asked - {SIMULATOR}
        return SIMULATOR in wanted or not elsewhere

    @property
    def _asked(self) -> set[str]:
        return {resolved.endpoint.name for found in self._known.values() for resolved in found}

    @property
    def cards(self) -> tuple[EndpointCard, ...]:
        """The endpoints that the run is known to ask, as far as its rows were read."""
        asked = {*self.wish.via, *self._asked}
        return tuple(card for name, card in self.catalog.endpoints.items() if name in asked)

    def keys_of(self, endpoint: str) -> int:
        """How many keys share the work at an endpoint; 1 where none is needed."""
        return max(1, len(self.settings.endpoints[endpoint].keys.value))

    def _has_key(self, endpoint: str) -> bool:
        return bool(self.settings.endpoints[endpoint].keys.value)

    def limits(self, resolved: Resolved) -> Limits:
        """The limits of the key: what the user said of it, else those of its tier, else none known."""
        own = self.settings.endpoints[resolved.endpoint.name]
        tier = self.wish.tier or own.tier.value
        offered = resolved.offer.tiers
        if self.wish.tier and not offered:
            hint = "say what the key may do with --rpm, or give the offer tiers in your configuration file"
            raise ConfigError(f"no tiers are known of {resolved.endpoint.name}/{resolved.card.id}", hints=(hint,))
        if tier and offered and tier not in offered:
            raise ConfigError(f"{resolved.endpoint.name} has no tier {tier!r}", hints=(f"known: {', '.join(offered)}",))
        limits = self.of_simulator if resolved.endpoint.name == SIMULATOR and not tier else None
        if limits is None:
            limits = offered.get(tier or resolved.endpoint.default_tier, Limits())
        rpm = self.wish.rpm or own.rpm.value
        if rpm is None:
            return limits
        # Who names the rate of a key knows it; a smaller number of pictures a minute would be the tier's.
        return replace(limits, requests_per_minute=rpm, images_per_minute=limits.images_per_minute if tier else None)

    def _must_be_usable(self, endpoint: str) -> None:
        card = self.catalog.endpoints.get(endpoint)
        if card is None:
            raise ConfigError(
                f"no endpoint is named {endpoint!r}", hints=(f"known: {', '.join(self.catalog.endpoints)}",)
            )
        if card.needs_key and not self.wish.keyless and not self.settings.endpoints[endpoint].keys.value:
            names = " or ".join(card.key_env) or f"CAVENDISH_{endpoint.upper()}_API_KEY"
            raise ConfigError(
                f"there is no key for {endpoint}",
                hints=(f"set {names}", "without any key, leave --via out: the simulator answers, and says so"),
            )

    def _note(self, notices: Sequence[Notice]) -> None:
        if self.wish.strict:
            insist(notices)
        self.note(notices)

    def note(self, notices: Iterable[Notice]) -> None:
        """Collect notices that change nothing about a picture, so are none of strictness's business."""
        for notice in notices:
            self.notices.setdefault(notice.text, notice)


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a request is changed to fit; as long as the routes are ``found``, so are all that differ in words alone."""

    found: tuple[Resolved, ...]
    changes: Mapping[str, Any]
    notices: tuple[Notice, ...]


_FIELDS = tuple(one.name for one in fields(ImageRequest) if one.name != "turns")


def _but_for_words(request: ImageRequest) -> object:
    """What a request asks for beside its words; ``None`` when it has more than a few of them."""
    if request.extra or request.system or len(request.turns) != 1:
        return None
    (turn,) = request.turns
    if len(turn.parts) != 1 or type(turn.parts[0]) is not Text or turn.parts[0] != Text(turn.parts[0].text):
        return None
    return turn.role, tuple(getattr(request, name) for name in _FIELDS if name != "extra")


def _no_stand_in(hint: str) -> ConfigError:
    """Where there is a key, simulated pictures must never slip in among real ones."""
    return ConfigError("simulated pictures stand in for no real ones", hints=(hint,))


def dialect_of(resolved: Resolved) -> Dialect:
    """The dialect that a route's endpoint speaks."""
    return speaks(resolved.endpoint)


def speaks(endpoint: EndpointCard) -> Dialect:
    """The dialect of an endpoint, with its options. Raises ``ConfigError`` for one that is not known."""
    make = DIALECTS.get(endpoint.dialect)
    options = {name: value for name, value in endpoint.options.items() if name not in TRANSPORT_OPTIONS}
    if make is None:
        raise ConfigError(
            f"endpoint {endpoint.name}: no dialect is named {endpoint.dialect!r}",
            hints=(f"known: {', '.join(DIALECTS)}",),
        )
    try:
        return make(**options)
    except TypeError as error:
        raise ConfigError(f"endpoint {endpoint.name}: options: {error}") from error
