"""LedgerReader: reads a ledger's file. Blocks, so it is for threads and for commands that make no calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from ...engine.ports import Standing, Tally
from ...errors import FolderError
from ...model.attempt import Attempt
from ...model.result import Outcome, Slot
from . import queries
from .entries import to_attempt, to_slot
from .schema import VERSION

PAGE = 500
"""Outcomes read at a time: memory stays flat however long the job is."""


class LedgerReader:
    """Questions to a ledger, on a connection of its own or on the writer's."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file that exists, without writing to it. Raises ``FolderError`` when it is no ledger of ours."""
        if not path.is_file():
            raise FolderError(f"there is no ledger in {path.parent.parent}", hints=("is it a run folder?",))
        try:
            # Not mode=ro: a file left by a crash may need its log read in first, which is a write.
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            check_version(connection, path)
        except sqlite3.DatabaseError as error:
            raise broken(path, error) from error
        return cls(connection)

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
        row = self._db.execute(queries.SLOT, (slot_id,)).fetchone()
        if row is None:
            return None
        attempts = tuple(map(to_attempt, self._db.execute(queries.ATTEMPTS_OF_SLOT, (slot_id,))))
        slot, outcome = to_slot(row)
        return Standing(slot_id, outcome, attempts, slot if row[8] else None)

    def open_attempts(self) -> list[tuple[Attempt, Slot]]:
        """Attempts without a receipt, with their slots."""
        attempts = list(map(to_attempt, self._db.execute(queries.OPEN_ATTEMPTS)))
        return [(a, to_slot(self._db.execute(queries.SLOT, (a.slot_id,)).fetchone())[0]) for a in attempts]

    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes of what is wanted now, in the order of rows and ordinals, a page at a time."""
        last: tuple[int, int, str] = (-1, -1, "")
        while rows := self._db.execute(queries.OUTCOMES, (*last, PAGE)).fetchall():
            for row in rows:
                outcome = to_slot(row)[1]
                if outcome is not None:
                    yield outcome
            last = (rows[-1][2], rows[-1][3], rows[-1][0])

    def unfinished_below(self, row: int) -> list[Slot]:
        """Slots of rows below this number that have no picture, in order."""
        return [to_slot(found)[0] for found in self._db.execute(queries.UNFINISHED, (row,))]

    def hashes(self, form: str) -> Iterable[str]:
        """The sha256 of each picture of a form."""
        return [sha256 for (sha256,) in self._db.execute(queries.HASHES, (form,))]

    def next_ordinal(self, form: str, below: int) -> int:
        """The ordinal that a form's next slot gets when the rows below a number have theirs."""
        (highest,) = self._db.execute(queries.HIGHEST_ORDINAL, (form, below)).fetchone()
        return 0 if highest is None else highest + 1

    def tally(self) -> Tally:
        """Sums over all entries."""
        delivered, failed = self._db.execute(queries.SLOT_COUNTS).fetchone()
        return Tally(delivered, failed, *self._db.execute(queries.ATTEMPT_SUMS).fetchone())

    def get_meta(self, name: str) -> str | None:
        """A note that was kept with the ledger."""
        row = self._db.execute(queries.META, (name,)).fetchone()
        return row[0] if row else None


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of a file's tables, 0 for an empty one. Raises ``FolderError`` when it is newer than this program."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise FolderError(
            f"{path} was written by a newer Cavendish (its tables are version {version}, known is {VERSION})",
            hints=("update Cavendish, or use the version that began the run",),
        )
    return version


def broken(path: Path, error: sqlite3.DatabaseError) -> FolderError:
    """The error for a file that SQLite cannot use."""
    if "locked" in str(error) or "busy" in str(error):
        return FolderError(f"{path} is in use by another process", hints=("wait for it, or stop it",))
    return FolderError(
        f"{path} is damaged or no ledger: {error}",
        hints=(
            "the pictures beside it are whole",
            "move the file away to begin the books anew; what it knew is bought again then",
        ),
    )
