"""A batch whose replica is killed: another goes on with it, and what was paid for is not bought again."""

import asyncio
import signal
from typing import Any

import aiohttp
import pytest

from cavendish.front.gateway.batches.batches import LINES_AT_ONCE
from cavendish.sim.server import SimServer
from tests.front.gateway.replicas import Starter, bought, slow_upstream, start, until
from tests.postgres import postgres_server, postgres_url

__all__ = ["bought", "postgres_server", "postgres_url", "slow_upstream", "start"]

LINES = 24
KEY = {"x-goog-api-key": "any"}
PATH = "/v1beta/models/nano-banana-2:batchGenerateContent"
BODY = {
    "batch": {
        "displayName": "kites",
        "inputConfig": {
            "requests": {
                "requests": [
                    {
                        "request": {"contents": [{"parts": [{"text": f"kite {one}"}]}]},
                        "metadata": {"key": str(one)},
                    }
                    for one in range(LINES)
                ]
            }
        },
    }
}


async def test_another_replica_goes_on_with_a_batch(start: Starter, bought) -> None:
    one, two = await start("one"), await start("two")
    async with aiohttp.ClientSession(headers=KEY) as http:
        url = f"{one.url}{PATH}"
        async with http.post(url, json=BODY, headers={"x-cavendish-mode": "standard"}) as answer:
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


async def test_another_replica_goes_on_with_its_job_at_the_provider(
    start: Starter, request: pytest.FixtureRequest, slow_upstream: SimServer, bought
) -> None:
    site: Any = slow_upstream.site("google")
    jobs = site.bulk.batches
    jobs.mood.waits = 1e6
    state = request.getfixturevalue("postgres_url")
    one, two = await start("one", state=state), await start("two", state=state)
    async with aiohttp.ClientSession(headers=KEY) as http:
        async with http.post(f"{one.url}{PATH}", json=BODY) as answer:
            name = (await answer.json())["name"]
        await until(lambda: bool(jobs.all("simulated-key")))
        one.send(signal.SIGKILL)
        await one.ended()
        (job,) = jobs.all("simulated-key")
        job.waits_s = 0.0
        ended = await _ended(http, f"{two.url}/v1beta/{name}")
    results = ended["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    assert all("response" in result for result in results)
    assert (len(results), bought("pictures")) == (LINES, LINES)
    assert jobs.all("simulated-key") == [job]


async def _ended(http: aiohttp.ClientSession, url: str) -> dict:
    found: dict = {}

    async def over() -> bool:
        async with http.get(url) as answer:
            found.update(await answer.json())
        return found.get("done", False)

    while not await over():  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    return found
