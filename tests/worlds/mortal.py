"""Mortal: parts of a process that can die at any durable operation, and after that do nothing any more."""

from collections.abc import Sequence

from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.model.blob import Blob
from cavendish.model.call import Done
from cavendish.model.result import Slot


class Killed(BaseException):
    """The process ended here. Not an ``Exception``: nothing may take it for an error and go on."""


class Fate:
    """When a process dies: at its ``due``-th moment; 0 is never. Moments lie before and after each durable operation.

    A dead process changes nothing: every later moment raises too.
    """

    def __init__(self, due: int = 0) -> None:
        self.moments = 0
        self.alive = True
        self._due = due

    def tick(self, _moment: str = "") -> None:
        """One more moment."""
        self.check()
        self.moments += 1
        if self.moments == self._due:
            self.alive = False
            raise Killed

    def check(self) -> None:
        """Raise when the process is dead."""
        if not self.alive:
            raise Killed


class MortalBlobs:
    """A store as one process sees it. ``arrived`` names the attempts whose pictures were durable at any time."""

    def __init__(self, store: MemoryBlobs, fate: Fate, arrived: set[str]) -> None:
        self._store = store
        self._fate = fate
        self._arrived = arrived

    def new_blob(self, attempt_id: str):
        self._fate.check()
        return self._store.new_blob(attempt_id)

    def discard(self, attempt_id: str) -> None:
        self._fate.check()
        self._store.discard(attempt_id)

    async def record(self, attempt_id: str, reply: Done, url: str = "") -> None:
        self._fate.tick()
        await self._store.record(attempt_id, reply, url)
        if all(picture.blob for picture in reply.pictures):
            self._arrived.add(attempt_id)
        self._fate.tick()

    async def place(self, blob: Blob, slot: Slot) -> Blob:
        self._fate.tick()
        placed = await self._store.place(blob, slot)
        self._fate.tick()
        return placed

    async def keep(self, attempt_id: str, blobs: Sequence[Blob]) -> tuple[Blob, ...]:
        self._fate.tick()
        kept = await self._store.keep(attempt_id, blobs)
        self._fate.tick()
        return kept

    async def forget(self, attempt_id: str) -> None:
        self._fate.tick()
        await self._store.forget(attempt_id)
        self._fate.tick()

    async def dimensions(self, blob: Blob):
        self._fate.check()
        return await self._store.dimensions(blob)

    async def recorded(self):
        self._fate.check()
        return await self._store.recorded()

    def free_bytes(self) -> int:
        return self._store.free_bytes()
