"""Several gateways as processes of their own over one state and one store, with a slow simulator behind them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from cavendish.sim.profile import Latency, Profile, load_profile
from cavendish.sim.server import SimServer, start_server

PATIENCE_S = 40.0


def slow(seconds: float) -> Profile:
    """Without quota and faults, but so slow that calls are in flight when something happens."""
    return replace(load_profile("fast"), latency={"any": Latency(seconds, seconds * 1.5)})


class Replica:
    """A gateway in a process of its own."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.url = ""
        self.process = process
        self._said = bytearray()
        self._listening: asyncio.Task[None] | None = None

    async def opened(self) -> "Replica":
        """Wait until it listens."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
        self._listening = asyncio.ensure_future(self._listen())
        if not line:
            raise AssertionError(await self.said())
        self.url = orjson.loads(line)["url"]
        return self

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        while piece := await self.process.stderr.read(65536):
            self._said += piece

    async def said(self) -> str:
        """All that it wrote to stderr, once it has ended."""
        assert self._listening is not None
        await self._listening
        return self._said.decode()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)


Starter = Callable[..., Awaitable[Replica]]


@pytest_asyncio.fixture
async def slow_upstream() -> AsyncIterator[SimServer]:
    server = await start_server(await asyncio.to_thread(slow, 0.4), seed=1, mode="tiny")
    yield server
    await server.close()


@pytest_asyncio.fixture
async def start(tmp_path: Path, slow_upstream: SimServer) -> AsyncIterator[Starter]:
    """Starts replicas; those that live at the end are ended."""
    begun: list[Replica] = []

    async def make(name: str, *flags: str, state: str = "", **environ: str) -> Replica:
        env = {
            **os.environ,
            "CAVENDISH_STATE": state or str(tmp_path / "state"),
            "CAVENDISH_SIM_BASE_URL": slow_upstream.url,
            "CAVENDISH_SIM_RPM": "100000",
            **environ,
        }
        command = ("serve", "--port", "0", "--json", "--store", str(tmp_path / "store"), "--replica", name, *flags)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cavendish", *command),
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        replica = Replica(name, process)
        begun.append(replica)
        return await replica.opened()

    yield make
    for replica in begun:
        if replica.process.returncode is None:
            replica.send(signal.SIGKILL)
            await replica.ended()
        await replica.said()


@pytest.fixture
def bought(slow_upstream: SimServer) -> Callable[[str], int]:
    """What the simulator has in its books."""
    return lambda what="requests": slow_upstream.sim.stats(0.0, 0.0)[what]


async def ask(
    line: aiohttp.ClientSession, urls: list[str], body: dict[str, Any], token: str = ""
) -> tuple[int, dict[str, Any]]:
    """As a client behind a balancer does: whoever does not answer is asked no more, and the next one is."""
    headers = {"Idempotency-Key": token} if token else {}
    for _ in range(100):
        for url in urls:
            try:
                async with line.post(f"{url}/v1/images/generations", json=body, headers=headers) as answer:
                    if answer.status != 503:
                        return answer.status, await answer.json()
            except aiohttp.ClientError:
                continue
        await asyncio.sleep(0.1)
    raise AssertionError("nobody answered")


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    for _ in range(4000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")
