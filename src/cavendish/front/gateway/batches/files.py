"""Files: what clients keep at the gateway, for both worlds: pieces that arrive, files, and references to them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ....dialects.gemini.batch_files import FILE_LIFE_S
from ....dialects.gemini.uploads import MAX_FILE_BYTES, UploadWish, no_file
from ....io.blobs.flow import flowing
from ....io.blobs.folder import FolderBlobs
from ....io.desk.stored import FileEntry, StoredBooks, Upload, storable
from ....model.blob import Blob
from ....model.fault import Fault, FaultKind
from ....model.request import Image, ImageRequest, Part, Turn
from ....wire.media import HEAD_BYTES, sniff
from ..jobs.desk import Desk

UPLOAD_LIFE_S: Final = 24 * 3600.0
"""How long an upload may rest before what came of it is forgotten."""

MAX_STORED_BYTES: Final = 20 << 30
"""Of one caller's files (Google's guide on files, 2026)."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_OURS: Final = re.compile(
    r"(?:(?:(?:https?://[^/?#]{1,255})?/?(?:v1|v1beta|v1alpha)/)?files/|file-)(?P<id>[A-Za-z0-9_-]{1,80})"
)
"""A file as Google's API names it, or by OpenAI's id."""

OPENAI_S: Final = "file-"


@dataclass(frozen=True, slots=True)
class Keeping:
    """What a file is called and for how long it is kept; ``life_s`` ``None``: until it is deleted."""

    name: str
    media_type: str
    purpose: str = ""
    life_s: float | None = FILE_LIFE_S


