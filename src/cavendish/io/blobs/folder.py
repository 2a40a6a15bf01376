"""FolderBlobs: the run folder as a blob store.

::

    0001-a-red-kite-1.jpg      placed: a second name (hard link) of the file below
    .cavendish/tmp/            what arrives: <attempt>-<k>.part
    .cavendish/replies/        <attempt>.json: replies that arrived whole and are not settled
    .cavendish/extras/         drafts, thoughts and signatures that are kept
    .cavendish/ballast         room to give up when the disk is full

Refs are paths below the folder with forward slashes. All that waits for the disk runs in threads. Several processes
may share a folder when each has another ``own`` folder for what arrives, in which it works alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ...model.blob import Blob
from ...model.call import Done, Reply
from ...model.result import Slot
from ...wire.media import HEAD_BYTES, extension, sniff
from .adopt import adopt
from .claim import EXTRAS, INNER, prepare, replies_of, tmp_of
from .commit import GroupCommit, Work
from .disk import BALLAST_BYTES, Ballast, Disk, Room, install, second_name
from .flow import Readers, aside
from .inbox import blobs_of, with_fetched
from .names import file_id, is_inside, stem
from .part import Backlog, Means, OpenFiles, Part
from .pictures import Size, measure
from .record import SUFFIX, holds, read_records, relocated, write_record

THREADS = 8
"""Enough for a disk to order its work, few enough to cost nothing."""

OPEN_FILES = 65_536
"""Descriptors asked of the system: a thousand calls in flight are a thousand sockets and some files."""

SAME_NAME_LIMIT = 1000
"""Pictures with other bytes under one slot's name, before that is taken for a fault of ours."""


