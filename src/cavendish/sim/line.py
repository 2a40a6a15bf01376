"""The line: sends an answer over a real connection, whole, in drops, or broken off."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiohttp import web

from ..wire.message import WireResponse
from ..wire.written import ReadBlob, body_bytes, gathered
from .faults import WISH_HEADER, Line
from .provider import Planned

WRITE_BYTES = 64 * 1024
HANG_S = 3600.0
DROP_BYTES = 2048
DROP_S = 0.05
MAX_DROPS = 600
"""After this many drops the rest of a trickling body comes at once: half a minute."""
_JSON = "application/json; charset=UTF-8"
_EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Style:
    """How a body goes out: as events or as JSON, and what a stream of events ends with."""

    events: bool = False
    ending: bytes = b""


async def waited(request: web.Request, planned: Planned) -> bool:
    """Let the time pass that the answer takes; whether the connection still stands then."""
    if planned.line is not Line.REFUSED:
        await asyncio.sleep(HANG_S if planned.line is Line.HANG else planned.latency_s)
    if planned.line in {Line.REFUSED, Line.DROPPED, Line.HANG}:
        _break(request)
        return False
    return True


async def send(
    request: web.Request, response: WireResponse, planned: Planned, read: ReadBlob, style: Style
) -> web.StreamResponse:
    """Send an answer over a line that does as was planned; to a client that hung up, as far as it listened."""
    answer = web.StreamResponse(status=response.status, headers=_headers(response, planned, style))
    pieces = body_bytes(response, read, events=style.events, ending=style.ending)
    # What a client does is no error of a server's, which would log one.
    with contextlib.suppress(ConnectionError):
        await answer.prepare(request)
        await _sent(request, answer, planned, pieces)
    return answer


async def _sent(request: web.Request, answer: web.StreamResponse, planned: Planned, pieces: Iterator[bytes]) -> None:
    if planned.line in {Line.CUT, Line.RESET}:
        await answer.write(next(gathered(pieces, planned.after_bytes), b"")[: planned.after_bytes])
        _break(request, reset=planned.line is Line.RESET)
        return
    if planned.line is Line.TRICKLE:
        await _trickle(answer, pieces)
    else:
        for chunk in gathered(pieces, WRITE_BYTES):
            await answer.write(chunk)
    await answer.write_eof()


async def _trickle(answer: web.StreamResponse, pieces: Iterable[bytes]) -> None:
    drops = 0
    for chunk in gathered(pieces, WRITE_BYTES):
        for at in range(0, len(chunk), DROP_BYTES):
            await answer.write(chunk[at : at + DROP_BYTES])
            drops += 1
            if drops < MAX_DROPS:
                await asyncio.sleep(DROP_S)


def _break(request: web.Request, *, reset: bool = False) -> None:
    """End the connection after what was written, or tear it down. Whatever is answered then goes nowhere."""
    transport = request.transport
    if transport is None:
        return
    if reset and (line := transport.get_extra_info("socket")):
        # Zero seconds to linger make the system send a reset instead of an orderly end.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()


def _headers(response: WireResponse, planned: Planned, style: Style) -> dict[str, str]:
    headers = dict(response.headers)
    if response.body is not None:
        headers["Content-Type"] = _EVENTS if style.events else _JSON
    if planned.number:
        headers[WISH_HEADER] = f"call={planned.number}"
    return headers
