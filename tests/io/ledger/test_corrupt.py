"""Files that are no ledger, or a broken or foreign one: errors that name the file and say what to do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import threading

import pytest

from cavendish.errors import FolderError
from cavendish.io.ledger import schema, sqlite
from cavendish.io.ledger.entries import IllegalEntry
from cavendish.io.ledger.reader import LedgerReader
from cavendish.io.ledger.sqlite import SqliteLedger
from tests.io.ledger.entries import failure, intent, picture, receipt, slot

MANY = 120


def write_through(path):
    """Open it as a run does, and use it."""

    async def use():
        async with SqliteLedger(path) as ledger:
            await ledger.tally()
            for number in range(MANY):
                await ledger.standing(f"f{number}.0")
            wanted = slot("new")
            await ledger.intend(intent("new", wanted), wanted)

    asyncio.run(use())


def read_through(path):
    """Open it as a command does that only looks, and read all of it."""
    with LedgerReader.open(path) as reader:
        reader.tally()
        assert len(list(reader.outcomes())) == MANY - 1
        assert len(reader.open_attempts()) == 1
        for number in range(MANY):
            reader.standing(f"f{number}.0")
            reader.hashes(f"f{number}")
        reader.unfinished_below(MANY)


each_way = pytest.mark.parametrize("use", [write_through, read_through])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite3"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a ledger with some entries."""
    path = tmp_path_factory.mktemp("whole") / "ledger.sqlite3"

    async def write():
        async with SqliteLedger(path) as ledger:
            slots = [slot(f"f{n}", row=n, prompt="a kite " * 50) for n in range(MANY)]
            for one in slots:
                await ledger.intend(intent(one.id, one), one)
            for number, one in enumerate(slots[:-1]):
                outcome = picture(one, text="so " * 50) if number % 3 else failure(one)
                await ledger.settle(receipt(intent(one.id, one)), outcome)

    asyncio.run(write())
    assert list(path.parent.iterdir()) == [path]
    return path.read_bytes()


def refusal(use, path):
    """The error, which names the file and says what to do."""
    with pytest.raises(FolderError) as caught:
        use(path)
    assert str(path) in caught.value.message
    assert caught.value.hints
    return caught.value


@each_way
def test_a_whole_file_can_be_used(path, whole, use):
    path.write_bytes(whole)
    use(path)


# --- no ledger --------------------------------------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize("content", [b"a shopping list\n", b"a shopping list\n" * 1000, b"\0" * 8192, b"\x89PNG" * 999])
def test_a_file_that_is_no_database(path, use, content):
    path.write_bytes(content)
    error = refusal(use, path)
    assert "damaged or no ledger" in error.message
    assert any("move it" in hint for hint in error.hints)
    assert path.read_bytes() == content


def test_where_there_is_no_file_a_reader_says_so(path):
    with pytest.raises(FolderError, match="there is no ledger") as caught:
        LedgerReader.open(path)
    assert caught.value.hints
    assert not path.exists()


def test_an_empty_file_is_begun_by_a_run_and_refused_by_a_reader(path):
    path.touch()
    assert "is empty" in refusal(read_through, path).message
    write_through(path)
    with LedgerReader.open(path) as reader:
        assert reader.tally().in_flight == 1


def test_a_folder_in_its_place(path):
    path.mkdir()
    assert "cannot be opened" in refusal(write_through, path).message


@each_way
@pytest.mark.parametrize("version", [0, 1, 99])
def test_the_database_of_another_program_is_left_alone(path, use, version):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = {version};")
    before = path.read_bytes()
    assert "another program" in refusal(use, path).message
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# --- damaged ----------------------------------------------------------------------------------------------------------


@each_way
def test_a_truncated_file_is_told_wherever_it_was_cut(path, whole, use):
    sizes = [1, 15, 16, 50, 99, 100, 511, 512, 1000, *range(4096, len(whole), 4096)]
    for size in sizes:
        path.write_bytes(whole[:size])
        assert "damaged or no ledger" in refusal(use, path).message, size
        assert path.read_bytes() == whole[:size]


