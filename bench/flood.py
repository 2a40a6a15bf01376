"""Flood: a thousand 4K replies open at once, each half-way when all others are; peak memory and time."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

from .child import Meter, peak_mb
from .measure import Figures, Peer, in_turn, run_peer
from .report import Budget, Table
from .upstream import upstream

MANY = 1_000
FEW = 64
"""What the others are given: at a thousand they would need more memory than the machine has."""

SIZE = "4K"

PEERS = (
    Peer("cavendish", "cavendish", {}),
    Peer("cavendish, provider port alone", "cavendish_port", {}),
    Peer("google-genai", "google_genai", {}, "google.genai"),
    Peer("aiohttp, json, b64decode", "plain", {}),
)


def bench(*, quick: bool) -> list[Table]:
    many, few, size = (2, 2, "tiny") if quick else (MANY, FEW, SIZE)
    cases = [_with(peer, few) for peer in PEERS] + [_with(peer, many) for peer in PEERS[:2] if many > few]
    found = in_turn(cases, 1, lambda peer, folder: _once(peer, folder, size))
    rows = [
        (name, f"{f['peak_mb']:.0f}", f"{f['mb_each']:.2f}", f"{f['wall_s']:.1f}", f"{f['cpu_ms']:.0f}")
        for name, f in found.items()
    ]
    peak = found[_with(PEERS[0], many).name]["peak_mb"]
    budgets = (Budget("200 MB with 1,000 4K replies in flight", f"{peak:.0f} MB with {many:,}", peak <= 200),)
    columns = ("", "peak MB", "MB for each reply", "s", "CPU ms a picture")
    title = "4K replies, all open at once and half-way before any may go on"
    return [Table(title, columns, rows, found, budgets)]


def _with(peer: Peer, count: int) -> Peer:
    return replace(peer, name=f"{peer.name}, {count:,} open", arguments={"count": count})


def _once(peer: Peer, folder: Path, size: str) -> Figures:
    count = peer.arguments["count"]
    with upstream(size=size, gate=count) as up:
        figures = run_peer("flood", peer, folder, url=up.url)
        if up.log().half_way != count:
            raise AssertionError(f"{up.log().half_way} of {count} were open at once")
    sizes = [path.stat().st_size for path in (folder / "out").glob("*.png")]
    if sizes != [up.bytes] * count:
        raise AssertionError(f"{len(sizes)} whole pictures instead of {count}")
    each = (figures["peak_mb"] - figures["before_mb"]) / count
    return {**figures, "mb_each": each, "cpu_ms": figures["cpu_s"] * 1000 / count}


def cavendish(meter: Meter, url: str, count: int, folder: str) -> Figures:
    """The whole library, until the last picture is on the books."""
    from .ours import client, set_up

    set_up(url, folder, count)

    async def main() -> None:
        async with client(count) as ours:
            await ours.open()
            before_mb = meter.begin()
            pictures = ours.stream("a red kite", n=count, output=Path(folder) / "out")
            for _ in range(count):
                await anext(pictures)
            # The run would go on to draw a thousand thumbnails, which is another matter.
            print(json.dumps({**meter.end(), "peak_mb": peak_mb(), "before_mb": before_mb}), flush=True)
            os._exit(0)

    asyncio.run(main())
    raise AssertionError("the process has ended before")


def cavendish_port(meter: Meter, url: str, count: int, folder: str) -> Figures:
    from .ours import fetch_all

    return {"before_mb": asyncio.run(fetch_all(meter, url, count, Path(folder) / "out", count))}


def google_genai(meter: Meter, url: str, count: int, folder: str) -> Figures:
    from .reply import with_sdk

    return {"before_mb": with_sdk(meter, url, count, count, Path(folder) / "out")}


def plain(meter: Meter, url: str, count: int, folder: str) -> Figures:
    from .reply import with_aiohttp

    return {"before_mb": with_aiohttp(meter, url, count, count, Path(folder) / "out")}
