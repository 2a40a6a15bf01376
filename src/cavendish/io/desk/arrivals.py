"""Arrivals: small replies in the books until their pictures are files that last. See ``io.blobs.journaled``."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import orjson
import pybase64

from ...model.attempt import Attempt
from ...model.blob import Blob
from ...model.call import Done
from ...model.plain import from_json, to_json
from ...model.result import Picture
from ..blobs.journaled import Arrival, Placed
from ..ledger.memory import LIVE
from ..state.port import Link
from .books import DEAD_AFTER_S, DeskBooks, Entry
from .patience import insisted

ARRIVALS = """
    CREATE TABLE arrivals (attempt TEXT PRIMARY KEY, owner TEXT NOT NULL, reply TEXT NOT NULL, blobs TEXT NOT NULL)
    STRICT
    """


AT_A_TIME = 100
"""Entries that are dropped by one statement."""


class Arrivals:
    """Implements ``io.blobs.journaled.Journal`` for one life of a replica."""

    def __init__(self, books: DeskBooks) -> None:
        self._books = books

    async def put(self, arrival: Arrival) -> None:
        """Keep one; it lasts at the latest when its receipt does, which is in the same log."""
        values = {
            "attempt": arrival.attempt_id,
            "owner": self._books.owner,
            "reply": to_json(arrival.reply).decode(),
            "blobs": orjson.dumps(
                {ref: pybase64.b64encode(data).decode() for ref, data in arrival.blobs.items()}
            ).decode(),
        }

        def entry(link: Link) -> None:
            link.run(_PUT, **values)

        await insisted(lambda: self._books.write(entry, brief=True))

    async def drop(self, attempt_ids: Collection[str]) -> None:
        """Forget these."""
        for some in _batched(attempt_ids, AT_A_TIME):
            await self._books.write(_dropping(some), brief=True, lasting=False)

    async def of(self, attempt_ids: Collection[str]) -> Sequence[Arrival]:
        """Those of these attempts that are there, whoever put them."""
        sql = "SELECT reply, blobs FROM arrivals WHERE attempt = :attempt"

        def work(link: Link) -> list[Arrival]:
            rows = ((name, *row) for name in attempt_ids for row in link.run(sql, attempt=name))
            return [Arrival(name, from_json(reply, Done), _bytes(blobs)) for name, reply, blobs in rows]

        return await self._books.read(work)

    async def left(self) -> Sequence[Placed]:
        """Those of processes that are gone, whose calls are settled. What is not settled is there for ``of``."""
        return await self._books.read(self._left)

    def _left(self, link: Link) -> list[Placed]:
        found: list[Placed] = []
        for attempt_id, owner, blobs in link.run(_LEFT, since=link.now_s() - DEAD_AFTER_S):
            attempts = [from_json(entry, Attempt) for (entry,) in link.run(_ATTEMPT, id=attempt_id)]
            gone = owner is None or self._is_earlier_life(owner)
            if gone and not any(attempt.state in LIVE for attempt in attempts):
                found.append(Placed(attempt_id, _files(link, attempt_id, _bytes(blobs))))
        return found

    def _is_earlier_life(self, owner: str) -> bool:
        me = self._books.owner
        return owner != me and owner.rpartition(".")[0] == me.rpartition(".")[0]


def _batched(names: Collection[str], most: int) -> list[list[str]]:
    """The names in lists of so many."""
    every = list(names)
    return [every[start : start + most] for start in range(0, len(every), most)]


def _dropping(attempt_ids: Sequence[str]) -> Entry:
    values = {f"a{number}": attempt_id for number, attempt_id in enumerate(attempt_ids)}
    sql = f"DELETE FROM arrivals WHERE attempt IN ({', '.join(f':{name}' for name in values)})"  # noqa: S608

    def entry(link: Link) -> None:
        link.run(sql, **values)

    return entry


_PUT = (
    "INSERT INTO arrivals (attempt, owner, reply, blobs) VALUES (:attempt, :owner, :reply, :blobs)"
    " ON CONFLICT (attempt) DO UPDATE SET owner = excluded.owner, reply = excluded.reply, blobs = excluded.blobs"
)
_ATTEMPT = "SELECT entry FROM attempts WHERE id = :id"
_LEFT = (
    "SELECT arrivals.attempt, owners.id, arrivals.blobs FROM arrivals"
    " LEFT JOIN owners ON owners.id = arrivals.owner AND owners.beat_s > :since ORDER BY arrivals.attempt"
)
_PICTURES = "SELECT entry FROM outcomes WHERE job = (SELECT job FROM attempts WHERE id = :id)"


def _bytes(blobs: str) -> dict[str, bytes]:
    return {ref: pybase64.b64decode(data) for ref, data in orjson.loads(blobs).items()}


def _files(link: Link, attempt_id: str, blobs: dict[str, bytes]) -> list[tuple[Blob, bytes]]:
    """The pictures that a settled call brought, under their final names, with their bytes."""
    by_hash = {hashlib.sha256(data).hexdigest(): data for data in blobs.values()}
    outcomes = [from_json(entry) for (entry,) in link.run(_PICTURES, id=attempt_id)]
    pictures = [outcome.blob for outcome in outcomes if isinstance(outcome, Picture)]
    return [(blob, by_hash[blob.sha256]) for blob in pictures if blob.sha256 in by_hash]
