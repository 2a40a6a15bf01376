"""A gateway in this process, with a simulator behind it that hardly waits: no key is set, so nothing is spent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from cavendish.front.build import Setup
from cavendish.front.gateway.app import Gateway, GatewayOptions
from cavendish.sim.server import SimServer, start_server

Opener = Callable[..., Awaitable[Gateway]]


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[SimServer]:
    server = await start_server("fast", seed=1, mode="tiny")
    yield server
    await server.close()


@pytest_asyncio.fixture
async def open_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: SimServer) -> AsyncIterator[Opener]:
    """Opens gateways over one state and one folder; what is still open at the end is closed."""
    monkeypatch.setenv("CAVENDISH_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("CAVENDISH_SIM_BASE_URL", upstream.url)
    monkeypatch.setenv("CAVENDISH_SIM_RPM", "10000")
    opened: list[Gateway] = []

    async def make(**changes: object) -> Gateway:
        options = GatewayOptions(**{"folder": tmp_path / "pictures", "port": 0, "grace_s": 2.0, **changes})
        gateway = Gateway(await asyncio.to_thread(Setup), options)
        opened.append(gateway)
        await gateway.open()
        return gateway

    yield make
    for gateway in opened:
        await gateway.close()


@pytest_asyncio.fixture
async def gateway(open_gateway: Opener) -> Gateway:
    return await open_gateway()
