"""MirroredBlobs: the run folder as a blob store, with every finished file in a store that machines share.

A picture is in the folder first, so that none is lost while the store is away: what it has not got yet is noted, and
sent again. What it has got may go from the folder, and is fetched when it is asked for::

    .cavendish/unsent/<name>   a note, empty: the store has not got this file yet
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from ...model.blob import Blob
from ...model.result import Slot
from ...wire.media import HEAD_BYTES, UNKNOWN, sniff
from .claim import EXTRAS, INNER
from .flow import aside
from .folder import FolderBlobs
from .names import is_inside
from .objects import Objects

UNSENT: Final = f"{INNER}/unsent"
RESEND_EVERY_S: Final = 30.0
STEP: Final = 200
"""Files that are looked at in one go when the folder is tidied."""


class MirroredBlobs(FolderBlobs):
    """``FolderBlobs`` whose finished files are in ``objects``, too."""

    def __init__(self, root: Path, objects: Objects, **options: Any) -> None:
        super().__init__(root, **options)
        self._objects = objects
        self._unsent = self.root / UNSENT
        self._resending: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the folder, and send what an earlier life could not. Raises ``ConfigError`` for a wrong store."""
        await self._objects.check()
        await super().open()
        await asyncio.to_thread(self._unsent.mkdir, exist_ok=True)
        self._resending = asyncio.ensure_future(self._keep_resending())

    async def close(self) -> None:
        """Close the folder. What the store has not got is sent by the next life."""
        if self._resending is not None:
            self._resending.cancel()
            await asyncio.gather(self._resending, return_exceptions=True)
        await super().close()

    async def place(self, blob: Blob, slot: Slot) -> Blob:
        """Give a judged picture its final name, here and in the store."""
        placed = await super().place(blob, slot)
        await self._send(placed.ref, placed.media_type)
        return placed

    async def keep(self, attempt_id: str, blobs: Sequence[Blob]) -> tuple[Blob, ...]:
        """Keep extras of an attempt for good, here and in the store."""
        for blob in blobs:
            await asyncio.to_thread(self._have, blob)
        kept = await super().keep(attempt_id, blobs)
        for blob in kept:
            await self._send(blob.ref, blob.media_type)
        return kept

    def read(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob, in pieces; from the store when they are not here. Blocks."""
        yield from aside()
        self._have(blob)
        yield from super().read(blob)

    async def file(self, blob: Blob) -> Path:
        """The file with the bytes of a blob. Raises ``FileNotFoundError`` when it is gone."""
        await asyncio.to_thread(self._have, blob)
        return await super().file(blob)

    async def remove(self, blobs: Sequence[Blob]) -> None:
        """Remove files here and in the store. Raises ``OSError`` when the store cannot be reached."""
        refs = [blob.ref for blob in blobs if is_inside(blob.ref)]
        await self._objects.delete(refs)
        await asyncio.to_thread(self._forget_notes, refs)
        await super().remove(blobs)

    # --- to the store -------------------------------------------------------------------------------------------------

    async def _send(self, ref: str, media_type: str) -> None:
        """Have the store keep a file; when it cannot now, that is noted."""
        note = self._note_of(ref)
        await asyncio.to_thread(note.touch)
        with contextlib.suppress(OSError):
            await self._objects.put(ref, self._inside(ref), media_type)
            await asyncio.to_thread(note.unlink, missing_ok=True)

    async def _keep_resending(self) -> None:
        while True:
            await self.resend()
            await asyncio.sleep(RESEND_EVERY_S)

    async def resend(self) -> int:
        """Send what the store has not got. Returns how many files that were."""
        refs = await asyncio.to_thread(self._due)
        for ref, media_type in refs:
            await self._send(ref, media_type)
        return len(refs)

    def _due(self) -> list[tuple[str, str]]:
        """What is to be sent, and its type. Notes of what is gone are forgotten."""
        refs = self._noted()
        self._forget_notes([ref for ref in refs if not (self.root / ref).is_file()])
        return [(ref, self._type_of(ref)) for ref in refs if (self.root / ref).is_file()]

    def _type_of(self, ref: str) -> str:
        with (self.root / ref).open("rb") as file:
            return sniff(file.read(HEAD_BYTES)) or UNKNOWN

    def _forget_notes(self, refs: Sequence[str]) -> None:
        for ref in refs:
            self._note_of(ref).unlink(missing_ok=True)

    def _noted(self) -> list[str]:
        found = (unquote(path.name) for path in self._unsent.iterdir())
        return [ref for ref in found if is_inside(ref)]

    def _note_of(self, ref: str) -> Path:
        return self._unsent / quote(ref, safe="")

    # --- from the store -----------------------------------------------------------------------------------------------

    def _have(self, blob: Blob) -> None:
        """See to it that a blob's bytes are here. Raises ``FileNotFoundError`` and ``OSError``."""
        if not is_inside(blob.ref) or (blob.ref.startswith(f"{INNER}/") and not blob.ref.startswith(f"{EXTRAS}/")):
            return  # not finished, so nowhere else
        path = self._inside(blob.ref)
        with contextlib.suppress(OSError):
            # Another machine may have drawn another picture under this name, before it had this job from us.
            if path.stat().st_size == blob.size:
                os.utime(path)
                return
        arriving = self._tmp / f"{secrets.token_hex(8)}-{self._token}.part"
        try:
            self._objects.fetch(blob.ref, arriving)
            path.parent.mkdir(parents=True, exist_ok=True)
            arriving.replace(path)
        finally:
            arriving.unlink(missing_ok=True)

    async def tidy(self, before: float) -> int:
        """Remove from the folder what the store has and nobody has asked for since. Returns how many files."""
        return await asyncio.to_thread(self._tidy, before)

    def _tidy(self, before: float) -> int:
        unsent = set(self._noted())
        removed = 0
        for folder, name in ((self.root, ""), (self.root / EXTRAS, f"{EXTRAS}/")):
            for entry in os.scandir(folder):
                if removed >= STEP:
                    return removed
                if entry.is_file(follow_symlinks=False) and f"{name}{entry.name}" not in unsent:
                    removed += _gone(entry, before)
        return removed


def _gone(entry: os.DirEntry[str], before: float) -> bool:
    with contextlib.suppress(OSError):
        if entry.stat(follow_symlinks=False).st_mtime < before:
            Path(entry.path).unlink()
            return True
    return False
