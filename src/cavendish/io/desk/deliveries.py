"""Deliveries: messages about ended jobs that are due to be told to their callers' webhooks, until they arrived.

A message is entered in the transaction that ends its job, so none is forgotten. Who takes one up moves its time ahead
by a lease, so that replicas do not tell the same thing at once, and another takes over from one that died.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ..state.port import Link
from .port import Books

DELIVERIES = """
    CREATE TABLE deliveries (
        id TEXT PRIMARY KEY,
        job TEXT NOT NULL,
        caller TEXT NOT NULL,
        url TEXT NOT NULL,
        secret TEXT NOT NULL,
        created_at REAL NOT NULL,
        due_at REAL NOT NULL,
        tries INTEGER NOT NULL,
        state TEXT NOT NULL,
        said TEXT NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_due ON deliveries (state, due_at);
    CREATE INDEX deliveries_of_job ON deliveries (job)
    """

DUE, DELIVERED, GIVEN_UP = "due", "delivered", "given_up"
TOLD = "webhook"
"""The member of what is kept with a job that says where to tell its end."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message. Times are seconds since the epoch, ``tries`` those so far, ``said`` what came of the last of them."""

    id: str
    job: str
    url: str
    secret: str
    created_at: float
    due_at: float
    tries: int
    state: str = DUE
    said: str = ""


def put_delivery(link: Link, job_id: str, told: Mapping[str, Any]) -> None:
    """Enter the message that a job has ended, if its caller wants one. Of each job there is one."""
    webhook = cast("Mapping[str, Any]", told.get(TOLD) or {})
    if not webhook:
        return
    sql = (
        "INSERT INTO deliveries (id, job, caller, url, secret, created_at, due_at, tries, state, said)"
        " SELECT :id, id, caller, :url, :secret, :at, :at, 0, 'due', '' FROM jobs WHERE id = :job"
        " ON CONFLICT (id) DO NOTHING"
    )
    values = {"id": f"msg_{job_id}", "url": webhook["url"], "secret": webhook["secret"], "at": link.wall_s()}
    link.run(sql, **values, job=job_id)


def delivery_of(link: Link, job_id: str) -> Delivery | None:
    """The message about a job."""
    rows = link.run(f"{_DELIVERY} WHERE job = :job", job=job_id)
    return Delivery(*rows[0]) if rows else None


class Deliveries:
    """The messages in a gateway's books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def take(self, most: int, lease_s: float) -> list[Delivery]:
        """Messages that are due, for who takes them up to deliver within the lease."""

        def entry(link: Link) -> list[Delivery]:
            now = link.wall_s()
            sql = f"{_DELIVERY} WHERE state = 'due' AND due_at <= :now ORDER BY due_at LIMIT :most"
            found = [Delivery(*row) for row in link.run(sql, now=now, most=most)]
            for delivery in found:
                link.run("UPDATE deliveries SET due_at = :at WHERE id = :id", at=now + lease_s, id=delivery.id)
            return found

        return await self._books.read(entry)

    async def settle(self, delivery_id: str, state: str, said: str, wait_s: float = 0.0) -> None:
        """What came of a try: it arrived, or is tried again after so long, or is given up."""
        sql = (
            "UPDATE deliveries SET state = :state, said = :said, tries = tries + 1, due_at = :due_at"
            " WHERE id = :id AND state = 'due'"
        )

        def entry(link: Link) -> None:
            link.run(sql, state=state, said=said, due_at=link.wall_s() + wait_s, id=delivery_id)

        await self._books.write(entry)


_DELIVERY = "SELECT id, job, url, secret, created_at, due_at, tries, state, said FROM deliveries"
