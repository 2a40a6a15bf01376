"""The caps that all runs share hold for a gateway too, and one that is reached is an error like any other."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from cavendish.front.build import Setup
from cavendish.front.gateway.app import Gateway, GatewayOptions
from cavendish.front.gateway.jobs import legacy
from cavendish.front.gateway.jobs.desk import DeskRules
from cavendish.front.spending import list_prices, open_book
from cavendish.io.clock import SystemClock
from cavendish.io.desk.ledger import JobLedger
from cavendish.sim.server import SimServer
from tests.front.gateway.replicas import kill, until
from tests.front.gateway.test_batches import begun, line
from tests.front.gateway.test_batches_by_jobs import PLACE

MODEL = "google/nano-banana-2"


@pytest.fixture
def setup(tmp_path: Path, upstream: SimServer) -> Setup:
    """Settings that lead to the simulator as if it were Google, with room for seven pictures."""
    return Setup(
        {
            "endpoints.google.base_url": upstream.url,
            "endpoints.google.api_key": "a-key-of-nobody",
            "endpoints.google.max_cost_per_day": "0.5",
            "state": str(tmp_path / "state"),
        }
    )


@pytest_asyncio.fixture
async def capped(tmp_path: Path, setup: Setup) -> AsyncIterator[Gateway]:
    gateway = Gateway(setup, GatewayOptions(tmp_path / "store", port=0, grace_s=2.0, rules=DeskRules(max_wait_s=5.0)))
    await gateway.open()
    yield gateway
    await gateway.close()


async def test_a_cap_of_the_day_is_told_and_the_gateway_goes_on(
    capped: Gateway, upstream: SimServer, setup: Setup
) -> None:
    price = list_prices(setup.catalog, date(2026, 11, 21))("google", "gemini-3.1-flash-image", "")
    assert price is not None
    room = 500_000_000 // price
    async with openai.AsyncOpenAI(api_key="none", base_url=f"{capped.url}/v1", max_retries=0) as client:
        first, second = await asyncio.gather(
            client.images.generate(model=MODEL, prompt="a kite", n=4),
            client.images.generate(model=MODEL, prompt="a boat", n=4),
        )
        assert len(first.data or []) + len(second.data or []) == room
        with pytest.raises(openai.APIStatusError) as caught:
            await client.images.generate(model=MODEL, prompt="a swan")
        assert caught.value.status_code in {402, 429}
        assert "the cap of $0.50 a day for google" in caught.value.message
        assert await client.models.list()
    assert upstream.sim.stats(0.0, 0.0)["pictures"] == room


async def test_what_was_spent_is_in_the_book(capped: Gateway, upstream: SimServer, setup: Setup) -> None:
    async with openai.AsyncOpenAI(api_key="none", base_url=f"{capped.url}/v1") as client:
        await client.images.generate(model=MODEL, prompt="a kite", n=2)
    await capped.close()
    book = await open_book(setup.settings, SystemClock())
    (line,) = await book.lines()
    (run,) = await book.runs()
    await book.close()
    assert (run.title, run.owner) == ("gateway", "")
    assert line.sum.pictures == 2
    assert line.sum.billed_nusd == round(upstream.sim.stats(0.0, 0.0)["billed_usd"] * 1e9)


async def test_what_the_dead_had_set_aside_for_a_batch_is_free_when_another_has_the_batch(
    tmp_path: Path, setup: Setup, upstream: SimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy, "AFTER_S", 0.0)
    site: Any = upstream.site("google")
    site.bulk.batches.mood.waits = 1e6
    options = GatewayOptions(tmp_path / "store", "one", port=0, grace_s=0.1)
    one, two = Gateway(setup, options), Gateway(setup, replace(options, replica="two"))
    await one.open()
    async with openai.AsyncOpenAI(api_key="none", base_url=f"{one.url}/v1", max_retries=0) as client:
        await begun(
            client, [line(f"kite {number}", {"prompt": "a kite", "model": MODEL}) for number in range(4)], PLACE
        )
        await until(lambda: bool(site.bulk.batches.all("a-key-of-nobody")))
    book = await open_book(setup.settings, SystemClock())
    (before,) = await book.states(SystemClock().now())
    await kill(one)
    await two.open()
    assert two._desk is not None
    await until(lambda: two._desk is not None and two._desk.live == 4)
    for after_s, held in ((600.0, True), (0.0, False)):
        # Not before all of its lines were told of, which may take a while.
        monkeypatch.setattr(legacy, "BATCHES_AFTER_S", after_s)
        await two._desk._beat()
        assert {run.id.partition(".")[0]: bool(run.owner) for run in await book.runs()} == {"one": held, "two": True}
    assert before.held_nusd > 0
    await book.close()
    await two.close()
    await one.close(at_once=True)


async def test_a_batch_at_the_provider_counts_once_while_the_gateway_is_away_and_after(
    tmp_path: Path, setup: Setup, upstream: SimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy, "BATCHES_AFTER_S", 0.0)
    site: Any = upstream.site("google")
    site.bulk.batches.mood.waits = 1e6
    gateway = Gateway(setup, GatewayOptions(tmp_path / "store", port=0, grace_s=0.1))
    await gateway.open()
    async with openai.AsyncOpenAI(api_key="none", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        lines = [line(f"kite {number}", {"prompt": "a kite", "model": MODEL}) for number in range(4)]
        await begun(client, lines, PLACE)
        await until(lambda: bool(site.bulk.batches.all("a-key-of-nobody")))
    await gateway.close()
    book = await open_book(setup.settings, SystemClock())
    (away,) = await book.states(SystemClock().now())
    assert away.held_nusd == 0
    assert away.spent_nusd > 4 * 33_000_000
    again = Gateway(setup, GatewayOptions(tmp_path / "store", port=0, grace_s=0.1))
    await again.open()
    assert again._desk is not None
    await until(lambda: again._desk is not None and again._desk.live == 4)
    account = again._desk._till._account
    assert account is not None
    for _ in range(200):  # its jobs are begun before they hold anything
        await account._written(None)
        await again._desk._beat()
        (back,) = await book.states(SystemClock().now())
        if back.held_nusd:
            break
        await asyncio.sleep(0.05)
    assert back.spent_nusd == 0
    assert back.held_nusd >= away.spent_nusd
    await book.close()
    await again.close()


async def test_what_the_dead_had_set_aside_is_free_when_another_has_its_jobs(
    tmp_path: Path, setup: Setup, upstream: SimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy, "AFTER_S", 0.0)
    options = GatewayOptions(tmp_path / "store", "one", port=0, grace_s=2.0, rules=DeskRules(max_wait_s=5.0))
    one, stuck = Gateway(setup, options), asyncio.Event()
    await one.open()

    async def never(*_: object) -> None:
        stuck.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as broken:
        broken.setattr(JobLedger, "settle_all", never)
        client = openai.AsyncOpenAI(api_key="none", base_url=f"{one.url}/v1", max_retries=0)
        asking = asyncio.ensure_future(client.images.generate(model=MODEL, prompt="a kite", n=2))
        await stuck.wait()
    await kill(one)
    book = await open_book(setup.settings, SystemClock())
    (state,) = await book.states(SystemClock().now())
    assert state.held_nusd > 0
    two = Gateway(setup, replace(options, replica="two"))
    await two.open()
    await until(lambda: two._desk is not None and two._desk.live == 0)
    await two._desk._beat()
    runs = {run.id.partition(".")[0]: run.owner for run in await book.runs()}
    assert (runs["one"], bool(runs["two"])) == ("", True)
    await two.close()
    (state,) = await book.states(SystemClock().now())
    await book.close()
    billed = round(upstream.sim.stats(0.0, 0.0)["billed_usd"] * 1e9)
    assert (state.held_nusd, state.spent_nusd) == (0, billed)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await client.close()
    await one.close(at_once=True)
