"""Database: one door to a small shared database, SQLite or PostgreSQL, one short transaction at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...engine.ports import Clock
from .port import Database, Link, StateError
from .sqlite import SqliteDatabase

__all__ = ["Database", "Link", "StateError", "is_server", "open_database"]

POSTGRES = ("postgresql://", "postgres://")


def is_server(address: str | Path) -> bool:
    """Whether an address is a PostgreSQL server's, and not a folder's."""
    return str(address).startswith(POSTGRES)


async def open_database(
    address: str | Path, name: str, migrations: Sequence[str], clock: Clock, *, durable: bool = False
) -> Database:
    """Open ``name`` at an address: ``name.sqlite3`` in a folder, which is made, or a schema of a server.

    ``migrations`` are scripts of one or more statements, one for each version, never changed once released: those that
    are missing are carried out. They are written as SQLite reads them (``INTEGER``, ``REAL``, ``TEXT``, ``STRICT``),
    without a semicolon inside of a statement, and without anything that only SQLite knows. ``durable``: what was
    committed survives a power cut, too. Raises ``StateError``, also for a database of a later version.
    """
    if is_server(address):
        from .postgres import PostgresDatabase  # noqa: PLC0415 - its driver is an extra

        return await PostgresDatabase.open(str(address), name, migrations)
    return await SqliteDatabase.open(Path(address), name, migrations, clock, durable=durable)
