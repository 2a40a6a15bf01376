"""StoredBooks: the files that clients gave to a gateway, and uploads under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from ...model.blob import Blob
from ...model.plain import from_plain, to_plain
from ..state.port import Link
from .books import DeskBooks

STORED = """
    CREATE TABLE uploads (
        id TEXT PRIMARY KEY,
        caller TEXT NOT NULL,
        name TEXT NOT NULL,
        media_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        received INTEGER NOT NULL,
        pieces TEXT NOT NULL,
        begun_at REAL NOT NULL,
        file TEXT
    ) STRICT;
    CREATE INDEX uploads_by_age ON uploads (begun_at);
    CREATE TABLE files (
        id TEXT PRIMARY KEY,
        caller TEXT NOT NULL,
        name TEXT NOT NULL,
        media_type TEXT NOT NULL,
        purpose TEXT NOT NULL,
        size INTEGER NOT NULL,
        blob TEXT,
        batch TEXT,
        created_at REAL NOT NULL,
        ends_at REAL
    ) STRICT;
    CREATE INDEX files_of_caller ON files (caller, created_at);
    CREATE INDEX files_by_end ON files (ends_at)
    """


MAX_WORDS = 512
"""Of a name or a type: more than any system takes for a file."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that arrives piece by piece. ``file`` is its id when all of it is there; ``size`` 0: not said."""

    id: str
    caller: str
    name: str
    media_type: str
    size: int
    begun_at: float
    received: int = 0
    pieces: tuple[Blob, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file that is kept. Times are seconds since the epoch; ``ends_at`` ``None``: it is kept until it is deleted.

    ``blob`` are its bytes; a file of results has none: it is written anew from its ``batch`` each time it is read.
    ``purpose`` is what its owner called it for, in OpenAI's words.
    """

    id: str
    caller: str
    name: str
    media_type: str
    size: int
    created_at: float
    ends_at: float | None = None
    purpose: str = ""
    blob: Blob | None = None
    batch: str = ""


def storable(words: str, most: int = MAX_WORDS) -> str:
    """Words of a client as every database takes them: without half characters and without a NUL."""
    return words[:most].encode("utf-8", "replace").decode().replace("\0", "?")


class StoredBooks:
    """Files and uploads in the books of a gateway."""

    def __init__(self, books: DeskBooks) -> None:
        self._books = books

    # --- uploads ------------------------------------------------------------------------------------------------------

    async def begin(self, upload: Upload) -> None:
        """An upload begins."""
        values = {
            "id": upload.id,
            "caller": upload.caller,
            "name": upload.name,
            "media_type": upload.media_type,
            "size": upload.size,
            "received": 0,
            "pieces": "[]",
            "begun_at": upload.begun_at,
        }
        await self._books.write(lambda link: _run(link, _PUT_UPLOAD, **values))

    async def upload(self, upload_id: str) -> Upload | None:
        """An upload by its id."""
        rows = await self._books.read(lambda link: link.run(f"{_UPLOAD} WHERE id = :id", id=upload_id))
        return _to_upload(rows[0]) if rows else None

    async def take(self, upload: Upload, piece: Blob) -> Upload | None:
        """One piece more; ``None`` when another request brought one meanwhile, and this one belongs nowhere."""
        more = replace(upload, received=upload.received + piece.size, pieces=(*upload.pieces, piece))
        pieces = orjson.dumps([to_plain(blob) for blob in more.pieces]).decode()
        taken: list[bool] = []

        def entry(link: Link) -> None:
            rows = link.run(
                "UPDATE uploads SET received = :received, pieces = :pieces"
                " WHERE id = :id AND received = :before AND file IS NULL RETURNING id",
                received=more.received,
                pieces=pieces,
                id=upload.id,
                before=upload.received,
            )
            taken[:] = [bool(rows)]

        await self._books.write(entry)
        return more if taken[0] else None

    async def finish(self, upload: Upload, file: FileEntry) -> bool:
        """All of it is there: the file. Whether it was this request that ended it."""
        ended: list[bool] = []

        def entry(link: Link) -> None:
            sql = "UPDATE uploads SET file = :file, pieces = '[]' WHERE id = :id AND file IS NULL RETURNING id"
            ended[:] = [bool(link.run(sql, file=file.id, id=upload.id))]
            if ended[0]:
                link.run(_PUT_FILE, **_of_file(file))

        await self._books.write(entry)
        return ended[0]

    async def abandoned(self, before: float) -> list[Upload]:
        """Forget uploads that began before then; returns those whose pieces are still there."""
        found: list[Upload] = []

        def entry(link: Link) -> None:
            sql = (
                "DELETE FROM uploads WHERE begun_at < :before"
                " RETURNING id, caller, name, media_type, size, begun_at, received, pieces, file"
            )
            found[:] = map(_to_upload, link.run(sql, before=before))

        await self._books.write(entry)
        return [upload for upload in found if upload.pieces]

    # --- files --------------------------------------------------------------------------------------------------------

    async def put(self, file: FileEntry) -> None:
        """A file is kept; one that is there already is brought up to date."""
        await self._books.write(lambda link: _run(link, _PUT_FILE, **_of_file(file)))

    async def file(self, file_id: str, caller: str, now: float) -> FileEntry | None:
        """A file that is still there, for its own caller."""
        sql = f"{_FILE} WHERE id = :id AND caller = :caller AND (ends_at IS NULL OR ends_at > :now)"
        rows = await self._books.read(lambda link: link.run(sql, id=file_id, caller=caller, now=now))
        return _to_file(rows[0]) if rows else None

    async def files(self, caller: str, now: float) -> list[FileEntry]:
        """All files of a caller, the newest first."""
        sql = (
            f"{_FILE} WHERE caller = :caller AND (ends_at IS NULL OR ends_at > :now) ORDER BY created_at DESC, id DESC"
        )
        rows = await self._books.read(lambda link: link.run(sql, caller=caller, now=now))
        return [_to_file(row) for row in rows]

    async def stored_bytes(self, caller: str) -> int:
        """What a caller's files and unfinished uploads take, all together; results are their batch's."""
        sql = (
            "SELECT COALESCE((SELECT SUM(size) FROM files WHERE caller = :caller AND batch IS NULL), 0)"
            " + COALESCE((SELECT SUM(received) FROM uploads WHERE caller = :caller AND file IS NULL), 0)"
        )
        rows = await self._books.read(lambda link: link.run(sql, caller=caller))
        return int(rows[0][0])

    async def delete(self, file_id: str) -> None:
        """Forget a file."""
        await self._books.write(lambda link: _run(link, "DELETE FROM files WHERE id = :id", id=file_id))

    async def expired(self, now: float) -> list[FileEntry]:
        """Forget the files whose time is over; returns them."""
        found: list[FileEntry] = []

        def entry(link: Link) -> None:
            rows = link.run(f"{_FILE} WHERE ends_at <= :now", now=now)
            found[:] = map(_to_file, rows)
            if rows:
                link.run("DELETE FROM files WHERE ends_at <= :now", now=now)

        await self._books.write(entry)
        return found


_UPLOAD = "SELECT id, caller, name, media_type, size, begun_at, received, pieces, file FROM uploads"
_PUT_UPLOAD = (
    "INSERT INTO uploads (id, caller, name, media_type, size, received, pieces, begun_at)"
    " VALUES (:id, :caller, :name, :media_type, :size, :received, :pieces, :begun_at)"
)
_FILE = "SELECT id, caller, name, media_type, purpose, size, blob, batch, created_at, ends_at FROM files"
_PUT_FILE = (
    "INSERT INTO files (id, caller, name, media_type, purpose, size, blob, batch, created_at, ends_at)"
    " VALUES (:id, :caller, :name, :media_type, :purpose, :size, :blob, :batch, :created_at, :ends_at)"
    " ON CONFLICT (id) DO UPDATE SET size = excluded.size, ends_at = excluded.ends_at"
)


def _of_file(file: FileEntry) -> dict[str, Any]:
    return {
        "id": file.id,
        "caller": file.caller,
        "name": file.name,
        "media_type": file.media_type,
        "purpose": file.purpose,
        "size": file.size,
        "blob": orjson.dumps(to_plain(file.blob)).decode() if file.blob else None,
        "batch": file.batch or None,
        "created_at": file.created_at,
        "ends_at": file.ends_at,
    }


def _to_file(row: Sequence[Any]) -> FileEntry:
    return FileEntry(
        id=row[0],
        caller=row[1],
        name=row[2],
        media_type=row[3],
        purpose=row[4],
        size=row[5],
        blob=from_plain(orjson.loads(row[6]), Blob) if row[6] else None,
        batch=row[7] or "",
        created_at=row[8],
        ends_at=row[9],
    )


def _to_upload(row: Sequence[Any]) -> Upload:
    return Upload(
        id=row[0],
        caller=row[1],
        name=row[2],
        media_type=row[3],
        size=row[4],
        begun_at=row[5],
        received=row[6],
        pieces=tuple(from_plain(blob, Blob) for blob in orjson.loads(row[7])),
        file=row[8] or "",
    )


def _run(link: Link, sql: str, **values: object) -> None:
    link.run(sql, **values)
