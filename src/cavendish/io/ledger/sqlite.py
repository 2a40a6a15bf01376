"""SqliteLedger: the books of a run in one SQLite file.

One thread writes. Entries that arrive while it is busy are committed together with the next, so that a thousand calls
in flight cost a handful of syncs; each caller returns when its own entry is on the disk. WAL with
``synchronous=FULL``: an entry survives a power cut as well as a killed process.
"""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from ...engine.ports import OutOfSpace, Standing, Tally
from ...errors import FolderError
from ...model.attempt import Attempt
from ...model.result import Failure, Outcome, Slot
from . import queries
from .entries import IllegalEntry, Statement, of_conclusion, of_fate, of_intent, of_kept, of_receipt, of_waiting
from .reader import UNUSABLE, LedgerReader, broken, check_version, is_out_of_space
from .schema import MIGRATIONS

T = TypeVar("T")

BUSY_S = 10.0
"""How long to wait for another process that reads or tidies up the file."""

SETTLED_ROWS = "settled_rows"
RUN = "run"

Entry = tuple[Sequence[Statement], "asyncio.Future[None]"]


class SqliteLedger:
    """Implements ``engine.ports.Ledger``. Open it before use, close it after.

    ``run_id`` names the run whose books these are; without it, any run's will do. ``on_commit`` is called before and
    after each commit with the words ``"before"`` and ``"after"``; what it raises ends the program's knowledge there,
    as a crash would.

    Writing raises ``OutOfSpace`` on a full disk, ``FolderError`` when the file cannot be used any more, and
    ``IllegalEntry`` for what the books cannot hold; of such an entry nothing is written.
    """

    def __init__(self, path: Path, *, run_id: str = "", on_commit: Callable[[str], None] | None = None) -> None:
        self._path = path
        self._run_id = run_id
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._on_commit = on_commit or _unwatched
        self._pending: list[Entry] = []
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open or make the file. Raises ``FolderError`` when it cannot be used."""
        try:
            await self._do(self._connect)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Write what is pending, and close."""
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._do(self._db.close)
        # It has nothing left to do, and waiting for it to end would hold up the loop.
        self._thread.shutdown(wait=False)

    # --- the port ---------------------------------------------------------------------------------------------------

    async def intend(self, attempt: Attempt, slot: Slot) -> None:
        """Write an attempt down before its call leaves, and its slot when that is new."""
        await self.intend_all(((attempt, slot),))

    async def intend_all(self, entries: Sequence[tuple[Attempt, Slot]]) -> None:
        """``intend`` for all slots of one call, in one transaction."""
        await self._write(statement for entry in entries for statement in of_intent(*entry))

    async def waiting(self, attempt: Attempt) -> None:
        """A job was accepted: keep its ticket."""
        await self.waiting_all((attempt,))

    async def waiting_all(self, attempts: Sequence[Attempt]) -> None:
        """``waiting`` for all slots of one call, in one transaction."""
        await self._write(statement for attempt in attempts for statement in of_waiting(attempt))

    async def settle(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """Write an attempt's receipt, and the slot's outcome when that ended it: in one transaction."""
        await self.settle_all(((attempt, outcome),))

    async def settle_all(self, receipts: Sequence[tuple[Attempt, Outcome | None]]) -> None:
        """``settle`` for all slots of one call, in one transaction."""
        await self._write(statement for receipt in receipts for statement in of_receipt(*receipt))

    async def conclude(self, outcome: Failure) -> None:
        """End a slot without a further attempt."""
        await self._write(of_conclusion(outcome))

    async def keep(self, slot: Slot) -> None:
        """A slot that was begun before is wanted now, at this place."""
        await self._write(of_kept(slot))

    async def standing(self, slot_id: str) -> Standing | None:
        """What is known of a slot, ``None`` when it was never begun."""
        return await self._do(lambda: self.reader.standing(slot_id))

    async def open_attempts(self) -> Sequence[tuple[Attempt, Slot]]:
        """Attempts without a receipt: intents and waiting jobs."""
        return await self._do(self.reader.open_attempts)

    async def hashes(self, form: str) -> Iterable[str]:
        """The sha256 of each picture delivered for one request's form."""
        return await self._do(lambda: self.reader.hashes(form))

    async def tally(self) -> Tally:
        """Sums over all entries."""
        return await self._do(self.reader.tally)

    async def rows_settled(self, rows: int) -> None:
        """All rows below this number have an outcome for each of their slots."""
        await self._write(((queries.PUT_SETTLED_ROWS, {"rows": str(rows)}),))

    async def settle_fates(self, costs_nusd: Mapping[str, int], at: float) -> None:
        """Settle attempts of unknown fate, by id, at what their provider says they cost: 0, nothing.

        What is settled already stays as it is.
        """
        await self._write(step for name, cost in costs_nusd.items() for step in of_fate(name, at, cost))

    # --- for front ends ---------------------------------------------------------------------------------------------

    async def new_edition(self) -> None:
        """The input may have changed: what it holds is met anew, and what it does not is counted no more."""
        await self._write(((queries.NEW_EDITION, {}), (queries.PUT_META, {"name": SETTLED_ROWS, "value": "0"})))

    async def settled_rows(self) -> int:
        """The number that was last noted by ``rows_settled``."""
        return int(await self.get_meta(SETTLED_ROWS) or 0)

    async def unfinished_below(self, row: int) -> Sequence[Slot]:
        """Slots of rows below this number that have no picture, in order."""
        return await self._do(lambda: self.reader.unfinished_below(row))

    async def set_meta(self, name: str, value: str) -> None:
        """Keep a note with the ledger."""
        await self._write(((queries.PUT_META, {"name": name, "value": value}),))

    async def get_meta(self, name: str) -> str | None:
        """A note that was kept."""
        return await self._do(lambda: self.reader.get_meta(name))

    # --- writing ----------------------------------------------------------------------------------------------------

    async def _write(self, statements: Iterable[Statement]) -> None:
        entry: Entry = (tuple(statements), asyncio.get_running_loop().create_future())
        # Who was cancelled meanwhile does not look at the error any more, and nobody else is to complain of that.
        entry[1].add_done_callback(_seen)
        self._pending.append(entry)
        if self._writer is None:
            self._writer = asyncio.ensure_future(self._write_pending())
        # Shielded: a caller that is cancelled does not take its entry out of the books.
        await asyncio.shield(entry[1])

    async def _write_pending(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            try:
                errors = await self._do(lambda batch=batch: self._commit(batch))
            except asyncio.CancelledError as error:
                self._writer = None
                _answer(batch, [error] * len(batch))
                raise
            except BaseException as error:  # noqa: BLE001 (it belongs to those who wait)
                errors = [error] * len(batch)
            _answer(batch, errors)
        self._writer = None

    def _commit(self, batch: Sequence[Entry]) -> list[BaseException | None]:
        """All entries in one transaction; when one of them is refused, each in its own, so that the others get in."""
        try:
            self._transact(statement for statements, _ in batch for statement in statements)
        except (sqlite3.Error, IllegalEntry, UnicodeError, OverflowError) as error:
            if len(batch) > 1:
                return [result for entry in batch for result in self._commit([entry])]
            return [self._translated(error)]
        return [None] * len(batch)

    def _transact(self, statements: Iterable[Statement]) -> None:
        self._on_commit("before")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for sql, values in statements:
                found = self._db.execute(sql, values).rowcount
                if not found and sql in queries.MUST_FIND:
                    raise IllegalEntry(f"no slot or live attempt {values['id']}")
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._on_commit("after")

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.IntegrityError | UnicodeEncodeError | OverflowError):
            return IllegalEntry(str(error))
        if not isinstance(error, UNUSABLE):
            return error
        if is_out_of_space(error):
            return OutOfSpace(errno.ENOSPC, "no room left for the ledger", str(self._path))
        return broken(self._path, error)

    # --- the connection -----------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
        except UNUSABLE as error:
            raise broken(self._path, error) from error
        self.reader = LedgerReader(self._db, self._path)
        try:
            self._prepare()
        except BaseException as error:
            self._db.close()
            if isinstance(error, UNUSABLE):
                raise broken(self._path, error) from error
            raise

    def _prepare(self) -> None:
        version = check_version(self._db, self._path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._migrate(version)
        self._own()

    def _own(self) -> None:
        """Note whose books these are. A write, so a folder that is read-only is found out before anything is bought."""
        self._db.execute("BEGIN IMMEDIATE")
        whose = self.reader.get_meta(RUN)
        if self._run_id and whose not in {None, self._run_id}:
            raise FolderError(
                f"{self._path} holds the books of another run",
                hints=("put the ledger of this run back in its place, or begin in a new folder",),
            )
        if self._run_id and whose is None:
            self._db.execute(queries.PUT_META, {"name": RUN, "value": self._run_id})
        self._db.execute("COMMIT")

    def _migrate(self, version: int) -> None:
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")

    async def _do(self, work: Callable[[], T]) -> T:
        """Run on the ledger's thread, after what is being written."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _answer(batch: Sequence[Entry], errors: Sequence[BaseException | None]) -> None:
    for (_, future), error in zip(batch, errors, strict=True):
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _seen(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()


def _unwatched(_moment: str) -> None:
    """Nobody counts the commits."""
