"""JobLists: the jobs of a caller, page by page; which of them are to be cancelled, and how one is removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...model.plain import from_json
from ...model.result import Failure, Outcome, Picture
from ..state.port import Link
from .books import JOB_COLUMNS, DeskBooks, JobEntry, to_job
from .deliveries import Delivery, delivery_of

JOB_LISTS = """
    CREATE TABLE cancels (job TEXT PRIMARY KEY) STRICT;
    CREATE INDEX jobs_of_caller ON jobs (caller, begun_at, id);
    CREATE INDEX jobs_by_end ON jobs (ended_at)
    """

REMOVED = "removed"
"""The state of a job whose files are being removed: nobody sees it any more."""


@dataclass(frozen=True, slots=True)
class JobStanding:
    """A job and what has come of it so far; ``attempts`` counts the calls that were made for it.

    ``delivery`` is the message that it has ended, when there is one.
    """

    entry: JobEntry
    outcomes: tuple[Outcome, ...]
    attempts: int
    delivery: Delivery | None = None


class JobLists:
    """Jobs in the books of a gateway, as those who asked for them see them."""

    def __init__(self, books: DeskBooks) -> None:
        self._books = books

    async def standing(self, job_id: str) -> JobStanding | None:
        """A job by its id, whosever it is."""

        def work(link: Link) -> JobStanding | None:
            rows = link.run(f"{JOB_COLUMNS} WHERE id = :id AND state != 'removed'", id=job_id)
            return _standing(link, to_job(rows[0])) if rows else None

        return await self._books.read(work)

    async def page(self, caller: str, after: str, most: int, states: Sequence[str]) -> list[JobStanding]:
        """The next jobs of a caller behind that one, the newest first; ``states`` empty: whatever their state."""
        chosen = ", ".join(f"'{state}'" for state in states) or "state"
        behind = "AND (begun_at, id) < (SELECT begun_at, id FROM jobs WHERE id = :after)" if after else ""
        sql = (
            f"{JOB_COLUMNS} WHERE caller = :caller AND state != 'removed' AND state IN ({chosen}) {behind}"
            " ORDER BY begun_at DESC, id DESC LIMIT :most"
        )
        values = {"caller": caller, "most": most, **({"after": after} if after else {})}

        def work(link: Link) -> list[JobStanding]:
            rows = link.run(sql, **values)
            return [_standing(link, to_job(row)) for row in rows]

        return await self._books.read(work)

    async def picture(self, slot_id: str) -> Picture | None:
        """What a slot of a job that is kept ended with, when that is a picture."""
        sql = (
            "SELECT outcomes.entry FROM outcomes JOIN jobs ON jobs.id = outcomes.job"
            " WHERE slot = :slot AND state != 'removed'"
        )
        rows = await self._books.read(lambda link: link.run(sql, slot=slot_id))
        outcome = from_json(rows[0][0]) if rows else None
        return outcome if isinstance(outcome, Picture) else None

    # --- cancelling ---------------------------------------------------------------------------------------------------

    async def cancel(self, job_id: str) -> None:
        """A job that is at work, wherever, shall end."""
        sql = "INSERT INTO cancels (job) VALUES (:job) ON CONFLICT (job) DO NOTHING"
        await self._books.write(lambda link: _run(link, sql, job=job_id))

    async def cancels(self) -> list[str]:
        """The jobs of this replica that are to be cancelled and have not ended. Those that have are forgotten."""

        def entry(link: Link) -> list[str]:
            sql = "SELECT job FROM cancels WHERE job IN (SELECT id FROM jobs WHERE state = 'open' AND owner = :me)"
            rows = link.run("SELECT 1 FROM cancels LIMIT 1")
            if not rows:
                return []
            link.run("DELETE FROM cancels WHERE job NOT IN (SELECT id FROM jobs WHERE state = 'open')")
            return [job for (job,) in link.run(sql, me=self._books.owner)]

        return await self._books.read(entry)

    # --- removing -----------------------------------------------------------------------------------------------------

    async def hide(self, job_id: str) -> bool:
        """Nobody sees this job any more, and no repeat joins it.

        ``False`` for one that is at work, or of a batch: its results are to be had for as long as the batch.
        """

        def entry(link: Link) -> bool:
            rows = link.run("SELECT state FROM jobs WHERE id = :id", id=job_id)
            if not rows or rows[0][0] == "open" or link.run("SELECT 1 FROM batch_lines WHERE job = :id", id=job_id):
                return False
            link.run("UPDATE jobs SET state = 'removed', token = NULL, form = '' WHERE id = :id", id=job_id)
            return True

        return await self._books.read(entry)

    async def remove(self, job_id: str) -> None:
        """Forget a job that is hidden, and what was bought for it."""

        def entry(link: Link) -> None:
            link.run("DELETE FROM outcomes WHERE job = :id", id=job_id)
            link.run("DELETE FROM attempts WHERE job = :id", id=job_id)
            link.run("DELETE FROM deliveries WHERE job = :id", id=job_id)
            link.run("DELETE FROM jobs WHERE id = :id AND state = 'removed'", id=job_id)

        await self._books.write(entry)

    async def hidden(self, most: int) -> list[JobStanding]:
        """Jobs that are hidden, and whose files are perhaps there still."""

        def work(link: Link) -> list[JobStanding]:
            rows = link.run(f"{JOB_COLUMNS} WHERE state = 'removed' LIMIT :most", most=most)
            return [_standing(link, to_job(row)) for row in rows]

        return await self._books.read(work)

    async def ended_before(self, at: float, most: int) -> list[str]:
        """Ids of jobs that ended before then, the oldest first. Those of a batch stay for as long as it does."""
        sql = (
            "SELECT id FROM jobs WHERE ended_at < :at AND state NOT IN ('open', 'removed')"
            " AND NOT EXISTS (SELECT 1 FROM batch_lines WHERE job = jobs.id)"
            " ORDER BY ended_at LIMIT :most"
        )
        return [job for (job,) in await self._books.read(lambda link: link.run(sql, at=at, most=most))]


def _standing(link: Link, entry: JobEntry) -> JobStanding:
    found = (from_json(text) for (text,) in link.run("SELECT entry FROM outcomes WHERE job = :job", job=entry.id))
    outcomes = [outcome for outcome in found if isinstance(outcome, Picture | Failure)]
    attempts = link.run("SELECT COUNT(*) FROM attempts WHERE job = :job", job=entry.id)[0][0]
    in_order = tuple(sorted(outcomes, key=lambda outcome: outcome.slot.ordinal))
    return JobStanding(entry, in_order, int(attempts), delivery_of(link, entry.id))


def _run(link: Link, sql: str, **values: object) -> None:
    link.run(sql, **values)
