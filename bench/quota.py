"""Quota: how much of a known quota is used in four hours, and how many calls were refused on the way. Virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .child import Meter
from .measure import Figures, Peer, in_turn, run_peer
from .report import Budget, Table

if TYPE_CHECKING:
    from .world import Pace, Wait

HOURS = 4
RATES = (10, 60)
ALGORITHMS = ("fixed_window", "sliding_window", "token_bucket")
MOST_REFUSALS = 0
IN_FLIGHT = 64

PEERS = (
    Peer("cavendish", "cavendish", {}),
    Peer("metronome, 60 / rpm", "metronome", {}),
    Peer("leaky bucket and back-off", "leaky", {}),
    Peer("back-off alone", "backoff_alone", {}),
    Peer("one by one, 60 / rpm between", "one_by_one", {}),
)


def bench(*, quick: bool) -> list[Table]:
    hours = 0.05 if quick else HOURS
    cases = [(algorithm, rpm) for algorithm in ALGORITHMS for rpm in RATES][: 1 if quick else None]
    peers = [
        Peer(f"{peer.name}|{algorithm}|{rpm}", peer.function, {"algorithm": algorithm, "rpm": rpm, "hours": hours})
        for peer in PEERS
        for algorithm, rpm in cases
    ]
    found = in_turn(peers, 1, lambda peer, folder: run_peer("quota", peer, folder))
    rows = [(peer.name, *(_cell(found[f"{peer.name}|{a}|{rpm}"]) for a, rpm in cases)) for peer in PEERS]
    columns = ("", *(f"{algorithm.replace('_', ' ')}, {rpm} rpm" for algorithm, rpm in cases))
    title = f"share of the possible calls in {hours:g} virtual hours; calls refused for each 100 let in"
    ours = [found[f"cavendish|{a}|{rpm}"] for a, rpm in cases]
    return [Table(title, columns, rows, found, () if quick else _budgets(ours))]


def _cell(figures: Figures) -> str:
    return f"{figures['share']:.1%}; {100 * figures['refused'] / max(1, figures['let_in']):.0f}"


def _budgets(ours: list[Figures]) -> tuple[Budget, ...]:
    least, refused = min(f["share"] for f in ours), sum(f["refused"] for f in ours)
    return (
        Budget("99 % of what is possible", f"{least:.2%} at the least", least >= 0.99),
        Budget("no avoidable 429", f"{refused:.0f}", refused <= MOST_REFUSALS),
    )


# --- the peers: each plays one case -----------------------------------------------------------------------------------


def cavendish(meter: Meter, folder: str, algorithm: Any, rpm: int, hours: float) -> Figures:
    from cavendish.catalog.cards import Limits
    from cavendish.io.blobs.memory import MemoryBlobs
    from cavendish.sim.loop import VirtualClock, run_virtual

    from .world import engine_on, provider_of, wishes

    del meter, folder
    blobs = MemoryBlobs()
    provider = provider_of(algorithm, rpm, blobs)

    async def main() -> None:
        engine, _ = engine_on(provider, blobs, VirtualClock(), Limits(requests_per_minute=rpm))
        asyncio.get_running_loop().call_later(hours * 3600, engine.abort)
        await engine.run(wishes(_plenty(rpm, hours)))

    run_virtual(main())
    return _used(provider, algorithm, rpm, hours)


def metronome(meter: Meter, folder: str, algorithm: Any, rpm: int, hours: float) -> Figures:
    from .world import backoff, evenly

    return _simple(algorithm, rpm, hours, backoff(), evenly(rpm))


def leaky(meter: Meter, folder: str, algorithm: Any, rpm: int, hours: float) -> Figures:
    from .world import backoff, leaky_bucket

    return _simple(algorithm, rpm, hours, backoff(), leaky_bucket(rpm))


def backoff_alone(meter: Meter, folder: str, algorithm: Any, rpm: int, hours: float) -> Figures:
    from .world import at_once, backoff

    return _simple(algorithm, rpm, hours, backoff(), at_once)


def one_by_one(meter: Meter, folder: str, algorithm: Any, rpm: int, hours: float) -> Figures:
    from .world import after_each, backoff

    return _simple(algorithm, rpm, hours, backoff(), after_each(rpm), 1)


def _simple(algorithm: Any, rpm: int, hours: float, wait: Wait, pace: Pace, workers: int = IN_FLIGHT) -> Figures:
    from cavendish.io.blobs.memory import MemoryBlobs
    from cavendish.sim.loop import run_virtual

    from .world import provider_of, simple_client, wishes

    provider = provider_of(algorithm, rpm, MemoryBlobs())

    async def main() -> None:
        jobs = simple_client(provider, wishes(_plenty(rpm, hours)), wait, pace, workers)
        await asyncio.wait({asyncio.ensure_future(jobs)}, timeout=hours * 3600)

    run_virtual(main())
    return _used(provider, algorithm, rpm, hours)


def _plenty(rpm: int, hours: float) -> int:
    """More than the quota allows."""
    return int(rpm * (60 * hours + 10))


def _used(provider: Any, algorithm: str, rpm: int, hours: float) -> Figures:
    """What the provider's own books say. A bucket is full at the beginning, which is one minute's worth more."""
    books, minutes = provider.sim.books, int(hours * 60)
    let_in = sum(count for minute, count in books.starts_by_minute.items() if minute < minutes)
    possible = rpm * (minutes + (algorithm == "token_bucket"))
    return {"share": let_in / possible, "let_in": let_in, "refused": books.stats()["rate_limited"]}
