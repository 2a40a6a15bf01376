"""Throughput: pictures a second into a run folder with a ledger, beside another batch engine and the bare upstream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from .child import Meter
from .measure import Figures, Peer, in_turn, run_peer
from .reply import decoded, keep
from .report import Budget, Table, ratio
from .upstream import MODEL, upstream

CASES = {"tiny": (4_000, 64), "2.4 MB": (400, 16)}
"""Pictures, and calls in flight."""

REPEATS = 3

PATH = f"/v1beta/models/{MODEL}:generateContent"

PEERS = (
    Peer("bare upstream: aiohttp, read and dropped", "bare", {}),
    Peer("cavendish", "cavendish", {}),
    Peer("aiohttp, json, b64decode, no ledger", "plain", {}),
    Peer("async-batch-llm with its SQLite store", "async_batch_llm", {}, "async_batch_llm"),
)


def bench(*, quick: bool) -> list[Table]:
    if quick:
        return [_case("tiny", 3, 2, 1)]
    return [_case(size, count, in_flight, REPEATS) for size, (count, in_flight) in CASES.items()]


def _case(size: str, count: int, in_flight: int, repeats: int) -> Table:
    def once(peer: Peer, folder: Path) -> Figures:
        with upstream(size=size) as up:
            figures = run_peer("throughput", peer, folder, url=up.url, count=count, in_flight=in_flight)
        if peer.function != "bare":
            _check(folder, count, up.bytes)
        cpu_ms = figures.get("durable_cpu_s", figures["cpu_s"]) * 1000 / count
        return {**figures, "per_s": count / figures.get("durable_s", figures["wall_s"]), "cpu_ms": cpu_ms}

    found = in_turn(PEERS, repeats, once)
    base = found["cavendish"]["per_s"]
    rows = [
        (
            name,
            f"{f['per_s']:,.0f}",
            ratio(f["per_s"], base),
            f"{f['wall_s']:.1f}",
            f"{f['cpu_ms']:.2f}",
            f"{f['peak_mb']:.0f}",
        )
        for name, f in found.items()
    ]
    columns = ("", "pictures/s", "of cavendish", "whole s", "CPU ms a picture", "peak MB")
    title = f"{size}, {count:,} pictures, {in_flight} in flight; pictures/s until the last one is durable"
    return Table(title, columns, rows, found, _tiny(found) if size == "tiny" else _large(found))


def _tiny(found: dict[str, Figures]) -> tuple[Budget, ...]:
    per_s = found["cavendish"]["per_s"]
    return (Budget("1,000 tiny pictures a second", f"{per_s:,.0f}", per_s >= 1000),)


def _large(found: dict[str, Figures]) -> tuple[Budget, ...]:
    ours = found["cavendish"]["per_s"]
    of_bare = ours / found[PEERS[0].name]["per_s"]
    made = [Budget("0.8 of the bare upstream", f"{of_bare:.2f}", of_bare >= 0.8)]
    if PEERS[3].name in found:
        times = ours / found[PEERS[3].name]["per_s"]
        made.append(Budget("2.5 times async-batch-llm", f"{times:.2f}", times >= 2.5))
    return tuple(made)


def _check(folder: Path, count: int, size: int) -> None:
    sizes = {path.stat().st_size for path in (folder / "out").glob("*.png")}
    found = len(list((folder / "out").glob("*.png")))
    if found != count or sizes != {size}:
        raise AssertionError(f"{found} pictures instead of {count}, or of wrong sizes")


# --- the peers --------------------------------------------------------------------------------------------------------


def cavendish(meter: Meter, url: str, count: int, in_flight: int, folder: str) -> Figures:
    from .ours import client, set_up

    set_up(url, folder, in_flight)
    rows = Path(folder) / "rows.csv"
    rows.write_text("prompt\n" + "".join(f"a red kite {n}\n" for n in range(count)), encoding="utf-8")
    last = last_cpu = 0.0

    def on_picture(_picture: Any) -> None:
        nonlocal last, last_cpu
        last, last_cpu = time.perf_counter(), time.process_time()

    async def main() -> Figures:
        async with client(in_flight) as ours:
            await ours.open()
            meter.begin()
            began, began_cpu = time.perf_counter(), time.process_time()
            await ours.batch(rows, output=Path(folder) / "out", on_picture=on_picture)
            return {"durable_s": last - began, "durable_cpu_s": last_cpu - began_cpu}

    return asyncio.run(main())


def bare(meter: Meter, url: str, count: int, in_flight: int, folder: str) -> None:
    async def one(session: Any, number: int) -> None:
        async with session.post(url + PATH, json=_body(number)) as response:
            async for _ in response.content.iter_any():
                pass

    _with_aiohttp(meter, count, in_flight, one)


def plain(meter: Meter, url: str, count: int, in_flight: int, folder: str) -> None:
    out = Path(folder) / "out"
    out.mkdir()
    _with_aiohttp(meter, count, in_flight, lambda session, number: _to_disk(session, url, number, out))


def _with_aiohttp(meter: Meter, count: int, in_flight: int, one: Callable[[Any, int], Awaitable[Any]]) -> None:
    import aiohttp

    async def main() -> None:
        numbers = iter(range(count))
        async with aiohttp.ClientSession() as session:

            async def worker() -> None:
                for number in numbers:
                    await one(session, number)

            meter.begin()
            await asyncio.gather(*(worker() for _ in range(in_flight)))

    asyncio.run(main())


def async_batch_llm(meter: Meter, url: str, count: int, in_flight: int, folder: str) -> None:
    """As its manual says for an existing client and for large runs; the picture goes to disk inside the call."""
    import aiohttp
    from async_batch_llm import (
        ArtifactIdentity,
        CallableStrategy,
        CallOutcome,
        ProcessorConfig,
        SqliteArtifactStore,
        SqliteDurability,
        process_stream,
    )

    out = Path(folder) / "out"
    out.mkdir()
    identity = ArtifactIdentity(provider="bench", model=MODEL)

    async def main() -> None:
        async with aiohttp.ClientSession() as session:

            async def invoke(prompt: str, *, attempt: int, timeout: float, state: Any) -> Any:  # noqa: ASYNC109 - theirs
                return CallOutcome(await _to_disk(session, url, int(prompt), out))

            strategy = CallableStrategy(invoke, identity=identity)
            path = Path(folder) / "ledger.sqlite"
            store = SqliteArtifactStore(path, identity=identity, durability=SqliteDurability.FULL)
            config = ProcessorConfig(concurrency=in_flight)
            prompts = [(f"row-{n}", str(n)) for n in range(count)]
            meter.begin()
            done = 0
            async for result in process_stream(strategy, prompts, config=config, artifact_store=store):
                assert result.success, result
                done += 1
            assert done == count

    asyncio.run(main())


async def _to_disk(session: Any, url: str, number: int, out: Path) -> str:
    async with session.post(url + PATH, json=_body(number)) as response:
        reply = await response.json()
    path = out / f"{number}.png"
    keep(path, decoded(reply))
    return path.name


def _body(number: int) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": f"a red kite {number}"}]}]}
