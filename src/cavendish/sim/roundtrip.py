"""Messages as bytes: written out with their pictures in base64, and read again as if they came from a line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..model.blob import Blob
from ..wire.blobs import NewBlob
from ..wire.body import BodyReader
from ..wire.message import WireRequest, WireResponse
from ..wire.request_body import outgoing, request_reader
from ..wire.written import ReadBlob, body_bytes, spelled
from .dice import SeededDice

STAND_IN_BYTES = 64
"""The simulator never looks at reference pictures, so a few bytes stand for each."""
MAX_CHUNK = 64 * 1024


class Unseen:
    """A ``BlobWriter`` for bytes that nobody will look at: only their hash and size are kept."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes, /) -> None:
        """Count it."""
        self._hash.update(data)
        self._size += len(data)

    def finish(self, media_type: str, /) -> Blob:
        """The blob, which is nowhere."""
        return Blob(self._hash.hexdigest(), self._size, media_type)

    def abort(self) -> None:
        """Nothing is held."""


def reread_request(request: WireRequest, dice: SeededDice) -> WireRequest:
    """The request after its way over a line, in chunks of chance lengths."""
    if request.body is None:
        return request
    sent = outgoing(request.body)
    reader = request_reader(sent.content_type, Unseen)
    pieces = _plain(sent.parts) if sent.plain else spelled(sent.parts, _stand_in)
    for chunk in _chunks(pieces, dice):
        reader.feed(chunk)
    return replace(request, body=reader.close())


def reread_response(response: WireResponse, read: ReadBlob, new_blob: NewBlob, dice: SeededDice) -> WireResponse:
    """The response after its way over a line, in chunks of chance lengths; its blobs go to ``new_blob``."""
    reader = BodyReader(response.status, response.headers, new_blob)
    for chunk in _chunks(body_bytes(response, read, events=True), dice):
        reader.feed(chunk)
    return reader.close(cut=response.cut)


def _stand_in(blob: Blob) -> Iterable[bytes]:
    return (blob.sha256.encode().ljust(STAND_IN_BYTES),)


def _plain(parts: Iterable[bytes | Blob]) -> Iterator[bytes]:
    """Bytes and blobs, all as they are."""
    for part in parts:
        yield from map(bytes, _stand_in(part)) if isinstance(part, Blob) else (part,)


def _chunks(pieces: Iterable[bytes], dice: SeededDice) -> Iterator[bytes]:
    """The same bytes with other borders: mostly long chunks, some of a few bytes."""
    for piece in pieces:
        at = 0
        while at < len(piece):
            most = 7 if dice.uniform() < 0.2 else MAX_CHUNK
            size = dice.between(1, most)
            yield piece[at : at + size]
            at += size
