"""What calls cost on one route: expected before they leave, counted from the usage afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from ..catalog.cards import ModelCard, PriceCard
from ..catalog.fit import BYTES_PER_TOKEN, word_for
from ..catalog.resolve import Resolved
from ..model.call import Done
from ..model.fault import Charged, Fault
from ..model.money import for_tokens
from ..model.request import Image, ImageRequest, Text
from ..model.result import Slot
from ..model.usage import Usage
from .billing import charged

SEARCHES_A_PICTURE = 2
"""A grounded call makes one to three queries; the model decides (measured by the relay APIYI, 2026)."""

ALWAYS = "always"
"""Where a model that thinks whatever it is told has its figure among ``TokenCounts.thoughts``."""


class Basis(StrEnum):
    """How an amount was found: stated by the provider, a flat price, counted tokens, or our own expectation."""

    STATED = "stated"
    FLAT = "flat"
    TOKENS = "tokens"
    ESTIMATE = "estimate"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Priced:
    """An amount in nano-dollars, ``None`` when it cannot be told, and how it was found."""

    nusd: int | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices of one route. ``price`` is ``None`` where none is known: then every amount is unknown, never zero."""

    card: ModelCard
    price: PriceCard | None
    billing: str = "google"

    @classmethod
    def of(cls, resolved: Resolved) -> Self:
        """The prices of a route, with the billing rule of its mode, or else of its endpoint."""
        price = resolved.price
        return cls(resolved.card, price, price.billing if price and price.billing else resolved.endpoint.billing)

    def estimate(self, slot: Slot) -> int | None:
        """The expected price of one picture in nano-dollars, rather too high than too low.

        Counts the prompt (UTF-8 bytes by four), reference pictures, the picture's tokens, the usual words beside it,
        thoughts at the upper end of what was seen for the level, and two searches when grounded. Drafts, which a model
        makes now and then and which are billed, are left out. ``None`` when no price is known.
        """
        price, request = self.price, slot.request
        if price is None:
            return None
        if price.per_request is not None:
            return price.per_request
        size = word_for(self.card, request.size)
        usage = Usage(
            input_tokens=input_tokens(request, self.card),
            output_text_tokens=self.card.tokens.text,
            thought_tokens=_thoughts(request, self.card),
            searches=_searches(request, price),
        )
        return _sum((self._pictures(1, size, request.quality), _beside_pictures(usage, price)))

    def bound(self, slot: Slot) -> int | None:
        """The most that a picture can cost: its flat price. ``None`` where tokens count, of which more may come."""
        price = self.price
        if price is None:
            return None
        counted = price.input, price.input_image, price.output_image, price.output_text, price.per_search
        return self.estimate(slot) if price.per_request is not None or not any(counted) else None

    def cost(self, slot: Slot, usage: Usage, reply: Done | Fault, pictures: int = 1) -> int | None:
        """The true price in nano-dollars; 0 for a fault that was not charged, ``None`` when it cannot be told."""
        return self.priced(slot, usage, reply, pictures).nusd

    def priced(self, slot: Slot, usage: Usage, reply: Done | Fault, pictures: int = 1) -> Priced:
        """The true price and how it was found.

        The provider's own figure wins, then a flat price, then prompt tokens, picture tokens, and all other output at
        the price of text (the rule that Google's bills follow; drafts are among the picture tokens). Where tokens of
        pictures have no price, the pictures that the provider counts have one each, by size. A picture that came
        without any count is priced by its size, and a charged call without any as if all that it was asked for had been
        drawn.
        """
        verdict = self.charged(reply).charged if isinstance(reply, Fault) else Charged.YES
        if verdict is Charged.NO:
            return Priced(0, Basis.TOKENS)
        if usage.cost_nusd is not None:
            return Priced(usage.cost_nusd, Basis.STATED)
        if self.price is None or verdict is Charged.UNKNOWN:
            return _UNKNOWN
        if self.price.per_request is not None:
            return Priced(self.price.per_request, Basis.FLAT)
        if isinstance(reply, Fault) and not usage.reported:
            each = self.estimate(slot)
            return _told(None if each is None else each * pictures, Basis.ESTIMATE)
        return self._by_tokens(slot, usage, reply, self.price)

    def charged(self, fault: Fault) -> Fault:
        """The fault with ``charged`` filled in by this route's billing rule."""
        return charged(fault, self.billing, bills_refusals=self.price.bills_refusals if self.price else None)

    def list_price(self, size: str, quality: str | None = None) -> int | None:
        """The published price of a picture's tokens, or the flat price; ``None`` when there is none."""
        if self.price is None:
            return None
        if self.price.per_request is not None:
            return self.price.per_request
        prices = self.price.per_picture
        return prices.get(f"{quality}/{size}", prices.get(size))

    # --- parts of a bill ----------------------------------------------------------------------------------------

    def _by_tokens(self, slot: Slot, usage: Usage, reply: Done | Fault, price: PriceCard) -> Priced:
        usage = replace(usage, searches=_billed_searches(usage, reply, price))
        if usage.images and price.output_image is None:
            pieces = self._pictures(
                self._paid_for(usage, reply), word_for(self.card, slot.request.size), slot.request.quality
            )
            return _told(_sum((pieces, _beside_pictures(usage, price))), Basis.FLAT)
        uncounted = 0 if isinstance(reply, Fault) or usage.output_image_tokens else _drawn(reply)
        if not uncounted:
            pictures = _amount(usage.output_image_tokens, price.output_image)
            return _told(_sum((pictures, _beside_pictures(usage, price))), Basis.TOKENS)
        size = word_for(self.card, slot.request.size)
        # A relay that counts all output in one sum has the pictures' tokens in it: they are not words as well.
        words = max(0, usage.output_text_tokens - uncounted * self._tokens_of(size))
        beside = _beside_pictures(replace(usage, output_text_tokens=words), price)
        return _told(_sum((self._pictures(uncounted, size, slot.request.quality), beside)), Basis.ESTIMATE)

    def _paid_for(self, usage: Usage, reply: Done | Fault) -> int:
        """The pictures that were counted, without those that were refused and may have cost nothing."""
        if isinstance(reply, Fault):
            return usage.images
        refused = sum(self.charged(fault).charged is not Charged.YES for fault in reply.shortfall)
        return max(usage.images - refused, min(usage.images, _drawn(reply)))

    def _tokens_of(self, size: str) -> int:
        known = self.card.sizes.get(size)
        return known.output_tokens if known else 0

    def _pictures(self, count: int, size: str, quality: str | None) -> int | None:
        tokens = self._tokens_of(size)
        if tokens and self.price and self.price.output_image is not None:
            return for_tokens(count * tokens, self.price.output_image)
        listed = self.list_price(size, quality)
        return None if listed is None else count * listed


