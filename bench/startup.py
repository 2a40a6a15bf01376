"""Startup: how long until the library is imported and the command line has said its help; how fast a rehearsal is."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from .child import Meter
from .measure import Figures, Peer, in_turn, run_peer, spawn
from .ours import OURS
from .report import Budget, Table, ratio

COMMANDS = {
    "python, nothing imported": [sys.executable, "-c", "pass"],
    "import cavendish": [sys.executable, "-c", "import cavendish"],
    "import and AsyncClient": [sys.executable, "-c", "from cavendish import AsyncClient"],
    "import google.genai": [sys.executable, "-c", "from google import genai"],
    "cavendish --help": [*OURS, "--help"],
    "cavendish models": [*OURS, "models"],
}
PICTURES = 100_000


def bench(*, quick: bool) -> list[Table]:
    return [_commands(1 if quick else 9), _rehearsal(50 if quick else PICTURES)]


def _commands(repeats: int) -> Table:
    peers = [Peer(name, "", {}) for name in COMMANDS]
    found = in_turn(peers, repeats, _start)
    bare = found["python, nothing imported"]["wall_ms"]
    rows = [
        (name, f"{f['wall_ms']:.0f}", f"{f['wall_ms'] - bare:.0f}", ratio(f["wall_ms"], bare), f"{f['peak_mb']:.0f}")
        for name, f in found.items()
    ]
    ours = found["import cavendish"]["wall_ms"] - bare
    help_ms = found["cavendish --help"]["wall_ms"]
    budgets = (
        Budget("`import cavendish` under 100 ms", f"{ours:.0f} ms more than Python itself", ours < 100),
        Budget("`cavendish --help` under 300 ms", f"{help_ms:.0f} ms", help_ms < 300),
    )
    return Table("whole processes", ("", "wall ms", "more than Python", "of Python", "peak MB"), rows, found, budgets)


def _start(peer: Peer, folder: Path) -> Figures:
    began = time.perf_counter()
    code, _, said, use = spawn(COMMANDS[peer.name], folder)
    if code:
        raise AssertionError(f"{peer.name}: {said}")
    return {"wall_ms": (time.perf_counter() - began) * 1000, "peak_mb": use.ru_maxrss / 1024}


def _rehearsal(pictures: int) -> Table:
    ways = {"the simulator's shortest way": True, "through the dialect": False}
    peers = [Peer(name, "rehearse", {"pictures": pictures, "straight": way}) for name, way in ways.items()]
    found = in_turn(peers, 1, lambda peer, folder: run_peer("startup", peer, folder))
    rows = [
        (name, f"{f['wall_s']:.1f}", f"{pictures / f['wall_s']:,.0f}", f"{f['peak_mb']:.0f}")
        for name, f in found.items()
    ]
    took = found["the simulator's shortest way"]["wall_s"]
    budgets = (Budget("100,000 pictures in 10 s", f"{took:.1f} s for {pictures:,}", took <= 10 * pictures / 100_000),)
    columns = ("", "s", "pictures a second", "peak MB")
    return Table(f"rehearsal of {pictures:,} pictures, virtual clock", columns, rows, found, budgets)


def rehearse(meter: Meter, folder: str, pictures: int, straight: bool) -> None:
    from cavendish.catalog.cards import Limits
    from cavendish.io.blobs.memory import MemoryBlobs
    from cavendish.sim.loop import VirtualClock, run_virtual

    from .world import engine_on, provider_of, wishes

    rpm = 600
    blobs = MemoryBlobs()
    provider = provider_of("sliding_window", rpm, blobs, straight=straight)

    async def main() -> None:
        engine, seen = engine_on(provider, blobs, VirtualClock(), Limits(requests_per_minute=rpm))
        await engine.run(wishes(pictures))
        assert seen.delivered == pictures

    meter.begin()
    run_virtual(main())
