"""Stream: pictures of one prompt as they arrive."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from .outcome import Picture, Result
from .work import Asking


class PictureStream(AsyncIterator[Picture]):
    """Pictures as they arrive. ``result`` is there when the iteration has ended.

    Who leaves the iteration early should call ``aclose``, or use ``async with``: it stops new calls; what is in flight
    is finished and kept. A stream that nobody holds any more buys nothing more either.
    """

    def __init__(self, asking: Asking, begin: Callable[[Asking], asyncio.Task[Result]]) -> None:
        self._asking = asking
        self._begin = begin
        self._task: asyncio.Task[Result] | None = None
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Picture:
        if self._task is None:
            if self._closed:
                raise StopAsyncIteration
            self._task = self._begin(self._asking)
        while (outcome := await self._asking.arriving.get()) is not None:
            if isinstance(outcome, Picture):
                return outcome
        self._asking.arriving.put_nowait(None)
        await self._task
        raise StopAsyncIteration

    @property
    def result(self) -> Result:
        """All outcomes. Raises ``RuntimeError`` while pictures are still to come."""
        if self._task is None or not self._task.done():
            raise RuntimeError("the result is there when all pictures have been taken from the stream")
        return self._task.result()

    async def aclose(self) -> None:
        """Stop new calls and wait for what is in flight."""
        self._closed = True
        self._asking.stop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # In whatever thread the last reference went.
        if self._task is not None and not self._task.done():
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._task.get_loop().call_soon_threadsafe(self._asking.stop)
