"""Delivery: tells which answer was lost although it had been written, by how its line ended.

The system takes some megabytes before a client has read any. One that goes away with bytes unread resets the line; one
that has read all closes it, or asks for more.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from .desk import Job


class Deliveries:
    """``lost`` is told of every job whose answer's line was reset before anything else was asked on it."""

    def __init__(self, lost: Callable[[Job], None]) -> None:
        self._lost = lost
        self._last: dict[object, Job] = {}

    def answered(self, request: web.Request, job: Job | None) -> None:
        """What was answered last on a line; ``None`` for what nobody would miss."""
        if job is None or request.transport is None:
            self._last.pop(request.protocol, None)
        else:
            self._last[request.protocol] = job

    def watch(self, server: web.Server) -> None:
        """Look at how each of a server's lines ends."""
        ended = server.connection_lost

        def connection_lost(handler: web.RequestHandler, exc: BaseException | None = None) -> None:
            job = self._last.pop(handler, None)
            if job is not None and isinstance(exc, ConnectionError):
                self._lost(job)
            ended(handler, exc)

        server.connection_lost = connection_lost
