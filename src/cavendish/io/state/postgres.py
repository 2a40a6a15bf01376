"""PostgresDatabase: a shared database on a server, for runs on several machines."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from .port import StateError, statements
from .worker import Worker

T = TypeVar("T")

CONNECT_TIMEOUT_S = 10
TRIES = 5
"""A transaction that met another's, or a connection that broke before the commit, is done again this often."""

_PLACEHOLDER = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")


class PostgresLink:
    """A transaction on a connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._wall_s: float | None = None

    def run(self, sql: str, /, **values: object) -> list[tuple[Any, ...]]:
        """Execute one statement."""
        cursor = self._connection.execute(_PLACEHOLDER.sub(r"%(\1)s", sql.replace("%", "%%")), values)
        return cursor.fetchall() if cursor.description else []

    def now_s(self) -> float:
        """The server's clock; never before what was told last."""
        return float(
            self.run("UPDATE clock SET now_s = greatest(now_s, extract(epoch FROM clock_timestamp())) RETURNING now_s")[
                0
            ][0]
        )

    def wall_s(self) -> float:
        """The server's clock."""
        if self._wall_s is None:
            self._wall_s = float(self.run("SELECT extract(epoch FROM clock_timestamp())")[0][0])
        return self._wall_s


class PostgresDatabase:
    """``Database`` in a schema of a server. One connection, made anew when it breaks."""

    def __init__(self, url: str, name: str, worker: Worker) -> None:
        self._url = url
        self._schema = f"cavendish_{name}"
        self._worker = worker
        self._connection: Any = None
        self._closed = False

    @classmethod
    async def open(cls, url: str, name: str, migrations: Sequence[str]) -> PostgresDatabase:
        """Connect, and make or bring up to date the schema. Raises ``StateError``."""
        database = cls(url, name, Worker(f"cavendish-{name}"))
        try:
            await database._worker.run(lambda: database._prepare(migrations))
        except BaseException:
            database._worker.stop()
            raise
        return database

    @property
    def address(self) -> str:
        """The server and database, without a password."""
        return without_password(self._url)

    async def transact(
        self, work: Callable[[PostgresLink], T], *, lock: str = "", brief: bool = False, lasting: bool = True
    ) -> T:
        """Do ``work`` alone among those with the same lock. Raises ``StateError``."""
        del brief, lasting  # a server is always waited for
        return await self._worker.run(lambda: self._tried(work, lock))

    async def close(self) -> None:
        """Let go of the connection."""
        if not self._closed:
            self._closed = True
            await self._worker.run(self._let_go)
            self._worker.stop()

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _tried(self, work: Callable[[PostgresLink], T], lock: str) -> T:
        import psycopg  # noqa: PLC0415 - an extra

        for left in reversed(range(TRIES)):
            try:
                return self._done(work, lock)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                # A deadlock, a server that restarts, a connection that broke. A commit whose answer was lost may be
                # done twice: a quota then counts once too often, which harms nobody.
                self._let_go()
                if not left:
                    raise StateError(f"{self.address}: {_first_line(error)}") from error
            except psycopg.Error as error:
                raise StateError(f"{self.address}: {_first_line(error)}") from error
        raise AssertionError("unreachable")

    def _done(self, work: Callable[[PostgresLink], T], lock: str) -> T:
        with self._connected().transaction():
            link = PostgresLink(self._connection)
            link.run("SELECT pg_advisory_xact_lock(:number)", number=_number(f"{self._schema}/{lock}"))
            return work(link)

    def _connected(self) -> Any:
        if self._connection is None or self._connection.closed:
            self._connection = _connect(self._url)
            self._connection.execute(f'SET search_path TO "{self._schema}"')
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _prepare(self, migrations: Sequence[str]) -> None:
        with _told_of(self.address):
            self._connection = _connect(self._url)
            with self._connection.transaction():
                link = PostgresLink(self._connection)
                # Two that begin at the same moment must not both make the schema.
                link.run("SELECT pg_advisory_xact_lock(:number)", number=_number(self._schema))
                link.run(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
            self._connection.execute(f'SET search_path TO "{self._schema}"')
            with self._connection.transaction():
                link = PostgresLink(self._connection)
                link.run("SELECT pg_advisory_xact_lock(:number)", number=_number(self._schema))
                self._migrate(link, migrations)

    def _migrate(self, link: PostgresLink, migrations: Sequence[str]) -> None:
        link.run("CREATE TABLE IF NOT EXISTS clock (now_s DOUBLE PRECISION NOT NULL, version INTEGER NOT NULL)")
        if not link.run("SELECT version FROM clock"):
            link.run("INSERT INTO clock (now_s, version) VALUES (0, 0)")
        version = link.run("SELECT version FROM clock")[0][0]
        if version > len(migrations):
            raise StateError(f"{self.address}: {self._schema} was made by a later version of Cavendish")
        for script in migrations[version:]:
            for statement in statements(script):
                link.run(_as_server_says(statement))
        link.run("UPDATE clock SET version = :version", version=len(migrations))


def _connect(url: str) -> Any:
    import psycopg  # noqa: PLC0415 - an extra

    return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)


def _as_server_says(statement: str) -> str:
    """A table's definition with PostgreSQL's words: numbers of 64 bits, and no mark of strictness."""
    plain = statement.replace(" STRICT", "").replace(", WITHOUT ROWID", "")
    return plain.replace(" INTEGER", " BIGINT").replace(" REAL", " DOUBLE PRECISION")


def _number(lock: str) -> int:
    """A lock's name as the 64-bit number that the server knows it by."""
    return int.from_bytes(hashlib.blake2b(lock.encode(), digest_size=8).digest(), signed=True)


def without_password(url: str) -> str:
    """An address for people: user name, password and options left out."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


@contextlib.contextmanager
def _told_of(address: str) -> Generator[None]:
    try:
        import psycopg  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise StateError(f"{address}: needs PostgreSQL's driver: pip install 'cavendish[postgres]'") from error
    try:
        yield
    except psycopg.Error as error:
        raise StateError(f"{address}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
