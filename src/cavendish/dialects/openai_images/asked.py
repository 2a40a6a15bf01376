"""A request, read: a body of images/generations, images/edits or OpenRouter's images as an ``Open``.

Taken as it comes from all clients seen: a form or JSON; ``image``, ``image[]``, ``images`` and ``input_references``;
numbers and truth values as words; Gemini's size and ratio at the top. Members that are not known here become the
request's extras, so that whoever cannot say them tells so. What a model can do is not judged here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from ...model.blob import Blob
from ...model.call import Open
from ...model.request import Image, ImageRequest, Use
from ...wire import media
from ...wire.last_turn import one_turn
from ...wire.message import Field, Form, Spilled
from ...wire.openai_pictures import read_picture
from ...wire.passed_on import passed_on
from ...wire.reading import as_number, entries_of, flag, integer, member, text
from .spelling import EXTRAS, Kind

_PICTURES: Final = ("image", "image[]", "images", "images[]", "input_references", "input_image")
_SIZES: Final = ("size", "image_size", "resolution")
_SAID: Final = frozenset(
    {"model", "prompt", "n", "quality", "output_format", "stream", "aspect_ratio", "seed", "mask", *_SIZES, *_PICTURES}
)
_AUTO: Final = "auto"


class Unreadable(ValueError):
    """The request is not what OpenAI would take: what it would say, and under which code."""

    def __init__(self, message: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.code = code


def read_body(body: Any, max_n: int) -> Open:
    """The call that a body stands for. Raises ``Unreadable``."""
    said, pictures = _of_form(body) if isinstance(body, Form) else _of_json(body)
    for name in ("model", "prompt"):
        if not text(said, name):
            raise Unreadable(f"Missing required parameter: '{name}'.", "missing_required_parameter")
    if pictures and all(picture.use is Use.MASK for picture in pictures):
        # A mask needs a picture to be laid over.
        raise Unreadable("Missing required parameter: 'image'.", "missing_required_parameter")
    request = ImageRequest(
        turns=one_turn(text(said, "prompt"), pictures),
        model=text(said, "model"),
        n=_count(said, max_n),
        size=next((word for name in _SIZES if (word := _word(said, name))), None),
        aspect_ratio=_word(said, "aspect_ratio"),
        seed=_seed(said),
        quality=_word(said, "quality"),
        output_format=_format(said),
        extra=_extra(said),
    )
    return Open(request, stream=_stream(said))


def _of_json(body: Any) -> tuple[Mapping[str, Any], tuple[Image, ...]]:
    if not isinstance(body, Mapping):
        raise Unreadable("The request body must be a JSON object or a form.", "invalid_json")
    said = cast("Mapping[str, Any]", body)
    pictures = [_read(value, name) for name in _PICTURES for value in _each(said.get(name))]
    masks = [_read(value, "mask", Use.MASK) for value in _each(said.get("mask"))]
    return said, (*pictures, *masks)


def _each(value: Any) -> tuple[Any, ...]:
    return () if value is None else entries_of(value) or (value,)


def _read(value: Any, name: str, use: Use | None = None) -> Image:
    picture = read_picture(value)
    if picture is None:
        raise Unreadable(f"Invalid image in '{name}': expected a URL, a data URL or the id of a file.")
    return Image(blob=picture.blob, uri=picture.uri, media_type=picture.media_type, use=use)


# --- forms -----------------------------------------------------------------------------------------------------------


def _of_form(form: Form) -> tuple[Mapping[str, Any], tuple[Image, ...]]:
    said = {field.name: _typed(field) for field in form.fields if isinstance(field.value, str) and not field.filename}
    pictures = [_file(field) for field in form.fields if field.name in _PICTURES and field.value]
    masks = [_file(field, Use.MASK) for field in form.fields if field.name == "mask" and field.value]
    for field in form.fields:
        if (isinstance(field.value, Blob) or field.filename) and field.name not in {*_PICTURES, "mask"}:
            raise Unreadable(f"Unknown parameter: '{field.name}'.", "unknown_parameter")
    return {name: value for name, value in said.items() if name not in {*_PICTURES, "mask"}}, (*pictures, *masks)


def _file(field: Field, use: Use | None = None) -> Image:
    if isinstance(field.value, str):  # an address, as some clients write it
        return _read(field.value, field.name, use)
    declared = field.media_type.partition(";")[0].strip().lower()
    # Bytes without a name are declared as nothing in particular.
    media_type = declared if media.is_picture(declared) else field.value.media_type
    return Image(blob=field.value, media_type=media_type, use=use)


_TYPES: Final[Mapping[str, Kind]] = {**EXTRAS, "n": "integer", "seed": "integer", "stream": "flag"}


def _typed(field: Field) -> Any:
    """The value that the words of a field stand for."""
    words = str(field.value)
    match _TYPES.get(field.name, "any"):
        case "string":
            return words
        case "any" if field.name in _SAID:
            return words
        case "any":
            return _parsed(words)
        case "flag":
            return flag({"of": words}, "of")
        case _:
            number = as_number(words)
            return words if number is None else number


def _parsed(words: str) -> Any:
    """JSON where it is some, else the words."""
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        return words


# --- single members --------------------------------------------------------------------------------------------------


def _word(said: Mapping[str, Any], name: str) -> str | None:
    found = member(said, name)
    if found is not None and not isinstance(found, str | Spilled):
        raise Unreadable(f"Invalid type for '{name}': expected a string.", "invalid_type")
    word = text(said, name).strip()
    return None if word in {"", _AUTO} else word


def _format(said: Mapping[str, Any]) -> str | None:
    _word(said, "output_format")  # is refused when it is none
    return text(said, "output_format") or None


def _stream(said: Mapping[str, Any]) -> bool:
    found = member(said, "stream")
    if found is not None and str(found).strip().lower() not in {"true", "false", ""}:
        raise Unreadable("Invalid type for 'stream': expected a boolean.", "invalid_type")
    return flag(said, "stream")


def _count(said: Mapping[str, Any], max_n: int) -> int:
    if member(said, "n") is None:
        return 1
    asked = integer(said, "n")
    if asked is None:
        raise Unreadable("Invalid type for 'n': expected an integer.", "invalid_type")
    if asked < 1:
        raise Unreadable(f"Invalid 'n': expected a value >= 1, but got {asked} instead.", "integer_below_min_value")
    if asked > max_n:
        message = f"Invalid 'n': expected a value <= {max_n}, but got {asked} instead."
        raise Unreadable(message, "integer_above_max_value")
    return asked


def _seed(said: Mapping[str, Any]) -> int | None:
    seed = integer(said, "seed")
    if seed is None and member(said, "seed") is not None:
        raise Unreadable("Invalid type for 'seed': expected an integer.", "invalid_type")
    return seed


def _extra(said: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return passed_on(said, tuple(_further(said)))
    except ValueError as error:
        raise Unreadable(f"Invalid value: {error}.") from error


def _further(said: Iterable[str]) -> Iterator[str]:
    return (name for name in said if name not in _SAID)
