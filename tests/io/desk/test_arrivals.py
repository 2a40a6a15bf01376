"""Small replies in the books: which of them a crash left, and for whom."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio

from cavendish.io.blobs.journaled import Arrival
from cavendish.io.clock import SystemClock
from cavendish.io.desk.arrivals import Arrivals
from cavendish.io.desk.books import DONE, DeskBooks, JobEntry, Repeats
from cavendish.io.desk.ledger import JobLedger
from cavendish.io.desk.schema import MIGRATIONS
from cavendish.io.state.database import open_database
from cavendish.model.attempt import Attempt, AttemptState
from cavendish.model.blob import Blob
from cavendish.model.call import Done
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, ImageRequest
from cavendish.model.result import Failure, Picture, Route, Slot

ASKED = ImageRequest.of("a kite", "m")
SLOT = Slot("j1.0", "j1", 0, 0, ASKED)
ROUTE = Route("sim", "m", "m")
DATA = b"the bytes of a picture"

Opener = Callable[[str], Awaitable[DeskBooks]]


@pytest_asyncio.fixture
async def books_of(tmp_path: Path) -> AsyncIterator[Opener]:
    opened: list[DeskBooks] = []

    async def make(owner: str) -> DeskBooks:
        database = await open_database(tmp_path, "desk", MIGRATIONS, SystemClock(), durable=True)
        opened.append(books := DeskBooks(database, owner))
        return books

    yield make
    for books in opened:
        await books.close()


def blob(ref: str) -> Blob:
    return Blob(hashlib.sha256(DATA).hexdigest(), len(DATA), "image/png", ref)


def attempt(state: AttemptState = AttemptState.INTENT) -> Attempt:
    settled = state is AttemptState.SETTLED
    return Attempt(
        "a1",
        SLOT.id,
        1,
        ROUTE,
        state,
        5,
        intent_at=1.0,
        settled_at=2.0 if settled else None,
        charged=Charged.YES if settled else Charged.UNKNOWN,
        cost_nusd=5 if settled else None,
    )


def drawn() -> Picture:
    return Picture(SLOT, blob("j1-1.png"), 8, 6, ROUTE, 1, 5)


async def begun(books: DeskBooks) -> JobLedger:
    """A job whose only call has arrived, and is not settled."""
    await books.begin(JobEntry("j1", books.owner, "", "images", "form", ASKED, 1.0))
    ledger = JobLedger(books, "j1")
    await ledger.intend(attempt(), SLOT)
    arriving = Arrival("a1", Done((Image(blob("tmp/x.part")),), (0,)), {"tmp/x.part": DATA})
    await Arrivals(books).put(arriving)
    return ledger


async def test_what_is_not_settled_is_there_for_who_adopts_it(books_of: Opener) -> None:
    await begun(await books_of("one.1"))
    heir = Arrivals(await books_of("two.1"))
    (found,) = await heir.of(["a1", "a2"])
    assert (found.attempt_id, dict(found.blobs)) == ("a1", {"tmp/x.part": DATA})
    assert found.reply.pictures[0].blob == blob("tmp/x.part")
    assert await heir.left() == []
    await heir.drop(["a1"])
    assert await heir.of(["a1"]) == []


async def test_of_a_settled_call_the_final_files_are_told(books_of: Opener) -> None:
    ledger = await begun(await books_of("one.1"))
    await ledger.settle(attempt(AttemptState.SETTLED), drawn())
    (placed,) = await Arrivals(await books_of("one.2")).left()
    assert placed.attempt_id == "a1"
    assert list(placed.files) == [(blob("j1-1.png"), DATA)]


async def test_those_of_the_living_are_theirs(books_of: Opener) -> None:
    one = await books_of("one.1")
    ledger = await begun(one)
    await ledger.settle(attempt(AttemptState.SETTLED), drawn())
    await one.beat()
    other = Arrivals(await books_of("two.1"))
    assert await other.left() == []
    await one.depart()
    assert [placed.attempt_id for placed in await other.left()] == ["a1"]


async def test_a_job_ends_with_the_last_of_its_pictures(books_of: Opener) -> None:
    books = await books_of("one.1")
    ledger = await begun(books)
    ledger.ends_with(1, lambda: books.ending("j1", DONE, 9.0, {}))
    await ledger.settle(attempt(AttemptState.SETTLED), drawn())
    job = await books.job("j1")
    assert ledger.ended
    assert job is not None
    assert (job.state, job.ended_at) == (DONE, 9.0)


async def test_a_job_without_all_of_them_does_not(books_of: Opener) -> None:
    books = await books_of("one.1")
    ledger = await begun(books)
    ledger.ends_with(2, lambda: books.ending("j1", DONE, 9.0, {}))
    await ledger.settle(attempt(AttemptState.SETTLED), drawn())
    job = await books.job("j1")
    assert not ledger.ended
    assert job is not None
    assert job.state == "open"


async def test_what_may_be_repeated(books_of: Opener) -> None:
    books = await books_of("one.1")
    question = Repeats("", "form", 0.0, 5.0)
    ledger = await begun(books)
    assert await books.repeatable(question) == []
    await books.lose("j1", lost=True)
    assert [job.id for job in await books.repeatable(question)] == ["j1"]
    await books.lose("j1", lost=False)
    fault = Fault(FaultKind.NO_IMAGE, "none")
    await ledger.settle(attempt(AttemptState.SETTLED), Failure(SLOT, fault, 1))
    await books.end("j1", DONE, 6.0, {})
    assert [job.id for job in await books.repeatable(question)] == ["j1"]
    assert await books.repeatable(Repeats("", "form", 0.0, 7.0)) == []
    assert await books.repeatable(Repeats("", "form", 2.0, 5.0)) == []
    assert [job.id for job in await books.repeatable(Repeats("", "form", 0.0, 7.0, said=True))] == ["j1"]


async def test_many_are_dropped(books_of: Opener) -> None:
    arrivals = Arrivals(await books_of("one.1"))
    names = [f"a{number}" for number in range(230)]
    for name in names:
        await arrivals.put(Arrival(name, Done((), ()), {}))
    await arrivals.drop(names[:-1])
    assert [found.attempt_id for found in await arrivals.of(names)] == ["a229"]