@each_way
def test_damage_in_the_middle_is_never_an_error_of_another_kind(path, whole, use):
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    refusals = []
    for _ in range(60):
        at = dice.randrange(100, len(whole) - 600)
        junk = dice.choice([bytes(600), dice.randbytes(600), dice.randbytes(8), b"\xff" * 40])
        path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
        # SQLite has no check sums, so entries may be other ones or missing without a trace: no part of this test.
        with contextlib.suppress(AssertionError, IllegalEntry):
            try:
                use(path)
            except FolderError as error:
                refusals.append(error)
        _drop_logs(path)
    assert len(refusals) > 5, seed
    assert all(str(path) in error.message and error.hints for error in refusals), seed


def _drop_logs(path):
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)


def test_an_entry_that_makes_no_sense_is_named(path, whole):
    path.write_bytes(whole)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("""UPDATE slots SET outcome = '{"type":"riddle"}' WHERE id = 'f7.0'""")
    error = refusal(read_through, path)
    assert "f7.0" in error.message
    with LedgerReader.open(path) as reader:
        assert reader.standing("f8.0").outcome.slot == slot("f8", row=8)


# --- of another version, of another run -------------------------------------------------------------------------------


@each_way
def test_a_file_of_a_newer_version_is_left_alone(path, whole, use):
    path.write_bytes(whole)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = path.read_bytes()
    error = refusal(use, path)
    assert "newer" in error.message
    assert "update Cavendish" in error.hints[0]
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_brought_up_to_date_stays_as_it_was(path, whole, monkeypatch):
    path.write_bytes(whole)
    monkeypatch.setattr(
        sqlite, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE half (a TEXT); CREATE TABLE slots (a)")
    )
    refusal(write_through, path)
    monkeypatch.undo()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    assert "half" not in names
    assert version == schema.VERSION
    read_through(path)


def open_as(path, run_id):
    async def use():
        async with SqliteLedger(path, run_id=run_id) as ledger:
            wanted = slot(run_id)
            await ledger.intend(intent(run_id, wanted), wanted)

    asyncio.run(use())


def test_the_books_of_another_run_are_left_alone(path):
    open_as(path, "monday")
    error = refusal(lambda path: open_as(path, "tuesday"), path)
    assert "another run" in error.message
    with LedgerReader.open(path) as reader:
        assert reader.standing("tuesday.0") is None
        assert reader.tally().attempts == 1


def test_books_without_a_name_become_those_of_the_first_run_that_has_one(path, whole):
    path.write_bytes(whole)
    open_as(path, "monday")
    write_through(path)
    refusal(lambda path: open_as(path, "tuesday"), path)


# --- in use -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_S", 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_file_in_use_is_told_as_such(path, whole):
    path.write_bytes(whole)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "in use by another process" in refusal(write_through, path).message
    write_through(path)


@pytest.mark.usefixtures("impatient")
async def test_an_entry_that_met_another_writer_can_be_written_later(path):
    def lock():
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        return other

    wanted = slot()
    async with SqliteLedger(path) as ledger:
        other = await asyncio.to_thread(lock)
        with pytest.raises(FolderError, match="in use"):
            await ledger.intend(intent("a", wanted), wanted)
        await asyncio.to_thread(other.close)
        await ledger.intend(intent("a", wanted), wanted)
        assert await ledger.open_attempts() == [(intent("a", wanted), wanted)]


# --- nothing is left open ---------------------------------------------------------------------------------------------


async def test_a_ledger_that_could_not_be_opened_holds_nothing(path):
    await asyncio.to_thread(path.write_bytes, b"a shopping list\n" * 100)
    before = set(threading.enumerate())
    ledger = SqliteLedger(path)
    with pytest.raises(FolderError):
        await ledger.open()
    for thread in set(threading.enumerate()) - before:
        await asyncio.to_thread(thread.join, 10)
    assert not any(thread.name.startswith("ledger") for thread in set(threading.enumerate()) - before)
    with pytest.raises(sqlite3.ProgrammingError):
        ledger._db.execute("SELECT 1")
