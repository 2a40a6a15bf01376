"""Written: the body of an answer as bytes, its pictures turned into base64 on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..model.blob import Blob
from .base64_stream import Base64Encoder
from .message import WireResponse
from .pour import pour
from .reading import text
from .sse import write_event

ReadBlob = Callable[[Blob], Iterable[bytes | memoryview]]


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
    """Bytes as they are, blobs as base64."""
    for part in parts:
        if isinstance(part, Blob):
            encoder = Base64Encoder()
            for piece in read(part):
                yield encoder.feed(bytes(piece))
            yield encoder.end()
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
