"""Pour: a JSON body as it leaves, its blobs streamed as base64. The mirror of ``spill``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from ..model.blob import Blob
from .base64_stream import encoded_size
from .message import JsonBody, Spilled


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
        # Most bodies hold no blob, and this is many times faster than walking through them.
        return [_plain(body)]
    except (RecursionError, TypeError, UnicodeEncodeError):
        return _walked(body)


def _plain(body: JsonBody) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode()


def _walked(body: JsonBody) -> list[bytes | Blob]:
    """The same for a body with blobs. Not recursive: it may be as deep as a parser allows."""
    parts: list[bytes | Blob] = []
    text = bytearray()
    todo: list[Any] = [body]  # what is still to be written, the next one last; bytes are written as they are
    while todo:
        value = todo.pop()
        if isinstance(value, bytes):
            text += value
        elif isinstance(value, Spilled):
            text += b'"'
            for piece in value.pieces:
                if isinstance(piece, Blob):
                    parts += (bytes(text), piece)
                    text.clear()
                else:
                    text += _scalar(piece)[1:-1]
            text += b'"'
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
