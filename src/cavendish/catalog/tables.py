"""The catalog as rows, for the commands that print it. Values only: how they look is the front end's business."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from ..model.money import for_tokens
from .cards import ANY_MODEL, ModelCard, Offer, PriceCard
from .resolve import Catalog, Life, life_of

TOKENS = ("input", "input_image", "output_image", "output_text")
"""What tokens may be of, by the names of the prices of ``PriceCard``."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model at an endpoint, with how long it will live there. ``reference_limit`` is the total, if it is known."""

    model: str
    name: str
    aliases: tuple[str, ...]
    endpoint: str
    wire_id: str
    life: Life
    released: date | None
    retires: date | None
    successor: str
    sizes: tuple[str, ...]
    ratios: tuple[str, ...]
    thinking: tuple[str, ...]
    grounding: tuple[str, ...]
    qualities: tuple[str, ...]
    reference_limit: int | None
    pictures_per_call: int
    unverified: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A picture's price at an endpoint, in a mode, a size and a quality. In nano-dollars; ``None`` means unknown.

    ``quality`` is empty where it has no price of its own, or none is asked for: then the model chooses, and the price
    is that of the dearest.

    ``list_nusd`` is the published price of the picture alone, ``tokens_nusd`` its tokens at their price, exactly.
    ``flat`` says that nothing is added to it; else prompt, words, thoughts and searches are, at ``per_million``: prices
    of a million tokens by what they are of, as far as they are known and not zero.
    """

    endpoint: str
    model: str
    name: str
    mode: str
    size: str
    quality: str
    list_nusd: int | None
    tokens_nusd: int | None
    flat: bool
    source: str
    as_of: date | None
    verified: bool
    per_million: Mapping[str, int]


def model_rows(
    catalog: Catalog, today: date, endpoint: str | None = None, *, every_id: bool = False
) -> tuple[ModelRow, ...]:
    """One row for each model at each endpoint (or at one), in the catalog's order.

    ``every_id``: one for each id that an endpoint takes or took, not for the one alone that is sent.
    """
    offers = catalog.offers.values() if endpoint is None else catalog.offers_at(endpoint)
    listed = [
        _model_row(catalog, offer, wire_id, today) for offer in offers for wire_id in _ids_of(offer, every_id=every_id)
    ]
    return (*listed, *(_open_row(offer) for name, offer in catalog.open_offers.items() if endpoint in {None, name}))


def _ids_of(offer: Offer, *, every_id: bool) -> tuple[str, ...]:
    return tuple(dict.fromkeys((offer.wire_id, *offer.serves))) if every_id else (offer.wire_id,)


def _model_row(catalog: Catalog, offer: Offer, wire_id: str, today: date) -> ModelRow:
    card = catalog.models[offer.model]
    known = next((known for known in card.ids if known.id == wire_id), None)
    ends = known is not None and not offer.keeps_retired
    return ModelRow(
        model=card.id,
        name=card.name,
        aliases=card.aliases,
        endpoint=offer.endpoint,
        wire_id=wire_id,
        life=life_of(known, today) if known and ends else Life.CURRENT,
        released=known.released if known else None,
        retires=known.retires if known and ends else None,
        successor=catalog.successor(wire_id, today) if ends else "",
        sizes=tuple(card.sizes) if card.sends_size else (),
        ratios=card.ratios,
        thinking=card.thinking,
        grounding=card.grounding,
        qualities=card.qualities,
        reference_limit=card.references.total,
        pictures_per_call=offer.pictures_per_call,
        unverified=tuple(fact for fact, source in card.provenance.items() if not source.verified),
    )


def _open_row(offer: Offer) -> ModelRow:
    """Of an endpoint that takes any name, about whose models nothing is known."""
    return ModelRow(
        model=ANY_MODEL,
        name="any model",
        aliases=(),
        endpoint=offer.endpoint,
        wire_id=ANY_MODEL,
        life=Life.CURRENT,
        released=None,
        retires=None,
        successor="",
        sizes=(),
        ratios=(),
        thinking=(),
        grounding=(),
        qualities=(),
        reference_limit=None,
        pictures_per_call=offer.pictures_per_call,
        unverified=(),
    )


def price_rows(catalog: Catalog, model: str | None = None, endpoint: str | None = None) -> tuple[PriceRow, ...]:
    """One row for each size and quality in each mode of each offer; of one model (its canonical id), one endpoint, or
    all. An offer without any price has a row that says so.
    """
    return tuple(
        row
        for offer in catalog.offers.values()
        if model in {None, offer.model} and endpoint in {None, offer.endpoint}
        for price in offer.prices.values() or (PriceCard(catalog.endpoints[offer.endpoint].default_mode),)
        for row in _rows_of(catalog.models[offer.model], offer, price)
    )


def _rows_of(card: ModelCard, offer: Offer, price: PriceCard) -> Iterator[PriceRow]:
    origin = price.provenance
    flat = price.per_request is not None
    for size, known in card.sizes.items():
        counts = known.output_tokens > 0 and price.output_image is not None
        by_tokens = for_tokens(known.output_tokens, price.output_image or 0) if counts and not flat else None
        row = PriceRow(
            endpoint=offer.endpoint,
            model=card.id,
            name=card.name,
            mode=price.mode,
            size=size,
            quality="",
            list_nusd=price.per_request if flat else price.per_picture.get(size),
            tokens_nusd=by_tokens,
            flat=flat,
            source=origin.source if origin else "",
            as_of=origin.as_of if origin else None,
            verified=origin is not None and origin.verified,
            per_million={} if flat else {kind: each for kind in TOKENS if (each := getattr(price, kind))},
        )
        yield row
        for quality in card.qualities:
            listed = price.per_picture.get(f"{quality}/{size}")
            if listed is not None:
                yield replace(row, quality=quality, list_nusd=listed)