def input_tokens(request: ImageRequest, card: ModelCard) -> int:
    """The tokens that a request's words and pictures come to, all turns together: an estimate."""
    parts = [part for turn in request.turns for part in turn.parts]
    texts = [part.text for part in parts if isinstance(part, Text)]
    size = sum(len(text.encode(errors="surrogatepass")) for text in (*texts, request.system or ""))
    pictures = sum(isinstance(part, Image) for part in parts)
    return -(-size // BYTES_PER_TOKEN) + pictures * card.tokens.reference


_UNKNOWN = Priced(None, Basis.UNKNOWN)


def _told(nusd: int | None, basis: Basis) -> Priced:
    return _UNKNOWN if nusd is None else Priced(nusd, basis)


def _thoughts(request: ImageRequest, card: ModelCard) -> int:
    level = ALWAYS if card.always_thinks else request.thinking or card.default_thinking
    return card.tokens.thoughts.get(level, 0)


def _searches(request: ImageRequest, price: PriceCard) -> int:
    return SEARCHES_A_PICTURE if any(kind not in price.free_searches for kind in request.grounding) else 0


def _billed_searches(usage: Usage, reply: Done | Fault, price: PriceCard) -> int:
    """Searches without those that cost nothing, as far as the reply tells them apart."""
    note = reply.grounding if isinstance(reply, Done) else None
    if note is None or "image" not in price.free_searches:
        return usage.searches
    return min(usage.searches, len(note.web_queries))


def _drawn(reply: Done) -> int:
    """The pictures of a reply, drafts included; those shown inside a thought are counted with the thoughts."""
    return max(1, sum(isinstance(part, Image) and not part.thought for part in reply.parts))


def _beside_pictures(usage: Usage, price: PriceCard) -> int | None:
    input_image = price.input if price.input_image is None else price.input_image
    return _sum(
        (
            _amount(max(0, usage.input_tokens - usage.input_image_tokens), price.input),
            _amount(usage.input_image_tokens, input_image),
            _amount(usage.output_text_tokens + usage.thought_tokens, price.output_text),
            _fee(usage.searches, price.per_search),
        )
    )


def _amount(tokens: int, per_million_nusd: int | None) -> int | None:
    if tokens == 0:
        return 0
    return None if per_million_nusd is None else for_tokens(tokens, per_million_nusd)


def _fee(count: int, each_nusd: int | None) -> int | None:
    if count == 0:
        return 0
    return None if each_nusd is None else count * each_nusd


def _sum(amounts: Iterable[int | None]) -> int | None:
    """The sum, unknown when one of its parts is."""
    total = 0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
