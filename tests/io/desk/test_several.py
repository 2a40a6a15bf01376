"""The books of several jobs at once: each entry is its own job's, and all of one step are written together."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from cavendish.io.clock import SystemClock
from cavendish.io.desk.batches import BatchBooks, BatchEntry, LineEntry
from cavendish.io.desk.books import DeskBooks, JobEntry, TakenOver
from cavendish.io.desk.ledger import JobLedger
from cavendish.io.desk.schema import MIGRATIONS
from cavendish.io.desk.several import SeveralLedger
from cavendish.io.state.database import open_database
from cavendish.model.attempt import Attempt, AttemptState
from cavendish.model.blob import Blob
from cavendish.model.call import Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.model.result import Failure, Picture, Route, Slot

ASKED = ImageRequest.of("a kite", "m")
ROUTE = Route("google", "m", "m", "batch")
JOBS = ("j1", "j2")


@pytest_asyncio.fixture
async def books(tmp_path: Path) -> AsyncIterator[DeskBooks]:
    books = DeskBooks(await open_database(tmp_path, "desk", MIGRATIONS, SystemClock()), "one.a")
    await books.beat()
    for job in JOBS:
        await books.begin(JobEntry(job, "one.a", "me", "batch", "form", ASKED, 1.0))
    yield books
    await books.close()


def several(books: DeskBooks) -> SeveralLedger:
    return SeveralLedger(books, {job: JobLedger(books, job) for job in JOBS})


def slot(job: str) -> Slot:
    return Slot(f"{job}.0", job, 0, 0, ASKED)


def attempt(job: str, **fields: object) -> Attempt:
    made = Attempt(f"a-{job}", f"{job}.0", 1, ROUTE, AttemptState.WAITING, estimate_nusd=5, intent_at=1.0)
    return replace(made, **fields)


async def begun(books: DeskBooks) -> SeveralLedger:
    ledger = several(books)
    await ledger.intend_all([(attempt(job), slot(job)) for job in JOBS])
    return ledger


async def test_each_job_has_its_own_entries(books: DeskBooks) -> None:
    ledger = await begun(books)
    await ledger.waiting_all([attempt(job, ticket=Ticket("batches/1")) for job in JOBS])
    assert [[one.id for one in await books.attempts(job)] for job in JOBS] == [["a-j1"], ["a-j2"]]
    assert {one.ticket and one.ticket.id for one, _ in await ledger.open_attempts()} == {"batches/1"}
    ended = {"state": AttemptState.SETTLED, "settled_at": 2.0}
    picture = Picture(slot("j1"), Blob("a" * 64, 1, "image/png", "a.png"), 1, 1, ROUTE, 1, 5)
    fault = Fault(FaultKind.NO_IMAGE, "none", Charged.NO)
    await ledger.settle_all(
        [
            (attempt("j1", charged=Charged.YES, cost_nusd=5, **ended), picture),
            (attempt("j2", charged=Charged.NO, cost_nusd=0, fault=fault, **ended), None),
        ]
    )
    assert (await books.outcomes("j1"), await books.outcomes("j2")) == ([picture], [])
    tally = await ledger.tally()
    assert (tally.delivered, tally.attempts, tally.billed_nusd, tally.in_flight) == (1, 2, 5, 0)
    assert list(await ledger.hashes("j1")) == ["a" * 64]
    assert list(await ledger.hashes("j2")) == []
    await ledger.conclude(Failure(slot("j2"), fault, 1))
    assert len(await books.outcomes("j2")) == 1
    standing = await ledger.standing("j2.0")
    assert standing
    assert [one.id for one in standing.attempts] == ["a-j2"]


async def test_who_lost_one_of_the_jobs_writes_nothing_of_any(books: DeskBooks) -> None:
    await books.write(lambda link: link.run("UPDATE jobs SET owner = 'two.a' WHERE id = 'j2'") and None)
    with pytest.raises(TakenOver):
        await begun(books)
    assert [await books.attempts(job) for job in JOBS] == [[], []]


async def test_the_job_of_a_line_goes_where_its_batch_goes(books: DeskBooks, tmp_path: Path) -> None:
    batches = BatchBooks(books)
    line = LineEntry("b1", 0, "k", "place", ASKED)
    await batches.add([line])
    await batches.begin(BatchEntry("b1", "one.a", "me", "google", 1.0))
    await batches.note_job(line, "j1")
    await books.depart()
    other = DeskBooks(await open_database(tmp_path, "desk", MIGRATIONS, SystemClock()), "two.a")
    await other.beat()
    assert [job.id for job in await other.inherit()] == ["j2"]
    assert [batch.id for batch in await BatchBooks(other).inherit()] == ["b1"]
    found = await other.job("j1")
    assert found
    assert found.owner == "two.a"
    await BatchBooks(other).drop("b1")
    await other.depart()
    assert {job.id for job in await books.inherit()} == {"j1", "j2"}, "without a batch they are as any others"
    await other.close()
