"""Several replicas: they share jobs and idempotency, and one that is killed loses no picture that was paid for."""

import asyncio
import errno
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from cavendish.errors import FolderError
from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs import desk
from cavendish.front.gateway.jobs.replica import take_seat
from cavendish.io.desk.ledger import JobLedger
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.replicas import (
    Starter,
    arrived,
    ask,
    bought,
    kill,
    of_unknown_fate,
    slow_upstream,
    start,
    until,
)
from tests.postgres import postgres_server, postgres_url

__all__ = ["bought", "postgres_server", "postgres_url", "slow_upstream", "start"]

KITE = {"model": "nano-banana-2", "prompt": "a red kite", "response_format": "b64_json"}


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


# --- processes --------------------------------------------------------------------------------------------------------


async def test_two_that_start_at_once_share_a_server(start: Starter, line, postgres_url: str, bought) -> None:
    one, two = await asyncio.gather(start("one", state=postgres_url), start("two", state=postgres_url))
    urls = [[one.url], [two.url]]
    answers = await asyncio.gather(*(ask(line, url, {**KITE, "n": 2}, "order-1") for url in urls * 2))
    assert bought("requests") == 2
    assert {status for status, _ in answers} == {200}
    assert len({str(body["data"]) for _, body in answers}) == 1


async def test_who_is_killed_loses_nothing_that_was_paid_for(start: Starter, line, bought, tmp_path: Path) -> None:
    state = tmp_path / "state"
    one, two = await asyncio.gather(start("one"), start("two"))
    body = {**KITE, "n": 12}
    asking = asyncio.ensure_future(ask(line, [one.url, two.url], body, "order-2"))
    await until(lambda: arrived(state) >= 3)
    one.send(signal.SIGKILL)
    await one.ended()
    kept = arrived(state)
    status, answer = await asking
    assert (status, len(answer["data"])) == (200, 12)
    assert len({picture["b64_json"] for picture in answer["data"]}) == 12
    assert bought("requests") <= 12 + await of_unknown_fate(state) <= 24 - kept


async def test_who_is_told_to_end_finishes_what_is_in_flight(start: Starter, line, bought) -> None:
    one = await start("one")
    asking = asyncio.ensure_future(line.post(f"{one.url}/v1/images/generations", json={**KITE, "n": 3}))
    await until(lambda: bought("in_flight") == 3)
    one.send(signal.SIGTERM)
    async with await asking as answer:
        assert answer.status == 200
        assert len((await answer.json())["data"]) == 3
    assert await one.ended() == 0
    assert bought("requests") == 3


async def test_a_second_signal_ends_it_at_once_and_the_next_life_goes_on(start: Starter, line, bought) -> None:
    one = await start("one")
    asking = asyncio.ensure_future(ask(line, [one.url], {**KITE, "n": 3}, "order-3"))
    await until(lambda: bought("in_flight") == 3)
    one.send(signal.SIGTERM)
    one.send(signal.SIGTERM)
    await one.ended()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    again = await start("one")
    status, answer = await ask(line, [again.url], {**KITE, "n": 3}, "order-3")
    assert (status, len(answer["data"])) == (200, 3)
    assert bought("requests") <= 6


# --- in one process ---------------------------------------------------------------------------------------------------


async def test_the_heir_adopts_what_arrived_at_the_dead(
    open_gateway: Opener, line, upstream: SimServer, monkeypatch
) -> None:
    """The reply is on the dead one's disk, and not on the books yet."""
    one = await open_gateway(replica="one")
    stuck = asyncio.Event()

    async def never(self: JobLedger, receipts: object) -> None:
        stuck.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as broken:
        broken.setattr(JobLedger, "settle_all", never)
        asking = asyncio.ensure_future(ask(line, [one.url], {**KITE, "n": 1}, "order-4"))
        await stuck.wait()
    await kill(one)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    two = await open_gateway(replica="two")
    status, answer = await ask(line, [two.url], {**KITE, "n": 1}, "order-4")
    assert (status, len(answer["data"])) == (200, 1)
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 1


async def test_an_heir_whose_disk_fails_for_a_moment_lives_on(
    open_gateway: Opener, line, upstream: SimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who beats no more is taken for dead: what it has in flight would be bought again."""
    monkeypatch.setattr(desk, "BEAT_EVERY_S", 0.05)
    one, two = await open_gateway(replica="one"), await open_gateway(replica="two")
    adopt, tries, stuck = two._desk.blobs.adopt, [], asyncio.Event()

    async def failing_at_first(attempt_ids: object) -> object:
        tries.append(attempt_ids)
        if len(tries) == 1:
            raise OSError(errno.EIO, "the disk")
        return await adopt(attempt_ids)

    async def never(self: JobLedger, receipts: object) -> None:
        stuck.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(two._desk.blobs, "adopt", failing_at_first)
    with monkeypatch.context() as broken:
        broken.setattr(JobLedger, "settle_all", never)
        asking = asyncio.ensure_future(ask(line, [one.url], {**KITE, "n": 1}, "order-6"))
        await stuck.wait()
    await kill(one)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    async with asyncio.timeout(10):
        status, answer = await ask(line, [two.url], {**KITE, "n": 1}, "order-6")
    assert (status, len(answer["data"])) == (200, 1)
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 1


async def test_who_was_taken_for_dead_writes_nothing_more(
    open_gateway: Opener, line, upstream: SimServer, monkeypatch
) -> None:
    one = await open_gateway(replica="one")
    settle, held = JobLedger.settle_all, asyncio.Event()

    async def late(self: JobLedger, receipts: object) -> None:
        if self._books is one._desk.books:
            await held.wait()
        await settle(self, receipts)

    monkeypatch.setattr(JobLedger, "settle_all", late)
    asking = asyncio.ensure_future(ask(line, [one.url], {**KITE, "n": 2}, "order-5"))
    await until(lambda: upstream.sim.stats(0.0, 0.0)["requests"] == 2)
    two = await open_gateway(replica="two")
    job_id = await _only_job(two)
    await two._desk.books.retire([one._desk.books.owner])
    await two._desk._inherit()
    await until(lambda: two._desk.job(job_id) is None)
    before = await two._desk.books.outcomes(job_id)
    held.set()
    (_, first), (_, second) = await asking, await ask(line, [two.url], {**KITE, "n": 2}, "order-5")
    assert len(first["data"]) == 2
    assert first["data"] == second["data"]
    assert await two._desk.books.outcomes(job_id) == before


async def _only_job(gateway: Gateway) -> str:
    rows = await gateway._desk.books.read(lambda link: link.run("SELECT id FROM jobs"))
    assert len(rows) == 1
    return rows[0][0]


# --- names ------------------------------------------------------------------------------------------------------------


def test_two_without_a_name_take_two(tmp_path: Path) -> None:
    one, two = take_seat(tmp_path, "", "a"), take_seat(tmp_path, "", "b")
    assert one.name != two.name
    one.leave()
    three = take_seat(tmp_path, "", "c")
    assert three.name == one.name
    assert three.owner != one.owner
    two.leave()
    three.leave()


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".", "con\0", "ü" * 300])
def test_no_name_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    store = tmp_path / "store"
    seat = take_seat(store, name, "a")
    seat.leave()
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert (store / seat.own).resolve().parent == (store / ".cavendish/replicas").resolve()


def test_a_name_that_is_taken_is_an_error(tmp_path: Path) -> None:
    seat = take_seat(tmp_path, "one", "a")
    with pytest.raises(FolderError, match="at work already"):
        take_seat(tmp_path, "one", "b")
    seat.leave()
