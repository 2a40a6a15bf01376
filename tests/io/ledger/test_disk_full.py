"""A disk without room, or without leave to write: a clear error, nothing lost, and on it goes when there is room."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import sys

import pytest

from cavendish.engine.ports import OutOfSpace
from cavendish.io.ledger.reader import LedgerReader
from cavendish.io.ledger.sqlite import SqliteLedger
from tests.io.ledger.entries import intent, picture, receipt, slot
from tests.io.ledger.processes import run

KITE = slot()
LONG = "a kite " * 1000

only_unix = pytest.mark.skipif(sys.platform == "win32", reason="no limits of this kind")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="gives up capabilities, which only Linux has")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
async def ledger(path):
    async with SqliteLedger(path) as opened:
        yield opened


def tally_of(path):
    with LedgerReader.open(path) as reader:
        return reader.tally()


async def leave_pages(ledger, spare: int | None):
    """Let the file grow by so many pages and no more; ``None`` is without a limit."""

    def limit():
        (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
        ledger._db.execute(f"PRAGMA max_page_count = {2**30 if spare is None else pages + spare}")

    await ledger._do(limit)


async def fill(ledger) -> int:
    """How many intents found room."""
    for number in range(1000):
        wanted = slot(f"f{number}", prompt=LONG)
        try:
            await ledger.intend(intent(f"a{number}", wanted), wanted)
        except OutOfSpace:
            return number
    raise AssertionError("it was never full")


async def test_a_full_disk_is_told_as_such(ledger, path):
    await leave_pages(ledger, 0)
    with pytest.raises(OutOfSpace) as caught:
        await ledger.intend(intent("a", slot(prompt=LONG)), slot(prompt=LONG))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert "no room" in str(caught.value)


async def test_what_was_there_stays_and_can_be_read(ledger, path):
    await leave_pages(ledger, 20)
    count = await fill(ledger)
    assert count > 1
    assert [attempt.id for attempt, _ in await ledger.open_attempts()] == sorted(f"a{n}" for n in range(count))
    assert await ledger.standing(f"f{count}.0") is None
    assert (await asyncio.to_thread(tally_of, path)).in_flight == count


async def test_it_goes_on_when_there_is_room_again(ledger):
    await leave_pages(ledger, 20)
    count = await fill(ledger)
    await leave_pages(ledger, None)
    wanted = slot(f"f{count}", prompt=LONG)
    await ledger.intend(intent(f"a{count}", wanted), wanted)
    await ledger.settle(receipt(intent("a0", slot("f0"))), picture(slot("f0")))
    tally = await ledger.tally()
    assert (tally.in_flight, tally.delivered) == (count, 1)


async def test_a_receipt_without_room_can_be_written_later(ledger):
    await ledger.intend(intent("a", KITE), KITE)
    await leave_pages(ledger, 0)
    settled, outcome = receipt(intent("a", KITE)), picture(KITE, text=LONG)
    with pytest.raises(OutOfSpace):
        await ledger.settle(settled, outcome)
    assert await ledger.open_attempts() == [(intent("a", KITE), KITE)]
    await leave_pages(ledger, None)
    await ledger.settle(settled, outcome)
    assert (await ledger.standing(KITE.id)).outcome == outcome


async def test_of_entries_written_together_those_that_fit_are_kept(ledger):
    await leave_pages(ledger, 20)
    slots = [slot(f"f{n}", prompt=LONG) for n in range(60)]
    results = await asyncio.gather(*(ledger.intend(intent(one.id, one), one) for one in slots), return_exceptions=True)
    refused = {one.id for one, result in zip(slots, results, strict=True) if result is not None}
    assert 0 < len(refused) < 60
    assert all(isinstance(result, OutOfSpace) for result in results if result is not None)
    written = {attempt.id for attempt, _ in await ledger.open_attempts()}
    assert written == {one.id for one in slots} - refused


@pytest.mark.parametrize("code", ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMOPEN"])
async def test_sqlite_says_it_in_several_ways(ledger, code):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = getattr(sqlite3, code)
    assert isinstance(ledger._translated(error), OutOfSpace)


# --- limits of the system ---------------------------------------------------------------------------------------------


@only_unix
@pytest.mark.parametrize("room", [0, 4_000, 60_000, 300_000])
def test_a_file_that_may_not_grow_loses_nothing(path, room):
    told = run("fill", path, str(room))
    intents = [attempt_id for what, *rest in told if what == "intent" for attempt_id in rest]
    ((refused,), (in_flight,), (count,)) = (
        [rest[0] for what, *rest in told if what == w] for w in ("refused", "full", "afterwards")
    )
    assert "no room" in refused
    assert str(path) in refused
    assert in_flight == count == len(intents)
    with LedgerReader.open(path) as reader:
        assert sorted(attempt.id for attempt, _ in reader.open_attempts()) == sorted([*intents, "afterwards"])
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@only_unix
@pytest.mark.parametrize("begun", [False, True])
def test_a_ledger_cannot_be_opened_without_room_and_can_with_it(path, begun):
    if begun:
        asyncio.run(_begin(path))
    (first, message, *hints), second = run("open_without_room", path)
    assert first == "refused"
    assert message == f"no room left on the disk for {path}"
    assert hints
    assert second == ["done", "written"]


async def _begin(path):
    async with SqliteLedger(path) as ledger:
        await ledger.intend(intent("b", slot("b")), slot("b"))


# --- no leave to write ------------------------------------------------------------------------------------------------


@pytest.fixture
def locked_folder(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    yield folder
    folder.chmod(0o700)


@only_linux
def test_a_folder_without_leave_is_told_as_such(locked_folder):
    locked_folder.chmod(0o500)
    path = locked_folder / "ledger.sqlite3"
    (what, message, *hints), (_, reading, *_) = run("without_leave", path)
    assert what == "refused"
    assert str(path) in message
    assert "permissions" in hints[0]
    assert "there is no ledger" in reading


@only_linux
@pytest.mark.parametrize("file_too", [False, True])
def test_a_ledger_that_may_not_be_written_can_be_read(locked_folder, file_too):
    path = locked_folder / "ledger.sqlite3"
    asyncio.run(_begin(path))
    if file_too:
        path.chmod(0o400)
    locked_folder.chmod(0o500)
    (what, message, *hints), reading = run("without_leave", path)
    assert what == "refused"
    assert str(path) in message
    assert "permissions" in hints[0]
    assert reading == ["done", 1]
    assert list(locked_folder.iterdir()) == [path]


@only_linux
def test_a_ledger_whose_log_is_not_read_in_yet_is_not_read_without_it(locked_folder):
    path = locked_folder / "ledger.sqlite3"
    (locked_folder / "ledger.sqlite3-wal").touch()
    path.write_bytes(b"")
    locked_folder.chmod(0o500)
    _, (what, message, *hints) = run("without_leave", path)
    assert what == "refused"
    assert str(path) in message
    assert hints
