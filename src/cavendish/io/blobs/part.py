"""Part: a blob while it arrives. Hashed at once, written to its file in threads, never synced chunk by chunk."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import NamedTuple

from ...model.blob import Blob
from .disk import Room

FLUSH_BYTES = 1 << 20
"""What may wait in memory before it is written, over all parts: enough to make a thread's turn worth it."""

HIGH_WATER_BYTES = 4 << 20
"""From here on readers are asked to wait for the disk."""


class OpenFiles:
    """How many files may stay open between two writes; the others are opened for each."""

    def __init__(self, limit: int) -> None:
        self._free = threading.Semaphore(limit)

    def take(self) -> bool:
        """Whether one more may stay open."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        """One was closed."""
        self._free.release()


class Backlog:
    """Bytes of all parts that wait for the disk. Written in threads, many parts in one turn."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._waiting = 0
        self._parts: deque[Part] = deque()
        self._turn: Future[None] | None = None

    def add(self, part: Part, count: int) -> None:
        """A part has so many more bytes. Called in the loop."""
        with self._lock:
            self._waiting += count
        if not part.queued:
            part.queued = True
            self._parts.append(part)
        if self._waiting >= FLUSH_BYTES:
            self._start()

    def take(self, count: int) -> None:
        """So many bytes no longer wait."""
        with self._lock:
            self._waiting -= count

    def leave(self, part: Part) -> None:
        """Nothing of a part waits any more: it is not kept for a turn that may never come."""
        with contextlib.suppress(ValueError, IndexError):
            self._parts.remove(part)
        part.queued = False

    async def drained(self) -> None:
        """Return when there is room for more."""
        while self._waiting > HIGH_WATER_BYTES:
            await asyncio.wait({asyncio.wrap_future(self._start())})

    def _start(self) -> Future[None]:
        if self._turn is None or self._turn.done():
            self._turn = self._pool.submit(self._write)
        return self._turn

    def _write(self) -> None:
        while self._parts:
            part = self._parts.popleft()
            part.queued = False  # before it is read: what comes from now on queues it anew
            part.flush()


class Means(NamedTuple):
    """What all parts of a store share."""

    room: Room
    files: OpenFiles
    backlog: Backlog


class Part:
    """Implements ``wire.blobs.BlobWriter``. Used in the loop; ``flush``, ``seal`` and ``remove`` are for threads."""

    def __init__(self, path: Path, ref: str, means: Means, on_abort: Callable[[Part], None]) -> None:
        self.path = path
        self.ref = ref
        self.queued = False
        self._room, self._files, self._backlog = means
        self._on_abort = on_abort
        self._hash = hashlib.sha256()
        self._size = 0
        self._chunks: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._stays_open = False
        self._made = False
        self._gone = False
        self._error: OSError | None = None

    # --- in the loop ------------------------------------------------------------------------------------------------

    def write(self, data: bytes, /) -> None:
        """Take more bytes. Raises what writing earlier ones raised, ``OutOfSpace`` among it."""
        if self._error is not None:
            raise self._error
        if not data:
            return
        self._hash.update(data)
        self._size += len(data)
        self._chunks.append(data)
        self._backlog.add(self, len(data))

    def finish(self, media_type: str, /) -> Blob:
        """No more bytes will come. The blob is not durable before it is sealed."""
        return Blob(self._hash.hexdigest(), self._size, media_type, self.ref)

    def abort(self) -> None:
        """Forget it all, soon."""
        self._on_abort(self)

    def held(self, most: int) -> bytes | None:
        """All its bytes, when they are few and none of them is in a file; else ``None``."""
        if self._size > most or not self._lock.acquire(blocking=False):
            return None
        try:
            return None if self._made or self._error is not None else b"".join(self._chunks)
        finally:
            self._lock.release()

    def let_go(self) -> bool:
        """What was held is kept elsewhere. Returns false when some of it became a file meanwhile: ``remove`` that."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._made:
                return False
            self._gone = True
            self._drain()
            self._backlog.leave(self)
            return True
        finally:
            self._lock.release()

    # --- in threads -------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what is waiting. Errors are kept for ``write`` and ``seal``."""
        with self._lock:
            self._drain()
            if not self._stays_open:
                self._shut()

    def seal(self) -> None:
        """Write the rest, and return when all of it is on the medium. Sealing twice is no error."""
        with self._lock:
            self._drain()
            if self._error is None:
                self._try(lambda: self._room.sync(self._opened()))
            self._shut()
            self._backlog.leave(self)
        if self._error is not None:
            raise self._error

    def remove(self) -> None:
        """Forget it all."""
        with self._lock:
            self._gone = True
            self._drain()
            self._shut()
            self._backlog.leave(self)
            self.path.unlink(missing_ok=True)

    def _drain(self) -> None:
        while self._chunks:
            data = self._chunks.popleft()
            if self._error is None and not self._gone:
                self._try(lambda data=data: self._room.write(self._opened(), data))
            self._backlog.take(len(data))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._error = error

    def _opened(self) -> int:
        if self._fd is None:
            disk = self._room.disk
            self._fd = self._room.using(lambda: disk.open_more(self.path) if self._made else disk.open_new(self.path))
            self._made = True
            self._stays_open = self._files.take()
        return self._fd

    def _shut(self) -> None:
        if self._fd is None:
            return
        os.close(self._fd)
        self._fd = None
        if self._stays_open:
            self._stays_open = False
            self._files.give_back()
