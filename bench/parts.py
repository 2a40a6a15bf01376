"""Parts: what single parts can do, inside one process: the reader of bodies, the governor, the ledger."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .child import Meter
from .measure import Figures, Peer, in_turn, run_peer
from .report import Table, mb, ratio
from .upstream import Replies

CHUNK = 1 << 16

PEERS = (
    Peer("spill: decoded on the way, hashed", "spill", {}),
    Peer("json.loads, b64decode, hashed", "whole", {}),
    Peer("orjson.loads, pybase64, hashed", "fast_whole", {}),
)


def bench(*, quick: bool) -> list[Table]:
    return [_bodies("tiny" if quick else "4K", 1 if quick else 3), _rates(200 if quick else 20_000)]


def _bodies(size: str, repeats: int) -> Table:
    found = in_turn(PEERS, repeats, lambda peer, folder: run_peer("parts", peer, folder, size=size, count=10))
    base = found[PEERS[0].name]["mb_per_s"]
    rows = [(name, f"{f['mb_per_s']:,.0f}", ratio(f["mb_per_s"], base), mb(f)) for name, f in found.items()]
    return Table(f"{size} bodies already in memory", ("", "MB/s of JSON", "of spill", "peak MB"), rows, found)


def spill(meter: Meter, folder: str, size: str, count: int) -> Figures:
    from cavendish.model.blob import Blob
    from cavendish.wire.spill import Spiller

    class Hashed:
        """A blob that is hashed and dropped."""

        def __init__(self) -> None:
            self._sha, self._bytes = hashlib.sha256(), 0

        def write(self, data: bytes, /) -> None:
            self._sha.update(data)
            self._bytes += len(data)

        def finish(self, media_type: str, /) -> Blob:
            return Blob(self._sha.hexdigest(), self._bytes, media_type)

        def abort(self) -> None:
            self._bytes = 0

    def read(body: bytes) -> None:
        spiller = Spiller(Hashed)
        for at in range(0, len(body), CHUNK):
            spiller.feed(body[at : at + CHUNK])
        spiller.close()

    return _speed(meter, size, count, read)


def whole(meter: Meter, folder: str, size: str, count: int) -> Figures:
    return _speed(meter, size, count, lambda body: _decoded(json.loads(body), base64.b64decode))


def fast_whole(meter: Meter, folder: str, size: str, count: int) -> Figures:
    import orjson
    import pybase64

    return _speed(meter, size, count, lambda body: _decoded(orjson.loads(body), pybase64.b64decode))


def _decoded(reply: dict, decode: Callable[[str], bytes]) -> None:
    data = decode(reply["candidates"][0]["content"]["parts"][0]["inlineData"]["data"])
    hashlib.sha256(data).hexdigest()


def _speed(meter: Meter, size: str, count: int, read: Callable[[bytes], None]) -> Figures:
    body = b"".join(Replies(size).pieces())
    meter.begin()
    for _ in range(count):
        read(body)
    return {"mb_per_s": count * len(body) / 1e6 / meter.end()["cpu_s"]}


# --- rates ------------------------------------------------------------------------------------------------------------


def _rates(count: int) -> Table:
    peers = (
        Peer("governor: reserve and settle", "govern", {}),
        Peer("ledger: intend and settle, 64 at once", "books", {}),
    )
    found = in_turn(peers, 1, lambda peer, folder: run_peer("parts", peer, folder, count=count))
    rows = [(name, f"{f['per_s']:,.0f}") for name, f in found.items()]
    return Table(f"{count:,} times", ("", "a second"), rows, found)


def govern(meter: Meter, folder: str, count: int) -> Figures:
    from cavendish.catalog.cards import Limits
    from cavendish.engine.ports import Cost
    from cavendish.govern.day import day_ends
    from cavendish.govern.governor import Governor
    from cavendish.govern.verdict import Ending, Granted

    governor = Governor(Limits(requests_per_minute=600), day_ends("America/Los_Angeles"))
    meter.begin()
    for number in range(count):
        now = number * 0.11
        verdict = governor.reserve(now, now, Cost())
        assert isinstance(verdict, Granted)
        governor.settle(verdict.id, now + 0.1, now + 0.1, Ending(None, 0.1))
    return {"per_s": count / meter.end()["wall_s"]}


def books(meter: Meter, folder: str, count: int) -> Figures:
    from cavendish.io.ledger.sqlite import SqliteLedger
    from cavendish.model.attempt import Attempt, AttemptState
    from cavendish.model.fault import Fault, FaultKind
    from cavendish.model.result import Route

    from .world import wishes

    route = Route("google", "m", "m")
    slots = wishes(count)

    async def worker(ledger: SqliteLedger) -> None:
        for slot in slots:
            attempt = Attempt(f"a{slot.row}", slot.id, 1, route, AttemptState.INTENT, 1, 1.0)
            await ledger.intend(attempt, slot)
            await ledger.settle(replace(attempt, state=AttemptState.SETTLED, fault=Fault(FaultKind.TIMEOUT)), None)

    async def main() -> None:
        async with SqliteLedger(Path(folder) / "ledger.sqlite3") as ledger:
            await asyncio.gather(*(worker(ledger) for _ in range(64)))

    meter.begin()
    asyncio.run(main())
    return {"per_s": count / meter.end()["wall_s"]}
