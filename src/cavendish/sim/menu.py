"""Menu: which models a simulated endpoint serves, by the ids that callers use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import MappingProxyType

from ..catalog.cards import ModelCard, ModelId, Offer, PixelRule, PriceCard, ReferenceLimits, SizeCard
from ..catalog.resolve import Catalog
from ..model.request import ImageRequest
from .profile import Profile

_PIXELS = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)
NAMED_PIXELS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "square_hd": (1024, 1024),
        "square": (512, 512),
        "portrait_4_3": (768, 1024),
        "portrait_16_9": (576, 1024),
        "landscape_4_3": (1024, 768),
        "landscape_16_9": (1024, 576),
    }
)
"""fal's names of sizes (fal.ai/docs, 2026-11)."""

ANYTHING = ModelCard(
    id="anything",
    name="Anything",
    aliases=(),
    ids=(),
    sizes={"1K": SizeCard("1K", {"1:1": (1024, 1024)})},
    default_size="1K",
    ratios=("1:1",),
    default_ratio="1:1",
    references=ReferenceLimits(total=16, masks=1),
    output_types=("image/png",),
    per_call=10,
    any_pixels=PixelRule(shortest=16, longest=8192),
)
"""What an endpoint draws with that takes any model's name."""


def pixels_of(size: str | None) -> tuple[int, int] | None:
    """Width and height of a size that says them, ``None`` for a word."""
    found = _PIXELS.fullmatch(size or "")
    return (int(found[1]), int(found[2])) if found else NAMED_PIXELS.get(size or "")


@dataclass(frozen=True, slots=True)
class Entry:
    """A model under one of its ids, as this endpoint offers it."""

    id: str
    card: ModelCard
    offer: Offer
    released: date | None = None
    retires: date | None = None

    def size_word(self, request: ImageRequest) -> str:
        """The size word that the request comes out in: of pixels, the one that has about as many."""
        wanted = pixels_of(request.size)
        if wanted is None:
            return request.size or self.card.default_size
        by_distance = {word: _distance(wanted, size) for word, size in self.card.sizes.items()}
        return min(by_distance, key=by_distance.__getitem__, default=self.card.default_size)

    def pixels(self, request: ImageRequest) -> tuple[int, int]:
        """Width and height of the picture that the request comes out as."""
        if wanted := pixels_of(request.size):
            return wanted
        known = self.card.sizes.get(self.size_word(request))
        if known is None or not known.pixels:
            return 1024, 1024
        ratio = request.aspect_ratio or self.card.default_ratio
        return known.pixels.get(ratio) or known.pixels.get("1:1") or next(iter(known.pixels.values()))

    def draws(self, size: str) -> bool:
        """Whether there is such a size: a word, pixels that a word stands for, or any within the model's rule."""
        wanted = pixels_of(size)
        if wanted is None:
            return size in self.card.sizes
        if any(wanted in known.pixels.values() for known in self.card.sizes.values()):
            return True
        return self.card.any_pixels is not None and _within(wanted, self.card.any_pixels)

    @property
    def per_call(self) -> int:
        """How many pictures one call may be asked for here."""
        return self.offer.pictures_per_call

    def price(self, mode: str) -> PriceCard | None:
        """What it costs here in a mode."""
        return self.offer.prices.get(mode)


class Menu:
    """The models of one endpoint; ``anything`` is its offer of whatever it is asked for."""

    def __init__(
        self,
        cards: Iterable[ModelCard],
        offers: Iterable[Offer],
        *,
        keeps_retired: bool = False,
        anything: Offer | None = None,
    ) -> None:
        by_model = {card.id: card for card in cards}
        entries: dict[str, Entry] = {}
        for offer in offers:
            for entry in _entries(by_model[offer.model], offer, keeps_retired=keeps_retired or offer.keeps_retired):
                entries.setdefault(entry.id, entry)
        self._entries: Mapping[str, Entry] = MappingProxyType(entries)
        self._anything = anything

    def find(self, model: str, wall: float) -> Entry | None:
        """The entry of an id that still answers at this moment (epoch seconds); ``models/`` before it does no harm."""
        entry = self._entries.get(model.removeprefix("models/"))
        if entry is None and self._anything and model:
            offer = replace(self._anything, model=model, wire_id=model, pictures_per_call=ANYTHING.per_call)
            return Entry(model, ANYTHING, offer)
        return entry if entry and _answers(entry, wall) else None

    def all(self, wall: float) -> tuple[Entry, ...]:
        """Every id that answers at this moment."""
        return tuple(entry for entry in self._entries.values() if _answers(entry, wall))


def menu_of(profile: Profile, catalog: Catalog) -> Menu:
    """The models that a profile's endpoint offers by the catalog."""
    offers = catalog.offers_at(profile.endpoint)
    return Menu(
        catalog.models.values(),
        offers,
        keeps_retired=profile.quirks.keeps_retired,
        anything=catalog.open_offers.get(profile.endpoint),
    )


def _entries(card: ModelCard, offer: Offer, *, keeps_retired: bool) -> Iterable[Entry]:
    ids = {known.id: known for known in card.ids}
    for name in dict.fromkeys((offer.wire_id, *offer.serves, *ids)):
        known = ids.get(name, ModelId(name))
        yield Entry(name, card, offer, known.released, None if keeps_retired else known.retires)


def _answers(entry: Entry, wall: float) -> bool:
    return entry.retires is None or datetime.fromtimestamp(wall, UTC).date() < entry.retires


def _distance(wanted: tuple[int, int], size: SizeCard) -> float:
    """How far a size is from so many pixels: 0 for one that has exactly these."""
    if wanted in size.pixels.values():
        return 0.0
    area = wanted[0] * wanted[1]
    return min((1 + abs(w * h - area) for w, h in size.pixels.values()), default=float("inf"))


def _within(wanted: tuple[int, int], rule: PixelRule) -> bool:
    shorter, longer = sorted(wanted)
    area = shorter * longer
    return (
        shorter % rule.multiple == longer % rule.multiple == 0
        and shorter >= rule.shortest
        and (not rule.longest or longer <= rule.longest)
        and area >= rule.least
        and (not rule.most or area <= rule.most)
        and (not rule.widest or longer <= rule.widest * shorter)
    )
