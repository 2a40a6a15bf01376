"""The catalog as rows, for the commands that print it. Values only: how they look is the front end's business."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ..model.money import for_tokens
from .cards import ModelCard, Offer, PriceCard
from .resolve import Catalog, Life, life_of


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model at an endpoint, with how long it will live there. ``reference_limit`` is the total."""

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
    reference_limit: int
    unverified: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A picture's price at an endpoint, in a mode and a size. Amounts in nano-dollars; ``None`` means unknown.

    ``list_nusd`` is the published price of the picture alone, ``tokens_nusd`` its tokens at their price, exactly.
    ``flat`` says that nothing is added to it; else prompt, words, thoughts and searches are.
    """

    endpoint: str
    model: str
    name: str
    mode: str
    size: str
    list_nusd: int | None
    tokens_nusd: int | None
    flat: bool
    source: str
    as_of: date | None
    verified: bool


def model_rows(catalog: Catalog, today: date, endpoint: str | None = None) -> tuple[ModelRow, ...]:
    """One row for each model at each endpoint (or at one), in the catalog's order."""
    offers = catalog.offers.values() if endpoint is None else catalog.offers_at(endpoint)
    return tuple(_model_row(catalog, offer, today) for offer in offers)


def _model_row(catalog: Catalog, offer: Offer, today: date) -> ModelRow:
    card = catalog.models[offer.model]
    known = next((known for known in card.ids if known.id == offer.wire_id), None)
    ends = known is not None and not offer.keeps_retired
    return ModelRow(
        model=card.id,
        name=card.name,
        aliases=card.aliases,
        endpoint=offer.endpoint,
        wire_id=offer.wire_id,
        life=life_of(known, today) if known and ends else Life.CURRENT,
        released=known.released if known else None,
        retires=known.retires if known and ends else None,
        successor=catalog.successor(offer.wire_id, today) if ends else "",
        sizes=tuple(card.sizes) if card.sends_size else (),
        ratios=card.ratios,
        thinking=card.thinking,
        grounding=card.grounding,
        reference_limit=card.references.total,
        unverified=tuple(fact for fact, source in card.provenance.items() if not source.verified),
    )


def price_rows(catalog: Catalog, model: str | None = None, endpoint: str | None = None) -> tuple[PriceRow, ...]:
    """One row for each size in each mode of each offer; of one model (its canonical id), one endpoint, or all."""
    return tuple(
        row
        for offer in catalog.offers.values()
        if model in {None, offer.model} and endpoint in {None, offer.endpoint}
        for price in offer.prices.values()
        for row in _rows_of(catalog.models[offer.model], offer, price)
    )


def _rows_of(card: ModelCard, offer: Offer, price: PriceCard) -> Iterator[PriceRow]:
    origin = price.provenance
    flat = price.per_request is not None
    for size, known in card.sizes.items():
        by_tokens = None if flat or price.output_image is None else for_tokens(known.output_tokens, price.output_image)
        yield PriceRow(
            endpoint=offer.endpoint,
            model=card.id,
            name=card.name,
            mode=price.mode,
            size=size,
            list_nusd=price.per_request if flat else price.per_picture.get(size),
            tokens_nusd=by_tokens,
            flat=flat,
            source=origin.source if origin else "",
            as_of=origin.as_of if origin else None,
            verified=origin is not None and origin.verified,
        )
