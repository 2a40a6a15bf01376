"""Replicas share keys and budgets, and no budget is passed when one of them is killed in the midst of its work."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.front.gateway.keyring import make_key
from tests.front.gateway.replicas import Starter, ask, bought, slow_upstream, start, until
from tests.postgres import postgres_server, postgres_url

__all__ = ["bought", "postgres_server", "postgres_url", "slow_upstream", "start"]

KITE = {"model": "nano-banana-2", "response_format": "b64_json"}
BUDGET = 1.0


def batched(things: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (things[at : at + size] for at in range(0, len(things), size))


async def own_key(line: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with line.get(f"{url}/v1/keys/self") as page:
        return await page.json()


async def test_no_budget_is_passed_while_one_is_killed(
    start: Starter, postgres_url: str, bought: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVENDISH_STATE", postgres_url)
    one, two = await asyncio.gather(start("one", state=postgres_url), start("two", state=postgres_url))
    key = await make_key(budget=BUDGET, per="day")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as line:
        bodies = [{**KITE, "prompt": f"kite {number}", "n": 1 + number % 2} for number in range(25)]
        urls = [[one.url, two.url], [two.url, one.url]]
        # Each order twice, under one name: first to the one, and to the other.
        asking = [
            asyncio.ensure_future(ask(line, places, body, f"order-{n}"))
            for n, body in enumerate(bodies)
            for places in urls
        ]
        await until(lambda: bought("requests") >= 4)
        one.send(signal.SIGKILL)
        await one.ended()
        answers = await asyncio.gather(*asking)
        assert {status for status, _ in answers} <= {200, 429}
        bought_by = [[str(body["data"]) for status, body in pair if status == 200] for pair in batched(answers, 2)]
        assert sum(map(bool, bought_by)) >= 2
        assert all(len(set(data)) <= 1 for data in bought_by), "an order was bought twice"
        for _ in range(600):
            told = await own_key(line, two.url)
            if not told["held"]:
                break
            await asyncio.sleep(0.1)
    assert told["held"] == 0
    assert bought("billed_usd") <= told["spent"] + 1e-9
    assert told["spent"] <= BUDGET


async def test_a_minute_and_a_secret_are_shared(
    start: Starter, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVENDISH_STATE", postgres_url)
    one, two = await asyncio.gather(start("one", state=postgres_url), start("two", state=postgres_url))
    key = await make_key(rpm=1)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as line:
        assert (await ask(line, [one.url], {**KITE, "prompt": "one"}))[0] == 200
        status, body = await ask(line, [two.url], {**KITE, "prompt": "two"})
    assert (status, body["error"]["code"]) == (429, "rate_limit_exceeded")
    async with aiohttp.ClientSession() as line:
        for replica in (one, two):
            assert (await ask(line, [replica.url], {**KITE, "prompt": "three"}))[0] == 401
    one.send(signal.SIGTERM)
    await one.ended()
    assert key not in await one.said()


async def test_what_is_held_for_a_job_is_its_heir_s(
    start: Starter, bought: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVENDISH_STATE", str(tmp_path / "state"))
    one = await start("one")
    key = await make_key(budget=5)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as line:
        async with line.post(f"{one.url}/v1/jobs", json={"model": KITE["model"], "prompt": "kites", "n": 6}) as page:
            assert page.status == 202
        await until(lambda: bought("pictures") >= 2)
        one.send(signal.SIGKILL)
        await one.ended()
        two = await start("one")
        told = await own_key(line, two.url)
        for _ in range(600):
            if not told["held"]:
                break
            await asyncio.sleep(0.05)
            told = await own_key(line, two.url)
        async with line.get(f"{two.url}/v1/usage") as page:
            use = await page.json()
    assert told["held"] == 0
    assert use["total"]["pictures"] == 6
    assert bought("billed_usd") <= told["spent"] + 1e-9
