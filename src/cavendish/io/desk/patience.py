"""Patience: what has happened is written down also when the books are away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..state.port import StateError

LONGEST_S = 3600.0
"""What is paid for is given up by nobody who can wait; a server that is away for longer needs its people."""

FIRST_S = 0.1
MOST_S = 2.0


async def insisted(write: Callable[[], Awaitable[None]]) -> None:
    """Write again and again until the books take it. Raises ``StateError`` when they are away for too long."""
    waited_s, pause_s = 0.0, FIRST_S
    while True:
        try:
            return await write()
        except StateError:
            if waited_s >= LONGEST_S:
                raise
        await asyncio.sleep(pause_s)
        waited_s += pause_s
        pause_s = min(2 * pause_s, MOST_S)
