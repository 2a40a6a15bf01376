"""How long a provider in trouble is asked again while a client waits, and what happens when its time is over."""

import asyncio
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import errors, types

from cavendish.engine.policy import DEFAULT_REFILLS, Policy
from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs.patience import TROUBLE_S, policy_of, within_s
from cavendish.model.fault import FaultKind
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener

OVER = (FaultKind.SERVER_ERROR, FaultKind.OVERLOADED, FaultKind.CONNECT)


@pytest.mark.parametrize("max_wait_s", [0.0, 0.5, 1.0, 3.0, 20.0, 90.0, 3600.0])
def test_all_waits_of_a_picture_together_are_no_longer_than_a_client_waits(max_wait_s: float):
    policy = policy_of(max_wait_s, 8, patient=False)
    for kind in OVER:
        waits = [policy.backoff(tries, 0.999) for tries in range(policy.refills[kind])]
        assert sum(waits) <= min(max_wait_s, TROUBLE_S)
    assert policy.refills[FaultKind.NO_IMAGE] == DEFAULT_REFILLS[FaultKind.NO_IMAGE]
    assert policy.max_wait_s == max_wait_s


def test_who_does_not_wait_on_the_line_has_all_patience():
    assert policy_of(9.0, 8, patient=True) == Policy(max_wait_s=9.0, concurrency=8)
    assert policy_of(90.0, 8, patient=False).refills[FaultKind.SERVER_ERROR] == 5


@pytest.mark.parametrize(
    "said,seconds", [("", None), ("x", None), ("nan", None), ("0", None), ("-3", None), ("12", 12.0), ("1e9", 3600.0)]
)
def test_only_a_time_of_some_length_is_one(said: str, seconds: float | None):
    assert within_s({"X-Server-Timeout": said}) == seconds


async def test_an_outage_is_told_to_who_will_not_wait(gateway: Gateway, upstream: SimServer):
    body = {"model": "nano-banana-2", "prompt": "a red kite [sim:server_error]"}
    session = aiohttp.ClientSession(gateway.url, headers={"x-cavendish-max-wait": "0.5"})
    async with session as line, line.post("/v1/images/generations", json=body) as answer:
        assert answer.status == 502
        assert (await answer.json())["error"]["code"] == "server_error"
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 1


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
async def test_no_call_leaves_when_google_s_client_has_hung_up(gateway: Gateway, upstream: SimServer):
    options = types.HttpOptions(base_url=gateway.url, headers={"X-Server-Timeout": "1"})
    client: Any = genai.Client(api_key="any", http_options=options).aio
    with pytest.raises(errors.ServerError) as caught:
        await client.models.generate_content(model="nano-banana-2", contents="a red kite [sim:server_error]")
    assert caught.value.code == 504
    assert caught.value.status == "DEADLINE_EXCEEDED"
    assert upstream.sim.stats(0.0, 0.0)["requests"] < 4
    await client.aclose()


async def test_who_hangs_up_before_its_turn_is_told_so_and_buys_nothing(
    open_gateway: Opener, upstream: SimServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CAVENDISH_SIM_RPM", "1")
    gateway = await open_gateway()
    session = aiohttp.ClientSession(gateway.url, headers={"X-Server-Timeout": "5"})
    async with asyncio.timeout(10), session as line:
        for status in (200, 429):
            body = {"model": "nano-banana-2", "prompt": f"a kite for {status}"}
            async with line.post("/v1/images/generations", json=body) as answer:
                assert answer.status == status
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 1
    assert gateway._desk is not None
    assert gateway._desk.live == 0


async def test_a_job_goes_on_when_the_time_of_who_asked_for_it_is_over(gateway: Gateway):
    body = {"model": "nano-banana-2", "prompt": "a red kite [sim:server_error,times=1]"}
    async with aiohttp.ClientSession(gateway.url, headers={"X-Server-Timeout": "0.2"}) as line:
        async with line.post("/v1/jobs", json=body) as answer:
            job = await answer.json()
        async with line.get(f"/v1/jobs/{job['id']}/events") as events:
            words = await events.text()
    assert '"state":"done"' in words
