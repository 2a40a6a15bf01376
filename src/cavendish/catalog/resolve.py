"""Which id is sent where: the name that a user gave becomes a model, an endpoint's offer and a route."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from ..errors import RequestError
from ..model.request import Notice
from ..model.result import Route
from .cards import EndpointCard, ModelCard, ModelId, Offer, PriceCard, ReferenceLimits

RETIRING_DAYS = 30
"""A month's notice: long enough to change a job's settings, short enough not to be noise."""


class Life(StrEnum):
    """Where an id stands. Retired means past the earliest day on which it may stop to answer."""

    ANNOUNCED = "announced"
    CURRENT = "current"
    RETIRING = "retiring"
    RETIRED = "retired"


class UnknownModel(RequestError):
    """A name that leads to no model."""

    def __init__(self, message: str, *, allowed: Sequence[str] = (), hints: Sequence[str] = ()) -> None:
        super().__init__(message, field="model", allowed=allowed, hints=hints)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name came to. ``known`` is false for a model that the catalog has no card of: then nothing is checked."""

    card: ModelCard
    endpoint: EndpointCard
    offer: Offer
    route: Route
    notices: tuple[Notice, ...] = ()
    known: bool = True

    @property
    def price(self) -> PriceCard | None:
        """What the route costs, ``None`` when no price is known."""
        return self.offer.prices.get(self.route.mode)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models by canonical id, endpoints by name, offers by ``endpoint/model``.

    ``names`` are all names of models in lower case, with the canonical id that each stands for. ``open_offers`` are
    those of endpoints, by name, that take whatever they are asked for.
    """

    models: Mapping[str, ModelCard]
    endpoints: Mapping[str, EndpointCard]
    offers: Mapping[str, Offer]
    names: Mapping[str, str]
    open_offers: Mapping[str, Offer] = field(default_factory=dict[str, Offer])

    def find(self, name: str) -> ModelCard | None:
        """The model of an alias, a canonical name or a provider's id; upper and lower case are alike."""
        model = self.names.get(_bare(name).lower())
        return None if model is None else self.models[model]

    def offer(self, endpoint: str, model: str) -> Offer | None:
        """A model's offer at an endpoint."""
        return self.offers.get(f"{endpoint}/{model}")

    def offers_at(self, endpoint: str) -> tuple[Offer, ...]:
        """All that an endpoint offers."""
        return tuple(offer for offer in self.offers.values() if offer.endpoint == endpoint)

    def offers_of(self, model: str) -> tuple[Offer, ...]:
        """Where a model is to be had."""
        return tuple(offer for offer in self.offers.values() if offer.model == model)

    def offers_called(self, name: str) -> tuple[Offer, ...]:
        """Where a model is to be had by any of its names, or by an id that only its host gives it."""
        if card := self.find(name):
            return self.offers_of(card.id)
        return tuple(offer for offer in self.offers.values() if _bare(name) in {offer.wire_id, *offer.serves})

    def resolve(self, name: str, endpoint: str | None, today: date, mode: str | None = None) -> Resolved:
        """The route to a model: by alias, by a provider's id, or as ``endpoint/id``.

        Without an endpoint it is the first in the catalog that offers the model. Raises ``RequestError`` for a name
        that leads nowhere, with what was probably meant; an id unknown to the catalog must be asked for as
        ``endpoint/id``.
        """
        endpoint, name, explicit = self._split(_bare(name), endpoint)
        card = self.find(name) or self._by_wire_id(name, endpoint)
        place = self._endpoint(endpoint, card)
        if card is None or self.offer(place.name, card.id) is None:
            if name and place.name in self.open_offers:
                return _open(name, self.open_offers[place.name], place, mode)
            if explicit and _is_id(name, card):
                return _unlisted(name, card, place, mode)
            raise self.nowhere(name, card, place.name if endpoint else None)
        offer = self.offers[f"{place.name}/{card.id}"]
        wire_id = _wire_id(name, card, offer, today)
        notices = () if offer.keeps_retired else self._life_notices(card, wire_id, today)
        return Resolved(card, place, offer, Route(place.name, card.id, wire_id, _mode(mode, offer, place)), notices)

    def successor(self, wire_id: str, today: date) -> str:
        """The id to use instead of this one: the next in its line that is not past its date, or the last."""
        seen = [_bare(wire_id)]
        # A ring in a user's file ends where it began.
        while (known := self._id(seen[-1])) and known.successor and known.successor not in seen:
            seen.append(known.successor)
            if not _retired(self._id(seen[-1]), today):
                break
        return "" if len(seen) == 1 else seen[-1]

    def successor_hint(self, wire_id: str, today: date) -> str:
        """A sentence for an endpoint's "no such model": since when, and what to ask for instead. Empty when unknown."""
        known, successor = self._id(_bare(wire_id)), self.successor(wire_id, today)
        since = f"{wire_id} was due to end on {known.retires}" if known and known.retires else ""
        instead = f"use {successor} instead" if successor else ""
        return "; ".join(part for part in (since, instead) if part)

    # --- the steps of resolve -------------------------------------------------------------------------------------

    def _split(self, name: str, endpoint: str | None) -> tuple[str | None, str, bool]:
        """Endpoint, name, and whether the name said the endpoint itself."""
        head, slash, rest = name.partition("/")
        if slash and rest and head in self.endpoints and endpoint in {None, head}:
            return head, rest, True
        return endpoint, name, False

    def _by_wire_id(self, name: str, endpoint: str | None) -> ModelCard | None:
        for offer in self.offers.values():
            if name in {offer.wire_id, *offer.serves} and endpoint in {None, offer.endpoint}:
                return self.models[offer.model]
        return None

    def _endpoint(self, name: str | None, card: ModelCard | None) -> EndpointCard:
        if name is None:
            offers = self.offers_of(card.id) if card else ()
            return self.endpoints[offers[0].endpoint] if offers else next(iter(self.endpoints.values()))
        if name not in self.endpoints:
            message = f"no endpoint is named {name!r}"
            raise RequestError(message, field="endpoint", allowed=tuple(self.endpoints))
        return self.endpoints[name]

    def nowhere(self, name: str, card: ModelCard | None = None, endpoint: str | None = None) -> RequestError:
        """What to say of a name that leads nowhere, with what was probably meant."""
        offers = self.offers_at(endpoint) if endpoint else tuple(self.offers.values())
        allowed = tuple(dict.fromkeys(_short_name(self.models[offer.model]) for offer in offers))
        hints: list[str] = []
        if card is not None and (others := self.offers_of(card.id)):
            hints.append(f"{card.name} is offered at {', '.join(offer.endpoint for offer in others)}")
        elif close := self._close(name, offers):
            hints.append(f"did you mean {' or '.join(close)}?")
        hints.append(f"{endpoint or 'the catalog'} offers {', '.join(allowed) or 'no model'}")
        if card is None:
            hints.append(
                f"an id that the catalog does not know is sent when asked for as {endpoint or 'ENDPOINT'}/{name}"
            )
        at = f" at {endpoint}" if endpoint else ""
        return UnknownModel(f"no model is named {name!r}{at}", allowed=allowed, hints=hints)

    def _close(self, name: str, offers: tuple[Offer, ...]) -> list[str]:
        offered = {offer.model for offer in offers}
        names = [known for known, model in self.names.items() if model in offered]
        return difflib.get_close_matches(name.lower(), names, n=3)

    def _id(self, wire_id: str) -> ModelId | None:
        card = self.find(wire_id)
        return next((known for known in card.ids if known.id == wire_id), None) if card else None

    def _life_notices(self, card: ModelCard, wire_id: str, today: date) -> tuple[Notice, ...]:
        known = next((known for known in card.ids if known.id == wire_id), None)
        if known is None:
            return ()
        successor = self.successor(wire_id, today)
        then = f"; its successor is {successor}" if successor else ""
        match life_of(known, today):
            case Life.RETIRED:
                text = f"{wire_id} was due to end on {known.retires} and may not answer{then}"
                return (Notice("model_retired", text, "model"),)
            case Life.RETIRING:
                return (Notice("model_retiring", f"{wire_id} may end on {known.retires}{then}", "model"),)
            case _:
                return ()


