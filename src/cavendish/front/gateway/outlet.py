"""Outlet: an answer as it goes out over HTTP, its pictures read from the folder piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from ...wire.message import WireResponse
from ...wire.written import ReadBlob, body_bytes, gathered

WRITE_BYTES = 256 * 1024
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
    """Send an answer whole. Raises ``ConnectionError`` when the client went away meanwhile."""
    pieces = gathered(body_bytes(response, read, events=events, ending=ending), WRITE_BYTES)
    first = await asyncio.to_thread(next, pieces, b"") if _has_pictures(response) else next(pieces, b"")
    # The door's word stands before the dialect's, however either is spelled.
    told = {name.title(): value for name, value in (*dict(response.headers).items(), *headers.items())}
    if response.body is not None:
        told["Content-Type"] = EVENTS if events and response.stream else JSON
    if len(first) < WRITE_BYTES:
        return web.Response(body=first, status=response.status, headers=told)
    answer = web.StreamResponse(status=response.status, headers=told)
    await answer.prepare(request)
    await answer.write(first)
    while piece := await asyncio.to_thread(next, pieces, b""):
        await answer.write(piece)
    await answer.write_eof()
    return answer


def _has_pictures(response: WireResponse) -> bool:
    return response.binary is not None or 200 <= response.status < 300
