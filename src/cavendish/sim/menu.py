"""Menu: which models a simulated endpoint serves, by the ids that callers use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType

from ..catalog.cards import ModelCard, ModelId, Offer, PriceCard
from ..catalog.resolve import Catalog
from ..model.request import ImageRequest
from .profile import Profile


@dataclass(frozen=True, slots=True)
class Entry:
    """A model under one of its ids, as this endpoint offers it."""

    id: str
    card: ModelCard
    offer: Offer
    released: date | None = None
    retires: date | None = None

    def size_word(self, request: ImageRequest) -> str:
        """The size word that the request comes out in."""
        return request.size or self.card.default_size

    def pixels(self, request: ImageRequest) -> tuple[int, int]:
        """Width and height of the picture that the request comes out as."""
        pixels = self.card.sizes[self.size_word(request)].pixels
        ratio = request.aspect_ratio or self.card.default_ratio
        return pixels.get(ratio) or pixels.get("1:1") or next(iter(pixels.values()))

    def price(self, mode: str) -> PriceCard | None:
        """What it costs here in a mode."""
        return self.offer.prices.get(mode)


class Menu:
    """The models of one endpoint."""

    def __init__(self, cards: Iterable[ModelCard], offers: Iterable[Offer], *, keeps_retired: bool = False) -> None:
        by_model = {card.id: card for card in cards}
        entries: dict[str, Entry] = {}
        for offer in offers:
            for entry in _entries(by_model[offer.model], offer, keeps_retired=keeps_retired or offer.keeps_retired):
                entries.setdefault(entry.id, entry)
        self._entries: Mapping[str, Entry] = MappingProxyType(entries)

    def find(self, model: str, wall: float) -> Entry | None:
        """The entry of an id that still answers at this moment (epoch seconds); ``models/`` before it does no harm."""
        entry = self._entries.get(model.removeprefix("models/"))
        return entry if entry and _answers(entry, wall) else None

    def all(self, wall: float) -> tuple[Entry, ...]:
        """Every id that answers at this moment."""
        return tuple(entry for entry in self._entries.values() if _answers(entry, wall))


def menu_of(profile: Profile, catalog: Catalog) -> Menu:
    """The models that a profile's endpoint offers by the catalog."""
    offers = catalog.offers_at(profile.endpoint)
    return Menu(catalog.models.values(), offers, keeps_retired=profile.quirks.keeps_retired)


def _entries(card: ModelCard, offer: Offer, *, keeps_retired: bool) -> Iterable[Entry]:
    ids = {known.id: known for known in card.ids}
    for name in dict.fromkeys((offer.wire_id, *offer.serves, *ids)):
        known = ids.get(name, ModelId(name))
        yield Entry(name, card, offer, known.released, None if keeps_retired else known.retires)


def _answers(entry: Entry, wall: float) -> bool:
    return entry.retires is None or datetime.fromtimestamp(wall, UTC).date() < entry.retires