def _bare(name: str) -> str:
    """The name without the ``models/`` that Google puts before its ids."""
    return name.strip().removeprefix("models/")


def _is_id(name: str, card: ModelCard | None) -> bool:
    """Whether the name may be sent as it is: it is no alias of ours, so it must be meant as the endpoint's own."""
    return bool(name) and (card is None or any(known.id == name for known in card.ids))


def _short_name(card: ModelCard) -> str:
    return card.aliases[0] if card.aliases else card.id


def life_of(known: ModelId, today: date) -> Life:
    """Where an id stands on a day, by the dates that are known of it."""
    if known.released is not None and today < known.released:
        return Life.ANNOUNCED
    if known.retires is None:
        return Life.CURRENT
    if known.retires <= today:
        return Life.RETIRED
    return Life.RETIRING if (known.retires - today).days <= RETIRING_DAYS else Life.CURRENT


def _retired(known: ModelId | None, today: date) -> bool:
    return known is not None and life_of(known, today) is Life.RETIRED


def _wire_id(name: str, card: ModelCard, offer: Offer, today: date) -> str:
    """The id to send: the user's own when it is one, else the offer's first that is alive today."""
    dates = {known.id: known for known in card.ids}
    served = (offer.wire_id, *offer.serves)
    # A host with a spelling of its own does not know the maker's ids.
    known_there = (*served, *dates) if offer.wire_id in dates else served
    exact = next((known for known in known_there if known.lower() == name.lower()), None)
    if exact is not None:
        return exact
    released = [wire_id for wire_id in served if _released(dates.get(wire_id), today)]
    alive = [wire_id for wire_id in released if offer.keeps_retired or not _retired(dates.get(wire_id), today)]
    return next(iter(alive or released or served))


