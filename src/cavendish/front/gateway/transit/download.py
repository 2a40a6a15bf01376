"""Download: bytes that are made or read on the way, sent piece by piece, from any offset on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final

from aiohttp import web

from .outlet import WRITE_BYTES, put

_RANGE: Final = re.compile(r"bytes=(\d{1,18})-")


async def download(
    request: web.Request, pieces: AsyncIterator[bytes], size: int, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send so many bytes, or those behind the offset that is asked for."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    start = int(match[1]) if match else 0
    told = {**headers, "Accept-Ranges": "bytes"}
    if match and start >= size:
        return web.Response(status=416, headers={**told, "Content-Range": f"bytes */{size}"})
    if match:
        told["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    answer = web.StreamResponse(status=206 if match else 200, headers=told)
    answer.content_length = size - start
    await answer.prepare(request)
    if request.method != "HEAD":
        async for piece in _gathered(_behind(pieces, start)):
            await put(request, answer, piece)
    await answer.write_eof()
    return answer


async def _behind(pieces: AsyncIterator[bytes], start: int) -> AsyncIterator[bytes]:
    at = 0
    async for piece in pieces:
        kept = piece[max(0, start - at) :] if at < start else piece
        at += len(piece)
        if kept:
            yield kept


async def _gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) >= WRITE_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
