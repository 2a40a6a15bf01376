"""Plain: the nouns as JSON values and back, for ledgers and records on disk.

Members left at their defaults are not written. Reading ignores unknown members and takes the default for missing
ones, so files of older and newer versions can be read. ``from_plain(to_plain(x)) == x``, places and columns included.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, cast, overload

import orjson

from .attempt import Attempt, AttemptState
from .blob import Blob
from .call import Done, GroundingNote, Later, Source, Support, Ticket
from .fault import Charged, Fault, FaultKind, Scope
from .request import Image, ImageRequest, JsonValue, Notice, Role, Text, Turn, Use
from .result import Failure, Picture, Route, Slot
from .usage import Usage

Plain = (
    ImageRequest
    | Slot
    | Route
    | Usage
    | Fault
    | Done
    | Later
    | Ticket
    | Notice
    | Picture
    | Failure
    | Attempt
    | Blob
    | Text
    | Image
)
"""What can be written. The word under which each is known is in ``_SHAPES``."""

TYPE = "type"
"""The member that names what a JSON object stands for."""

_P = TypeVar("_P", bound=Plain)


class _Codec(NamedTuple):
    """How a member that is no plain JSON by itself is written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class _Member(NamedTuple):
    name: str
    default: Any
    codec: _Codec | None


class _Shape:
    """How one class is written. Fields without a codec are plain JSON already."""

    def __init__(self, cls: type[Any], **codecs: _Codec) -> None:
        self.cls = cls
        self.members = tuple(_Member(f.name, _default(f), codecs.get(f.name)) for f in fields(cls))
        self.codec = _Codec(self.write, self.read)
        self._items = attrgetter(*(member.name for member in self.members))  # all of a value's at once, in C

    def write(self, value: Any) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for (name, default, codec), item in zip(self.members, self._items(value), strict=True):
            if item is not default and item != default:
                plain[name] = item if codec is None else codec.write(item)
        return plain

    def read(self, plain: Any) -> Any:
        known: dict[str, Any] = {}
        for name, _, codec in self.members:
            if name not in plain:
                continue
            item = plain[name]
            if codec is None:
                known[name] = item
            elif item is not None:
                known[name] = codec.read(item)
        return self.cls(**known)


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default  # MISSING equals no value, so a field without a default is always written


def _write_word(item: StrEnum) -> str:
    return item.value


def _word(kind: type[StrEnum]) -> _Codec:
    return _Codec(_write_word, kind)


def _each(codec: _Codec) -> _Codec:
    def write(items: tuple[Any, ...]) -> list[Any]:
        return [codec.write(item) for item in items]

    def read(plain: list[Any]) -> tuple[Any, ...]:
        return tuple(codec.read(item) for item in plain)

    return _Codec(write, read)


def _write_signature(signature: str | Blob) -> Any:
    return signature if isinstance(signature, str) else _BLOB.write(signature)


def _read_signature(plain: Any) -> str | Blob:
    return plain if isinstance(plain, str) else _BLOB.read(plain)


def _write_part(part: Text | Image) -> dict[str, Any]:
    return (_TEXT if isinstance(part, Text) else _IMAGE).write(part)


def _read_part(plain: Any) -> Text | Image:
    return (_TEXT if "text" in plain else _IMAGE).read(plain)


_LIST = _Codec(list, tuple)
_MAPPING = _Codec(dict, dict)
_SIGNATURE = _Codec(_write_signature, _read_signature)
_PARTS = _each(_Codec(_write_part, _read_part))

