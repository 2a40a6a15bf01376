"""LedgerReader: reads a ledger's file. Blocks, so it is for threads and for commands that make no calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from ...engine.ports import Standing, Tally
from ...errors import FolderError
from ...model.attempt import Attempt
from ...model.result import Outcome, Slot
from . import queries
from .entries import to_attempt, to_slot
from .schema import APPLICATION_ID, VERSION

T = TypeVar("T")

PAGE = 500
"""Outcomes read at a time: memory stays flat however long the job is."""

BUSY_S = 30.0
"""How long to wait for a process that has the file for itself: one that opens it, or closes it as the last."""

UNUSABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What is raised for a file that cannot be used; the second when SQLite quotes a damaged place in its message."""

LEAST_BYTES = 512
"""SQLite's smallest page. Of a file that is shorter it may say that nothing is in it."""

_NO_LEAVE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
_NO_ROOM = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
"""Only "no space left" is the first of these; quotas, limits of a process, and the index of the log say the others."""


class LedgerReader:
    """Questions to a ledger, on a connection of its own or on the writer's.

    Each may raise ``FolderError``: the file may be found damaged in any place.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self._path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file that exists, without writing to it. Raises ``FolderError`` when it is no ledger of ours."""
        if not path.is_file():
            raise FolderError(f"there is no ledger in {path.parent.parent}", hints=("is it a run folder?",))
        try:
            # Not mode=ro: a file left by a crash may need its log read in first, which is a write.
            connection = _connected(path)
        except UNUSABLE as error:
            if _code(error) & 0xFF not in _NO_LEAVE or path.with_name(f"{path.name}-wal").exists():
                raise broken(path, error) from error
            # In a folder that cannot be written to, as it was left when it was closed: nobody can be writing there.
            connection = _connected(path, "immutable=1")
        return cls(connection, path)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def standing(self, slot_id: str) -> Standing | None:
        """What is known of a slot, ``None`` when it was never begun."""
        row = self._one(queries.SLOT, slot_id)
        if row is None:
            return None
        attempts = tuple(self._made(to_attempt, found) for found in self._all(queries.ATTEMPTS_OF_SLOT, slot_id))
        slot, outcome = self._made(to_slot, row)
        return Standing(slot_id, outcome, attempts, slot if row[8] else None)

    def open_attempts(self) -> list[tuple[Attempt, Slot]]:
        """Attempts without a receipt, with their slots."""
        attempts = [self._made(to_attempt, row) for row in self._all(queries.OPEN_ATTEMPTS)]
        return [(a, self._made(to_slot, self._row(queries.SLOT, a.slot_id))[0]) for a in attempts]

    def attempts(self) -> Iterator[Attempt]:
        """All attempts there ever were, a page at a time."""
        last = ""
        while rows := self._all(queries.ALL_ATTEMPTS, last, PAGE):
            yield from (self._made(to_attempt, row) for row in rows)
            last = rows[-1][0]

    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes of what is wanted now, in the order of rows and ordinals, a page at a time."""
        last: tuple[int, int, str] = (-1, -1, "")
        while rows := self._all(queries.OUTCOMES, *last, PAGE):
            for row in rows:
                outcome = self._made(to_slot, row)[1]
                if outcome is not None:
                    yield outcome
            last = (rows[-1][2], rows[-1][3], rows[-1][0])

    def unfinished_below(self, row: int) -> list[Slot]:
        """Slots of rows below this number that have no picture, in order."""
        return [self._made(to_slot, found)[0] for found in self._all(queries.UNFINISHED, row)]

    def hashes(self, form: str) -> Iterable[str]:
        """The sha256 of each picture of a form."""
        return [sha256 for (sha256,) in self._all(queries.HASHES, form)]

    def next_ordinal(self, form: str, below: int) -> int:
        """The ordinal that a form's next slot gets when the rows below a number have theirs."""
        (highest,) = self._row(queries.HIGHEST_ORDINAL, form, below)
        return 0 if highest is None else highest + 1

    def tally(self) -> Tally:
        """Sums over all entries."""
        delivered, failed = self._row(queries.SLOT_COUNTS)
        return Tally(delivered, failed, *self._row(queries.ATTEMPT_SUMS))

    def attempt_groups(self) -> list[tuple[Any, ...]]:
        """What attempts came to, by the quarter of an hour of their intent, endpoint, model, mode and size.

        Then their number, the pictures that they brought, what was billed, and what those of unknown price may cost.
        """
        return [tuple(row) for row in self._all(queries.ATTEMPT_GROUPS)]

    def get_meta(self, name: str) -> str | None:
        """A note that was kept with the ledger."""
        row = self._one(queries.META, name)
        return row[0] if row else None

    def _all(self, sql: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except UNUSABLE as error:
            raise broken(self._path, error) from error

    def _one(self, sql: str, *values: object) -> Any:
        return next(iter(self._all(sql, *values)), None)

    def _row(self, sql: str, *values: object) -> Any:
        """The one row that there must be."""
        row = self._one(sql, *values)
        if row is None:
            raise damaged(self._path, "an entry is missing")
        return row

    def _made(self, make: Callable[[Sequence[Any]], T], row: Sequence[Any]) -> T:
        """What stands in a row."""
        try:
            return make(row)
        except (ValueError, TypeError, KeyError) as error:
            raise damaged(self._path, f"the entry {row[0]} makes no sense") from error


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of a file's tables, 0 for an empty one.

    Raises ``FolderError`` when it is another program's, or newer than this one.
    """
    ((version,), (whose,), (tables,)) = (
        connection.execute(sql).fetchone()
        for sql in ("PRAGMA user_version", "PRAGMA application_id", "SELECT COUNT(*) FROM sqlite_schema")
    )
    if not (version or whose or tables):
        if 0 < path.stat().st_size < LEAST_BYTES:
            raise damaged(path, "it was cut off")
        return 0
    if whose != APPLICATION_ID:
        raise FolderError(f"{path} is the database of another program", hints=("move it away, or use another folder",))
    if version > VERSION:
        raise FolderError(
            f"{path} was written by a newer Cavendish (its tables are version {version}, known is {VERSION})",
            hints=("update Cavendish, or use the version that began the run",),
        )
    return version


def broken(path: Path, error: Exception) -> FolderError:
    """The error for a file that SQLite cannot use."""
    if is_out_of_space(error):
        return FolderError(f"no room left on the disk for {path}", hints=("free some, then run the same again",))
    code = _code(error) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return FolderError(f"{path} is in use by another process", hints=("wait for it, or stop it",))
    if code in _NO_LEAVE:
        return FolderError(
            f"{path} cannot be opened or written to: {error}",
            hints=("check the permissions of the file and its folder, or copy the run folder to another place",),
        )
    if code == sqlite3.SQLITE_IOERR:
        return FolderError(f"the disk failed at {path}: {error}", hints=("mend it, then run the same again",))
    return damaged(path, str(error))


def damaged(path: Path, why: str) -> FolderError:
    """The error for a file whose contents cannot be used."""
    return FolderError(
        f"{path} is damaged or no ledger: {why}",
        hints=(
            "the pictures beside it are whole",
            "move it and its -wal file away to begin the books anew; what it knew is bought again then",
        ),
    )


def is_out_of_space(error: Exception) -> bool:
    """Whether SQLite found no room: on the disk, in a quota, or below a limit of the process."""
    return _code(error) in _NO_ROOM


def _code(error: Exception) -> int:
    # What Python's module finds by itself has no code.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)


def _connected(path: Path, query: str = "") -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{query}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
    try:
        if not check_version(connection, path):
            raise FolderError(f"{path} is empty", hints=("the command that made the folder begins its books",))
    except BaseException:
        connection.close()
        raise
    return connection
