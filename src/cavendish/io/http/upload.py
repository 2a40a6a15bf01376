"""Upload: a request's body on its way, its blobs read and encoded in threads piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from ...model.blob import Blob
from ...wire.base64_stream import Base64Encoder
from ...wire.message import JsonBody
from ...wire.pour import encoded_length, pour


class Upload:
    """A JSON body to send. ``error`` is what kept a blob from being read, ``size`` the length in bytes."""

    def __init__(self, body: JsonBody, read: Callable[[Blob], Iterator[bytes]]) -> None:
        self.error: OSError | None = None
        self._parts = tuple(pour(body))
        self._read = read
        self.size = encoded_length(self._parts)

    @property
    def data(self) -> bytes | AsyncIterator[bytes]:
        """The body for aiohttp: at once when it holds no blobs."""
        if any(isinstance(part, Blob) for part in self._parts):
            return self._stream()
        return b"".join(part for part in self._parts if isinstance(part, bytes))

    async def _stream(self) -> AsyncIterator[bytes]:
        pieces = self._pieces()
        try:
            while piece := await asyncio.to_thread(next, pieces, b""):
                yield piece
        except OSError as error:
            self.error = error
            raise

    def _pieces(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, bytes):
                if part:
                    yield part
            else:
                yield from self._encoded(part)

    def _encoded(self, blob: Blob) -> Iterator[bytes]:
        encoder, left = Base64Encoder(), blob.size
        for data in self._read(blob):
            left -= len(data)
            if left < 0:
                break
            if piece := encoder.feed(data):
                yield piece
        if left:
            # Before the last piece: what the provider has by now is not whole.
            raise OSError(f"{blob.ref} has not the {blob.size} bytes it had: it was changed meanwhile")
        if piece := encoder.end():
            yield piece