_BLOB = _Shape(Blob)
_USAGE = _Shape(Usage)
_NOTICE = _Shape(Notice)
_ROUTE = _Shape(Route)
_TEXT = _Shape(Text, signature=_SIGNATURE)
_IMAGE = _Shape(Image, blob=_BLOB.codec, use=_word(Use), signature=_SIGNATURE)
_TURN = _Shape(Turn, role=_word(Role), parts=_PARTS)
_REQUEST = _Shape(ImageRequest, turns=_each(_TURN.codec), modalities=_LIST, grounding=_LIST, extra=_MAPPING)
_FAULT = _Shape(Fault, kind=_word(FaultKind), charged=_word(Charged), scope=_word(Scope), usage=_USAGE.codec)
_TICKET = _Shape(Ticket, data=_MAPPING)
_SLOT = _Shape(Slot, request=_REQUEST.codec, columns=_MAPPING)
_SOURCE = _Shape(Source)
_SUPPORT = _Shape(Support, sources=_LIST, scores=_LIST)
_GROUNDING = _Shape(
    GroundingNote,
    web_queries=_LIST,
    image_queries=_LIST,
    sources=_each(_SOURCE.codec),
    supports=_each(_SUPPORT.codec),
)
_DONE = _Shape(
    Done,
    parts=_PARTS,
    finals=_LIST,
    usage=_USAGE.codec,
    grounding=_GROUNDING.codec,
    shortfall=_each(_FAULT.codec),
    notices=_each(_NOTICE.codec),
)
_LATER = _Shape(Later, ticket=_TICKET.codec, usage=_USAGE.codec)
_PICTURE = _Shape(
    Picture,
    slot=_SLOT.codec,
    blob=_BLOB.codec,
    route=_ROUTE.codec,
    usage=_USAGE.codec,
    extras=_PARTS,
    signature=_SIGNATURE,
    grounding=_GROUNDING.codec,
    notices=_each(_NOTICE.codec),
)
_FAILURE = _Shape(Failure, slot=_SLOT.codec, fault=_FAULT.codec, route=_ROUTE.codec)
_ATTEMPT = _Shape(
    Attempt,
    route=_ROUTE.codec,
    state=_word(AttemptState),
    charged=_word(Charged),
    usage=_USAGE.codec,
    fault=_FAULT.codec,
    ticket=_TICKET.codec,
)

_SHAPES: dict[str, _Shape] = {
    "request": _REQUEST,
    "slot": _SLOT,
    "route": _ROUTE,
    "usage": _USAGE,
    "fault": _FAULT,
    "done": _DONE,
    "later": _LATER,
    "ticket": _TICKET,
    "notice": _NOTICE,
    "picture": _PICTURE,
    "failure": _FAILURE,
    "attempt": _ATTEMPT,
    "blob": _BLOB,
    "text": _TEXT,
    "image": _IMAGE,
}
_WORDS: dict[type[Any], str] = {shape.cls: word for word, shape in _SHAPES.items()}


def to_plain(value: Plain) -> dict[str, Any]:
    """The value as a JSON object whose member ``type`` says what it is."""
    word = _WORDS[type(value)]
    return {TYPE: word, **_SHAPES[word].write(value)}


@overload
def from_plain(plain: JsonValue) -> Plain: ...
@overload
def from_plain(plain: JsonValue, wanted: type[_P]) -> _P: ...
def from_plain(plain: JsonValue, wanted: type[Any] | None = None) -> Plain:
    """The value that a JSON object stands for; ``wanted`` is the class it must have.

    Raises ``ValueError`` when it stands for nothing known, for something else, or lacks what has no default.
    """
    try:
        shape = _SHAPES[plain[TYPE]]
        value = shape.read(plain)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a plain value: {error!r}") from error
    if wanted is not None and shape.cls is not wanted:
        raise ValueError(f"a {shape.cls.__name__} where a {wanted.__name__} was expected")
    return cast("Plain", value)


_EXACT = b" "
"""Stands before JSON that only the standard library reads exactly: whole numbers over 64 bits, lone surrogates."""


def to_json(value: Plain) -> bytes:
    """The value as one line of UTF-8 JSON without a line end."""
    return write_json(to_plain(value))


def write_json(plain: JsonValue, default: Callable[[Any], Any] | None = None) -> bytes:
    """Any JSON value as ``to_json`` writes it; ``default`` makes one of what is none."""
    try:
        return orjson.dumps(plain, default=default)
    except TypeError:
        return _EXACT + json.dumps(plain, separators=(",", ":"), default=default).encode()


def read_json(data: bytes | str) -> JsonValue:
    """What ``write_json`` wrote. Raises ``ValueError`` when it is no JSON."""
    exact = data[:1] in {_EXACT, _EXACT.decode()}
    return json.loads(data) if exact else orjson.loads(data)


@overload
def from_json(data: bytes | str) -> Plain: ...
@overload
def from_json(data: bytes | str, wanted: type[_P]) -> _P: ...
def from_json(data: bytes | str, wanted: type[Any] | None = None) -> Plain:
    """The value that ``to_json`` wrote. Raises ``ValueError`` as ``from_plain`` does, and when it is no JSON."""
    plain = read_json(data)
    return from_plain(plain) if wanted is None else from_plain(plain, wanted)
