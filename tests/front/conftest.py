"""A simulator without quota or faults, and a client that knows no other place."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from cavendish import AsyncClient
from cavendish.sim.server import start_server


@pytest.fixture
async def server():
    server = await start_server("fast", mode="tiny")
    yield server
    await server.close()


@pytest.fixture
async def client(server):
    async with AsyncClient(via="sim", settings={"endpoints.sim.base_url": server.url}) as client:
        yield client


@pytest.fixture
def far_server():
    """A simulator on a loop of its own: for callers that block the loop, or have none."""
    with running_loop() as do:
        server = do(start_server("fast", mode="tiny"))
        yield server
        do(server.close())


@contextlib.contextmanager
def running_loop() -> Iterator:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="far loop", daemon=True)
    thread.start()
    yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def in_flight(server, calls: int) -> None:
    """Wait until so many calls are being worked on."""
    for _ in range(2000):
        if server.stats()["in_flight"] == calls:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the calls did not arrive")