class Files:
    """The files of all callers. Bytes are in the gateway's folder, all else in its books."""

    def __init__(self, desk: Desk, books: StoredBooks) -> None:
        self._desk = desk
        self._books = books

    @property
    def _blobs(self) -> FolderBlobs:
        return self._desk.blobs

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._desk.clock.now()

    # --- what arrives -------------------------------------------------------------------------------------------------

    async def room(self, caller: str, size: int) -> Fault | None:
        """Why no more files of this caller's can be kept."""
        if await self._books.stored_bytes(caller) + size <= MAX_STORED_BYTES:
            return None
        message = f"the files of one key have at most {MAX_STORED_BYTES >> 30} GB: delete some of them"
        return Fault(FaultKind.TOO_LARGE, message, reason="INVALID_ARGUMENT", status=413)

    async def begin(self, caller: str, wish: UploadWish) -> Upload:
        """An upload in pieces begins. Its id is nothing that anybody could guess: it stands for the key."""
        upload = Upload(
            id=self._desk.fresh_id() + self._desk.fresh_id(),
            caller=caller,
            name=storable(wish.name),
            media_type=storable(wish.media_type),
            size=wish.size,
            begun_at=self.now(),
        )
        await self._books.begin(upload)
        return upload

    async def upload(self, upload_id: str) -> Upload | None:
        """An upload under way, or done."""
        return await self._books.upload(upload_id)

    async def take(self, upload: Upload, chunks: AsyncIterable[bytes]) -> Upload | Fault:
        """The next piece. One that breaks off in its middle is as if it had never come."""
        most = min(upload.size or MAX_FILE_BYTES, MAX_FILE_BYTES) - upload.received
        piece = await self._written(chunks, upload.media_type, most)
        if piece is None:
            return upload
        if isinstance(piece, Fault):
            return piece
        taken = await self._books.take(upload, piece)
        if taken is None:
            await self._blobs.remove((piece,))
            return _wrong("another request brought these bytes at the same time")
        return taken

    async def finish(self, upload: Upload) -> FileEntry | Fault:
        """All pieces are there: the file."""
        if upload.size and upload.received != upload.size:
            return _wrong(f"{upload.received} bytes came of a file of {upload.size}")
        blob = upload.pieces[0] if upload.pieces else None
        if len(upload.pieces) > 1:
            joined = await self._written(self._all_of(upload.pieces), upload.media_type, MAX_FILE_BYTES)
            assert isinstance(joined, Blob)
            blob = joined
        file = self._entry(upload.caller, Keeping(upload.name, upload.media_type), blob)
        if not await self._books.finish(upload, file):
            return _wrong("the upload was ended by another request at the same time")
        if len(upload.pieces) > 1:
            await self._blobs.remove(upload.pieces)
        return file

    async def keep(self, caller: str, keeping: Keeping, blob: Blob | None, own_id: str) -> FileEntry:
        """A file that came whole, among what ``own_id`` brought."""
        if blob is not None:
            await self._blobs.seal(own_id)
            (blob,) = await self._blobs.keep(own_id, (blob,))
            await self._blobs.forget(own_id)
        file = self._entry(caller, keeping, blob)
        await self._books.put(file)
        return file

    async def keep_results(self, caller: str, keeping: Keeping, batch_id: str, size: int) -> FileEntry:
        """A file of results: written anew from its batch each time it is read."""
        file = replace(self._entry(caller, keeping, None), size=size, batch=batch_id)
        await self._books.put(file)
        return file

    def _entry(self, caller: str, keeping: Keeping, blob: Blob | None) -> FileEntry:
        now = self.now()
        return FileEntry(
            id=self._desk.fresh_id(),
            caller=caller,
            name=storable(keeping.name),
            media_type=storable(keeping.media_type),
            purpose=keeping.purpose,
            size=blob.size if blob else 0,
            created_at=now,
            ends_at=None if keeping.life_s is None else now + keeping.life_s,
            blob=blob,
        )

    async def _written(self, chunks: AsyncIterable[bytes], media_type: str, most: int) -> Blob | Fault | None:
        """Bytes as a blob that stays; ``None`` when there are none."""
        own_id, head, size = self._desk.fresh_id(), b"", 0
        part = self._blobs.new_blob(own_id)
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    self._blobs.discard(own_id)
                    return Fault(FaultKind.TOO_LARGE, "more bytes came than the file was said to have", status=413)
                head += chunk[: HEAD_BYTES - len(head)]
                part.write(chunk)
                await self._blobs.drained()
        except BaseException:
            self._blobs.discard(own_id)
            raise
        if not size:
            self._blobs.discard(own_id)
            return None
        blob = part.finish(sniff(head) or media_type)
        await self._blobs.seal(own_id)
        (kept,) = await self._blobs.keep(own_id, (blob,))
        await self._blobs.forget(own_id)
        return kept

    # --- what is there ------------------------------------------------------------------------------------------------

    async def find(self, file_id: str, caller: str) -> FileEntry | None:
        """A file that is still there, for its own caller."""
        if not _ID.fullmatch(file_id):
            return None
        return await self._books.file(file_id, caller, self.now())

    async def all(self, caller: str) -> list[FileEntry]:
        """All files of a caller, the newest first."""
        return await self._books.files(caller, self.now())

    async def delete(self, file: FileEntry) -> None:
        """Forget a file and its bytes. What jobs took of it stays theirs."""
        await self._books.delete(file.id)
        if file.blob:
            await self._blobs.remove((file.blob,))

    async def read(self, file: FileEntry) -> AsyncIterator[bytes]:
        """The bytes of a file that has any of its own."""
        async for piece in self._all_of((file.blob,) if file.blob else ()):
            yield piece

    async def _all_of(self, blobs: Sequence[Blob]) -> AsyncIterator[bytes]:
        for blob in blobs:
            async for piece in flowing(self._blobs.read(blob)):
                yield piece

    async def sweep(self) -> None:
        """Forget what has had its time."""
        now = self.now()
        ended = [file.blob for file in await self._books.expired(now) if file.blob]
        for upload in await self._books.abandoned(now - UPLOAD_LIFE_S):
            ended += upload.pieces
        if ended:
            await self._blobs.remove(ended)

    # --- references ---------------------------------------------------------------------------------------------------

    async def referenced(self, request: ImageRequest, caller: str) -> ImageRequest | Fault:
        """The request with the pictures that it names by the address of a file here; others' addresses stay."""
        if not any(isinstance(part, Image) and part.uri for turn in request.turns for part in turn.parts):
            return request
        turns: list[Turn] = []
        for turn in request.turns:
            parts: list[Part] = []
            for part in turn.parts:
                found = await self._referenced(part, caller)
                if isinstance(found, Fault):
                    return found
                parts.append(found)
            turns.append(replace(turn, parts=tuple(parts)))
        return request.having(turns=tuple(turns))

    async def _referenced(self, part: Part, caller: str) -> Part | Fault:
        match = _OURS.fullmatch(part.uri or "") if isinstance(part, Image) else None
        if match is None or not isinstance(part, Image):
            return part
        file = await self.find(match["id"], caller)
        if file is None:
            return _no_such(part.uri or "", match["id"])
        if file.blob is None or not file.blob.media_type.startswith("image/"):
            return _wrong(f"files/{file.id} is no picture: {file.media_type}")
        # A second name for the bytes, so that the file may be deleted while the job is at work.
        (kept,) = await self._blobs.keep(self._desk.fresh_id(), (file.blob,))
        return replace(part, uri=None, blob=kept, media_type=kept.media_type)


def _no_such(named: str, file_id: str) -> Fault:
    """What is said of a file that is another's or no one's, by the API in whose words it was named."""
    if not named.startswith(OPENAI_S):
        return no_file(file_id)
    return Fault(FaultKind.MODEL_NOT_FOUND, f"No such File object: {named}", reason="not_found", status=404)


def _wrong(message: str) -> Fault:
    return Fault(FaultKind.INVALID_REQUEST, message, reason="INVALID_ARGUMENT", status=400)
