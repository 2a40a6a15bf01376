"""Written: the body of an answer as bytes, its pictures turned into base64 on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..model.blob import Blob
from .base64_stream import Base64Encoder
from .message import WireResponse
from .pour import encoded_length, pour
from .reading import text
from .sse import write_event

ReadBlob = Callable[[Blob], Iterable[bytes | memoryview]]


class Written:
    """The body of a response: ``size`` in bytes, where it is known beforehand, and its ``pieces``, once."""

    __slots__ = ("pieces", "size")

    def __init__(self, response: WireResponse, read: ReadBlob, *, events: bool, ending: bytes = b"") -> None:
        self.size: int | None = None
        if response.binary or response.body is None or (response.stream and events):
            plain = None if response.stream and response.body is not None else len(response.raw)
            self.size = response.binary.size if response.binary else plain
            self.pieces = body_bytes(response, read, events=events, ending=ending)
        else:
            parts = tuple(pour(response.body))
            self.size = encoded_length(parts)
            self.pieces = spelled(parts, read)


def body_bytes(response: WireResponse, read: ReadBlob, *, events: bool, ending: bytes = b"") -> Iterator[bytes]:
    """The body of a response.

    ``events``: a stream's values as server-sent events, with what the stream ends with, else as one JSON array.
    """
    if response.binary:
        yield from map(bytes, read(response.binary))
    elif response.stream and events:
        for value in response.body:
            yield from spelled(write_event(value, text(value, "type")), read)
        if ending:
            yield ending
    elif response.body is not None:
        yield from spelled(pour(response.body), read)
    else:
        yield response.raw


def spelled(parts: Iterable[bytes | Blob], read: ReadBlob) -> Iterator[bytes]:
    """Bytes as they are, blobs as base64. Where a blob's piece is empty, an empty one is given."""
    for part in parts:
        if isinstance(part, Blob):
            encoder = Base64Encoder()
            for piece in read(part):
                if (encoded := encoder.feed(bytes(piece))) or not piece:
                    yield encoded
            if last := encoder.end():
                yield last
        else:
            yield part


def gathered(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in chunks of at least this size, but for the last."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= size:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
