"""The real clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Time as this machine tells it. Implements ``engine.ports.Clock``."""

    def now(self) -> float:
        """Seconds since the epoch; jumps when the machine's clock is set."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some fixed moment; stands still while the machine sleeps on some systems."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; ends at once when cancelled. A wait of nothing still lets others run."""
        await asyncio.sleep(max(seconds, 0.0))
