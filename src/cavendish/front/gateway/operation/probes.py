"""Probes: what a balancer and a monitor ask a gateway."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from aiohttp import web

from ....errors import CavendishError
from ..jobs.desk import Desk
from .guard import Guard
from .numbers import CONTENT_TYPE
from .plain import plain_page

PATIENCE_S = 5.0
"""Books that do not answer within this are taken for unreachable."""

PAGE_BYTES = 4096
LEAST_FREE = 64 << 20
"""With less room than this a picture may not find its place."""


class Probes:
    """Answers without a key, and says nothing of any client."""

    def __init__(self, desk: Desk, guard: Guard, store: Path) -> None:
        self._desk = desk
        self._guard = guard
        self._store = store

    async def healthy(self, _request: web.Request) -> web.Response:
        """Whether the process answers at all."""
        return web.Response(text="ok")

    async def ready(self, _request: web.Request) -> web.Response:
        """Whether a balancer should send requests here."""
        books, folder = await asyncio.gather(self._books_answer(), asyncio.to_thread(self._folder_takes))
        told = {"books": books, "folder": folder, "draining": self._desk.leaving}
        well = books and folder and not self._desk.leaving
        return plain_page({"ready": well, **told}, 200 if well else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """All numbers."""
        text = self._guard.numbers.text(await asyncio.to_thread(self._gauges))
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _books_answer(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._desk.books.read(lambda link: link.run("SELECT 1")) == [(1,)]
        except (CavendishError, TimeoutError):
            return False

    def _folder_takes(self) -> bool:
        try:
            return os.access(self._store, os.W_OK | os.X_OK) and _free(self._store) > LEAST_FREE
        except OSError:
            return False

    def _gauges(self) -> dict[str, float]:
        gauges = {
            "cavendish_requests_at_work": float(self._guard.busy),
            "cavendish_jobs_at_work": float(self._desk.live),
            "cavendish_jobs_waiting": float(self._desk.waiting),
            "cavendish_draining": float(self._desk.leaving),
        }
        try:
            gauges["cavendish_store_free_bytes"] = float(_free(self._store))
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            gauges["process_resident_memory_bytes"] = float(pages * PAGE_BYTES)
        except OSError:
            pass  # not told by this system
        return gauges


def _free(folder: Path) -> int:
    if not hasattr(os, "statvfs"):
        return LEAST_FREE + 1  # not told on Windows
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
