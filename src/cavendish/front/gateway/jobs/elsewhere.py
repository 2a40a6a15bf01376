"""Elsewhere: the jobs that wait at other replicas, so that a position counts them too. As of the last beat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

from ....io.desk.books import DeskBooks
from ....io.state.port import Link

MOST: Final = 1000
"""Who is told that a thousand are before it need not know the number."""


class Elsewhere:
    """Looked up now and then. ``_waiting`` has caller and model by the id of a job."""

    def __init__(self, books: DeskBooks) -> None:
        self._books = books
        self._waiting: dict[str, tuple[str, str]] = {}

    async def look(self) -> None:
        """See who waits now. Raises ``StateError``."""
        self._waiting = await self._books.read(self._found)

    def waiting_for(self, model: str) -> Iterator[tuple[str, str]]:
        """Caller and id of each job that waits for a model."""
        return ((caller, job) for job, (caller, wanted) in self._waiting.items() if wanted == model)

    def _found(self, link: Link) -> dict[str, tuple[str, str]]:
        me = self._books.owner
        if not link.run("SELECT 1 FROM owners WHERE id != :me LIMIT 1", me=me):
            return {}
        rows = link.run(_WAITING, me=me, most=MOST)
        return {job: self._waiting.get(job) or (caller, _model(link, job)) for job, caller in rows}


def _model(link: Link, job: str) -> str:
    """Read once for each job: a request may be long."""
    ((asked,),) = link.run("SELECT asked FROM jobs WHERE id = :id", id=job)
    return str(orjson.loads(asked)["request"]["model"])


_WAITING = (
    "SELECT id, caller FROM jobs WHERE state = 'open' AND owner != :me"
    " AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.job = jobs.id) ORDER BY id LIMIT :most"
)
