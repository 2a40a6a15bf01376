"""A gateway and its simulator in a thread of their own, for clients that block."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cavendish.front.build import Setup
from cavendish.front.gateway.app import Gateway, GatewayOptions
from cavendish.sim.server import start_server


@contextlib.contextmanager
def threaded(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve until the end of the block; gives the address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> tuple[Gateway, contextlib.AsyncExitStack]:
        stack = contextlib.AsyncExitStack()
        upstream = await start_server("fast", seed=1, mode="tiny")
        stack.push_async_callback(upstream.close)
        patch.setenv("CAVENDISH_STATE", str(folder / "state"))
        patch.setenv("CAVENDISH_SIM_BASE_URL", upstream.url)
        patch.setenv("CAVENDISH_SIM_RPM", "10000")
        options = GatewayOptions(folder=folder / "pictures", port=0, grace_s=1.0)
        gateway = Gateway(await asyncio.to_thread(Setup), options)
        stack.push_async_callback(gateway.close)
        await gateway.open()
        return gateway, stack

    try:
        gateway, stack = asyncio.run_coroutine_threadsafe(begin(), loop).result(30)
        try:
            yield gateway.url
        finally:
            asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
