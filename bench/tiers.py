"""Tiers: simulated systems with a quota, behind real HTTP, in a process of their own: one server for each client.

``python -m bench.tiers OPTIONS-AS-JSON`` prints their addresses; ``/stats`` of each says what came in.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .measure import ROOT


@contextmanager
def tiers(count: int, algorithm: str, rpm: int, latency_s: tuple[float, float]) -> Iterator[list[str]]:
    """So many systems of the same quota; each has its own count. ``latency_s``: of the median and the slowest tenth."""
    options = {"count": count, "algorithm": algorithm, "rpm": rpm, "latency_s": latency_s}
    command = [sys.executable, "-m", "bench.tiers", json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as server:
        assert server.stdout
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.terminate()


def stats(url: str) -> dict[str, Any]:
    """What a system's own books say."""
    with urllib.request.urlopen(f"{url}/stats") as answer:
        return json.load(answer)


async def _serve(count: int, algorithm: Any, rpm: int, latency_s: tuple[float, float]) -> None:
    from cavendish.catalog.cards import Latency
    from cavendish.sim.profile import Profile, Quirks
    from cavendish.sim.quota import QuotaPlan
    from cavendish.sim.server import start_server

    profile = Profile(
        "bench",
        quota=QuotaPlan(algorithm=algorithm, requests_per_minute=rpm),
        latency={"any": Latency(*latency_s)},
        quirks=Quirks(keeps_retired=True, needs_key=False),
    )
    servers = [await start_server(profile, mode="tiny", seed=number) for number in range(count)]
    print(json.dumps([server.url for server in servers]), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(_serve(**json.loads(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(130)
