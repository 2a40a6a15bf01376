"""Blobs of one body: written one after another, counted and measured.

The store of the bytes is behind ``BlobWriter``; this package knows no files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, cast

from ..model.blob import Blob
from . import media


class SpillError(ValueError):
    """The body is no JSON, or was abandoned."""


class SpillTooLarge(SpillError):
    """The body is beyond a limit."""


class BlobWriter(Protocol):
    """Where the bytes of one blob go. The store computes hash and size."""

    def write(self, data: bytes, /) -> None:
        """Append. Raises ``OSError`` when the disk is full."""
        ...

    def finish(self, media_type: str, /) -> Blob:
        """All is written: the blob."""
        ...

    def abort(self) -> None:
        """Forget what was written."""
        ...


NewBlob = Callable[[], BlobWriter]


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a body may get. The defaults are several times what any known API sends."""

    envelope_bytes: int = 16 << 20
    """All that is not set aside. The largest seen, a list of all models, has under 1 MiB."""
    blobs: int = 1000
    """A batch of inline answers has at most 20 MB by Google's rules; one answer has at most 15 pictures, and drafts."""
    blob_bytes: int = 256 << 20
    """A 4K picture has 25 MB as PNG, 64 MB uncompressed; a thought signature a few."""
    total_bytes: int = 1 << 30
    """All blobs of a body."""


DEFAULT_LIMITS: Final = Limits()


class BodyBlobs:
    """The blobs of one body, counted and measured; at most one is open."""

    __slots__ = ("_count", "_head", "_limits", "_new_blob", "_size", "_tail", "_total", "_writer")

    def __init__(self, new_blob: NewBlob, limits: Limits) -> None:
        self._new_blob = new_blob
        self._limits = limits
        self._writer: BlobWriter | None = None
        self._head = self._tail = b""
        self._size = self._count = self._total = 0

    def write(self, data: bytes) -> None:
        if not data:
            return
        limits = self._limits
        self._size += len(data)
        self._total += len(data)
        if self._size > limits.blob_bytes or self._total > limits.total_bytes:
            raise SpillTooLarge(f"more than {min(limits.blob_bytes, limits.total_bytes)} bytes in a blob or a body")
        if self._writer is None:
            self._open()
        if len(self._head) < media.HEAD_BYTES:
            self._head += data[: media.HEAD_BYTES - len(self._head)]
        self._tail = (self._tail + data[-media.TAIL_BYTES :])[-media.TAIL_BYTES :]
        cast("BlobWriter", self._writer).write(data)

    def _open(self) -> None:
        self._count += 1
        if self._count > self._limits.blobs:
            raise SpillTooLarge(f"more than {self._limits.blobs} blobs in a body")
        self._writer = self._new_blob()

    def finish(self) -> Blob:
        writer, head = cast("BlobWriter", self._writer), self._head
        blob = writer.finish(media.sniff(head) or media.UNKNOWN)
        self._writer, self._head, self._tail, self._size = None, b"", b"", 0
        return blob

    def sniffed(self) -> str | None:
        """What the open blob looks like."""
        return media.sniff(self._head)

    @property
    def is_open(self) -> bool:
        """Whether a blob has been begun."""
        return self._writer is not None

    def ends_whole(self) -> bool:
        """Whether the open blob is a picture that ends here, as far as its bytes can tell."""
        return media.ends_whole(self.sniffed() or media.UNKNOWN, self._tail)

    def abort(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abort()
