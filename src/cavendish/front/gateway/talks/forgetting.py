"""Forgetting: what is kept of conversations ends some day."""

from __future__ import annotations

import asyncio
import contextlib

from ....io.desk.responses import ResponseBook
from ....io.desk.signed import Signed
from ....io.state.port import StateError
from ..jobs.desk import Desk

EVERY_S = 3600.0


class Forgetting:
    """Looks now and then for signatures and responses that are too old to be asked for again."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin."""
        self._task = asyncio.ensure_future(self._now_and_then())

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def forget(self) -> None:
        """Forget what is too old, and remove the files of large signatures with it."""
        blobs = await Signed(self._desk.books).forget_old()
        if blobs:
            await self._desk.blobs.remove(blobs)
        await ResponseBook(self._desk.books).forget_old()

    async def _now_and_then(self) -> None:
        while True:
            # A database that is away for a while comes back; what is old then is forgotten then.
            with contextlib.suppress(StateError):
                await self.forget()
            await asyncio.sleep(EVERY_S)
