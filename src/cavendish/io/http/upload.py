"""Upload: a request's body on its way, its blobs read and encoded in threads piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

from ...model.blob import Blob
from ...wire.base64_stream import Base64Encoder
from ...wire.message import Form, JsonBody
from ...wire.request_body import outgoing
from ..blobs.flow import flowing, joined


class Upload:
    """A body to send. ``error`` is what kept a blob from being read, ``size`` the length in bytes."""

    def __init__(self, body: JsonBody | Form, read: Callable[[Blob], Iterator[bytes]]) -> None:
        self.error: OSError | None = None
        sent = outgoing(body)
        self._parts, self._plain = sent.parts, sent.plain
        self._read = read
        self.size = sent.size
        self.content_type = sent.content_type

    @property
    def data(self) -> bytes | AsyncIterator[bytes]:
        """The body for aiohttp: at once when it holds no blobs."""
        if any(isinstance(part, Blob) for part in self._parts):
            return self._stream()
        return b"".join(part for part in self._parts if isinstance(part, bytes))

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            async for piece in flowing(joined(self.pieces())):
                yield piece
        except OSError as error:
            self.error = error
            raise

    def pieces(self) -> Iterator[bytes]:
        """The body in pieces; see ``flow``. Raises ``OSError`` for a blob that cannot be read."""
        for part in self._parts:
            if isinstance(part, bytes):
                if part:
                    yield part
            else:
                yield from self._whole(part) if self._plain else self._encoded(part)

    def _encoded(self, blob: Blob) -> Iterator[bytes]:
        encoder = Base64Encoder()
        for data in self._whole(blob):
            if (piece := encoder.feed(data)) or not data:
                yield piece
        if piece := encoder.end():
            yield piece

    def _whole(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob; the last of them only when they are as many as they were."""
        left, held = blob.size, b""
        for data in self._read(blob):
            if not data:
                yield data
                continue
            left -= len(data)
            if left < 0:
                break
            if held:
                yield held
            held = data
        if left:
            # Before the last piece: what the provider has by now is not whole.
            raise OSError(f"{blob.ref} has not the {blob.size} bytes it had: it was changed meanwhile")
        if held:
            yield held
