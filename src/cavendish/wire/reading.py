"""Tolerant reading of JSON from strangers: what is missing or of the wrong type is its default, never an error.

Names are given in camelCase. A member is found under that name or its snake_case form, since proto3 JSON takes both and
the official Python SDK sends a mixture. ``null`` counts as missing. Numbers may come as strings: 64-bit integers always
do in proto3 JSON. A string may be a ``Spilled``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

import pybase64

from ..model.blob import Blob
from .message import Spilled

_W = TypeVar("_W", bound=str)

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d*)?|\.\d+)s)?")
_MILLISECONDS: Final = re.compile(r"(\d+(?:\.\d+)?)ms")
_STANDARD: Final = str.maketrans("-_", "+/")
_NUMBER_CHARS: Final = 400
"""A longer string is no number: the largest float has 309 digits."""


@lru_cache(maxsize=512)
def snake(name: str) -> str:
    """``inlineData`` as ``inline_data``."""
    return _HUMP.sub("_", name).lower()


def member(value: Any, name: str) -> Any:
    """The member of that name, as it stands; ``None`` when there is none or ``value`` is no JSON object."""
    # A dict is asked first: asking an abstract class takes ten times as long, and this is asked for every member.
    if not isinstance(value, dict) and not isinstance(value, Mapping):
        return None
    found = cast("Mapping[str, Any]", value)
    return plain if (plain := found.get(name)) is not None else found.get(snake(name))


def leaves(value: Any) -> Iterator[Any]:
    """All values within, objects and lists left out. Not recursive: JSON may be as deep as the parser allows."""
    todo = [value]
    while todo:
        entry = todo.pop()
        if isinstance(entry, Mapping):
            todo.extend(cast("Mapping[str, Any]", entry).values())
        elif isinstance(entry, list):
            todo.extend(cast("list[Any]", entry))
        else:
            yield entry


def text(value: Any, name: str, default: str = "") -> str:
    """A string member. Of one that was set aside, its words (``text_of``); numbers are no strings."""
    found = member(value, name)
    return text_of(found) if isinstance(found, str | Spilled) else default


def integer(value: Any, name: str, default: int | None = None) -> int | None:
    """A whole number: ``40``, ``40.0`` and ``"40"`` are the same."""
    found = as_number(member(value, name))
    return int(found) if found is not None and found == int(found) else default


def count(value: Any, name: str) -> int:
    """A whole number that is not negative, 0 when there is none."""
    return max(integer(value, name) or 0, 0)


def number(value: Any, name: str, default: float | None = None) -> float | None:
    """A finite number, perhaps written as a string."""
    found = _float(as_number(member(value, name)))
    return default if found is None else found


def flag(value: Any, name: str, *, default: bool = False) -> bool:
    """A truth value; the strings ``true`` and ``false`` count, numbers do not."""
    found = member(value, name)
    if isinstance(found, str):
        found = {"true": True, "false": False}.get(found.strip().lower())
    return found if isinstance(found, bool) else default


def items(value: Any, name: str) -> tuple[Any, ...]:
    """The entries of a list member, none when it is no list."""
    return tuple(_list(member(value, name)))


def entries_of(value: Any) -> tuple[Any, ...]:
    """The entries of a list, none when it is no list."""
    return tuple(_list(value))


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """An object member, an empty one when it is no object."""
    found = member(value, name)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict | Mapping) else {}


def word(value: Any, name: str, words: Iterable[_W], default: _W | None = None) -> _W | None:
    """The one of ``words`` that a string member spells, without regard to case: an enumeration's class will do."""
    wanted = text(value, name).strip().casefold()
    return next((w for w in words if w.casefold() == wanted), default)


def seconds(value: Any, name: str) -> float | None:
    """A duration member in seconds, see ``duration_s``."""
    return duration_s(member(value, name))


def duration_s(value: Any) -> float | None:
    """Seconds of ``"41s"`` (proto3 JSON), ``"1h52m56.4s"``, ``"80ms"`` (Go), or a bare number; else ``None``."""
    if (bare := as_number(value)) is not None:
        return _float(bare) if bare >= 0 else None
    if not isinstance(value, str) or not (words := value.strip()) or len(words) > _NUMBER_CHARS:
        return None
    if match := _MILLISECONDS.fullmatch(words):
        return float(match[1]) / 1000
    if not (match := _DURATION.fullmatch(words)):
        return None
    hours, minutes, rest = (float(group or 0) for group in match.groups())
    return total if math.isfinite(total := hours * 3600 + minutes * 60 + rest) else None


def text_of(value: Any) -> str:
    """The words of a string; of one that was set aside, what stands around the blobs. Empty for all else."""
    if isinstance(value, Spilled):
        return "".join(piece for piece in value.pieces if isinstance(piece, str))
    return value if isinstance(value, str) else ""


def blob_of(value: Any) -> Blob | None:
    """The blob of a string that is one base64 picture, or a data URI of one; ``None`` for all else."""
    if not isinstance(value, Spilled):
        return None
    if value.blob is not None:
        return value.blob
    match value.pieces:
        case (str() as head, Blob() as blob) if head[:5].lower() == "data:":
            return blob
        case _:
            return None


def decode_base64(words: str) -> bytes | None:
    """The bytes of a short base64 string in either alphabet, padded or not; ``None`` when it is none."""
    if "=" in (body := words.removesuffix("=").removesuffix("=")) or (body != words and len(words) % 4):
        return None
    try:
        standard = body.translate(_STANDARD).encode("ascii")
        return pybase64.b64decode(standard + b"=" * (-len(standard) % 4), validate=True)
    except ValueError:  # not ASCII, a character of no alphabet, a length that no bytes have
        return None


def as_number(value: Any) -> int | float | None:
    """A finite number, perhaps written as a string; ``None`` for all else, truth values among them."""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _parsed(words: str) -> int | float | None:
    if len(words) > _NUMBER_CHARS or "_" in words:
        return None
    for kind in (int, float):
        try:
            return kind(words)
        except ValueError:
            continue
    return None


def _float(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:  # a whole number beyond all floats
        return None


def _list(value: Any) -> list[Any] | tuple[Any, ...]:
    return cast("list[Any] | tuple[Any, ...]", value) if isinstance(value, list | tuple) else ()
