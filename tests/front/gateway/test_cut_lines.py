"""SDKs that ask again by themselves when a line breaks, unchanged, over a line that breaks: nothing is bought twice."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from cavendish.front.gateway.app import Gateway
from cavendish.sim.server import SimServer

MODEL = "nano-banana-2"


class Breaking:
    """A line to the gateway that breaks: of the first ``cuts`` answers only ``passed`` bytes come through."""

    def __init__(self, port: int) -> None:
        self.cuts = 0
        self.passed = 0
        self.answers = 0
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        asking = asyncio.ensure_future(_pass_on(reader, back))
        try:
            await self._answered(there, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            asking.cancel()
            # At once, as a line breaks: what is written and not sent is gone.
            writer.transport.abort()
            back.transport.abort()
            self._tasks.discard(task)

    async def _answered(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        while chunk := await there.read(65536):
            self.answers += chunk.startswith(b"HTTP/1.1 ")
            if self.answers <= self.cuts:
                writer.write(chunk[: max(0, self.passed - sent)])
                await writer.drain()
                sent += len(chunk)
                if sent >= self.passed:
                    return
            else:
                writer.write(chunk)
                await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()


@pytest_asyncio.fixture
async def line(gateway: Gateway) -> AsyncIterator[tuple[Breaking, openai.AsyncOpenAI]]:
    breaking = Breaking(int(gateway.url.rpartition(":")[2]))
    async with breaking.open() as url, openai.AsyncOpenAI(api_key="any", base_url=f"{url}/v1") as client:
        client._calculate_retry_timeout = lambda *_: 0.001  # type: ignore[method-assign] # its own pauses are long
        yield breaking, client


def bought(upstream: SimServer) -> int:
    return upstream.sim.stats(0.0, 0.0)["requests"]


@pytest.mark.parametrize("passed", [0, 120, 1500])
async def test_an_answer_that_broke_off_is_sent_again_and_not_bought_again(line: Any, upstream: SimServer, passed: int):
    breaking, client = line
    breaking.cuts, breaking.passed = 2, passed
    answer = await client.images.generate(model=MODEL, prompt="a red kite", n=3)
    assert len({item.b64_json for item in answer.data}) == 3
    assert breaking.answers == 3
    assert bought(upstream) == 3


async def test_the_same_in_chats_and_responses(line: Any, upstream: SimServer):
    breaking, client = line
    breaking.cuts, breaking.passed = 1, 900
    answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "a red kite"}])
    assert answer.choices[0].message.images[0]["image_url"]["url"].startswith("data:image/")
    assert bought(upstream) == 1
    breaking.cuts, breaking.answers = 1, 0
    made = await client.responses.create(model=MODEL, input="a red kite", tools=[{"type": "image_generation"}])
    assert base64.b64decode(made.output[0].result)
    assert bought(upstream) == 2


async def test_two_that_ask_for_the_same_side_by_side_each_get_their_own(line: Any, upstream: SimServer):
    breaking, client = line
    breaking.cuts, breaking.passed = 4, 300
    asked = [client.images.generate(model=MODEL, prompt="a red kite") for _ in range(2)]
    answers = await asyncio.gather(*asked)
    assert len({answer.data[0].b64_json for answer in answers}) == 2
    assert bought(upstream) == 2


async def test_who_asks_once_more_on_purpose_gets_another(line: Any, upstream: SimServer):
    breaking, client = line
    breaking.cuts, breaking.passed = 2, 300
    first = await client.images.generate(model=MODEL, prompt="a red kite")
    second = await client.images.generate(model=MODEL, prompt="a red kite")
    assert first.data[0].b64_json != second.data[0].b64_json
    assert bought(upstream) == 2
