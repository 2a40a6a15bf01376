"""Retry: told by a 429 to wait, when does the next call really leave? On the real clock and on the virtual one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from .child import Meter
from .measure import Figures, Peer, in_turn, run_peer
from .report import Budget, Table
from .upstream import MODEL, upstream

ASKED_S = 3.0
VIRTUAL_CALLS = 300
VIRTUAL_RPM = 10

PEERS = (
    Peer("cavendish", "cavendish", {}),
    Peer("google-genai, its retries on", "google_genai", {}, "google.genai"),
)


def bench(*, quick: bool) -> list[Table]:
    asked = 0.2 if quick else ASKED_S
    real = in_turn(PEERS, 1 if quick else 5, lambda peer, folder: _once(peer, folder, asked))
    calls = 12 if quick else VIRTUAL_CALLS
    virtual = in_turn((Peer("cavendish, virtual clock", "virtual", {"calls": calls}),), 1, _virtual)
    found = {**real, **virtual}
    rows = [
        (name, f"{f['asked_s']:.2f}", f"{f['waited_s']:.2f}", f"{f['of_asked']:.1%}", f"{f['too_early']:.0f}")
        for name, f in found.items()
    ]
    columns = ("", "asked s", "waited s", "of what was asked", "calls too early")
    title = "RetryInfo of a 429: when the next call leaves (virtual: the longest of all waits, in seconds)"
    return [Table(title, columns, rows, found, () if quick else _budgets(found))]


def _once(peer: Peer, folder: Path, asked: float) -> Figures:
    with upstream(size="tiny", retry_in=asked) as up:
        run_peer("retry", peer, folder, url=up.url)
        seen = up.log()
    waited = seen.let_in_at[0] - seen.refused_at[0]
    too_early = len(seen.refused_at) - 1
    return {"asked_s": asked, "waited_s": waited, "of_asked": waited / asked, "too_early": too_early}


def _virtual(peer: Peer, folder: Path) -> Figures:
    return run_peer("retry", peer, folder)


def _budgets(found: dict[str, Figures]) -> tuple[Budget, ...]:
    ours = {name: figures for name, figures in found.items() if name.startswith("cavendish")}
    most, early = max(f["of_asked"] for f in ours.values()), sum(f["too_early"] for f in ours.values())
    return (Budget("within 5 % of what was asked, never earlier", f"{most:.1%}", most <= 1.05 and not early),)


# --- the peers --------------------------------------------------------------------------------------------------------


def cavendish(meter: Meter, url: str, folder: str) -> None:
    from .ours import client, set_up

    set_up(url, folder, 16)

    async def main() -> None:
        async with client(16) as ours:
            result = await ours.generate("a red kite", output=Path(folder) / "out")
            assert result.pictures

    asyncio.run(main())


def google_genai(meter: Meter, url: str, folder: str) -> None:
    from google import genai
    from google.genai import types

    retries = types.HttpRetryOptions(attempts=10)
    sdk = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url, retry_options=retries))
    asyncio.run(sdk.aio.models.generate_content(model=MODEL, contents="a red kite"))


def virtual(meter: Meter, folder: str, calls: int) -> Figures:
    """Against a provider whose limit nobody knows: each refusal names its own wait."""
    from cavendish.catalog.cards import Limits
    from cavendish.engine.ports import Answer
    from cavendish.io.blobs.memory import MemoryBlobs
    from cavendish.model.fault import Fault
    from cavendish.sim.loop import VirtualClock, run_virtual

    from .world import engine_on, provider_of, wishes

    blobs, clock = MemoryBlobs(), VirtualClock()
    provider = provider_of("fixed_window", VIRTUAL_RPM, blobs)
    log: list[tuple[str, float, float]] = []

    class Watched:
        async def call(self, call: Any, attempt_id: str) -> Answer:
            log.append(("left", clock.monotonic(), 0.0))
            answer = await provider.call(call, attempt_id)
            if isinstance(answer.reply, Fault) and answer.reply.retry_after_s:
                log.append(("told", clock.monotonic(), answer.reply.retry_after_s))
            return answer

    async def main() -> None:
        engine, _ = engine_on(Watched(), blobs, clock, Limits())
        await engine.run(wishes(calls))

    run_virtual(main())
    return _waits(log)


def _waits(log: list[tuple[str, float, float]]) -> Figures:
    """The longest wait beside what was asked, and how many calls left before they might."""
    longest = (0.0, 0.0, 1.0)
    too_early, until, told_at, asked = 0, 0.0, 0.0, 0.0
    for what, at, seconds in log:
        if what == "told":
            until, told_at, asked = max(until, at + seconds), at, seconds
        elif until:
            if at < until - 1e-6:
                too_early += 1
                continue
            longest = max(longest, (at - told_at, asked, (at - told_at) / asked), key=lambda found: found[2])
            until = 0.0
    return {"waited_s": longest[0], "asked_s": longest[1], "of_asked": longest[2], "too_early": too_early}
