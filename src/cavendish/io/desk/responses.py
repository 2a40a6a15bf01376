"""ResponseBook: which answers of the Responses API a later request may go on from, and what each said of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from ...model.request import JsonValue
from ..state.port import Link
from .port import Books

KEPT_FOR_S = 30 * 86_400.0
"""As long as OpenAI keeps them."""


@dataclass(frozen=True, slots=True)
class ResponseEntry:
    """One response: the job that it is made of, and its members that the job does not know."""

    id: str
    caller: str
    job: str
    head: Mapping[str, JsonValue]


class ResponseBook:
    """The responses in a gateway's books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def put(self, response: ResponseEntry) -> None:
        """Keep a response. One that is there stays as it is: a repeated request is answered by the same job."""
        head = orjson.dumps(dict(response.head)).decode()
        sql = (
            "INSERT INTO responses (id, caller, job, at, entry) VALUES (:id, :caller, :job, :at, :entry)"
            " ON CONFLICT (id) DO NOTHING"
        )

        def entry(link: Link) -> None:
            values = {"id": response.id, "caller": response.caller, "job": response.job, "entry": head}
            link.run(sql, at=link.wall_s(), **values)

        await self._books.write(entry)

    async def find(self, caller: str, response_id: str) -> ResponseEntry | None:
        """A response of a caller."""
        sql = "SELECT job, entry FROM responses WHERE id = :id AND caller = :caller"
        rows = await self._books.read(lambda link: link.run(sql, id=response_id, caller=caller))
        return next((ResponseEntry(response_id, caller, job, orjson.loads(entry)) for job, entry in rows), None)

    async def delete(self, caller: str, response_id: str) -> None:
        """Forget a response."""

        def entry(link: Link) -> None:
            link.run("DELETE FROM responses WHERE id = :id AND caller = :caller", id=response_id, caller=caller)

        await self._books.write(entry)

    async def forget_old(self, kept_for_s: float = KEPT_FOR_S) -> None:
        """Forget those that are older."""

        def entry(link: Link) -> None:
            link.run("DELETE FROM responses WHERE at < :before", before=link.wall_s() - kept_for_s)

        await self._books.write(entry)
