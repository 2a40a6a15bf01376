"""Whose job it is: one replica's at a time, and who lost it writes nothing more of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from cavendish.io.clock import SystemClock
from cavendish.io.desk.books import DEAD_AFTER_S, DONE, DeskBooks, JobEntry, TakenOver
from cavendish.io.desk.ledger import JobLedger
from cavendish.io.desk.schema import MIGRATIONS
from cavendish.io.state.database import open_database
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.model.result import Failure, Slot
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

ASKED = ImageRequest.of("a kite", "m")
LOST = Failure(Slot("j1.0", "j1", 0, 0, ASKED), Fault(FaultKind.NO_IMAGE, "none"), 0)

Opener = Callable[[str], Awaitable[DeskBooks]]


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def books_of(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    address = tmp_path if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened: list[DeskBooks] = []

    async def make(owner: str) -> DeskBooks:
        database = await open_database(address, "desk", MIGRATIONS, SystemClock())
        books = DeskBooks(database, owner, "here")
        opened.append(books)
        await books.beat()
        return books

    yield make
    for books in opened:
        await books.close()


def job(books: DeskBooks, **changes: object) -> JobEntry:
    return replace(JobEntry("j1", books.owner, "me", "gemini", "form", ASKED, 1.0), **changes)


async def test_a_living_replica_keeps_its_jobs(books_of: Opener) -> None:
    one, two = await books_of("one.a"), await books_of("two.a")
    await one.begin(job(one))
    assert await two.inherit() == []
    assert await one.inherit() == []


async def test_a_job_of_the_dead_goes_to_one_heir(books_of: Opener) -> None:
    one, two, three = await books_of("one.a"), await books_of("two.a"), await books_of("three.a")
    await one.begin(job(one))
    assert await two.neighbours() == ["one.a", "three.a"]
    await two.retire(["one.a"])
    assert [entry.id for entry in await two.inherit()] == ["j1"]
    assert await three.inherit() == []
    entry = await two.job("j1")
    assert entry is not None
    assert entry.owner == "two.a"


async def test_who_lost_a_job_writes_nothing_more_of_it(books_of: Opener) -> None:
    one, two = await books_of("one.a"), await books_of("two.a")
    await one.begin(job(one))
    await two.retire(["one.a"])
    await two.inherit()
    with pytest.raises(TakenOver):
        await JobLedger(one, "j1").conclude(LOST)
    with pytest.raises(TakenOver):
        await one.end("j1", DONE, 2.0, {})
    assert await two.outcomes("j1") == []
    await JobLedger(two, "j1").conclude(LOST)
    await two.end("j1", DONE, 2.0, {})
    assert await one.outcomes("j1") == [LOST]


async def test_who_is_the_first_back_takes_the_others_for_late_and_not_for_dead(books_of: Opener) -> None:
    """A database that was away for longer than a replica may be silent."""
    one, two = await books_of("one.a"), await books_of("two.a")
    await one.begin(job(one))

    async def away(seconds: float) -> None:
        await one.write(lambda link: link.run("UPDATE owners SET beat_s = beat_s - :s", s=seconds))

    await away(DEAD_AFTER_S + 10)
    await two.beat()
    assert await two.inherit() == []
    await one.beat()
    await away(1.0)
    assert await two.inherit() == []
    # Who stays away is dead when its time is over again.
    two._lenient_until_s = -1e12
    await away(DEAD_AFTER_S)
    assert [entry.id for entry in await two.inherit()] == ["j1"]


async def test_who_departs_leaves_its_jobs_to_others(books_of: Opener) -> None:
    one, two = await books_of("one.a"), await books_of("two.a")
    await one.begin(job(one))
    await one.depart()
    assert [entry.id for entry in await two.inherit()] == ["j1"]


async def test_one_token_is_one_job_at_all_replicas(books_of: Opener) -> None:
    one, two = await books_of("one.a"), await books_of("two.a")
    first = await one.begin(job(one, token="order"))
    second = await two.begin(job(two, id="j2", token="order"))
    assert (first.id, second.id) == ("j1", "j1")


async def test_who_stops_to_wait_takes_nothing_out_of_the_books(books_of: Opener) -> None:
    books = await books_of("one.a")
    waits = asyncio.ensure_future(books.begin(job(books)))
    refused = asyncio.ensure_future(books.end("none", DONE, 2.0, {}))
    await asyncio.sleep(0)  # both entries are pending
    for task in (waits, refused):
        task.cancel()
    ends = await asyncio.gather(waits, refused, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
    await books.beat()
    assert await books.job("j1") is not None
