"""A request, read: a body of chat/completions as an ``Open``.

Size and ratio are taken from every place where relays put them. Members that are not known here become the request's
extras, so that whoever cannot say them tells so. What a model can do is not judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from ...model.call import Open
from ...model.request import ImageRequest, Modality
from ...wire.passed_on import passed_on
from ...wire.reading import entries_of, flag, integer, items, mapping, member, number, text, text_of
from .asking import INCLUDE_USAGE
from .messages import Unreadable, read_messages
from .spelling import PLACES, THOUGHTS, Spelling, at, without, without_suffix, word_at

_SAID: Final = frozenset(
    {
        "model", "messages", "n", "seed", "temperature", "modalities", "stream", "aspect_ratio", "image_size", "size",
        "reasoning_effort", "include_reasoning",
    }
)  # fmt: skip
_SIZES: Final = ("image_size", "imageSize", "size")
_RATIOS: Final = ("aspect_ratio", "aspectRatio")
_SHAPE: Final = frozenset({*_SIZES, *_RATIOS})
_THOUGHT: Final = frozenset({"thinking_level", "thinkingLevel", "include_thoughts", "includeThoughts"})


def read_body(body: Any, spelling: Spelling) -> Open:
    """The call that a body stands for. Raises ``Unreadable``."""
    if not isinstance(body, Mapping):
        raise Unreadable("The request body must be a JSON object.", "invalid_json")
    said = cast("Mapping[str, Any]", body)
    model, suffix = _model(said, spelling)
    system, turns = read_messages(items(said, "messages"))
    if not turns:
        raise Unreadable("Missing required parameter: 'messages'.", "missing_required_parameter")
    level = word_at(said, THOUGHTS, "thinking_level") or text(said, "reasoning_effort")
    request = ImageRequest(
        turns=turns,
        model=model,
        n=_count(said),
        size=word_at(said, PLACES, *_SIZES) or suffix,
        aspect_ratio=word_at(said, PLACES, *_RATIOS) or None,
        system=system,
        thinking=(level or text(mapping(said, "reasoning"), "effort")).strip().lower() or None,
        include_thoughts=_thoughts(said),
        modalities=_modalities(said),
        seed=_whole(said, "seed"),
        temperature=_real(said, "temperature"),
        extra=_extra(said),
    )
    return Open(request, stream=flag(said, "stream"))


def _model(said: Mapping[str, Any], spelling: Spelling) -> tuple[str, str | None]:
    model = text(said, "model")
    if not model:
        raise Unreadable("Missing required parameter: 'model'.", "missing_required_parameter")
    return without_suffix(model) if spelling.size_in == "suffix" else (model, None)


def _count(said: Mapping[str, Any]) -> int:
    asked = _whole(said, "n")
    if asked is not None and asked < 1:
        raise Unreadable(f"Invalid 'n': expected a value >= 1, but got {asked} instead.", "integer_below_min_value")
    return 1 if asked is None else asked


def _whole(said: Mapping[str, Any], name: str) -> int | None:
    found = integer(said, name)
    if found is None and member(said, name) is not None:
        raise Unreadable(f"Invalid type for '{name}': expected an integer.", "invalid_type")
    return found


def _real(said: Mapping[str, Any], name: str) -> float | None:
    found = number(said, name)
    if found is None and member(said, name) is not None:
        raise Unreadable(f"Invalid type for '{name}': expected a number.", "invalid_type")
    return found


def _thoughts(said: Mapping[str, Any]) -> bool:
    return flag(said, "include_reasoning") or any(flag(at(said, path), "includeThoughts") for path in THOUGHTS)


def _modalities(said: Mapping[str, Any]) -> tuple[Modality, ...] | None:
    words = dict.fromkeys(text_of(word).strip().upper() for word in entries_of(said.get("modalities")))
    if any(word not in {"TEXT", "IMAGE"} for word in words):
        raise Unreadable("Invalid value for 'modalities': supported values are: 'text' and 'image'.")
    return cast("tuple[Modality, ...]", tuple(words)) or None


def _extra(said: Mapping[str, Any]) -> dict[str, Any]:
    """All that no field of a request says, under its place."""
    rest = dict(said)
    for path in PLACES:
        rest = without(rest, path, _SHAPE) if path else rest
    for path in THOUGHTS:
        rest = without(rest, path, _THOUGHT)
    rest = without(rest, ("reasoning",), frozenset({"effort"}))
    if rest.get("stream_options") == INCLUDE_USAGE:
        del rest["stream_options"]
    try:
        return passed_on(rest, tuple(_further(rest)))
    except ValueError as error:
        raise Unreadable(f"Invalid value: {error}.") from error


def _further(said: Mapping[str, Any]) -> Iterator[str]:
    return (name for name in said if name not in _SAID)
