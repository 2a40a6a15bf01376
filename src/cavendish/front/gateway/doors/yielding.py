"""Yielding: what a model cannot do becomes the nearest thing that it can, or is left out; each change is told.

A program that is pointed at another model goes on asking for what the one before could do. Pictures to draw upon are
never given up: a picture drawn without them is not what was asked for. Pure functions.
"""

from __future__ import annotations

import math
import re
from typing import Final

from ....catalog.cards import ModelCard
from ....catalog.fit import size_word
from ....catalog.shape import read_pixels
from ....model.request import ImageRequest, Notice

_LEVELS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SHAPE: Final = re.compile(r"(\d{1,4})\s*[:x×/]\s*(\d{1,4})", re.IGNORECASE | re.ASCII)
_EDGE: Final = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)\s*(k|px|p)?", re.IGNORECASE | re.ASCII)


def yielded(request: ImageRequest, card: ModelCard, changed: list[Notice]) -> ImageRequest:
    """The request without what this model cannot do. What makes no sense to any model stays, and is refused later."""
    for step in (_thinking, _grounding, _quality, _ratio, _size):
        request = step(request, card, changed)
    return request


def without_words(request: ImageRequest, card: ModelCard, told: list[Notice]) -> ImageRequest:
    """The request without words from a model that has none: clients ask for both whatever the model is."""
    wanted = request.modalities
    kept = tuple(word for word in wanted or () if word in card.modalities)
    if wanted is None or kept == wanted or "IMAGE" not in kept:
        return request
    told.append(Notice("words_left_out", f"{card.name} says nothing beside its pictures", "modalities"))
    return request.having(modalities=kept)


def _thinking(request: ImageRequest, card: ModelCard, changed: list[Notice]) -> ImageRequest:
    if request.thinking is None:
        return request
    asked = request.thinking.strip().lower()
    if not asked:
        return request.having(thinking=None)
    if asked in card.thinking or "thinking" in card.ignores:
        return request
    if not card.thinking:
        # Not to think at all is what such a model does anyway.
        if asked != _LEVELS[0]:
            text = f"{card.name} has no levels of thinking: {asked} was left out"
            changed.append(Notice("thinking_left_out", text, "thinking"))
        return request.having(thinking=None)
    if asked not in _LEVELS:
        return request
    place = _LEVELS.index(asked)
    nearest = min((word for word in card.thinking if word in _LEVELS), key=lambda word: _apart(word, place), default="")
    if not nearest:
        return request
    changed.append(Notice("thinking_nearest", f"thinking {asked} is {nearest} to {card.name}", "thinking"))
    return request.having(thinking=nearest)


def _apart(word: str, place: int) -> tuple[int, int]:
    """How far a level is from one; of two as near the lower, which costs less."""
    own = _LEVELS.index(word)
    return abs(own - place), own


def _grounding(request: ImageRequest, card: ModelCard, changed: list[Notice]) -> ImageRequest:
    kept = tuple(word for word in request.grounding if word in card.grounding)
    lost = [word for word in request.grounding if word not in kept]
    if lost:
        text = f"{card.name} does not search ({', '.join(lost)}): it draws without"
        changed.append(Notice("grounding_left_out", text, "grounding"))
    return request.having(grounding=kept) if lost else request


def _quality(request: ImageRequest, card: ModelCard, changed: list[Notice]) -> ImageRequest:  # noqa: ARG001 - a step
    """``auto`` is what a model does that is told no quality."""
    auto = request.quality is not None and request.quality.strip().lower() == "auto"
    return request.having(quality=None) if auto and "auto" not in card.qualities else request


def _ratio(request: ImageRequest, card: ModelCard, changed: list[Notice]) -> ImageRequest:
    asked = (request.aspect_ratio or "").strip().lower()
    if asked == "auto":
        return request.having(aspect_ratio=None)
    if not asked or asked in card.ratios or "aspect_ratio" in card.ignores:
        return request
    wanted = _shape(asked)
    if wanted is None or not card.ratios:
        return request
    nearest = min(card.ratios, key=lambda known: abs((_shape(known) or 0.0) - wanted))
    if _shape(nearest) == wanted:
        return request
    text = f"{card.name} has no aspect ratio {asked}: {nearest} is the nearest"
    changed.append(Notice("ratio_nearest", text, "aspect_ratio"))
    return request.having(aspect_ratio=nearest)


def _shape(ratio: str) -> float | None:
    """The logarithm of width over height; ``None`` for what is no ratio."""
    match = _SHAPE.fullmatch(ratio.strip())
    return math.log(int(match[1]) / int(match[2])) if match and int(match[1]) and int(match[2]) else None


def _size(request: ImageRequest, card: ModelCard, changed: list[Notice]) -> ImageRequest:
    """The nearest of the model's size words, for one that it has not. Pixels are another matter."""
    asked = (request.size or "").strip()
    if asked.lower() == "auto":
        return request.having(size=None)
    if not asked or read_pixels(asked) or not card.sends_size or "size" in card.ignores or size_word(asked, card):
        return request
    match = _EDGE.fullmatch(asked)
    edge = float(match[1]) * (1024 if (match[2] or "").lower() == "k" else 1) if match else 0.0
    if not edge:
        return request
    nearest = min(card.sizes, key=lambda word: abs(math.log(_edge(card, word) / edge)), default="")
    if not nearest:
        return request
    changed.append(Notice("size_nearest", f"{card.name} has no {asked}: {nearest} is the nearest", "size"))
    return request.having(size=nearest)


def _edge(card: ModelCard, word: str) -> float:
    """The side of a square of that size."""
    return math.sqrt(max((width * height for width, height in card.sizes[word].pixels.values()), default=1))
