"""A repeat of a request whose answer was lost buys nothing; a second request for the same is a second one."""

import asyncio
import contextlib
import json
import re
import socket
from typing import Any

import aiohttp
import pytest_asyncio

from cavendish.front.gateway.app import Gateway
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key

ASKED = {"model": "nano-banana-2", "prompt": "a red kite", "n": 2, "response_format": "b64_json"}


@pytest_asyncio.fixture
async def line():
    async with aiohttp.ClientSession() as session:
        yield session


async def ask(line: aiohttp.ClientSession, gateway: Gateway, body: Any = None, **headers: str) -> tuple[Any, Any]:
    """The answer's body and headers."""
    url = f"{gateway.url}/v1/images/generations"
    async with line.post(url, json=body or ASKED, headers=headers) as answer:
        return await answer.json(), answer.headers


def bought(upstream: SimServer) -> int:
    return upstream.sim.stats(0.0, 0.0)["requests"]


async def test_the_same_words_asked_twice_are_two(line, gateway: Gateway, upstream: SimServer) -> None:
    first, _ = await ask(line, gateway)
    second, headers = await ask(line, gateway)
    assert bought(upstream) == 4
    assert "x-cavendish-replayed" not in headers
    assert first["data"] != second["data"]


async def test_the_same_words_asked_side_by_side_are_two(line, gateway: Gateway, upstream: SimServer) -> None:
    await asyncio.gather(ask(line, gateway), ask(line, gateway), ask(line, gateway))
    assert bought(upstream) == 6


async def test_an_idempotency_key_never_buys_twice(line, gateway: Gateway, upstream: SimServer) -> None:
    key = {"Idempotency-Key": "order-17"}
    answers = await asyncio.gather(ask(line, gateway, **key), ask(line, gateway, **key))
    later, headers = await ask(line, gateway, **key)
    assert bought(upstream) == 2
    assert answers[0][0]["data"] == answers[1][0]["data"] == later["data"]
    assert headers["x-cavendish-replayed"] == "true"


async def test_a_repeat_that_says_so_is_answered_with_the_first(line, gateway: Gateway, upstream: SimServer) -> None:
    first, _ = await ask(line, gateway)
    again, headers = await ask(line, gateway, **{"x-stainless-retry-count": "1"})
    assert bought(upstream) == 2
    assert again["data"] == first["data"]
    assert headers["x-cavendish-replayed"] == "true"


async def test_a_repeat_of_what_was_refused_is_no_repeat_of_an_earlier_answer(
    line, gateway: Gateway, upstream: SimServer
) -> None:
    """OpenAI's clients ask again after a 429: the picture before that one is not theirs once more."""
    key = {"Authorization": f"Bearer {await make_key(rpm=1)}"}
    first, _ = await ask(line, gateway, **key)
    assert len(first["data"]) == 2
    refused, _ = await ask(line, gateway, **key)
    assert refused["error"]["code"] == "rate_limit_exceeded"
    again, headers = await ask(line, gateway, **key, **{"x-stainless-retry-count": "1"})
    assert again["error"]["code"] == "rate_limit_exceeded"
    assert "x-cavendish-replayed" not in headers
    assert bought(upstream) == 2


async def test_who_hung_up_and_asks_again_gets_what_was_bought(line, gateway: Gateway, upstream: SimServer) -> None:
    impatient = asyncio.ensure_future(ask(line, gateway, {**ASKED, "n": 8}))
    while not bought(upstream):  # noqa: ASYNC110 - another server's count
        await asyncio.sleep(0.001)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    again, headers = await ask(line, gateway, {**ASKED, "n": 8})
    assert len(again["data"]) == 8
    assert bought(upstream) == 8
    assert headers["x-cavendish-job"]


async def test_an_idempotency_key_holds_over_a_restart(line, open_gateway: Opener, upstream: SimServer) -> None:
    gateway = await open_gateway()
    first, _ = await ask(line, gateway, **{"Idempotency-Key": "order-18"})
    await gateway.close()
    gateway = await open_gateway()
    again, headers = await ask(line, gateway, **{"Idempotency-Key": "order-18"})
    assert bought(upstream) == 2
    assert again["data"] == first["data"]
    assert headers["x-cavendish-replayed"] == "true"


async def test_an_answer_that_was_written_and_never_read_is_not_bought_again(
    line, gateway: Gateway, upstream: SimServer
) -> None:
    """The system takes a whole answer before its client has read any; then the line is reset, which tells."""
    job = await _ask_and_go_away(gateway, read=False)
    assert gateway._desk
    while not (found := await gateway._desk.books.job(job)) or not found.lost:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    _, headers = await ask(line, gateway)
    assert (headers["x-cavendish-replayed"], bought(upstream)) == ("true", 2)
    await ask(line, gateway)
    assert bought(upstream) == 4


async def test_who_read_all_and_went_away_lost_nothing(line, gateway: Gateway, upstream: SimServer) -> None:
    await _ask_and_go_away(gateway, read=True)
    _, headers = await ask(line, gateway)
    assert "x-cavendish-replayed" not in headers
    assert bought(upstream) == 4


async def _ask_and_go_away(gateway: Gateway, *, read: bool) -> str:
    """The job of a request whose whole answer arrived: it was read, or it was not."""
    body = json.dumps(ASKED).encode()
    host, port = gateway.url.removeprefix("http://").split(":")
    told = f"Host: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    head = f"POST /v1/images/generations HTTP/1.1\r\n{told}\r\n\r\n"
    with socket.create_connection((host, int(port))) as raw:
        raw.setblocking(False)
        raw.sendall(head.encode() + body)
        arrived = b""
        while not (length := re.search(rb"(?s)Content-Length: (\d+).*?\r\n\r\n", arrived)) or (
            len(arrived) < length.end() + int(length[1])
        ):
            await asyncio.sleep(0.001)
            with contextlib.suppress(BlockingIOError):
                arrived = raw.recv(1 << 20, socket.MSG_PEEK)
        if read:
            assert raw.recv(1 << 20) == arrived
    return re.findall(rb"(?i)x-cavendish-job: (\w+)", arrived)[0].decode()


async def test_an_idempotency_key_for_something_else_is_an_error_and_no_other_s_picture(
    line, gateway: Gateway, upstream: SimServer
) -> None:
    key = {"Idempotency-Key": "order-19"}
    await ask(line, gateway, **key)
    for other in ({**ASKED, "prompt": "a grey heron"}, {**ASKED, "n": 1}):
        answer, _ = await ask(line, gateway, other, **key)
        assert answer["error"]["code"] == "idempotency_key_reused"
    assert bought(upstream) == 2
