"""Reply: CPU and peak memory of one picture, from the reply on the wire to the file on disk, 16 in flight."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from math import nan
from pathlib import Path
from typing import Any

from .child import Meter
from .measure import Figures, Peer, in_turn, run_peer
from .report import Budget, Table, mb, ratio, ratio_of
from .upstream import MODEL, upstream

IN_FLIGHT = 16
COUNTS = {"1K": 192, "2K": 96, "4K": 48}
REPEATS = 3
UNTHUMBED = 24
"""The most pictures of a run whose contact sheet shows them themselves: beyond it, a run also makes thumbnails."""
THUMBED = 10_000
BODY = {"contents": [{"role": "user", "parts": [{"text": "a red kite"}]}]}

PEERS = (
    Peer("cavendish", "cavendish", {}),
    Peer("cavendish, with thumbnails", "cavendish", {"run": THUMBED}),
    Peer("cavendish, provider port alone", "cavendish_port", {}),
    Peer("google-genai", "google_genai", {}, "google.genai"),
    Peer("aiohttp, json, b64decode", "plain_aiohttp", {}),
    Peer("curl, base64 -d", "curl", {}),
)


def bench(*, quick: bool) -> list[Table]:
    if quick:
        return [_of_size("tiny", 2, 1)]
    return [_of_size(size, count, REPEATS) for size, count in COUNTS.items()]


def _of_size(size: str, count: int, repeats: int) -> Table:
    with upstream(size=size) as up:
        given = {"url": up.url, "count": count, "data_at": up.data_at, "length": up.length}

        def once(peer: Peer, folder: Path) -> Figures:
            figures = run_peer("reply", peer, folder, **given)
            check(folder, count, up.bytes)
            return {**figures, "cpu_ms": figures["cpu_s"] * 1000 / count, "wall_ms": figures["wall_s"] * 1000 / count}

        found = in_turn(PEERS, repeats, once)
    base = found["cavendish"]["cpu_ms"]
    rows = [
        (name, f"{f['cpu_ms']:.1f}", ratio(f["cpu_ms"], base), f"{f['wall_ms']:.1f}", mb(f))
        for name, f in found.items()
    ]
    columns = ("", "CPU ms a picture", "of cavendish", "wall ms", "peak MB")
    title = f"{size}, {count} pictures, {IN_FLIGHT} in flight"
    return Table(title, columns, rows, found, _budgets(found) if size == "4K" else ())


def _budgets(found: dict[str, Figures]) -> tuple[Budget, ...]:
    ours = found["cavendish"]["cpu_ms"]
    floor = ratio_of(ours, found["curl, base64 -d"]["cpu_ms"])
    made = [Budget("CPU at most 1.3 of curl, base64 and a file", f"{floor:.2f}", floor <= 1.3)]
    if "google-genai" in found:
        sdk = ratio_of(ours, found["google-genai"]["cpu_ms"])
        made.append(Budget("CPU at most half of google-genai's", f"{sdk:.2f}", sdk <= 0.5))
    return tuple(made)


def check(folder: Path, count: int, size: int) -> None:
    """Every peer must have left every picture, whole."""
    sizes = [path.stat().st_size for path in (folder / "out").rglob("*.png")]
    if sizes != [size] * count:
        raise AssertionError(f"{len(sizes)} pictures instead of {count}, or of wrong sizes")


# --- the peers --------------------------------------------------------------------------------------------------------


def cavendish(meter: Meter, url: str, count: int, folder: str, run: int = UNTHUMBED, **_: int) -> None:
    """The whole library: ledger, durability, duplicates, metadata, contact sheet; ``run`` pictures at a time."""
    from .ours import client, set_up

    set_up(url, folder, IN_FLIGHT)

    async def main() -> None:
        async with client(IN_FLIGHT) as ours:
            await ours.open()
            meter.begin()
            for at in range(0, count, run):
                n = min(run, count - at)
                result = await ours.generate("a red kite", n=n, output=Path(folder) / "out" / str(at))
                assert len(result.pictures) == n

    asyncio.run(main())


def cavendish_port(meter: Meter, url: str, count: int, folder: str, **_: int) -> None:
    """What this benchmark asks of the others and no more: call, decode, hash, fsync, into a file of its name."""
    from .ours import fetch_all

    asyncio.run(fetch_all(meter, url, count, Path(folder) / "out", IN_FLIGHT))


def google_genai(meter: Meter, url: str, count: int, folder: str, **_: int) -> None:
    with_sdk(meter, url, count, IN_FLIGHT, Path(folder) / "out")


def plain_aiohttp(meter: Meter, url: str, count: int, folder: str, **_: int) -> None:
    with_aiohttp(meter, url, count, IN_FLIGHT, Path(folder) / "out")


def with_sdk(meter: Meter, url: str, count: int, in_flight: int, out: Path) -> float:
    """Google's SDK as its manual shows it. Returns the peak memory before the first call."""
    from google import genai
    from google.genai import types

    sdk = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url))

    async def one(path: Path) -> None:
        reply = await sdk.aio.models.generate_content(model=MODEL, contents="a red kite")
        keep(path, reply.candidates[0].content.parts[0].inline_data.data)

    return asyncio.run(_side_by_side(meter, count, in_flight, out, one))


def with_aiohttp(meter: Meter, url: str, count: int, in_flight: int, out: Path) -> float:
    """What people write without an SDK. Returns the peak memory before the first call."""
    import aiohttp

    async def main() -> float:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

            async def one(path: Path) -> None:
                async with session.post(f"{url}/v1beta/models/{MODEL}:generateContent", json=BODY) as response:
                    reply = await response.json()
                keep(path, decoded(reply))

            return await _side_by_side(meter, count, in_flight, out, one)

    return asyncio.run(main())


def curl(meter: Meter, url: str, count: int, folder: str, data_at: int, length: int) -> Figures:
    """The floor: a pipe that knows where the base64 stands. No hash, no ledger, no fsync."""
    from .upstream import Replies

    out = Path(folder) / "out"
    out.mkdir()
    letters = length - data_at - Replies("tiny").tail_letters
    post = f"curl -s -H 'Content-Type: application/json' -d '{json.dumps(BODY)}' {url}/"
    pipe = f"{post} | tail -c +{data_at + 1} | head -c {letters} | base64 -d > "
    meter.begin()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        shells = pool.map(lambda n: subprocess.run(f"{pipe}{out / f'{n}.png'}", shell=True, check=True), range(count))
        list(shells)
    return {"peak_mb": nan}


def decoded(reply: Any) -> bytes:
    """The picture of a reply that was read whole."""
    return base64.b64decode(reply["candidates"][0]["content"]["parts"][0]["inlineData"]["data"])


def keep(path: Path, data: bytes) -> None:
    """Write it in the loop, as people do."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


async def _side_by_side(
    meter: Meter, count: int, in_flight: int, out: Path, one: Callable[[Path], Awaitable[None]]
) -> float:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await one(out / f"{number}.png")

    before_mb = meter.begin()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return before_mb
