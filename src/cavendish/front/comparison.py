"""Comparison: what so many pictures cost and how long they take, by every way to get them, out of the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from math import inf
from typing import Any

from ..catalog.cards import Limits, ModelCard, Offer, PriceCard
from ..catalog.resolve import Catalog, Life
from ..catalog.tables import PriceRow, model_rows
from ..model.request import ImageRequest
from ..model.result import Slot
from ..plan.estimate import PriceBook
from ..plan.quota_time import Load, finish_time
from .order import BATCH

USUAL_PROMPT = "a red kite over the moor, seen from below, its tail spread against a bank of evening clouds"
"""Of 91 letters: what most prompts of a batch are like."""
AT_ONCE = 10
"""Calls in flight where no limit is known: what can be had without asking too much of an unknown host."""
BATCH_S = 86_400.0
"""Within a day, a batch is promised; mostly it is minutes."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is compared. ``quality`` counts for models that know it."""

    n: int
    size: str
    quality: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A model at an endpoint, in a mode, with a key of a tier. ``life`` is how it stood on that day."""

    card: ModelCard
    offer: Offer
    price: PriceCard | None
    tier: str
    limits: Limits
    life: Life

    @property
    def mode(self) -> str:
        """The mode; empty where no price is known of any."""
        return self.price.mode if self.price else ""

    @property
    def is_verified(self) -> bool:
        """Whether price and limits were seen at their source."""
        facts = (self.price.provenance if self.price else None, self.limits.provenance)
        return all(fact.verified for fact in facts if fact is not None)

    @property
    def knows_limits(self) -> bool:
        """Whether anything is known that bounds how fast calls may follow each other."""
        known = (self.limits.requests_per_minute, self.limits.images_per_minute, self.limits.in_flight)
        return any(limit is not None for limit in known)

    def cost_nusd(self, ask: Ask) -> int | None:
        """What the pictures cost with the prompt, words and thoughts that go with them; ``None``: not known."""
        if self.price is None or ask.size not in self.card.sizes:
            return None
        each = PriceBook(self.card, self.price, self.price.billing or "as_told").estimate(_slot(self.card, ask))
        return None if each is None else each * ask.n

    def time(self, ask: Ask) -> Time:
        """How long they take, by the arithmetic of the quota."""
        if self.mode == BATCH:
            return Time(BATCH_S, "batch")
        latency = self.offer.latency.get(ask.size)
        limits = self.limits if self.knows_limits else replace(self.limits, in_flight=AT_ONCE)
        if latency is None and (limits.in_flight is not None or not self.knows_limits):
            return UNKNOWN
        load = Load(nusd=(self.cost_nusd(ask) or 0) // max(1, ask.n))
        end = finish_time(ask.n, limits, latency.p50_s if latency else 0.0, load)
        if end.seconds == inf:
            return Time(None, end.bound_by)
        return Time(end.seconds, end.bound_by, assumed=not self.knows_limits, at_least=latency is None)


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds, ``None`` when not known, and what limits them. ``assumed``: no limit is known, so ``AT_ONCE`` is taken.

    ``at_least``: until the last call leaves, for how long it lasts is not known.
    """

    seconds: float | None
    bound_by: str = ""
    assumed: bool = False
    at_least: bool = False


UNKNOWN = Time(None)


@dataclass(frozen=True, slots=True)
class SoMany:
    """What so many pictures of one price come to; ``None`` is not known."""

    cost_nusd: int | None
    time: Time

    def to_json(self) -> dict[str, Any]:
        """For programs: nano-dollars and seconds."""
        time = self.time
        return {
            "expected_nusd": self.cost_nusd,
            "seconds": time.seconds,
            "bound_by": time.bound_by,
            "limits_assumed": time.assumed,
            "seconds_at_least": time.at_least,
        }


def so_many(catalog: Catalog, row: PriceRow, n: int, tier: str | None = None) -> SoMany:
    """What so many pictures of a row come to, with a key of a tier: the endpoint's usual one unless one is named."""
    offer = catalog.offers[f"{row.endpoint}/{row.model}"]
    usual = catalog.endpoints[row.endpoint].default_tier
    limits = offer.tiers.get(tier or usual) or offer.tiers.get(usual) or Limits()
    way = Way(catalog.models[row.model], offer, offer.prices.get(row.mode), tier or usual, limits, Life.CURRENT)
    ask = Ask(n, row.size, row.quality)
    return SoMany(way.cost_nusd(ask), way.time(ask))


def ways(catalog: Catalog, today: date, endpoints: tuple[str, ...] = ()) -> Iterator[Way]:
    """Every way there is, in the order of the catalog: a row for each mode and tier of each offer."""
    lives = {(row.endpoint, row.model): row.life for row in model_rows(catalog, today)}
    for offer in catalog.offers.values():
        if endpoints and offer.endpoint not in endpoints:
            continue
        life = lives.get((offer.endpoint, offer.model), Life.CURRENT)
        for price in offer.prices.values() or (None,):
            for tier, limits in (offer.tiers or {"": Limits()}).items():
                yield Way(catalog.models[offer.model], offer, price, tier, limits, life)


def as_of(catalog: Catalog) -> date:
    """The newest day of a price: a comparison is of that day, whenever it is made."""
    prices = (price.provenance for offer in catalog.offers.values() for price in offer.prices.values())
    return max(fact.as_of for fact in prices if fact is not None)


def _slot(card: ModelCard, ask: Ask) -> Slot:
    quality = ask.quality if ask.quality in card.qualities else None
    return Slot("0.0", "0", 0, 0, ImageRequest.of(USUAL_PROMPT, card.id, size=ask.size, quality=quality))
