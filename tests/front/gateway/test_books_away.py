"""A database that is away for some seconds: what is in flight is kept, what is new is refused, and all goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
import pytest_asyncio

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs.desk import Desk
from cavendish.front.gateway.keys.keeper import Keeper
from cavendish.io.state.port import StateError
from cavendish.sim.server import SimServer, start_server
from tests.front.gateway.conftest import Opener
from tests.front.gateway.replicas import ask, slow, until
from tests.postgres import Server, postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

KITE = {"model": "nano-banana-2", "prompt": "a red kite", "n": 2, "response_format": "b64_json"}


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[SimServer]:
    server = await start_server(await asyncio.to_thread(slow, 0.2), seed=1, mode="tiny")
    yield server
    await server.close()


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def desk_of(gateway: Gateway) -> Desk:
    assert gateway._desk is not None
    return gateway._desk


class Away:
    """A gateway's books behind a line that can be cut. ``missed`` counts what came to nothing."""

    def __init__(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cut = False
        self.missed = 0
        database = desk_of(gateway).books._database
        transact = database.transact

        async def through(work: Callable[..., object], **how: object) -> object:
            if self.cut:
                self.missed += 1
                raise StateError("postgresql://host: connection refused")
            return await transact(work, **how)

        monkeypatch.setattr(database, "transact", through)


async def status(line: aiohttp.ClientSession, url: str) -> int:
    async with line.get(url) as answer:
        return answer.status


async def test_what_is_in_flight_is_kept_for_the_books_to_come_back(gateway, line, upstream, monkeypatch) -> None:
    away = Away(gateway, monkeypatch)
    asking = asyncio.ensure_future(ask(line, [gateway.url], KITE, "order-1"))
    await until(lambda: upstream.sim.stats(0.0, 0.0)["requests"] == 2)
    away.cut = True
    assert await status(line, f"{gateway.url}/readyz") == 503
    async with line.post(f"{gateway.url}/v1/images/generations", json={**KITE, "prompt": "a new one"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    missed = away.missed
    await until(lambda: upstream.sim.stats(0.0, 0.0)["in_flight"] == 0 and away.missed > missed)
    away.cut = False
    code, body = await asking
    assert (code, len(body["data"])) == (200, 2)
    assert await status(line, f"{gateway.url}/readyz") == 200
    assert await ask(line, [gateway.url], KITE, "order-1") == (200, body)
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 2


async def test_a_job_that_could_not_begin_is_taken_up_when_the_books_are_back(
    gateway, line, upstream, monkeypatch
) -> None:
    async def away(*_: object) -> None:
        raise StateError("away")

    with monkeypatch.context() as broken:
        broken.setattr(Keeper, "purse", away)
        wish = {"model": KITE["model"], "prompt": "kites", "n": 2}
        async with line.post(f"{gateway.url}/v1/jobs", json=wish) as page:
            job_id = (await page.json())["id"]
        await until(lambda: desk_of(gateway).live == 0)
    await desk_of(gateway)._beat()
    job = desk_of(gateway).job(job_id)
    assert job is not None
    assert len((await job.answer).pictures) == 2
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 2


@pytest.mark.slow
async def test_a_server_that_starts_anew_loses_nothing(
    open_gateway: Opener, line, upstream, monkeypatch, postgres_server: Server, postgres_url: str
) -> None:
    monkeypatch.setenv("CAVENDISH_STATE", postgres_url)
    gateway = await open_gateway(replica="one")
    bodies = [{**KITE, "prompt": f"kite {number}"} for number in range(8)]
    asking = [asyncio.ensure_future(ask(line, [gateway.url], body, f"order-{n}")) for n, body in enumerate(bodies)]
    await until(lambda: upstream.sim.stats(0.0, 0.0)["in_flight"] == 16)
    await asyncio.to_thread(postgres_server.restart)
    answers = await asyncio.gather(*asking)
    assert {(code, len(body["data"])) for code, body in answers} == {(200, 2)}
    again = await asyncio.gather(*(ask(line, [gateway.url], body, f"order-{n}") for n, body in enumerate(bodies)))
    assert [body["data"] for _, body in again] == [body["data"] for _, body in answers]
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 16
    assert await status(line, f"{gateway.url}/readyz") == 200
