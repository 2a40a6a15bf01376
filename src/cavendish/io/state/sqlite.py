"""SqliteDatabase: a shared database as one file, for all processes of a user on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ...engine.ports import Clock
from .at_once import AtOnce, Busy, checkpoint
from .port import StateError, statements
from .worker import Worker

T = TypeVar("T")

BUSY_S = 30.0
"""A transaction takes a millisecond: whoever waits this long for one waits for a process that hangs."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

CLOCK_TABLE = (
    "CREATE TABLE IF NOT EXISTS clock"
    " (one INTEGER PRIMARY KEY CHECK (one = 1), boot TEXT NOT NULL, ahead_s REAL NOT NULL, now_s REAL NOT NULL,"
    " wall_s REAL NOT NULL) STRICT"
)


class SqliteLink:
    """A transaction on a connection. Times are read once, at the first asking."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, boot: str) -> None:
        self._connection = connection
        self._clock = clock
        self._boot = boot
        self._now_s: float | None = None

    def run(self, sql: str, /, **values: object) -> list[tuple[Any, ...]]:
        """Execute one statement."""
        return self._connection.execute(sql, values).fetchall()

    def now_s(self) -> float:
        """The machine's monotonic clock, carried on over a restart of the machine by what its wall clock says."""
        if self._now_s is None:
            self._now_s = self._told()
        return self._now_s

    def wall_s(self) -> float:
        """This machine's wall clock."""
        return self._clock.now()

    def _told(self) -> float:
        monotonic_s, wall_s = self._clock.monotonic(), self._clock.now()
        known = self.run("SELECT boot, ahead_s, now_s, wall_s FROM clock")
        boot, ahead_s, last_s, last_wall_s = known[0] if known else (self._boot, 0.0, 0.0, wall_s)
        if boot != self._boot or monotonic_s + ahead_s < last_s:
            # The machine was started anew: its monotonic clock began again.
            ahead_s = last_s + max(0.0, wall_s - last_wall_s) - monotonic_s
        now_s = monotonic_s + ahead_s
        self.run(
            "INSERT INTO clock (one, boot, ahead_s, now_s, wall_s) VALUES (1, :boot, :ahead_s, :now_s, :wall_s)"
            " ON CONFLICT (one) DO UPDATE SET boot = :boot, ahead_s = :ahead_s, now_s = :now_s, wall_s = :wall_s",
            boot=self._boot,
            ahead_s=ahead_s,
            now_s=now_s,
            wall_s=wall_s,
        )
        return now_s


class SqliteDatabase:
    """``Database`` in a file. With the power the last moments may be lost, unless it was opened as durable."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        worker: Worker,
        clock: Clock,
        boot: str,
        at_once: AtOnce | None = None,
    ) -> None:
        self._path = path
        self._connection = connection
        self._worker = worker
        self._clock = clock
        self._boot = boot
        self._at_once = at_once
        self._checkpointing: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(
        cls, folder: Path, name: str, migrations: Sequence[str], clock: Clock, *, durable: bool = False
    ) -> SqliteDatabase:
        """Open ``name.sqlite3``, make it first when there is none, and bring it up to date. Raises ``StateError``."""
        path = folder / f"{name}.sqlite3"
        worker = Worker(f"cavendish-{name}")

        def opened() -> SqliteDatabase:
            with _told_of(path):
                connection = _opened(path, migrations, durable=durable)
                at_once = AtOnce.open(path) if durable else None
                return cls(path, connection, worker, clock, boot_id(), at_once)

        try:
            return await worker.run(opened)
        except BaseException:
            worker.stop()
            raise

    @property
    def address(self) -> str:
        """The file."""
        return str(self._path)

    async def transact(
        self, work: Callable[[SqliteLink], T], *, lock: str = "", brief: bool = False, lasting: bool = True
    ) -> T:
        """Do ``work`` alone in the file. Raises ``StateError``."""
        del lock  # the file itself is the lock
        if brief and self._at_once is not None:
            with contextlib.suppress(Busy):
                return await self._done_at_once(self._at_once, work, lasting=lasting)

        def done() -> T:
            with _told_of(self._path):
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    result = work(self._link(self._connection))
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
                return result

        return await self._worker.run(done)

    async def close(self) -> None:
        """Let go of the file."""
        if not self._closed:
            self._closed = True
            if self._checkpointing is not None:
                await asyncio.gather(self._checkpointing, return_exceptions=True)
            if self._at_once is not None:
                self._at_once.close()
            await self._worker.run(self._connection.close)
            self._worker.stop()

    def _link(self, connection: sqlite3.Connection) -> SqliteLink:
        return SqliteLink(connection, self._clock, self._boot)

    async def _done_at_once(self, at_once: AtOnce, work: Callable[[SqliteLink], T], *, lasting: bool) -> T:
        with _told_of(self._path):
            result, wrote = at_once.run(lambda connection: work(self._link(connection)))
            if wrote and lasting:
                await at_once.sync()
        if at_once.is_full:
            self._checkpointing = asyncio.ensure_future(self._checkpoint())
        return result

    async def _checkpoint(self) -> None:
        # A log that could not be moved now is moved the next time.
        with contextlib.suppress(sqlite3.Error):
            await self._worker.run(lambda: checkpoint(self._connection))


def _opened(path: Path, migrations: Sequence[str], *, durable: bool) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        with contextlib.suppress(OSError):
            os.chmod(path, 0o600)  # noqa: PTH101 - who spends what is nobody else's business
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        _migrate(path, connection, migrations)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(path: Path, connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise StateError(f"{path} was made by a later version of Cavendish")
    connection.execute(CLOCK_TABLE)
    for script in migrations[version:]:
        for statement in statements(script):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(migrations)}")


@contextlib.contextmanager
def _told_of(path: Path) -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StateError(f"{path}: {error}") from error


def boot_id() -> str:
    """Changes with each start of the machine, where the system says; else the clock that went back tells."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
