"""A batch whose replica is killed: another goes on with it, and what was paid for is not bought again."""

import asyncio
import signal

import aiohttp
import pytest

from cavendish.front.gateway.batches import LINES_AT_ONCE
from tests.front.gateway.replicas import Starter, bought, slow_upstream, start, until
from tests.postgres import postgres_server, postgres_url

__all__ = ["bought", "postgres_server", "postgres_url", "slow_upstream", "start"]

LINES = 24
KEY = {"x-goog-api-key": "any"}


@pytest.mark.parametrize("shared", ["sqlite", "postgresql"])
async def test_another_replica_goes_on_with_a_batch(
    start: Starter, request: pytest.FixtureRequest, bought, shared: str
) -> None:
    state = {"state": request.getfixturevalue("postgres_url")} if shared == "postgresql" else {}
    one, two = await start("one", **state), await start("two", **state)
    asked = [
        {"request": {"contents": [{"parts": [{"text": f"kite {number}"}]}]}, "metadata": {"key": str(number)}}
        for number in range(LINES)
    ]
    body = {"batch": {"displayName": "kites", "inputConfig": {"requests": {"requests": asked}}}}
    async with aiohttp.ClientSession(headers=KEY) as http:
        url = f"{one.url}/v1beta/models/nano-banana-2:batchGenerateContent"
        async with http.post(url, json=body) as answer:
            name = (await answer.json())["name"]
        await until(lambda: bought("pictures") >= 3)
        one.send(signal.SIGKILL)
        await one.ended()
        job = await _ended(http, f"{two.url}/v1beta/{name}")
    results = job["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    assert [result["metadata"]["key"] for result in results] == [str(number) for number in range(LINES)]
    assert all("response" in result for result in results)
    # What was in flight when it ended may have been drawn, and nobody can know.
    assert LINES <= bought("requests") <= LINES + LINES_AT_ONCE


async def _ended(http: aiohttp.ClientSession, url: str) -> dict:
    found: dict = {}

    async def over() -> bool:
        async with http.get(url) as answer:
            found.update(await answer.json())
        return found.get("done", False)

    while not await over():  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    return found
