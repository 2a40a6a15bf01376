"""JournaledBlobs: the run folder as a blob store, where small replies are durable in a journal before they are files.

To make a file last, the system has to be asked for each file and for each folder, which takes far longer than to write
a small picture. So a small reply goes to a journal whole, where one sync is for all that come together. Its picture
gets its final name at once, and its entry leaves the journal when some seconds later the file itself is on the medium.
What a crash left in the journal is mended when the folder is opened, or comes to whoever adopts the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ...errors import CavendishError
from ...model.blob import Blob
from ...model.call import Done, Reply
from ...model.result import Slot
from ...wire.media import HEAD_BYTES, extension, sniff
from .folder import FolderBlobs
from .inbox import blobs_of
from .names import stem
from .pictures import Size, measure
from .record import holds, relocated, write_record

SMALL_BYTES = 64 << 10
"""Of all pictures of a reply: larger ones cost more to write twice than to sync."""

SYNC_EVERY_S = 1.0
"""How long a file may be on the way to the medium while the journal has its bytes."""

FRESH_BYTES = 8 << 20
"""Of files that are not synced yet so much is kept in memory: most of them are sent at once."""

ONE_BY_ONE = 64
"""So many files are synced each for itself; for more the whole file system is, where it can be."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A reply in the journal, with the bytes of its blobs by their refs."""

    attempt_id: str
    reply: Done
    blobs: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry of somebody who is gone, whose call is settled: its pictures under their final names, to be mended."""

    attempt_id: str
    files: Sequence[tuple[Blob, bytes]]


class Journal(Protocol):
    """Where small replies are kept for a while, so that they outlive the process and the power."""

    async def put(self, arrival: Arrival) -> None:
        """Keep one; it outlives the process from now on, and a power cut from when its call's receipt does.

        Cancelling ends the wait, not the work.
        """
        ...

    async def drop(self, attempt_ids: Collection[str]) -> None:
        """Forget these."""
        ...

    async def of(self, attempt_ids: Collection[str]) -> Sequence[Arrival]:
        """Those of these attempts that are there, whoever put them."""
        ...

    async def left(self) -> Sequence[Placed]:
        """Those of processes that are gone, whose calls are settled."""
        ...


@dataclass(slots=True)
class Held:
    """The bytes of a blob that is in the journal, and the names that it has been given, by what they begin with."""

    attempt_id: str
    data: bytes
    names: dict[str, str] = field(default_factory=dict[str, str])


class JournaledBlobs(FolderBlobs):
    """``FolderBlobs`` whose small replies are in ``journal`` until their files last."""

    def __init__(self, root: Path, journal: Journal, **options: Any) -> None:
        super().__init__(root, **options)
        self._journal = journal
        self._held: dict[str, Held] = {}
        self._fresh: dict[str, bytes] = {}
        self._fresh_bytes = 0
        self._booked: dict[str, Done] = {}
        self._adopted: set[str] = set()
        self._written: dict[str, list[Path]] = {}
        self._ended: dict[str, list[Path]] = {}
        self._syncing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the folder; see ``FolderBlobs``."""
        await super().open()
        self._syncing = asyncio.ensure_future(self._keep_syncing())

    async def close(self) -> None:
        """Make all files last, and close the folder."""
        if self._syncing is not None:
            self._syncing.cancel()
            await asyncio.gather(self._syncing, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self._sync()
        await super().close()

    # --- what arrives -------------------------------------------------------------------------------------------------

    async def record(self, attempt_id: str, reply: Done, url: str = "") -> None:
        """Make a reply and its blobs durable; see ``Inbox``. What is small lasts with its receipt, or before."""
        small = None if url or attempt_id in self._unfetched else self._small(attempt_id, reply)
        if small is None:
            await super().record(attempt_id, reply, url)
            return
        try:
            await self._journal.put(Arrival(attempt_id, reply, small))
        except CavendishError:
            await super().record(attempt_id, reply)
            return
        self._drop_parts([part for part in self._take_loose(attempt_id, list(small)) if not part.let_go()])
        self.discard(attempt_id)
        self._booked[attempt_id] = reply
        self._sealed.setdefault(attempt_id, set()).update(small)
        self._held.update({ref: Held(attempt_id, data) for ref, data in small.items()})
        for blob in blobs_of(reply):
            if seen := _look(blob, small[blob.ref]):
                self._seen[blob.ref] = seen

    def _small(self, attempt_id: str, reply: Done) -> dict[str, bytes] | None:
        """The bytes of all its blobs when they are few and none is in a file; else ``None``."""
        if any(picture.uri and picture.blob is None for picture in reply.pictures):
            return None
        loose = self._loose.get(attempt_id, {})
        small: dict[str, bytes] = {}
        for blob in blobs_of(reply):
            part = loose.get(blob.ref)
            data = part.held(SMALL_BYTES) if part is not None else None
            if data is None:
                return None
            small[blob.ref] = data
        return small if sum(map(len, small.values())) <= SMALL_BYTES else None

    def read(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob, in pieces; see ``FolderBlobs``."""
        held = self._held.get(blob.ref)
        data = held.data if held else self._fresh.get(blob.ref)
        if data is None:
            yield from super().read(blob)
        elif data:
            yield data

    # --- the port -----------------------------------------------------------------------------------------------------

    async def dimensions(self, blob: Blob) -> Size | None:
        """Width and height in pixels when the blob is a whole picture, else ``None``."""
        if blob.ref not in self._held:
            return await super().dimensions(blob)
        seen = self._seen.get(blob.ref)
        return seen[0] if seen else None

    async def place(self, blob: Blob, slot: Slot) -> Blob:
        """Give a judged picture its final name: atomic, never over a file with other bytes. The journal has it."""
        held = self._held.get(blob.ref)
        if held is None:
            again = blob.ref in self._adopted and await self._commit.run(
                lambda touched: self._again(blob, slot, touched)
            )
            return again or await super().place(blob, slot)
        base, data = stem(slot), held.data
        if base in held.names:
            return replace(blob, ref=held.names[base])
        seen = self._seen.get(blob.ref)
        name = f"{base}.{extension(seen[1] if seen else blob.media_type)}"
        path = self.root / name
        try:
            self._write(path, data)
        except FileExistsError:
            await self._to_disk([blob.ref])
            return await super().place(blob, slot)
        held.names[base] = name
        self._written.setdefault(held.attempt_id, []).append(path)
        if self._fresh_bytes + len(data) <= FRESH_BYTES:
            self._fresh[name] = data
            self._fresh_bytes += len(data)
        return replace(blob, ref=name)

    def _again(self, blob: Blob, slot: Slot, touched: set[Path]) -> Blob | None:
        """What was adopted under the name that the dead gave it, if it came so far. Blocks."""
        seen = self._look_at(blob)
        path = self.root / f"{stem(slot)}.{extension(seen[1] if seen else blob.media_type)}"
        if not holds(path, blob):
            return None
        _sync_file(path)
        touched.add(self.root)
        return replace(blob, ref=path.name)

    async def keep(self, attempt_id: str, blobs: Sequence[Blob]) -> tuple[Blob, ...]:
        """Keep extras of an attempt for good. Returns them with their new ``ref``."""
        await self._to_disk([blob.ref for blob in blobs if blob.ref in self._held])
        return await super().keep(attempt_id, blobs)

    async def forget(self, attempt_id: str) -> None:
        """The attempt is settled; what is in the journal leaves it when the files last."""
        self._adopted -= self._sealed.get(attempt_id, set())
        if self._booked.pop(attempt_id, None) is None:
            await super().forget(attempt_id)
            return
        self._ended[attempt_id] = self._written.pop(attempt_id, [])
        refs = self._sealed.get(attempt_id, set())
        held = [self._held.pop(ref, None) for ref in refs]
        if None in held:
            await super().forget(attempt_id)
            return
        self.discard(attempt_id)
        self._sealed.pop(attempt_id, None)
        for ref in refs:
            self._seen.pop(ref, None)

    def _write(self, path: Path, data: bytes) -> None:
        """A small file, written to the system's memory; not synced."""
        fd = self._room.using(lambda: self._room.disk.open_new(path))
        try:
            self._room.write(fd, data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)

    async def _to_disk(self, refs: Sequence[str]) -> None:
        """Make files of what is held, where files are needed."""
        if not refs:
            return
        held = {ref: self._held[ref].data for ref in refs}

        def work(touched: set[Path]) -> None:
            for ref, data in held.items():
                self._write_anew(self.root / ref, data)
            touched.add(self._tmp)

        await self._commit.run(work)
        for ref in refs:
            self._held.pop(ref, None)

    def _write_anew(self, path: Path, data: bytes) -> None:
        """A file with these bytes, on the medium. Blocks."""
        path.unlink(missing_ok=True)
        self._write(path, data)
        _sync_file(path)

    # --- files that are to last ---------------------------------------------------------------------------------------

    async def _keep_syncing(self) -> None:
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            # What cannot be synced, or taken out of the journal, is looked at when the folder is opened again.
            with contextlib.suppress(OSError, RuntimeError):
                await self._sync()

    async def remove(self, blobs: Sequence[Blob]) -> None:
        """Remove files that nobody needs any more; see ``FolderBlobs``."""
        self._stale(blob.ref for blob in blobs)
        await super().remove(blobs)

    def _stale(self, names: Iterable[str]) -> None:
        for name in names:
            self._fresh_bytes -= len(self._fresh.pop(name, b""))

    async def _sync(self) -> None:
        ended, self._ended = self._ended, {}
        if not ended:
            return
        files = [path for paths in ended.values() for path in paths]
        self._stale(path.name for path in files)

        def work(touched: set[Path]) -> None:
            self._measure_room()
            if len(files) > ONE_BY_ONE and _sync_all(self.root):
                return
            for path in files:
                _sync_file(path)
            touched.add(self.root)

        await self._commit.run(work)
        try:
            await self._journal.drop(ended)
        except CavendishError:
            # The books come back: until then they have what the files have, too.
            self._ended = {**ended, **self._ended}

    # --- after a crash ------------------------------------------------------------------------------------------------

    async def recorded(self) -> Mapping[str, Reply]:
        """Replies that arrived whole but were never settled; before that, files that a power cut took are mended."""
        left = await self._journal.left()
        if left:
            await self._commit.run(lambda touched: self._mend(left, touched))
            await self._journal.drop([placed.attempt_id for placed in left])
        return {**await super().recorded(), **self._booked}

    def _mend(self, left: Sequence[Placed], touched: set[Path]) -> None:
        for placed in left:
            for blob, data in placed.files:
                path = self._inside(blob.ref)
                if holds(path, blob):
                    _sync_file(path)
                else:
                    self._write_anew(path, data)
        touched.add(self.root)

    async def adopt(self, attempt_ids: Collection[str]) -> Mapping[str, Reply]:
        """Replies to these attempts that arrived whole at a process that is gone, now this one's."""
        found: dict[str, Reply] = {}
        for arrival in await self._journal.of(attempt_ids):
            reply = await self._commit.run(lambda touched, arrival=arrival: self._taken_in(arrival, touched))
            self._note({arrival.attempt_id: reply})
            self._adopted.update(blob.ref for blob in blobs_of(reply))
            found[arrival.attempt_id] = reply
        if found:
            await self._journal.drop(found)
        return {**await super().adopt(set(attempt_ids) - found.keys()), **found}

    def _taken_in(self, arrival: Arrival, touched: set[Path]) -> Done:
        """A reply of the journal as files of this process, as any other that arrived."""
        places: dict[str, str] = {}
        for ref, data in arrival.blobs.items():
            name = f"{self._token}-{next(self._numbers)}-{Path(ref).name}"
            self._write_anew(self._tmp / name, data)
            places[ref] = f"{self._arriving}/{name}"
        reply = relocated(arrival.reply, places)
        write_record(self._room, self._replies, arrival.attempt_id, reply, self._token)
        touched.update((self._tmp, self._replies))
        return reply


def _look(blob: Blob, data: bytes) -> tuple[Size, str] | None:
    size = measure(io.BytesIO(data))
    return (size, sniff(data[:HEAD_BYTES]) or blob.media_type) if size else None


def _sync_file(path: Path) -> None:
    """Return when a file's bytes are on the medium; one that was removed needs nothing."""
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(path, os.O_RDWR)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _sync_all(folder: Path) -> bool:
    """Sync the file system that a folder is on; whether that could be done."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - Linux alone

    sync = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if sync is None:
        return False
    fd = os.open(folder, os.O_RDONLY)
    try:
        return sync(fd) == 0
    finally:
        os.close(fd)
