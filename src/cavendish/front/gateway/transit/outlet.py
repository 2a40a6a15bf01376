"""Outlet: an answer as it goes out over HTTP, its pictures read from the folder piece by piece."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from ....io.blobs.flow import flowing, joined
from ....wire.message import WireResponse
from ....wire.written import ReadBlob, Written

WRITE_BYTES = 256 * 1024
WHOLE_BYTES: Final = 64 * 1024
"""A body of up to this size goes out in one piece."""

STALLED_S = 300.0
"""A client that takes nothing for so long is cut off. At 10 kB/s the system's own buffers take half of it to empty."""

JSON = "application/json; charset=utf-8"
EVENTS = "text/event-stream; charset=utf-8"


async def send(
    request: web.Request,
    response: WireResponse,
    read: ReadBlob,
    *,
    headers: Mapping[str, str],
    ending: bytes = b"",
    events: bool = False,
) -> web.StreamResponse:
    """Send an answer whole. Raises ``ConnectionError`` when the client went away meanwhile, or takes nothing."""
    # The door's word stands before the dialect's, however either is spelled.
    told = {name.title(): value for name, value in (*dict(response.headers).items(), *headers.items())}
    if response.body is not None:
        told["Content-Type"] = EVENTS if events and response.stream else JSON
    body = Written(response, read, events=events, ending=ending)
    pieces = flowing(joined(body.pieces))
    if body.size is not None and body.size <= WHOLE_BYTES:
        whole = b"".join([piece async for piece in pieces])
        return web.Response(body=whole, status=response.status, headers=told)
    first = await anext(pieces, b"")
    answer = web.StreamResponse(status=response.status, headers=told)
    answer.content_length = body.size
    await answer.prepare(request)
    await put(request, answer, first)
    async for piece in pieces:
        await put(request, answer, piece)
    await answer.write_eof()
    return answer


async def put(request: web.Request, answer: web.StreamResponse, piece: bytes) -> None:
    """Send a piece. Raises ``ConnectionError`` when the client went away or has stopped to read, and is cut off."""
    watch = _WATCHES.get(answer)
    if watch is None:
        watch = _WATCHES[answer] = _Watch(request)
    watch.begun_at = watch.now()
    await answer.write(piece)
    watch.begun_at = None


class _Watch:
    """Cuts a client off that takes nothing. One timer for all of an answer: pieces are many, and most go at once."""

    def __init__(self, request: web.Request) -> None:
        self.begun_at: float | None = None
        self._request = weakref.ref(request)
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._loop.call_later(STALLED_S, self._look)

    def _look(self) -> None:
        request = self._request()
        if request is None or request.transport is None:
            return
        waits_s = 0.0 if self.begun_at is None else self.now() - self.begun_at
        if waits_s >= STALLED_S:
            request.transport.abort()
        else:
            self._loop.call_later(STALLED_S - waits_s, self._look)


_WATCHES: Final = weakref.WeakKeyDictionary[web.StreamResponse, _Watch]()
