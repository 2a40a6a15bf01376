"""AtOnce: brief transactions of a file done in the event loop itself, and made to last in a thread.

A transaction of a few rows takes less time than it takes to wake a thread that does it. What has to be waited for is
the medium: that is a thread's, and one sync is for all that was committed before it began. Whenever another process
or a thread is at the file, the transaction is not done here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .worker import Worker

T = TypeVar("T")

CHECKPOINT_AFTER = 400
"""Transactions after which what they wrote is moved from the log into the file."""

CHECKPOINT_WAITS_MS = 50
"""For others who read: nobody writes meanwhile, and a copy of the file that is being made reads for minutes."""


class Busy(Exception):
    """Somebody else is at the file just now."""


class AtOnce:
    """A second connection to the file, used in the loop alone: it never waits for a lock, nor for the medium."""

    def __init__(self, path: Path, connection: sqlite3.Connection, log: int) -> None:
        self._connection = connection
        self._log = log
        self._syncing = Worker(f"cavendish-{path.stem}-sync")
        self.count = 0

    @classmethod
    def open(cls, path: Path) -> AtOnce | None:
        """For a file that is open with a log; ``None`` where the system cannot sync a log's bytes alone."""
        if not hasattr(os, "fdatasync"):
            return None
        connection = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            # Without a sync at each commit; a log that is begun anew is synced by SQLite before all that follows.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            return cls(path, connection, os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC))
        except BaseException:
            connection.close()
            raise

    def run(self, work: Callable[[sqlite3.Connection], T]) -> tuple[T, bool]:
        """What the work returned, and whether it wrote something, which is to be synced. Raises ``Busy``."""
        connection = self._connection
        before = connection.total_changes
        self._begin()
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        wrote = connection.total_changes != before
        self.count += wrote
        return result, wrote

    def _begin(self) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise Busy from error
            raise

    async def sync(self) -> None:
        """Return when all that was committed is on the medium."""
        await self._syncing.run(lambda: os.fdatasync(self._log))

    @property
    def is_full(self) -> bool:
        """Whether it is time for ``checkpoint``; asked once it is."""
        if self.count < CHECKPOINT_AFTER:
            return False
        self.count = 0
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        self._syncing.stop()
        os.close(self._log)


def checkpoint(connection: sqlite3.Connection) -> None:
    """Move the log into the file, most of it while others write, and begin it anew. Blocks: for a thread."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    usual_ms = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAITS_MS}")
    try:
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
    finally:
        connection.execute(f"PRAGMA busy_timeout = {usual_ms}")
    # The first to write after this begins the log, which waits for the medium: not the loop.
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version = {version}")
