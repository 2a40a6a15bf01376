"""Life: a gateway from its start to the signal that ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Any

from .app import Gateway


async def serve_until_stopped(gateway: Gateway, ready: Callable[[Gateway], None]) -> None:
    """Serve until a signal or cancelled; then what is in flight is finished and kept. A second one ends it at once."""
    signals = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C cancels the task instead
            loop.add_signal_handler(number, signals.release)
    drained = False
    try:
        await gateway.open()
        ready(gateway)
        await signals.acquire()
        drained = True
        await _drained(gateway, signals)
    finally:
        await gateway.close(at_once=drained)


async def _drained(gateway: Gateway, signals: asyncio.Semaphore) -> None:
    """Wait for what is in flight, or for a second signal."""
    tasks: list[asyncio.Task[Any]] = [
        asyncio.ensure_future(gateway.drain()),
        asyncio.ensure_future(signals.acquire()),
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
