"""Turns: whose request begins next, when another's ends, and that each key has its share of a quota."""

import asyncio

import aiohttp
import pytest

from cavendish.engine import run
from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs.desk import DeskRules
from tests.front.gateway.conftest import Opener

BOUNDED = "sim/flux-2-pro"
"""At most 24 of its calls may be in flight at once."""


async def draw(line: aiohttp.ClientSession, gateway: Gateway, prompt: str, model: str, **headers: str) -> int:
    body = {"model": model, "prompt": prompt}
    async with line.post(f"{gateway.url}/v1/images/generations", json=body, headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_the_end_of_one_request_is_the_turn_of_the_next(
    open_gateway: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for a place in flight does not find out by looking now and then."""
    monkeypatch.setattr(run, "RECHECK_S", 3600.0)
    gateway = await open_gateway(rules=DeskRules(max_wait_s=10.0))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as line:
        asking = [draw(line, gateway, f"kite {number}", BOUNDED) for number in range(28)]
        assert set(await asyncio.gather(*asking)) == {200}
