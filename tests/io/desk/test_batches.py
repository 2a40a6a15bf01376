"""Batches and files in the books: lines end once, each caller's are its own, and the dead's go to the living."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from cavendish.io.clock import SystemClock
from cavendish.io.desk.batches import CANCELLING, BatchBooks, BatchEntry, LineEntry, Standing
from cavendish.io.desk.books import CANCELLED, DONE, OPEN, DeskBooks, JobEntry
from cavendish.io.desk.job_lists import JobLists
from cavendish.io.desk.schema import MIGRATIONS
from cavendish.io.desk.stored import FileEntry, StoredBooks, Upload
from cavendish.io.state.database import open_database
from cavendish.model.blob import Blob
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import ImageRequest, Notice
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

REQUEST = ImageRequest.of("a red kite", "nano-banana-2")
BATCH = BatchEntry("b1", "main", "alice", "google", 1.0, {"model": "m"})
PIECE = Blob("a" * 64, 3, "text/plain", "extras/one")


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def books(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DeskBooks]:
    address = tmp_path if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    database = await open_database(address, "desk", MIGRATIONS, SystemClock())
    books = DeskBooks(database, "main")
    await books.beat()
    yield books
    await books.close()
    await database.close()


def line(number: int, **fields: object) -> LineEntry:
    return replace(LineEntry("b1", number, f"k{number}", "place", REQUEST), **fields)


async def test_lines_come_back_as_they_were_and_end_once(books: DeskBooks) -> None:
    batches = BatchBooks(books)
    fault = Fault(FaultKind.INVALID_REQUEST, "odd", status=400)
    lines = [line(0, notices=(Notice("a", "b", "c"),)), line(1), line(2, request=None, state="failed", fault=fault)]
    await batches.add(lines)
    assert await batches.lines("b1", -1, 10) == lines
    assert await batches.lines("b1", 0, 1) == lines[1:2]
    assert await batches.lines("b1", -1, 10, (OPEN,)) == lines[:2]
    await batches.settle(lines[0], DONE, "job-0")
    await batches.settle(lines[0], "failed", "job-1")
    assert (await batches.lines("b1", -1, 1))[0].job == "job-0"
    await batches.give_up("b1")
    assert await batches.standing("b1") == Standing(done=1, failed=1, cancelled=1)
    await batches.drop("b1")
    assert (await batches.standing("b1")).total == 0


async def test_a_batch_ends_once_and_is_its_caller_s(books: DeskBooks) -> None:
    batches = BatchBooks(books)
    await batches.begin(BATCH)
    await batches.begin(replace(BATCH, id="b2", caller="bob", created_at=2.0))
    await batches.begin(replace(BATCH, id="b3", created_at=3.0))
    assert [batch.id for batch in await batches.batches("alice", "google")] == ["b3", "b1"]
    assert await batches.batches("alice", "openai") == []
    await batches.cancel("b1", {"why": "asked"})
    assert (await batches.batch("b1") or BATCH).state == CANCELLING
    await batches.end("b1", CANCELLED, 5.0, {"output": "f"})
    await batches.end("b1", DONE, 6.0, {})
    await batches.cancel("b1", {"why": "asked"})
    assert await batches.batch("b1") == replace(BATCH, state=CANCELLED, ended_at=5.0, told={"output": "f"})
    assert await batches.batch("nothing") is None


async def test_batches_of_the_dead_are_taken_over_once(books: DeskBooks) -> None:
    batches = BatchBooks(books)
    await batches.begin(BATCH)
    await batches.begin(replace(BATCH, id="b2", owner="dead"))
    await batches.begin(replace(BATCH, id="b3", owner="dead", state=DONE))
    assert [batch.id for batch in await batches.inherit()] == ["b2"]
    assert await batches.inherit() == []
    assert (await batches.batch("b2") or BATCH).owner == "main"


async def test_two_requests_cannot_bring_the_same_piece(books: DeskBooks) -> None:
    stored = StoredBooks(books)
    begun = Upload("u1", "alice", "a", "text/plain", 0, 1.0)
    await stored.begin(begun)
    assert await stored.upload("u1") == begun
    more = await stored.take(begun, PIECE)
    assert more
    assert (more.received, more.pieces) == (3, (PIECE,))
    assert await stored.take(begun, PIECE) is None
    assert await stored.upload("u1") == more
    file = FileEntry("f1", "alice", "a", "text/plain", 3, 1.0, 100.0, blob=PIECE)
    assert await stored.finish(more, file)
    assert not await stored.finish(more, replace(file, id="f2"))
    assert await stored.take(more, PIECE) is None
    assert await stored.file("f1", "alice", 50.0) == file
    assert await stored.file("f2", "alice", 50.0) is None


async def test_files_are_their_caller_s_until_their_time_is_over(books: DeskBooks) -> None:
    stored = StoredBooks(books)
    brief = FileEntry("f1", "alice", "a", "text/plain", 3, 1.0, 10.0, blob=PIECE)
    lasting = FileEntry("f2", "alice", "b", "text/plain", 0, 2.0, None, "batch_output", batch="b1")
    for file in (brief, lasting, replace(brief, id="f3", caller="bob")):
        await stored.put(file)
    assert await stored.files("alice", 5.0) == [lasting, brief]
    assert (await stored.stored_bytes("alice"), await stored.stored_bytes("carol")) == (3, 0)
    assert await stored.files("alice", 11.0) == [lasting]
    assert await stored.file("f1", "bob", 5.0) is None
    assert await stored.file("f1", "alice", 10.0) is None
    assert {file.id for file in await stored.expired(10.0)} == {"f1", "f3"}
    assert await stored.expired(10.0) == []
    await stored.delete("f2")
    assert await stored.files("alice", 5.0) == []


async def test_uploads_that_nobody_goes_on_with_are_forgotten(books: DeskBooks) -> None:
    stored = StoredBooks(books)
    for number in range(3):
        begun = Upload(f"u{number}", "alice", "a", "text/plain", 0, float(number))
        await stored.begin(begun)
        if number:
            await stored.take(begun, PIECE)
    assert [upload.id for upload in await stored.abandoned(2.0)] == ["u1"]
    assert await stored.upload("u0") is None
    assert await stored.upload("u2")


async def test_jobs_of_a_batch_are_not_old_before_it_is(books: DeskBooks) -> None:
    batches, jobs = BatchBooks(books), JobLists(books)
    for job in ("j1", "j2"):
        await books.begin(JobEntry(job, "main", "alice", "gemini", job, REQUEST, 1.0))
        await books.end(job, DONE, 2.0, {})
    await batches.add([line(0)])
    await batches.begin(BATCH)
    await batches.settle(line(0), DONE, "j1")
    await batches.end("b1", DONE, 3.0, {})
    assert await jobs.ended_before(10.0, 5) == ["j2"]
    assert [batch.id for batch in await batches.ended_before(10.0)] == ["b1"]
    assert await batches.ended_before(3.0) == []
    await batches.drop("b1")
    assert await jobs.ended_before(10.0, 5) == ["j1", "j2"]
