"""A book of spending to test with: a file, a virtual clock, attempts made by hand."""

import asyncio
import itertools
import sqlite3
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

from cavendish.io.spend.account import Account
from cavendish.io.spend.book import RunEntry, SpendBook
from cavendish.io.spend.calendar import UTC_CALENDAR
from cavendish.io.spend.schema import MIGRATIONS
from cavendish.io.state.port import statements
from cavendish.io.state.sqlite import CLOCK_TABLE, SqliteLink
from cavendish.model.attempt import Attempt, AttemptState
from cavendish.model.fault import Charged
from cavendish.model.result import Route

numbers = itertools.count()


class MemoryDatabase:
    """``Database`` in memory, for a virtual clock. It outlives the processes; ``tick`` may end the one at work."""

    def __init__(self, clock, tick=lambda _moment: None, takes_s=0.001):
        self._clock = clock
        self._tick = tick
        self._takes_s = takes_s
        with unwatched():
            self._connection = sqlite3.connect(":memory:", isolation_level=None)
            for script in (*MIGRATIONS, CLOCK_TABLE):
                for statement in statements(script):
                    self._connection.execute(statement)

    address = "memory"

    async def transact(self, work, *, lock=""):
        # Another thread takes its time.
        await asyncio.sleep(self._takes_s)
        self._tick("before")
        clock = Stopped(self._clock)
        with unwatched():
            self._connection.execute("BEGIN")
            try:
                told = work(SqliteLink(self._connection, clock, "boot"))
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        self._tick("after")
        await asyncio.sleep(self._takes_s)
        return told

    async def close(self):
        pass


class Stopped:
    """A clock as it stood when a transaction began."""

    def __init__(self, clock):
        self._now, self._monotonic = clock.now(), clock.monotonic()

    def now(self):
        return self._now

    def monotonic(self):
        return self._monotonic


@contextmanager
def unwatched():
    """What is in memory does not block a loop."""
    loop = asyncio.events._get_running_loop()
    asyncio.events._set_running_loop(None)
    try:
        yield
    finally:
        asyncio.events._set_running_loop(loop)


@asynccontextmanager
async def book_at(clock, caps=(), calendar=UTC_CALENDAR, takes_s=0.001):
    yield SpendBook(MemoryDatabase(clock, takes_s=takes_s), calendar, caps)


def entry(name="r", **fields):
    return RunEntry(name, f"/runs/{name}", "here", owner="me", **fields)


def account(book, clock, name="r", **fields):
    return Account(book, entry(name), clock, **fields)


def intent(at, estimate=10, endpoint="google", **fields):
    number = next(numbers)
    route = Route(endpoint, "m", "wire-m")
    return Attempt(f"a{number}", f"s{number}", 1, route, AttemptState.INTENT, estimate, at, **fields)


def receipt(attempt, cost=10, charged=Charged.YES):
    return replace(attempt, state=AttemptState.SETTLED, cost_nusd=cost, charged=charged)
