"""Arriving: the bytes of a request's body as its client had them before it packed them for the way."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from aiohttp import web

from ....wire.blobs import SpillError

PACKINGS: Final = ("gzip", "deflate")
"""What a body may be packed with. What packs tighter is refused with a word, and not by a line that breaks."""

_PLAIN: Final = frozenset({"", "identity"})
_ALIASES: Final = {"x-gzip": "gzip"}
_MOST_AT_ONCE: Final = 256 * 1024
"""A few bytes may stand for very many: so many are unpacked before they are looked at."""

_GZIP_OR_ZLIB, _BARE = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS


def packing_of(request: web.Request) -> str:
    """What a body is packed with, empty when with nothing."""
    said = request.headers.get("Content-Encoding", "").strip().lower()
    return "" if said in _PLAIN else _ALIASES.get(said, said)


class Unpacker:
    """Unpacks a body as it arrives. ``SpillError`` for what is no such thing."""

    def __init__(self, packing: str) -> None:
        self._packing = packing
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the next bytes come to, in pieces of bounded length."""
        if not self._packing:
            yield chunk
            return
        if chunk and not self._begun:
            self._begun = True
            # The standard says zlib, and some send what is within it alone.
            if self._packing == "deflate" and chunk[0] & 0xF != zlib.DEFLATED:
                self._stream = zlib.decompressobj(_BARE)
        while chunk:
            if self._stream.eof:  # a file of gzip may be several, one behind the other
                self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
            yield from self._unpacked(chunk)
            chunk = self._stream.unused_data

    def _unpacked(self, chunk: bytes) -> Iterator[bytes]:
        piece = b"-"
        while chunk or len(piece) == _MOST_AT_ONCE:
            try:
                piece = self._stream.decompress(chunk, _MOST_AT_ONCE)
            except zlib.error:
                raise SpillError(f"it is not {self._packing}, as its Content-Encoding says") from None
            chunk = self._stream.unconsumed_tail
            if piece:
                yield piece

    def close(self) -> None:
        """The body has ended."""
        if self._packing and self._begun and not self._stream.eof:
            raise SpillError(f"its {self._packing} breaks off")


async def arriving(request: web.Request) -> AsyncIterator[bytes]:
    """The bytes of a body. Raises ``SpillError``."""
    unpacker = Unpacker(packing_of(request))
    while chunk := await request.content.readany():
        for piece in unpacker.feed(chunk):
            yield piece
    unpacker.close()
