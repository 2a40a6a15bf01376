"""Pour: a JSON body as it leaves, its blobs streamed as base64. The mirror of ``spill``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from ..model.blob import Blob
from .base64_stream import encoded_size
from .message import JsonBody, Spilled

_HOLE: Final = "<blobs>"
"""Stands for a string with blobs while the rest is written."""


def pour(body: JsonBody) -> Iterator[bytes | Blob]:
    """The body as compact UTF-8 JSON (RFC 8259): bytes to send as they are, blobs to send as base64.

    Raises ``ValueError`` and ``TypeError`` for what JSON has no way to say (NaN, an object of no JSON type), before
    anything is given out. A lone surrogate goes as its escape.
    """
    return iter(_parts(body))


def encoded_length(parts: Iterable[bytes | Blob]) -> int:
    """How many bytes the parts of a body come to, its blobs as padded base64: for ``Content-Length``."""
    return sum(encoded_size(part.size) if isinstance(part, Blob) else len(part) for part in parts)


def _parts(body: JsonBody) -> list[bytes | Blob]:
    """Bytes and blobs, no two of bytes side by side."""
    try:
        # This is many times faster than walking through a body.
        parts = _punched(body)
    except (RecursionError, TypeError, UnicodeEncodeError):
        parts = None
    return _walked(body) if parts is None else parts


def _punched(body: JsonBody) -> list[bytes | Blob] | None:
    """The body with a hole for each string that has blobs, filled; ``None`` when a word of the body looks like one."""
    holes: list[Spilled] = []

    def punch(value: object) -> str:
        if not isinstance(value, Spilled):
            raise TypeError(f"JSON has no {type(value).__name__}")
        holes.append(value)
        return _HOLE

    text = json.dumps(
        body, ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=punch
    )
    if not holes:
        return [text.encode()]
    between = text.split(f'"{_HOLE}"')
    return _filled(between, holes) if len(between) == len(holes) + 1 else None


def _filled(between: Sequence[str], holes: Sequence[Spilled]) -> list[bytes | Blob]:
    parts: list[bytes | Blob] = []
    text = bytearray(between[0].encode())
    for hole, after in zip(holes, between[1:], strict=True):
        _write_spilled(hole, parts, text)
        text += after.encode()
    return [*parts, bytes(text)]


def _write_spilled(value: Spilled, parts: list[bytes | Blob], text: bytearray) -> None:
    """A string with blobs: each goes among the parts, behind the text that stands before it."""
    text += b'"'
    for piece in value.pieces:
        if isinstance(piece, Blob):
            parts += (bytes(text), piece)
            text.clear()
        else:
            text += _scalar(piece)[1:-1]
    text += b'"'


def _walked(body: JsonBody) -> list[bytes | Blob]:
    """The same for any body. Not recursive: it may be as deep as a parser allows."""
    parts: list[bytes | Blob] = []
    text = bytearray()
    todo: list[Any] = [body]  # what is still to be written, the next one last; bytes are written as they are
    while todo:
        value = todo.pop()
        if isinstance(value, bytes):
            text += value
        elif isinstance(value, Spilled):
            _write_spilled(value, parts, text)
        elif isinstance(value, Mapping | list | tuple):
            todo += reversed(_opened(cast("Mapping[str, Any] | list[Any] | tuple[Any, ...]", value)))
        else:
            text += _scalar(value)
    return [*parts, bytes(text)]


def _opened(value: Mapping[str, Any] | list[Any] | tuple[Any, ...]) -> list[Any]:
    """The signs and values that an object or a list is written with."""
    signs: list[Any] = []
    if isinstance(value, Mapping):
        for name, entry in value.items():
            signs += (b"," if signs else b"{", name, b":", entry)
        return [*signs, b"}"] if signs else [b"{}"]
    for entry in value:
        signs += (b"," if signs else b"[", entry)
    return [*signs, b"]"] if signs else [b"[]"]


def _scalar(value: str | float | None) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 has no bytes for
        return json.dumps(value).encode()
