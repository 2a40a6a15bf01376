"""Lives: what a replica did in its last moments."""

from __future__ import annotations

from typing import Final

from ...model.attempt import Attempt
from ...model.plain import from_json
from ..state.port import Link
from .books import DeskBooks

LONGEST_CALL_S: Final = 3600.0
"""A call that ended lately began no longer ago."""


async def settled_lately(books: DeskBooks, owner: str, since: float) -> list[Attempt]:
    """The calls for the jobs of an owner that were settled since then (seconds since the epoch)."""

    def work(link: Link) -> list[Attempt]:
        rows = link.run(_CALLS, owner=owner, at=since - LONGEST_CALL_S)
        return [from_json(entry, Attempt) for (entry,) in rows]

    attempts = await books.read(work)
    return [attempt for attempt in attempts if attempt.settled_at is not None and attempt.settled_at >= since]


async def calls_of_batch(books: DeskBooks, batch_id: str) -> list[Attempt]:
    """The calls for those lines of a batch that are open still."""
    rows = await books.read(lambda link: link.run(_OF_BATCH, batch=batch_id))
    return [from_json(entry, Attempt) for (entry,) in rows]


async def buys_together(books: DeskBooks) -> bool:
    """Whether lines of a batch are bought together, at whatever replica."""
    sql = "SELECT 1 FROM batch_lines WHERE state = 'open' AND job IS NOT NULL LIMIT 1"
    return bool(await books.read(lambda link: link.run(sql)))


_OF_BATCH = (
    "SELECT attempts.entry FROM attempts JOIN batch_lines ON batch_lines.job = attempts.job"
    " WHERE batch_lines.batch = :batch AND batch_lines.state = 'open'"
)
_CALLS = (
    "SELECT attempts.entry FROM attempts JOIN jobs ON jobs.id = attempts.job"
    " WHERE jobs.owner = :owner AND attempts.at >= :at"
)
