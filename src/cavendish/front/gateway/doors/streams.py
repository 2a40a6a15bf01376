"""Streams: pictures sent one by one as they come, and a line kept open while nothing does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Final, NoReturn, TypeVar

from aiohttp import web

from ....io.blobs.flow import LEAST_BYTES, flowing, joined
from ....model.result import Outcome
from ....wire.message import WireResponse
from ....wire.written import ReadBlob, body_bytes, gathered
from ..jobs.drafting import Draft
from ..jobs.watching import Watching
from ..transit.outlet import EVENTS, JSON, put

T = TypeVar("T")

KEEP_ALIVE: Final = "x-cavendish-keep-alive"
LEAST_S, MOST_S = 1.0, 600.0
COMMENT: Final = b": waiting\n\n"
"""What event streams may hold anywhere, and their readers pass over."""
SPACE: Final = b" "
"""What JSON may begin with."""


def keep_alive_s(headers: Mapping[str, str]) -> float | None:
    """How often a client wants to hear something while it waits: not every client can bear it, so it must ask."""
    try:
        wanted = float(headers.get(KEEP_ALIVE, ""))
    except ValueError:
        return None
    return min(max(wanted, LEAST_S), MOST_S) if wanted == wanted else None  # noqa: PLR0124 - not a number


class Line:
    """An answer that is begun before all of it is known. ``every_s``: how often to show that it lives."""

    def __init__(
        self, request: web.Request, headers: Mapping[str, str], *, events: bool, every_s: float | None
    ) -> None:
        self._request = request
        self._events = events
        self._every_s = every_s
        self._headers = headers
        self.begun = False

    @cached_property
    def _answer(self) -> web.StreamResponse:
        """Made when it is begun: most answers are sent whole, without a line."""
        return web.StreamResponse(headers={**self._headers, "Content-Type": EVENTS if self._events else JSON})

    async def begin(self) -> None:
        """Send the head: from now on a failure is part of the body."""
        if not self.begun:
            self.begun = True
            await self._answer.prepare(self._request)

    async def waited(self, awaited: Awaitable[T]) -> T:
        """The value of what is awaited; until then the line is kept alive, if that is wanted."""
        if self._every_s is None:
            return await awaited
        waiting = asyncio.ensure_future(awaited)
        try:
            while not (await asyncio.wait({waiting}, timeout=self._every_s))[0]:
                await self.begin()
                await self._put(COMMENT if self._events else SPACE)
        except BaseException:
            waiting.cancel()
            raise
        return waiting.result()

    async def write(self, pieces: Iterable[bytes]) -> None:
        """Send bytes that are read from the disk on the way."""
        await self.begin()
        async for piece in flowing(joined(pieces)):
            await self._put(piece)

    async def events(self, values: Iterable[Any], read: ReadBlob) -> None:
        """Send events."""
        pieces = body_bytes(WireResponse(200, body=values, stream=True), read, events=True)
        if isinstance(values, list | tuple):
            await self.write(pieces)
            return
        # What is read while the events are made, is read in a thread.
        await self.begin()
        chunks = gathered(pieces, LEAST_BYTES)
        while chunk := await asyncio.to_thread(next, chunks, b""):
            await self._put(chunk)

    async def _put(self, piece: bytes) -> None:
        await put(self._request, self._answer, piece)

    async def end(self, ending: bytes = b"") -> web.StreamResponse:
        """Nothing more follows."""
        await self.begin()
        if ending:
            await self._put(ending)
        await self._answer.write_eof()
        return self._answer

    def cut(self) -> NoReturn:
        """End it so that no client takes it for whole. Raises ``ConnectionResetError``."""
        if self._request.transport is not None:
            self._request.transport.close()
        raise ConnectionResetError("the answer was cut off: it is an error, and was begun as a success")


async def each(line: Line, watching: Watching) -> AsyncIterator[Outcome | Draft]:
    """Each outcome and draft of a job as it comes, the line kept alive in between."""
    moments = watching.moments()
    step: Callable[[], Awaitable[Outcome | Draft | None]] = lambda: anext(moments, None)  # noqa: E731 - one each time
    while (moment := await line.waited(step())) is not None:
        yield moment
