"""GroupCommit: disk work in a few threads, with one sync of a folder for all pieces of work that changed it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

Work = Callable[[set[Path]], T]
"""Does something on disk and adds the folders whose names it changed to the set that it is given."""

GROUP = 64
"""Pieces of work per turn of a thread: enough to share a sync, few enough that the first does not wait long."""


@dataclass(slots=True)
class _Piece:
    work: Work[Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None
    touched: set[Path] = field(default_factory=set[Path])


class GroupCommit:
    """When few are waiting, each piece of work has a thread; when many are, they share threads and syncs."""

    def __init__(self, sync_folder: Callable[[Path], None], threads: int = 8) -> None:
        self._sync_folder = sync_folder
        self._threads = threads
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="cavendish-disk")
        self._lock = threading.Lock()
        self._waiting: deque[_Piece] = deque()
        self._busy = 0

    async def run(self, work: Work[T]) -> T:
        """The result of the work, when it and the names it changed are durable. Raises what it raised.

        Cancelling ends the wait, not the work.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._waiting.append(_Piece(work, future, loop))
            idle = self._busy < self._threads
            self._busy += idle
        if idle:
            self.pool.submit(self._drain)
        return await future

    def close(self) -> None:
        """Wait for what was begun, and end the threads."""
        self.pool.shutdown(wait=True)

    def _drain(self) -> None:
        while group := self._take():
            for piece in group:
                _do(piece)
            self._sync(group)
            _deliver(group)

    def _take(self) -> list[_Piece]:
        with self._lock:
            count = min(GROUP, -(-len(self._waiting) // self._threads))
            if not count:
                self._busy -= 1
            return [self._waiting.popleft() for _ in range(count)]

    def _sync(self, group: list[_Piece]) -> None:
        for folder in {path for piece in group for path in piece.touched}:
            try:
                self._sync_folder(folder)
            except OSError as error:
                for piece in group:
                    if folder in piece.touched:
                        piece.error = piece.error or error


def _do(piece: _Piece) -> None:
    try:
        piece.result = piece.work(piece.touched)
    except BaseException as error:  # noqa: BLE001 (it belongs to whoever waits)
        piece.error = error


def _deliver(group: list[_Piece]) -> None:
    for loop in {piece.loop for piece in group}:
        mine = [piece for piece in group if piece.loop is loop]
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, mine)


def _tell(pieces: list[_Piece]) -> None:
    for piece in pieces:
        if piece.future.done():
            continue
        if piece.error is None:
            piece.future.set_result(piece.result)
        else:
            piece.future.set_exception(piece.error)
