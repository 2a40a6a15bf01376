"""Worker: one thread that owns a connection, so that the event loop never waits for a disk or a server."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Worker:
    """Runs functions one after another in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work in the thread. A caller that is cancelled does not stop work that has begun."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(work))

    def stop(self) -> None:
        """No further work is taken; what has begun is finished."""
        self._thread.shutdown(wait=False)