def _released(known: ModelId | None, today: date) -> bool:
    return known is None or life_of(known, today) is not Life.ANNOUNCED


def _mode(mode: str | None, offer: Offer, endpoint: EndpointCard) -> str:
    if mode is None:
        return endpoint.default_mode
    if mode not in {*offer.prices, endpoint.default_mode}:
        message = f"{endpoint.name} does not offer {offer.model} in the mode {mode!r}"
        allowed = tuple(offer.prices) or (endpoint.default_mode,)
        raise RequestError(message, field="mode", allowed=allowed, hints=(f"it can: {', '.join(allowed)}",))
    return mode


def _open(name: str, offer: Offer, endpoint: EndpointCard, mode: str | None) -> Resolved:
    """A model by any name, of which nothing is known but what the endpoint says of all that it serves."""
    offer = replace(offer, model=name, wire_id=name)
    route = Route(endpoint.name, name, name, _mode(mode, offer, endpoint))
    return Resolved(_blank(name), endpoint, offer, route, known=False)


def _blank(name: str) -> ModelCard:
    return ModelCard(name, name, (), (ModelId(name),), {}, "", (), "", ReferenceLimits())


def _unlisted(name: str, card: ModelCard | None, endpoint: EndpointCard, mode: str | None) -> Resolved:
    model = card.id if card else name
    text = f"the catalog does not know {name} at {endpoint.name}: it is sent as it is, and its price is unknown"
    return Resolved(
        card=card or _blank(name),
        endpoint=endpoint,
        offer=Offer(model, endpoint.name, name),
        route=Route(endpoint.name, model, name, mode or endpoint.default_mode),
        notices=(Notice("model_unknown", text, "model"),),
        known=card is not None,
    )
