"""Inbox: the side of a blob store that replies are written to while they arrive."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Protocol

from ...model.blob import Blob
from ...model.call import Done
from ...model.request import Image
from ...wire.blobs import BlobWriter


class Inbox(Protocol):
    """Implemented by the stores beside it."""

    def new_blob(self, attempt_id: str) -> BlobWriter:
        """A writer for the next blob of an attempt's reply. Its methods may raise ``OutOfSpace``."""
        ...

    async def drained(self) -> None:
        """Return when the disk has caught up enough to take more."""
        ...

    async def seal(self, attempt_id: str) -> None:
        """Make all blobs of an attempt durable. Raises ``OutOfSpace``."""
        ...

    async def record(self, attempt_id: str, reply: Done, url: str = "") -> None:
        """Make a reply and its blobs durable; blobs of the attempt that it does not name are dropped.

        ``url`` is the address of a picture that was fetched: then the attempt's earlier reply stays, and is given that
        picture. Raises ``OutOfSpace``.
        """
        ...

    def give(self, from_id: str, attempt_id: str, refs: Collection[str]) -> None:
        """What arrived under one id belongs to an attempt: in the results of a job, its name may come after it."""
        ...

    def discard(self, attempt_id: str) -> None:
        """Drop what arrived of an attempt and is not part of a recorded reply. Does not wait."""
        ...

    def read(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob, in pieces. May block: for threads. Raises ``OSError`` when they are not there."""
        ...


def with_fetched(reply: Done, url: str, got: Done) -> Done:
    """The reply with the picture that was fetched from ``url`` in place."""
    blob = got.pictures[0].blob if got.pictures else None
    parts = tuple(
        replace(part, blob=blob) if isinstance(part, Image) and part.uri == url and part.blob is None else part
        for part in reply.parts
    )
    return replace(reply, parts=parts)


def blobs_of(reply: Done) -> tuple[Blob, ...]:
    """All blobs that a reply names: pictures and large signatures."""
    pictures = [part.blob for part in reply.parts if isinstance(part, Image) and part.blob is not None]
    signatures = [part.signature for part in reply.parts if isinstance(part.signature, Blob)]
    return (*pictures, *signatures)
