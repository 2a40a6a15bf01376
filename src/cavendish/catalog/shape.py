"""Sizes and ratios as pixels: which a model takes, what they cost like, and how an offer is told of them."""

from __future__ import annotations

import re

from ..errors import RequestError
from ..model.request import ImageRequest
from .cards import ModelCard, PixelRule
from .resolve import Resolved

MAX_SIDE = 99_999
"""Wider than any picture that is drawn anywhere."""

_PIXELS = re.compile(r"(\d{1,5})\s*[x×*]\s*(\d{1,5})", re.IGNORECASE | re.ASCII)
_RATIO_TOLERANCE = 0.04
"""Sides are multiples of 16 or more, so few ratios are met exactly."""


def pixels(card: ModelCard, size: str | None = None, ratio: str | None = None) -> tuple[int, int] | None:
    """Width and height that a picture should have, ``None`` when the catalog does not say.

    Without a ratio the model's default is taken; it may follow a reference picture instead.
    """
    if size and (asked := read_pixels(size)):
        return asked
    known = card.sizes.get(size or card.default_size)
    return known.pixels.get(ratio or card.default_ratio) if known else None


def read_pixels(size: str) -> tuple[int, int] | None:
    """The two sides of ``WIDTHxHEIGHT``; ``None`` for any other way to say a size."""
    match = _PIXELS.fullmatch(size.strip())
    return (int(match[1]), int(match[2])) if match else None


def told(request: ImageRequest, resolved: Resolved) -> ImageRequest:
    """The request with its size and ratio as this offer is told them, see ``Offer.shape``.

    For a request that was made to fit. Prices and metadata go by what it was: this is for the call alone.
    """
    shape = resolved.offer.shape
    if shape == "words" or not resolved.known or not resolved.card.sends_size:
        return request
    # Nothing asked for stays the model's own choice.
    if request.aspect_ratio is None and (request.size is None or shape == "word_or_pixels"):
        return request
    sides = pixels(resolved.card, request.size, request.aspect_ratio)
    return request if sides is None else request.having(size="{}x{}".format(*sides), aspect_ratio=None)


def word_for(card: ModelCard, size: str | None) -> str:
    """The size word under which the catalog has figures for a size: of pixels, the first that is as large."""
    sides = read_pixels(size) if size else None
    if sides is None:
        return size or card.default_size
    area = sides[0] * sides[1]
    words = {word: max((w * h for w, h in known.pixels.values()), default=0) for word, known in card.sizes.items()}
    return next((word for word, largest in words.items() if largest >= area), next(reversed(words), card.default_size))


# --- any pixels -------------------------------------------------------------------------------------------------------


def taken(asked: tuple[int, int], ratio: str | None, card: ModelCard, rule: PixelRule) -> tuple[int, int]:
    """The sides, rounded to what the model takes. Raises ``RequestError`` for a picture outside of its rule."""
    width, height = (max(rule.multiple, round(side / rule.multiple) * rule.multiple) for side in asked)
    wrong = _outside(width, height, rule)
    if ratio is not None and not wrong:
        across, down = map(int, ratio.split(":"))
        wrong = abs(width * down / (height * across) - 1) > _RATIO_TOLERANCE
    if wrong:
        with_ratio = f" at {ratio}" if ratio else ""
        message = f"{card.name} cannot do size {asked[0]}x{asked[1]}{with_ratio}"
        raise RequestError(message, field="size", allowed=tuple(card.sizes), hints=(f"can: {can(card)}",))
    return width, height


def _outside(width: int, height: int, rule: PixelRule) -> bool:
    short, long = sorted((width, height))
    area = width * height
    return (
        short < rule.shortest
        or long > (rule.longest or MAX_SIDE)
        or area < rule.least
        or (rule.most > 0 and area > rule.most)
        or (rule.widest > 0 and long > rule.widest * short)
    )


def can(card: ModelCard) -> str:
    """The sizes that a model has, in words."""
    words = ", ".join(card.sizes)
    return f"{words}, or {_rule_in_words(card.any_pixels)}" if card.any_pixels else words


def _rule_in_words(rule: PixelRule) -> str:
    parts = ["WIDTHxHEIGHT"]
    if rule.multiple > 1:
        parts.append(f"in multiples of {rule.multiple}")
    if rule.shortest or rule.longest:
        parts.append(f"sides {_between(rule.shortest, rule.longest)}")
    if rule.least or rule.most:
        parts.append(f"{_between(rule.least, rule.most)} pixels in all")
    if rule.widest:
        parts.append(f"at most {rule.widest}:1")
    return ", ".join(parts)


def _between(least: int, most: int) -> str:
    if not most:
        return f"from {least:,}"
    return f"{least:,} to {most:,}" if least else f"up to {most:,}"
