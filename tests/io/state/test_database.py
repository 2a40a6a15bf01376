"""The shared database: transactions that do not overlap, a clock for all, migrations, clear errors."""

import asyncio
import contextlib
import multiprocessing
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from cavendish.io.clock import SystemClock
from cavendish.io.state.at_once import CHECKPOINT_AFTER
from cavendish.io.state.database import Link, StateError, open_database
from cavendish.io.state.postgres import without_password

COUNTERS = ("CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT",)


class HandClock:
    """A clock that stands where it was put."""

    def __init__(self, wall_s: float = 1000.0, monotonic_s: float = 50.0) -> None:
        self.wall_s = wall_s
        self.monotonic_s = monotonic_s

    def now(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.monotonic_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def add_one(link: Link) -> int:
    rows = link.run("SELECT value FROM counters WHERE name = :name", name="a")
    value = (rows[0][0] if rows else 0) + 1
    link.run(
        "INSERT INTO counters (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value",
        name="a",
        value=value,
    )
    return value


def value(link: Link) -> int:
    return link.run("SELECT value FROM counters WHERE name = :name", name="a")[0][0]


async def _add(folder: Path, times: int) -> None:
    database = await open_database(folder, "counters", COUNTERS, SystemClock())
    for _ in range(times):
        await database.transact(add_one)
    await database.close()


def add_in_a_process(folder: Path, times: int) -> None:
    asyncio.run(_add(folder, times))


async def test_transactions_of_several_processes_do_not_overlap(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    others = [spawn.Process(target=add_in_a_process, args=(tmp_path, 50)) for _ in range(3)]
    for other in others:
        await asyncio.to_thread(other.start)
    await _add(tmp_path, 50)
    for other in others:
        await asyncio.to_thread(other.join)
    database = await open_database(tmp_path, "counters", COUNTERS, SystemClock())
    assert await database.transact(value) == 200
    await database.close()


async def test_what_raises_changes_nothing(tmp_path: Path) -> None:
    def broken(link: Link) -> None:
        add_one(link)
        raise ValueError("after the change")

    database = await open_database(tmp_path, "counters", COUNTERS, SystemClock())
    await database.transact(add_one)
    with pytest.raises(ValueError, match="after the change"):
        await database.transact(broken)
    assert await database.transact(value) == 1
    await database.close()


async def test_the_clock_is_the_monotonic_one_whatever_the_wall_says(tmp_path: Path) -> None:
    clock = HandClock()
    database = await open_database(tmp_path, "clock", (), clock)
    first = await database.transact(lambda link: link.now_s())
    clock.wall_s += 7200.0
    clock.monotonic_s += 5.0
    assert await database.transact(lambda link: link.now_s()) == first + 5.0
    clock.wall_s -= 30_000.0
    assert await database.transact(lambda link: link.now_s()) == first + 5.0
    await database.close()


async def test_after_a_restart_of_the_machine_the_clock_goes_on_by_the_wall(tmp_path: Path) -> None:
    clock = HandClock(wall_s=1000.0, monotonic_s=9000.0)
    database = await open_database(tmp_path, "clock", (), clock)
    before = await database.transact(lambda link: link.now_s())
    await database.close()
    clock.wall_s, clock.monotonic_s = 1060.0, 3.0
    database = await open_database(tmp_path, "clock", (), clock)
    assert await database.transact(lambda link: link.now_s()) == before + 60.0
    clock.monotonic_s += 1.0
    assert await database.transact(lambda link: link.now_s()) == before + 61.0
    await database.close()


async def test_missing_migrations_are_carried_out_once(tmp_path: Path) -> None:
    await _add(tmp_path, 2)
    more = (*COUNTERS, "ALTER TABLE counters ADD COLUMN note TEXT; UPDATE counters SET note = 'old'")
    for _ in range(2):
        database = await open_database(tmp_path, "counters", more, SystemClock())
        assert await database.transact(lambda link: link.run("SELECT value, note FROM counters")) == [(2, "old")]
        await database.close()


async def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    database = await open_database(tmp_path, "counters", (*COUNTERS, "SELECT 1"), SystemClock())
    await database.close()
    with pytest.raises(StateError, match="later version"):
        await open_database(tmp_path, "counters", COUNTERS, SystemClock())


@pytest.mark.parametrize("how", ["a file where the folder should be", "no database"])
async def test_what_cannot_be_used_is_named(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "state"
    if how == "no database":
        folder.mkdir()
        (folder / "counters.sqlite3").write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    else:
        folder.write_text("in the way")
    with pytest.raises(StateError, match="state"):
        await open_database(folder, "counters", COUNTERS, SystemClock())


async def test_errors_of_sql_are_told_with_the_file(tmp_path: Path) -> None:
    database = await open_database(tmp_path, "counters", COUNTERS, SystemClock())
    with pytest.raises(StateError, match=r"counters\.sqlite3: no such table") as caught:
        await database.transact(lambda link: link.run("SELECT * FROM missing"))
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    await database.close()
    await database.close()


async def test_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    await _add(tmp_path / "deep" / "er", 1)
    assert (tmp_path / "deep" / "er" / "counters.sqlite3").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "url, told",
    [
        ("postgresql://me:secret@db.example:5432/pictures?sslmode=require", "postgresql://db.example:5432/pictures"),
        ("postgres://db/x", "postgres://db/x"),
        ("postgresql://me:se@cret@db/x", "postgresql://db/x"),
    ],
)
def test_an_address_for_people_holds_no_password(url: str, told: str) -> None:
    assert without_password(url) == told


# --- brief transactions -----------------------------------------------------------------------------------------------


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each sync of a log."""
    found: list[int] = []
    sync = os.fdatasync

    def noting(fd: int) -> None:
        sync(fd)
        found.append(fd)

    monkeypatch.setattr(os, "fdatasync", noting)
    return found


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="the system has no such call")
async def test_a_brief_transaction_is_synced_when_it_wrote_something(tmp_path: Path, synced: list[int]) -> None:
    database = await open_database(tmp_path, "counters", COUNTERS, SystemClock(), durable=True)
    assert await database.transact(add_one, brief=True) == 1
    assert len(synced) == 1
    assert await database.transact(value, brief=True) == 1
    assert len(synced) == 1
    assert await database.transact(add_one) == 2
    assert await database.transact(add_one, brief=True) == 3
    await database.close()


async def test_what_a_brief_transaction_raises_changes_nothing(tmp_path: Path) -> None:
    def broken(link: Link) -> None:
        add_one(link)
        raise ValueError("after the change")

    database = await open_database(tmp_path, "counters", COUNTERS, SystemClock(), durable=True)
    await database.transact(add_one, brief=True)
    with pytest.raises(ValueError, match="after the change"):
        await database.transact(broken, brief=True)
    with pytest.raises(StateError, match="no such table"):
        await database.transact(lambda link: link.run("SELECT * FROM missing"), brief=True)
    assert await database.transact(value, brief=True) == 1
    await database.close()


async def test_a_brief_transaction_waits_for_others_in_a_thread(tmp_path: Path) -> None:
    database = await open_database(tmp_path, "counters", COUNTERS, SystemClock(), durable=True)
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(link: Link) -> int:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10.0)
        return add_one(link)

    first = asyncio.ensure_future(database.transact(slow))
    await begun.wait()
    second = asyncio.ensure_future(database.transact(add_one, brief=True))
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(first, second) == [1, 2]
    await database.close()


async def test_the_log_of_brief_transactions_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cavendish.io.state.at_once.CHECKPOINT_AFTER", 10)
    database = await open_database(tmp_path, "counters", COUNTERS, SystemClock(), durable=True)
    log = tmp_path / "counters.sqlite3-wal"
    sizes: list[int] = []
    for _ in range(12):
        for _ in range(10):
            await database.transact(add_one, brief=True)
        sizes.append((await asyncio.to_thread(log.stat)).st_size)
    assert await database.transact(value) == 120
    assert max(sizes) < 60 * 4096
    await database.close()


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="the system has no such call")
async def test_what_need_not_last_yet_lasts_with_the_next_that_does(tmp_path: Path, synced: list[int]) -> None:
    database = await open_database(tmp_path, "counters", COUNTERS, SystemClock(), durable=True)
    assert await database.transact(add_one, brief=True, lasting=False) == 1
    assert synced == []
    assert await database.transact(add_one, brief=True) == 2
    assert len(synced) == 1
    await database.close()


async def test_who_copies_the_file_keeps_nobody_from_writing(tmp_path: Path) -> None:
    """The log cannot be begun anew while somebody reads; that is not waited for."""
    database = await open_database(tmp_path, "counters", COUNTERS, SystemClock(), durable=True)
    await database.transact(add_one)
    with contextlib.closing(sqlite3.connect(tmp_path / "counters.sqlite3", isolation_level=None)) as copying:
        copying.execute("BEGIN")
        copying.execute("SELECT * FROM counters").fetchall()
        async with asyncio.timeout(15):
            for _ in range(CHECKPOINT_AFTER + 10):
                await database.transact(add_one, brief=True, lasting=False)
                await asyncio.sleep(0)
            await database.transact(add_one)
    assert await database.transact(value) == CHECKPOINT_AFTER + 12
    await database.close()
