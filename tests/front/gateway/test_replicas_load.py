"""Replicas under load while one is killed: nothing paid for is lost, nothing is bought twice, no cap is passed."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import cycle
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from cavendish.sim.server import SimServer
from tests.front.gateway.replicas import Replica, Starter, ask, bought, of_unknown_fate, slow_upstream, start, until
from tests.postgres import postgres_server, postgres_url

__all__ = ["bought", "postgres_server", "postgres_url", "slow_upstream", "start"]

KITE = {"model": "nano-banana-2", "response_format": "b64_json"}


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def under_load(
    line: aiohttp.ClientSession,
    replicas: list[Replica],
    bought: Callable[[str], int],
    orders: int,
    *,
    n: int = 3,
    model: str = KITE["model"],
) -> list[tuple[int, dict]]:
    """Each order is sent twice under one key, to two replicas; the first replica is killed in the middle.

    Returns the answers, two and two for each order.
    """
    urls = [replica.url for replica in replicas]
    first = cycle(range(len(urls)))

    def order(number: int) -> list[asyncio.Future]:
        at = next(first)
        round_about = [urls[(at + step) % len(urls)] for step in range(len(urls))]
        body = {**KITE, "model": model, "prompt": f"kite {number}", "n": n}
        return [
            asyncio.ensure_future(ask(line, places, body, f"order-{number}"))
            for places in (round_about, round_about[::-1])
        ]

    asking = [one for number in range(orders) for one in order(number)]
    await until(lambda: bought("pictures") >= orders * n // 4 or all(one.done() for one in asking))
    replicas[0].send(signal.SIGKILL)
    await replicas[0].ended()
    return await asyncio.gather(*asking)


def held_to_account(answers: list[tuple[int, dict]], n: int) -> None:
    """Every order has all its pictures, both who asked for it the same, and no picture went to two orders."""
    assert [answer for status, answer in answers if status != 200] == []
    seen: Counter[str] = Counter()
    for (_, one), (_, other) in zip(answers[::2], answers[1::2], strict=True):
        assert len(one["data"]) == n
        assert one["data"] == other["data"]
        seen.update(picture["b64_json"] for picture in one["data"])
    assert set(seen.values()) == {1}


async def test_two_share_a_load_and_one_is_killed(start: Starter, line, bought, tmp_path: Path) -> None:
    replicas = list(await asyncio.gather(start("one"), start("two")))
    answers = await under_load(line, replicas, bought, orders=6)
    held_to_account(answers, 3)
    assert bought("requests") <= 6 * 3 + await of_unknown_fate(tmp_path / "state")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_three_on_a_server_share_a_load_and_one_is_killed(start: Starter, line, bought, postgres_url) -> None:
    replicas = list(await asyncio.gather(*(start(name, state=postgres_url) for name in ("one", "two", "three"))))
    answers = await under_load(line, replicas, bought, orders=40)
    held_to_account(answers, 3)
    assert bought("requests") <= 40 * 3 + await of_unknown_fate(postgres_url)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_cap_is_passed(start: Starter, line, bought, slow_upstream: SimServer, postgres_url) -> None:
    environ = {
        "CAVENDISH_GOOGLE_BASE_URL": slow_upstream.url,
        "CAVENDISH_GOOGLE_API_KEY": "a-key-of-nobody",
        "CAVENDISH_GOOGLE_RPM": "100000",
        "CAVENDISH_MAX_COST_PER_DAY": "3",
    }
    flags = ("--max-wait", "20")
    replicas = list(
        await asyncio.gather(*(start(name, *flags, state=postgres_url, **environ) for name in ("one", "two", "three")))
    )
    answers = await under_load(line, replicas, bought, orders=40, model="google/nano-banana-2")
    assert bought("billed_usd") <= 3.0
    assert bought("billed_usd") > 1.5
    assert 429 in {status for status, _ in answers}