class FolderBlobs:
    """Implements ``engine.ports.Blobs`` and ``Inbox`` over a run folder. Open it before use, close it after."""

    def __init__(
        self, root: Path, *, disk: Disk | None = None, ballast_bytes: int = BALLAST_BYTES, own: str = INNER
    ) -> None:
        self.root = Path(root).absolute()
        self._own = own
        self._arriving = tmp_of(own)
        self._tmp, self._replies = self.root / self._arriving, self.root / replies_of(own)
        self._extras = self.root / EXTRAS
        self._disk = disk or Disk()
        self._ballast = Ballast(self.root / own / "ballast", ballast_bytes)
        self._room = Room(self._disk, self._ballast)
        self._commit = GroupCommit(self._disk.sync_folder, THREADS)
        self._means = Means(self._room, OpenFiles(0), Backlog(self._commit.pool))
        # In the names of what this process has in hand, to tell it from what others left behind.
        self._token = secrets.token_hex(4)
        self._numbers = itertools.count()
        self._loose: dict[str, dict[str, Part]] = {}
        self._loose_refs: set[str] = set()
        self._sealed: dict[str, set[str]] = {}
        self._unfetched: dict[str, Done] = {}
        self._seen: dict[str, tuple[Size, str]] = {}
        self._free = 0
        self._readers = Readers()

    async def open(self) -> None:
        """Make the inner folders and the ballast. Raises ``FolderError`` when the folder cannot be used."""
        await self._commit.run(self._open)

    async def close(self) -> None:
        """Finish what was begun and give the ballast back. Parts that are not sealed are dropped."""
        for attempt_id in tuple(self._loose):
            self.discard(attempt_id)
        await self._commit.run(lambda _: self._ballast.drop())
        await asyncio.to_thread(self._commit.close)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _open(self, touched: set[Path]) -> None:
        prepare(self.root, self._own)
        touched.update((self.root, self.root / INNER, self.root / self._own))
        self._means = self._means._replace(files=OpenFiles(_allow_open_files() // 4))
        self._ballast.load(self._disk.free_bytes(self.root))
        self._measure_room()

    # --- what arrives -----------------------------------------------------------------------------------------------

    def new_blob(self, attempt_id: str) -> Part:
        """A writer for the next blob of an attempt's reply."""
        name = f"{file_id(attempt_id)}-{self._token}-{next(self._numbers)}.part"
        part = Part(
            self._tmp / name,
            f"{self._arriving}/{name}",
            self._means,
            lambda part: self._drop_parts(self._take_loose(attempt_id, [part.ref])),
        )
        self._loose.setdefault(attempt_id, {})[part.ref] = part
        self._loose_refs.add(part.ref)
        return part

    async def drained(self) -> None:
        """Return when the disk has caught up enough to take more."""
        await self._means.backlog.drained()

    async def show(self, attempt_id: str, blob: Blob) -> Blob:
        """A blob that has just arrived, under a second name: readable at once, durable only with its reply.

        It stays until it is hidden, whatever becomes of the reply. Raises ``FileNotFoundError`` when it is gone.
        """
        part = self._loose.get(attempt_id, {}).get(blob.ref)
        if part is None:
            raise FileNotFoundError(blob.ref)
        name = f"{file_id(attempt_id)}-{self._token}-{next(self._numbers)}.shown"

        def work(_: set[Path]) -> None:
            part.flush()
            second_name(self._room, part.path, self._tmp / name)

        await self._commit.run(work)
        return replace(blob, ref=f"{self._arriving}/{name}")

    async def hide(self, blob: Blob) -> None:
        """Take back what was shown."""
        await self._commit.run(lambda _: _unlink([self._inside(blob.ref)]))

    async def seal(self, attempt_id: str) -> None:
        """Make all blobs of an attempt durable. Raises ``OutOfSpace``."""
        await self._seal(attempt_id, self._take_loose(attempt_id), lambda _: None)

    async def record(self, attempt_id: str, reply: Done, url: str = "") -> None:
        """Make a reply and its blobs durable; see ``Inbox``. Cancelling ends the wait, not the work."""
        earlier = self._unfetched.get(attempt_id)
        whole = with_fetched(earlier, url, reply) if url and earlier else reply
        parts = self._take_loose(attempt_id, [blob.ref for blob in blobs_of(reply)])
        self.discard(attempt_id)
        if any(picture.uri and picture.blob is None for picture in whole.pictures):
            self._unfetched[attempt_id] = whole

        def work(touched: set[Path]) -> None:
            self._look_at_all(whole)
            write_record(self._room, self._replies, attempt_id, whole, self._token)
            touched.add(self._replies)

        await self._seal(attempt_id, parts, work)

    async def _seal(self, attempt_id: str, parts: Sequence[Part], then: Work[None]) -> None:
        refs = {part.ref for part in parts}
        self._sealed.setdefault(attempt_id, set()).update(refs)

        def work(touched: set[Path]) -> None:
            for part in parts:
                part.seal()
                touched.add(self._tmp)
            then(touched)

        try:
            await self._commit.run(work)
        except OSError:
            self._sealed[attempt_id] -= refs
            self._drop_parts(parts)
            raise

    def give(self, from_id: str, attempt_id: str, refs: Collection[str]) -> None:
        """What arrived under one id belongs to an attempt."""
        loose = self._loose.get(from_id, {})
        found = {ref: loose.pop(ref) for ref in refs if ref in loose}
        if not loose:
            self._loose.pop(from_id, None)
        if found:
            self._loose.setdefault(attempt_id, {}).update(found)

    def discard(self, attempt_id: str) -> None:
        """Drop what arrived of an attempt and was not sealed. Does not wait."""
        self._drop_parts(self._take_loose(attempt_id))

    def _drop_parts(self, parts: Sequence[Part]) -> None:
        if parts:
            self._commit.pool.submit(_remove, parts)

    def _take_loose(self, attempt_id: str, refs: Sequence[str] | None = None) -> list[Part]:
        """Parts of an attempt that are from now on not loose any more: those of these refs, or all."""
        loose = self._loose.get(attempt_id, {})
        parts = [loose.pop(ref) for ref in (tuple(loose) if refs is None else refs) if ref in loose]
        self._loose_refs.difference_update(part.ref for part in parts)
        if not loose:
            self._loose.pop(attempt_id, None)
        return parts

    def read(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob, in pieces. For threads; in an event loop, for ``flow.flowing``.

        An absolute ref is a file of the user's, who named it.
        """
        yield from aside()
        if Path(blob.ref).is_absolute():
            fd = os.open(blob.ref, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        else:
            fd = self._disk.open_read(self._inside(blob.ref))
        with os.fdopen(fd, "rb", buffering=0) as file:
            yield from self._readers.read(file)

    async def file(self, blob: Blob) -> Path:
        """The file with the bytes of a blob. Raises ``FileNotFoundError`` when it is gone."""
        path = self._inside(blob.ref)
        if not await asyncio.to_thread(path.is_file):
            raise FileNotFoundError(blob.ref)
        return path

    async def remove(self, blobs: Sequence[Blob]) -> None:
        """Remove files that nobody needs any more; who reads one of them now reads it to its end."""
        paths = [self._inside(blob.ref) for blob in blobs if is_inside(blob.ref)]
        await self._commit.run(lambda _: _unlink(paths))

    # --- the port ---------------------------------------------------------------------------------------------------

    async def place(self, blob: Blob, slot: Slot) -> Blob:
        """Give a judged picture its final name: atomic, durable, never over a file with other bytes."""
        self._must_be_sealed(blob)
        return await self._commit.run(lambda touched: self._place(blob, slot, touched))

    async def keep(self, attempt_id: str, blobs: Sequence[Blob]) -> tuple[Blob, ...]:
        """Keep extras of an attempt for good. Returns them with their new ``ref``."""
        for blob in blobs:
            self._must_be_sealed(blob)
        return await self._commit.run(lambda touched: tuple(self._keep(attempt_id, b, touched) for b in blobs))

    async def dimensions(self, blob: Blob) -> Size | None:
        """Width and height in pixels when the blob is a whole picture, else ``None``; so too when it is not there."""
        self._must_be_sealed(blob)
        seen = self._seen.get(blob.ref) or await self._commit.run(lambda _: self._look_at(blob))
        return seen[0] if seen else None

    async def recorded(self) -> Mapping[str, Reply]:
        """Replies that arrived whole but were never settled. What is of no use of an earlier process is removed."""
        found = await self._commit.run(lambda _: self._read_back())
        self._note(found)
        return dict(found)

    async def adopt(self, attempt_ids: Collection[str]) -> Mapping[str, Reply]:
        """Replies to these attempts that arrived whole at a process that is gone, now this one's."""
        ours = await self._commit.run(
            lambda touched: adopt(self._room, self.root, self._own, attempt_ids, self._token, touched)
        )
        if ours:
            await self._commit.run(lambda _: self._remove([path for one in ours.values() for path in one.left]))
        found = {attempt_id: one.reply for attempt_id, one in ours.items()}
        self._note(found)
        return dict(found)

    def _note(self, found: Mapping[str, Done]) -> None:
        for attempt_id, reply in found.items():
            refs = (blob.ref for blob in blobs_of(reply))
            self._sealed.setdefault(attempt_id, set()).update(ref for ref in refs if ref.startswith(self._arriving))
            if any(picture.uri and picture.blob is None for picture in reply.pictures):
                self._unfetched[attempt_id] = reply

    async def forget(self, attempt_id: str) -> None:
        """The attempt is settled: drop its recorded reply and whatever of it was not placed or kept."""
        self.discard(attempt_id)
        self._unfetched.pop(attempt_id, None)
        refs = self._sealed.pop(attempt_id, set())
        for ref in refs:
            self._seen.pop(ref, None)
        await self._commit.run(lambda _: self._drop(attempt_id, refs))

    def free_bytes(self) -> int:
        """Room left where pictures are written, as of the last one written."""
        return self._free

    # --- in threads -------------------------------------------------------------------------------------------------

    def _place(self, blob: Blob, slot: Slot, touched: set[Path]) -> Blob:
        seen = self._seen.get(blob.ref) or self._look_at(blob)
        name = self._install(self._inside(blob.ref), blob, self.root, stem(slot), seen[1] if seen else blob.media_type)
        touched.add(self.root)
        self._measure_room()
        return replace(blob, ref=name)

    def _keep(self, attempt_id: str, blob: Blob, touched: set[Path]) -> Blob:
        folder = self._extras
        base = f"{file_id(attempt_id)}-{blob.sha256[:12]}"
        name = self._install(self._inside(blob.ref), blob, folder, base, blob.media_type)
        touched.add(folder)
        return replace(blob, ref=f"{EXTRAS}/{name}")

    def _install(self, source: Path, blob: Blob, folder: Path, base: str, media_type: str) -> str:
        """Give the file a free name, or find the name that it already has."""
        suffix = extension(media_type)
        for number in range(1, SAME_NAME_LIMIT):
            name = f"{base}.{suffix}" if number == 1 else f"{base}~{number}.{suffix}"
            target = folder / name
            try:
                if target != source:
                    install(self._room, source, target)
                return name
            except FileExistsError:
                # A crash came after it went to its place. Another slot's file may have the same bytes, and stays that.
                if _same(target, source):
                    return name
            except FileNotFoundError:
                # Where there are no links the file itself went to its place, under this name or one of the next.
                if holds(target, blob):
                    return name
                if not target.exists():
                    raise
        raise FileExistsError(f"{SAME_NAME_LIMIT} files are named {base}.{suffix}")

    def _look_at(self, blob: Blob) -> tuple[Size, str] | None:
        """Size and type of a whole picture by its bytes."""
        try:
            with os.fdopen(self._disk.open_read(self._inside(blob.ref)), "rb") as file:
                media_type = sniff(file.read(HEAD_BYTES))
                size = measure(file)
        except FileNotFoundError:
            return None
        return (size, media_type or blob.media_type) if size else None

    def _look_at_all(self, reply: Done) -> None:
        """Look at pictures while their bytes are at hand: each will be asked for."""
        for picture in reply.pictures:
            seen = self._look_at(picture.blob) if picture.blob and is_inside(picture.blob.ref) else None
            if picture.blob and seen:
                self._seen[picture.blob.ref] = seen

    def _read_back(self) -> dict[str, Done]:
        found: dict[str, Done] = {}
        used: set[str] = set()
        for path, attempt_id, reply in read_records(self._replies, self._token):
            places = {blob.ref: self._find(blob) for blob in blobs_of(reply)}
            if None in places.values():
                path.unlink(missing_ok=True)
            else:
                found[attempt_id] = relocated(reply, {old: new for old, new in places.items() if new})
                used.update(places)
        for path in (self._tmp).iterdir():
            if f"{self._arriving}/{path.name}" not in used and self._token not in path.name:
                path.unlink(missing_ok=True)
        return found

    def _find(self, blob: Blob) -> str | None:
        """Where the bytes are: where the record says, or at their place when the crash came after they went there."""
        if not is_inside(blob.ref):
            return None
        if holds(self.root / blob.ref, blob):
            return blob.ref
        files = itertools.chain(self.root.iterdir(), (self._extras).iterdir())
        return next((path.relative_to(self.root).as_posix() for path in files if holds(path, blob)), None)

    def _drop(self, attempt_id: str, refs: set[str]) -> None:
        # The record first: without it the blobs are no one's.
        (self._replies / (file_id(attempt_id) + SUFFIX)).unlink(missing_ok=True)
        for ref in refs:
            (self.root / ref).unlink(missing_ok=True)

    def _remove(self, paths: Collection[Path]) -> None:
        for path in paths:
            path.unlink(missing_ok=True)

    def _measure_room(self) -> None:
        with contextlib.suppress(OSError):
            self._free = self._disk.free_bytes(self.root)

    # --- refs -------------------------------------------------------------------------------------------------------

    def _inside(self, ref: str) -> Path:
        if not is_inside(ref):
            raise ValueError(f"not a place in the run folder: {ref!r}")
        return self.root / ref

    def _must_be_sealed(self, blob: Blob) -> None:
        if blob.ref in self._loose_refs:
            raise ValueError(f"not sealed yet: {blob.ref}")


def _same(one: Path, other: Path) -> bool:
    """Whether two names are of one file."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _unlink(paths: Sequence[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _remove(parts: Sequence[Part]) -> None:
    for part in parts:
        with contextlib.suppress(OSError):
            part.remove()


def _allow_open_files() -> int:
    """Raise the soft limit of open files as far as it may go; returns what it is then."""
    if sys.platform == "win32":
        return 2048  # of the C library, and asyncio's sockets do not count there
    import resource  # noqa: PLC0415 (not there on Windows)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return OPEN_FILES if soft == resource.RLIM_INFINITY else soft
    for limit in (wanted, 10_240):  # macOS refuses more than its own, lower, limit
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            return limit
    return soft
