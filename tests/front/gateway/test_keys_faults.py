"""A key's budget holds whatever goes wrong: upstream faults of every kind, lines that are cut on both sides."""

import asyncio
import random

import aiohttp
import pytest

from cavendish.engine.policy import Policy
from cavendish.front.gateway.app import Gateway
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key
from tests.front.gateway.test_keys_budget import billed, standing

BUDGET = 1.5
FAULTS = (
    "",
    "",
    "",
    "no_image,times=1",
    "image_safety",
    "cut,times=1",
    "reset,times=1",
    "empty_200,times=1",
    "html_502,times=1",
)


async def ask(line: aiohttp.ClientSession, gateway: Gateway, number: int, dice: random.Random) -> int:
    """The pictures that came. One client in four goes away before its answer."""
    fault = dice.choice(FAULTS)
    prompt = f"kite {number}" + (f" [sim:{fault}]" if fault else "")
    body = {"model": "nano-banana-2", "prompt": prompt, "n": dice.choice((1, 1, 2))}
    patience_s = dice.uniform(0.0, 0.3) if dice.random() < 0.25 else 60.0
    try:
        async with (
            asyncio.timeout(patience_s),
            line.post(f"{gateway.url}/v1/images/generations", json=body) as answer,
        ):
            told = await answer.json()
            return len(told.get("data") or ()) if answer.status == 200 else 0
    except TimeoutError:
        return 0


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
async def test_no_fault_and_no_cut_passes_a_budget(
    open_gateway: Opener, upstream: SimServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(Policy, "backoff", lambda *_: 0.01)
    gateways = await open_gateway(replica="one"), await open_gateway(replica="two")
    key = await make_key(budget=str(BUDGET), per="day")
    dice = random.Random(seed)
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as line:
        came = await asyncio.gather(*(ask(line, gateways[number % 2], number, dice) for number in range(40)))
    # Whose client went away is worked at all the same.
    for gateway in gateways:
        assert gateway._desk is not None
        await asyncio.gather(*(job.answer for job in tuple(gateway._desk._live.values())), return_exceptions=True)
    spent, held = await standing(gateways[0], key)
    assert held == 0
    assert billed(upstream) <= spent + 1e-9
    assert spent <= BUDGET
    assert sum(came) >= 5
