"""Flow: the pieces of files for whoever sends them: at once when the system has them in memory, else from a thread.

A thread's turn costs more than to read and encode a piece that is at hand, as the pages of a picture are that was just
written. So a reader that is asked for its next piece in an event loop gives an empty one when it would have to wait;
``flowing`` then asks it again in a thread, where nothing is empty.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, Self

LEAST_BYTES: Final = 32 * 1024
"""Smaller pieces are put together."""

PIECE_MOST, PIECE_LEAST = 192 * 1024, 24 * 1024
"""Of a file at once: a multiple of three, whose base64 needs no rest to be carried on."""

READ_BYTES: Final = 4 << 20
"""What all who read take at once, as far as the least allows: who sends to a slow client holds a piece or two."""

_NOT_HERE: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM})


class Readers:
    """Those who read files now, so that all together hold no more than so much."""

    def __init__(self) -> None:
        self._at_work: set[object] = set()

    def read(self, file: BinaryIO) -> Iterator[bytes]:
        """The bytes of a file, which was opened unbuffered; see the module."""
        offset, me, buffer = 0, object(), bytearray()
        self._at_work.add(me)
        try:
            while True:
                size = self._piece()
                if len(buffer) != size:
                    buffer = bytearray(size)
                if (data := _at_hand(file, buffer, offset) if in_loop() else None) is None:
                    yield from aside()
                    file.seek(offset)
                    data = file.read(size)
                if not data:
                    return
                offset += len(data)
                yield data
        finally:
            self._at_work.discard(me)

    def _piece(self) -> int:
        share = READ_BYTES // len(self._at_work)
        return min(PIECE_MOST, max(PIECE_LEAST, share - share % 3072))


def in_loop() -> bool:
    """Whether this thread runs an event loop, and must not wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def aside() -> Iterator[bytes]:
    """In an event loop, the empty piece: what follows waits."""
    if in_loop():
        yield b""


def _at_hand(file: BinaryIO, buffer: bytearray, offset: int) -> bytes | None:
    """Bytes that are in the system's memory; ``None`` when it would have to fetch them, or cannot tell."""
    if not hasattr(os, "RWF_NOWAIT"):
        return None
    try:
        count = os.preadv(file.fileno(), [buffer], offset, os.RWF_NOWAIT)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno in _NOT_HERE:
            return None
        raise
    return bytes(memoryview(buffer)[:count])


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, small pieces put together. Empty ones go through."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        if not piece:
            yield piece
            continue
        held.append(piece)
        size += len(piece)
        if size >= LEAST_BYTES:
            yield held[0] if len(held) == 1 else b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


class flowing:  # noqa: N801 - asked for like a generator, which would need to be closed
    """Pieces that are read on the way, none of them empty. Raises what reading raises."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            piece = next(self._pieces, None)
            if piece == b"":
                piece = await asyncio.to_thread(next, self._pieces, None)
            if piece is None:
                raise StopAsyncIteration
            if piece:
                return piece
