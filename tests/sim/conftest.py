"""The simulator that strangers' clients are pointed at: no quota, no faults, hardly any wait."""

import pytest_asyncio

from cavendish.sim.server import start_server


@pytest_asyncio.fixture
async def server():
    server = await start_server("fast", seed=1)
    yield server
    await server.close()
