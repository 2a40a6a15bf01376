"""Jobs page by page, cancels, removals and messages in the books: on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cavendish.io.clock import SystemClock
from cavendish.io.desk.books import CANCELLED, DONE, OPEN, DeskBooks, JobEntry, put_outcome
from cavendish.io.desk.deliveries import DELIVERED, DUE, Deliveries
from cavendish.io.desk.job_lists import JobLists
from cavendish.io.desk.schema import MIGRATIONS
from cavendish.io.desk.secrets import shared_secret
from cavendish.io.state.database import open_database
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.model.result import Failure, Slot
from tests.postgres import postgres_server, postgres_url  # noqa: F401

REQUEST = ImageRequest.of("a red kite", "m", n=2)
WEBHOOK = {"url": "https://example.com/hook", "secret": "whsec_x"}


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    return tmp_path if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest_asyncio.fixture
async def books(address: str | Path) -> AsyncIterator[DeskBooks]:
    database = await open_database(address, "desk", MIGRATIONS, SystemClock())
    books = DeskBooks(database, "one")
    yield books
    await books.close()
    await database.close()


def entry(number: int, caller: str = "ann", **changes: Any) -> JobEntry:
    job = JobEntry(f"job{number}", "one", caller, "jobs", "form", REQUEST, begun_at=1000.0 + number)
    return replace(job, **changes)


async def ids(lists: JobLists, after: str = "", most: int = 10, states: tuple[str, ...] = ()) -> list[str]:
    return [standing.entry.id for standing in await lists.page("ann", after, most, states)]


async def test_pages_of_ones_own_jobs_the_newest_first(books: DeskBooks) -> None:
    lists = JobLists(books)
    for number in range(5):
        await books.begin(entry(number))
    await books.begin(entry(9, caller="bob"))
    # At the same moment: the id decides, so that none is left out between two pages.
    await books.begin(entry(5, begun_at=1004.0))
    assert await ids(lists) == ["job5", "job4", "job3", "job2", "job1", "job0"]
    assert await ids(lists, most=2) == ["job5", "job4"]
    assert await ids(lists, after="job4", most=2) == ["job3", "job2"]
    await books.end("job2", DONE, 2000.0, {})
    await books.end("job3", CANCELLED, 2000.0, {})
    assert await ids(lists, states=(DONE, CANCELLED)) == ["job3", "job2"]
    assert await ids(lists, states=(OPEN,), after="job4") == ["job1", "job0"]


async def test_a_standing_has_what_came_of_a_job(books: DeskBooks) -> None:
    lists = JobLists(books)
    await books.begin(entry(1))
    for ordinal in (1, 0):
        slot = Slot(f"job1.{ordinal}", "job1", 0, ordinal, REQUEST)
        await books.write(put_outcome("job1", Failure(slot, Fault(FaultKind.NO_IMAGE), 1)))
    standing = await lists.standing("job1")
    assert standing is not None
    assert [outcome.slot.ordinal for outcome in standing.outcomes] == [0, 1]
    assert await lists.standing("job2") is None
    assert await lists.picture("job1.0") is None


async def test_cancels_are_of_jobs_at_work_here(books: DeskBooks) -> None:
    lists = JobLists(books)
    await books.begin(entry(1))
    await books.begin(entry(2, owner="two"))
    await books.begin(entry(3))
    await books.end("job3", DONE, 2000.0, {})
    for number in (1, 1, 2, 3):
        await lists.cancel(f"job{number}")
    assert await lists.cancels() == ["job1"]
    await books.end("job1", CANCELLED, 2000.0, {})
    assert await lists.cancels() == []


async def test_a_hidden_job_is_gone_for_all_and_its_token_is_free(books: DeskBooks) -> None:
    lists = JobLists(books)
    await books.begin(entry(1, token="t"))
    assert not await lists.hide("job1")
    await books.end("job1", DONE, 2000.0, {"webhook": WEBHOOK})
    assert await lists.ended_before(2000.0, 10) == []
    assert await lists.ended_before(2000.5, 10) == ["job1"]
    assert await lists.hide("job1")
    assert await lists.standing("job1") is None
    assert await ids(lists) == []
    assert await lists.ended_before(3000.0, 10) == []
    assert [standing.entry.id for standing in await lists.hidden(10)] == ["job1"]
    await lists.remove("job1")
    assert await lists.hidden(10) == []
    assert (await books.begin(entry(2, token="t"))).id == "job2"
    assert await Deliveries(books).take(10, 60.0) == []


async def test_a_message_is_taken_by_one_and_again_when_that_died(books: DeskBooks) -> None:
    deliveries = Deliveries(books)
    for number, told in ((1, {"webhook": WEBHOOK}), (2, {}), (3, {"webhook": {}})):
        await books.begin(entry(number))
        await books.end(f"job{number}", DONE, 2000.0, told)
    taken = await deliveries.take(10, 60.0)
    assert [(delivery.id, delivery.url) for delivery in taken] == [("msg_job1", WEBHOOK["url"])]
    assert await deliveries.take(10, 60.0) == []
    await deliveries.settle("msg_job1", DUE, "status 500", 0.0)
    (again,) = await deliveries.take(10, 0.0)
    assert (again.tries, again.said) == (1, "status 500")
    (lapsed,) = await deliveries.take(10, 60.0)
    assert lapsed.id == "msg_job1"
    await deliveries.settle("msg_job1", DELIVERED, "status 204")
    assert await deliveries.take(10, 60.0) == []
    standing = await JobLists(books).standing("job1")
    assert standing is not None
    assert standing.delivery is not None
    assert standing.delivery.state == DELIVERED


async def test_a_job_that_ends_twice_is_told_once(books: DeskBooks) -> None:
    await books.begin(entry(1))
    for _ in range(2):
        await books.end("job1", DONE, 2000.0, {"webhook": WEBHOOK})
    assert len(await Deliveries(books).take(10, 60.0)) == 1


async def test_a_shared_secret_is_one_for_all(books: DeskBooks) -> None:
    found = await asyncio.gather(*(shared_secret(books, "links") for _ in range(4)))
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    assert await shared_secret(books, "other") != found[0]
