"""Life: a gateway from its start to the signal that ends it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import signal
from collections.abc import Callable
from typing import Any

from .app import Gateway

GARBAGE_EVERY = 50_000
"""Objects between two looks for garbage. Almost none of a request's is in a circle: to look often finds nothing."""


def run(gateway: Gateway, ready: Callable[[Gateway], None]) -> None:
    """Serve until stopped, in an event loop of its own: uvloop's, where that is installed."""
    with asyncio.Runner(loop_factory=_new_loop()) as runner:
        runner.run(serve_until_stopped(gateway, ready))


def _new_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


def _tidy() -> None:
    """What is there once a gateway is open stays for as long as it is: nobody is to look through it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY, 20, 20)


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
        _tidy()
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
