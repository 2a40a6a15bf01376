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


_CALLS = (
    "SELECT attempts.entry FROM attempts JOIN jobs ON jobs.id = attempts.job"
    " WHERE jobs.owner = :owner AND attempts.at >= :at"
)
