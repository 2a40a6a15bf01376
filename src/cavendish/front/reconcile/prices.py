"""Prices: what the catalog knows of booked calls: its names of models, and what pictures cost where they were made."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ...catalog.cards import PriceCard
from ...catalog.resolve import Catalog
from .calls import OurCall
from .match import Canonical, names_of


class CatalogPrices:
    """Implements ``Prices``."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def pictures(self, call: OurCall) -> Collection[int]:
        """What single pictures cost there by any size or quality; none where no price is known."""
        card = self._card(call)
        if card is None:
            return ()
        return (card.per_request,) if card.per_request is not None else frozenset(card.per_picture.values())

    def is_flat(self, call: OurCall) -> bool:
        """Whether a call costs the same there whatever it uses."""
        card = self._card(call)
        return card is not None and card.per_request is not None

    def source(self, call: OurCall) -> str:
        """The offer, and as of when its price is known."""
        card = self._card(call)
        offer = f"{call.endpoint}/{call.model} ({call.mode})"
        if card is None or card.provenance is None:
            return f"the catalog knows no price of {offer}"
        return f"the catalog's price of {offer} is of {card.provenance.as_of}"

    def _card(self, call: OurCall) -> PriceCard | None:
        offer = self._catalog.offer(call.endpoint, call.model)
        return offer.prices.get(call.mode) if offer else None


def names(catalog: Catalog, calls: Iterable[OurCall]) -> Canonical:
    """Reads models' names by the catalog, and by what our own calls were sent under."""
    known = dict(catalog.names)
    known |= {each: offer.model for offer in catalog.offers.values() for each in (offer.wire_id, *offer.serves)}
    known |= {card.name: card.id for card in catalog.models.values()}
    for call in calls:
        known.setdefault(call.model, call.model)
        known.setdefault(call.wire_model, call.model)
    return names_of(known)
