"""Wishes: what clients of the Images API ask for, in the words of the model that they named; what was changed is told.

Sizes in pixels become the model's nearest size and ratio, words of other generations its own. Members that say
something of the caller and nothing of the picture are passed on where the provider takes them, and are no loss where
it does not. Pure functions: nothing here asks anybody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from ....catalog.cards import ModelCard
from ....catalog.fit import fit, insist
from ....catalog.resolve import Resolved
from ....catalog.shape import read_pixels
from ....errors import RequestError
from ....model.call import Open
from ....model.request import Grounding, ImageRequest, Notice
from ....wire.dialect import Dialect
from ...routes import Routes, dialect_of
from ..wants import Asked
from .yielding import without_words, yielded

ABOUT_THE_CALLER: Final = (
    "user", "safety_identifier", "moderation", "partial_images", "metadata", "service_tier", "store", "session_id",
    "prompt_cache_key", "prompt_cache_retention", "trace",
)  # fmt: skip
"""Members that change nothing about the final picture."""

MAY_BE_AUTO: Final = ("background", "moderation", "style", "input_fidelity", "output_format", "complexity")
_QUALITIES: Final = {"hd": ("high",), "high": ("hd",), "standard": ("medium",), "medium": ("standard",)}
_FURTHER_QUALITIES: Final = {"low": ("standard",), "xhigh": ("high", "hd"), "max": ("xhigh", "high", "hd")}
_THINKING: Final = ("thinking", "thinking_level", "reasoning_effort")
_WEB: Final = frozenset({"web", "image"})


@dataclass(frozen=True, slots=True)
class Meant:
    """A request in the words of a model.

    ``changed`` are notices of what will be otherwise than asked: an error to who is strict. ``told`` are notices of
    what makes no difference to a picture.
    """

    request: ImageRequest
    changed: tuple[Notice, ...] = ()
    told: tuple[Notice, ...] = ()


# --- what any model may be asked -------------------------------------------------------------------------------------


def lifted(request: ImageRequest) -> ImageRequest:
    """The request with those members of a body that the model has fields for. Raises ``RequestError``.

    ``thinking`` (also ``thinking_level``, ``reasoning_effort``), ``grounding``, ``system`` and ``temperature``: what
    OpenAI's SDKs send as ``extra_body``. ``auto`` is what a provider does anyway, and goes unsaid.
    """
    extra = {name: value for name, value in request.extra.items() if not (name in MAY_BE_AUTO and value == "auto")}
    temperature = _temperature(extra)
    fields: dict[str, Any] = {
        "thinking": _thinking(extra) or request.thinking,
        "grounding": _grounding(extra) or request.grounding,
        "system": _words(extra, "system") or request.system,
        "temperature": request.temperature if temperature is None else temperature,
        "output_format": None if request.output_format == "auto" else request.output_format,
    }
    asked = {**fields, "extra": extra}
    return request.having(**{name: value for name, value in asked.items() if value != getattr(request, name)})


def _words(extra: dict[str, Any], name: str) -> str | None:
    value = extra.pop(name, None)
    if value is None or isinstance(value, str):
        return value or None
    raise RequestError(f"{name} must be words", field=name)


def _thinking(extra: dict[str, Any]) -> str | None:
    if isinstance(extra.get("thinking"), Mapping):
        return None  # as other APIs have it, in tokens: whoever cannot say it tells so
    given = [word for name in _THINKING if (word := _words(extra, name))]
    return given[0].strip().lower() if given else None


def _temperature(extra: dict[str, Any]) -> float | None:
    value = extra.pop("temperature", None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError("temperature must be a number", field="temperature")
    return float(value)


def _grounding(extra: dict[str, Any]) -> tuple[Grounding, ...]:
    value = extra.pop("grounding", None)
    if value is None or value is False:
        return ()
    if value is True:
        return ("web",)
    entries = cast("list[Any]", value) if isinstance(value, list) else [value]
    words = tuple(dict.fromkeys(entries)) if all(isinstance(entry, str) for entry in entries) else ("",)
    if not all(word in _WEB for word in words):
        raise RequestError("grounding is true, or a list of these", field="grounding", allowed=sorted(_WEB))
    return cast("tuple[Grounding, ...]", words)


# --- what this model can do ------------------------------------------------------------------------------------------


def meant(request: ImageRequest, resolved: Resolved, dialect: Dialect, *, stream: bool) -> Meant:
    """The request as the model of a route can take it. What stays impossible is refused when it is made to fit."""
    changed: list[Notice] = []
    told: list[Notice] = []
    if resolved.known:
        card = resolved.card
        request = yielded(without_words(request, card, told), card, changed)
        request = _nearest(request, resolved, changed)
        request = _in_its_quality(request, card, changed)
        request = _in_its_format(request, card, changed)
    if request.extra.keys().isdisjoint(ABOUT_THE_CALLER):
        return Meant(request, tuple(changed), tuple(told))
    unsaid = {notice.field for notice in dialect.unsupported(Open(request.having(n=1)))}
    unneeded = list(_unneeded(request.extra, unsaid, stream=stream))
    gone = {notice.field for notice in unneeded}
    extra = {name: value for name, value in request.extra.items() if name not in gone}
    return Meant(request.having(extra=extra), tuple(changed), (*told, *unneeded))


def in_its_words(asked: Asked, routes: Routes) -> Asked:
    """What is asked, in the words of its model. Raises ``RequestError`` for what is otherwise, when that is strict."""
    first = routes.resolve(asked.request.model)[0]
    wish = meant(asked.request, first, dialect_of(first), stream=asked.stream)
    changed = (*asked.notices, *wish.changed)
    if asked.strict:
        insist(changed)
    if wish.request is asked.request and not wish.changed and not wish.told:
        return asked
    return replace(asked, request=wish.request, notices=(*changed, *wish.told))


def _unneeded(extra: Mapping[str, Any], unsaid: set[str | None], *, stream: bool) -> Iterator[Notice]:
    for name in ABOUT_THE_CALLER:
        if name in extra and (f"extra.{name}" in unsaid or (name == "partial_images" and not stream)):
            yield Notice("not_passed_on", f"{name} changes nothing about the picture and was not passed on", name)


def _in_its_quality(request: ImageRequest, card: ModelCard, changed: list[Notice]) -> ImageRequest:
    asked = (request.quality or "").strip().lower()
    if not asked or not card.qualities or asked in card.qualities:
        return request if request.quality == (asked or None) else request.having(quality=asked or None)
    known = {**_QUALITIES, **_FURTHER_QUALITIES}.get(asked, ())
    word = next((word for word in known if word in card.qualities), None)
    if word is None:
        return request
    changed.append(Notice("quality_nearest", f"quality {asked} is {word} to {card.name}", "quality"))
    return request.having(quality=word)


def _in_its_format(request: ImageRequest, card: ModelCard, changed: list[Notice]) -> ImageRequest:
    asked = (request.output_format or "").strip().lower()
    known = [media_type.removeprefix("image/") for media_type in card.output_types]
    word = {"jpg": "jpeg"}.get(asked, asked)
    if not asked or not known:
        return request
    if known == [word]:
        return request.having(output_format=None)  # it gives no other
    if word in known or "output_format" in card.ignores:
        return request
    text = f"{card.name} gives no {word} but {' or '.join(known)}: it chooses"
    changed.append(Notice("format_left_out", text, "output_format"))
    return request.having(output_format=None)


def _nearest(request: ImageRequest, resolved: Resolved, changed: list[Notice]) -> ImageRequest:
    """The request with a size in pixels as the model's nearest size and ratio, where it takes no such pixels."""
    card = resolved.card
    sides = read_pixels(request.size) if request.size else None
    if sides is None or 0 in sides:
        return request
    cells = [
        (word, ratio, pixels)
        for word, size in card.sizes.items()
        for ratio, pixels in size.pixels.items()
        if request.aspect_ratio in {None, ratio} or request.aspect_ratio not in size.pixels
    ]
    word, ratio, pixels = min(cells, key=lambda cell: _distance(sides, cell[2]), default=("", "", (0, 0)))
    # Pixels that the model has under another name are what was asked for, and no change.
    if pixels != sides and (not cells or _taken(request, resolved)):
        return request
    if pixels != sides:
        text = f"{card.name} has no {sides[0]}x{sides[1]}: {word} at {ratio}, {pixels[0]}x{pixels[1]}, is the nearest"
        changed.append(Notice("size_nearest", text, "size"))
    return request.having(size=word if card.sends_size and "size" not in card.ignores else None, aspect_ratio=ratio)


def _taken(request: ImageRequest, resolved: Resolved) -> bool:
    """Whether the model can be asked for that size as it stands."""
    card = resolved.card
    if not card.sends_size or "size" in card.ignores:
        return False
    alone = ImageRequest.of("a", request.model, size=request.size, aspect_ratio=request.aspect_ratio)
    try:
        fit(alone, resolved)
    except RequestError as error:
        return error.field not in {"size", "references"}
    return True


def _distance(asked: tuple[int, int], known: tuple[int, int]) -> tuple[float, float]:
    """How far two pictures are apart in shape, and then in area; the shape is what a layout depends on."""
    shape = math.log(asked[0] / asked[1]) - math.log(known[0] / known[1])
    area = math.log(asked[0] * asked[1]) - math.log(known[0] * known[1])
    return round(abs(shape), 2), abs(area)
