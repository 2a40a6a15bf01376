"""BatchBooks: batches of requests that a gateway works on in its own time, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...model.fault import Fault
from ...model.plain import from_json, from_plain, read_json, to_json, to_plain, write_json
from ...model.request import ImageRequest, JsonValue, Notice
from ..state.port import Link
from .books import CANCELLED, DONE, OPEN, DeskBooks
from .stored import storable

CANCELLING, FAILED, EXPIRED = "cancelling", "failed", "expired"
AT_WORK = frozenset({OPEN, CANCELLING})

TOKEN, DELETED = "token", "deleted"
"""Noted of a batch: the digest of the name that its client gave it; that it is to be forgotten when it has ended."""

BATCHES = """
    CREATE TABLE batches (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        caller TEXT NOT NULL,
        door TEXT NOT NULL,
        asked TEXT NOT NULL,
        state TEXT NOT NULL,
        told TEXT NOT NULL,
        created_at REAL NOT NULL,
        ended_at REAL
    ) STRICT;
    CREATE INDEX batches_of_caller ON batches (caller, door, created_at);
    CREATE INDEX batches_at_work ON batches (state, owner);
    CREATE TABLE batch_lines (
        batch TEXT NOT NULL,
        number INTEGER NOT NULL,
        key TEXT NOT NULL,
        place TEXT NOT NULL,
        asked TEXT,
        state TEXT NOT NULL,
        job TEXT,
        fault TEXT,
        PRIMARY KEY (batch, number)
    ) STRICT;
    CREATE INDEX lines_by_state ON batch_lines (batch, state, number);
    CREATE INDEX lines_by_job ON batch_lines (job)
    """


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """A batch. ``door`` is whose API it came by; ``asked`` and ``told`` are that door's own words, as JSON.

    ``asked`` is what the client said, ``told`` what came of it (files of results). Times are seconds since the epoch.
    """

    id: str
    owner: str
    caller: str
    door: str
    created_at: float
    asked: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    told: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    state: str = OPEN
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class LineEntry:
    """One line of a batch. ``place`` is the path that it would be sent to by itself, ``key`` the client's name for it.

    ``fault``: why it came to nothing before there was a job for it.
    """

    batch: str
    number: int
    key: str
    place: str
    request: ImageRequest | None = None
    notices: tuple[Notice, ...] = ()
    state: str = OPEN
    job: str = ""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How many lines of a batch are how far."""

    open: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.open + self.done + self.failed + self.cancelled


class BatchBooks:
    """Batches in the books of a gateway."""

    def __init__(self, books: DeskBooks) -> None:
        self._books = books

    @property
    def owner(self) -> str:
        """The name of this replica."""
        return self._books.owner

    # --- making one ---------------------------------------------------------------------------------------------------

    async def add(self, lines: Sequence[LineEntry]) -> None:
        """Lines of a batch that is about to begin."""

        def entry(link: Link) -> None:
            for line in lines:
                link.run(_PUT_LINE, **_of_line(line))

        await self._books.write(entry)

    async def begin(self, batch: BatchEntry) -> BatchEntry | None:
        """All lines of a batch are there: from now on it is worked on.

        Unless there is one of the same name by now: that one is returned, and this one does not begin.
        """
        values = {
            "id": batch.id,
            "owner": batch.owner,
            "caller": batch.caller,
            "door": batch.door,
            "asked": write_json(dict(batch.asked)).decode(),
            "state": batch.state,
            "told": write_json(dict(batch.told)).decode(),
            "created_at": batch.created_at,
            "ended_at": batch.ended_at,
        }
        found: list[BatchEntry] = []

        def entry(link: Link) -> None:
            found[:] = _named(link, batch.caller, batch.door, str(batch.asked[TOKEN])) if TOKEN in batch.asked else ()
            if not found:
                link.run(_PUT_BATCH, **values)

        await self._books.write(entry)
        return found[0] if found else None

    async def drop(self, batch_id: str) -> None:
        """Forget a batch and its lines. Its jobs stay as long as jobs do."""

        def entry(link: Link) -> None:
            link.run("DELETE FROM batch_lines WHERE batch = :id", id=batch_id)
            link.run("DELETE FROM batches WHERE id = :id", id=batch_id)

        await self._books.write(entry)

    # --- looking ------------------------------------------------------------------------------------------------------

    async def batch(self, batch_id: str) -> BatchEntry | None:
        """A batch by its id, whosever it is."""
        rows = await self._books.read(lambda link: link.run(f"{_BATCH} WHERE id = :id", id=batch_id))
        return _to_batch(rows[0]) if rows else None

    async def named(self, caller: str, door: str, token: str) -> BatchEntry | None:
        """The batch of a caller at a door that has this name."""
        found = await self._books.read(lambda link: _named(link, caller, door, token))
        return found[0] if found else None

    async def batches(self, caller: str, door: str) -> list[BatchEntry]:
        """All batches of a caller at a door, the newest first."""
        sql = f"{_BATCH} WHERE caller = :caller AND door = :door ORDER BY created_at DESC, id DESC"
        rows = await self._books.read(lambda link: link.run(sql, caller=caller, door=door))
        return [_to_batch(row) for row in rows]

    async def ended_before(self, at: float) -> list[BatchEntry]:
        """Batches of all callers that ended before then."""
        rows = await self._books.read(lambda link: link.run(f"{_BATCH} WHERE ended_at < :at", at=at))
        return [_to_batch(row) for row in rows]

    async def standing(self, batch_id: str) -> Standing:
        """How far the lines of a batch are."""
        sql = "SELECT state, COUNT(*) FROM batch_lines WHERE batch = :id GROUP BY state"
        counts = {state: int(count) for state, count in await self._books.read(lambda link: link.run(sql, id=batch_id))}
        return Standing(counts.get(OPEN, 0), counts.get(DONE, 0), counts.get(FAILED, 0), counts.get(CANCELLED, 0))

    async def lines(
        self, batch_id: str, after: int, most: int, states: Sequence[str] = (OPEN, DONE, FAILED, CANCELLED)
    ) -> list[LineEntry]:
        """The next lines behind a number, those in one of these states."""
        chosen = ", ".join(f"'{state}'" for state in states)
        sql = f"{_LINE} WHERE batch = :id AND number > :after AND state IN ({chosen}) ORDER BY number LIMIT :most"
        rows = await self._books.read(lambda link: link.run(sql, id=batch_id, after=after, most=most))
        return [_to_line(row) for row in rows]

    async def cost_nusd(self, batch_id: str) -> int:
        """What the calls for a batch have cost so far, as far as it is known."""
        rows = await self._books.read(lambda link: link.run(_COST, id=batch_id))
        return int(rows[0][0] or 0)

    # --- work ---------------------------------------------------------------------------------------------------------

    async def settle(self, line: LineEntry, state: str, job: str = "", fault: Fault | None = None) -> None:
        """A line has ended."""
        sql = (
            "UPDATE batch_lines SET state = :state, job = :job, fault = :fault"
            " WHERE batch = :batch AND number = :number AND state = 'open'"
        )
        values = {"state": state, "job": job or None, "fault": to_json(fault).decode() if fault else None}
        await self._books.write(lambda link: _run(link, sql, **values, batch=line.batch, number=line.number))

    async def note_job(self, line: LineEntry, job: str) -> None:
        """A line's job is bought together with others: from now on it goes where its batch goes."""
        sql = "UPDATE batch_lines SET job = :job WHERE batch = :batch AND number = :number AND state = 'open'"
        await self._books.write(lambda link: _run(link, sql, job=job, batch=line.batch, number=line.number))

    async def give_up(self, batch_id: str) -> None:
        """Whatever line is open still will have no turn."""
        sql = "UPDATE batch_lines SET state = 'cancelled' WHERE batch = :id AND state = 'open'"
        await self._books.write(lambda link: _run(link, sql, id=batch_id))

    async def cancel(self, batch_id: str, told: Mapping[str, JsonValue]) -> None:
        """A batch that is at work shall end."""
        said = write_json(dict(told)).decode()
        sql = "UPDATE batches SET state = 'cancelling', told = :told WHERE id = :id AND state IN ('open', 'cancelling')"
        await self._books.write(lambda link: _run(link, sql, id=batch_id, told=said))

    async def end(self, batch_id: str, state: str, at: float, told: Mapping[str, JsonValue]) -> None:
        """A batch has ended."""
        said = write_json(dict(told)).decode()
        sql = (
            "UPDATE batches SET state = :state, ended_at = :at, told = :told"
            " WHERE id = :id AND state IN ('open', 'cancelling')"
        )
        await self._books.write(lambda link: _run(link, sql, state=state, at=at, told=said, id=batch_id))

    async def inherit(self) -> list[BatchEntry]:
        """Take over the batches at work of those that are dead."""
        found: list[BatchEntry] = []

        def entry(link: Link) -> None:
            values = {"since": self._books.dead_since(link), "me": self.owner}
            found[:] = map(_to_batch, link.run(f"{_BATCH} {_ORPHANED}", **values))
            if found:
                link.run(f"{_ADOPT_JOBS} {_ORPHANED}))", **values)
            link.run(f"{_ADOPT} {_ORPHANED}", **values)

        await self._books.write(entry)
        return found


_ORPHANED = (
    "WHERE state IN ('open', 'cancelling') AND owner != :me"
    " AND owner NOT IN (SELECT id FROM owners WHERE beat_s > :since)"
)
_ADOPT = "UPDATE batches SET owner = :me"
_ADOPT_JOBS = (
    "UPDATE jobs SET owner = :me WHERE state = 'open' AND id IN (SELECT job FROM batch_lines WHERE state = 'open'"
    " AND batch IN (SELECT id FROM batches"
)
_COST = (
    "SELECT SUM(attempts.cost_nusd) FROM batch_lines JOIN attempts ON attempts.job = batch_lines.job"
    " WHERE batch_lines.batch = :id"
)
_BATCH = "SELECT id, owner, caller, door, created_at, asked, told, state, ended_at FROM batches"
_PUT_BATCH = (
    "INSERT INTO batches (id, owner, caller, door, asked, state, told, created_at, ended_at)"
    " VALUES (:id, :owner, :caller, :door, :asked, :state, :told, :created_at, :ended_at)"
)
_LINE = "SELECT batch, number, key, place, asked, state, job, fault FROM batch_lines"
_PUT_LINE = (
    "INSERT INTO batch_lines (batch, number, key, place, asked, state, fault)"
    " VALUES (:batch, :number, :key, :place, :asked, :state, :fault)"
)


def _named(link: Link, caller: str, door: str, token: str) -> list[BatchEntry]:
    # The token is a digest, so its letters mean nothing to LIKE; what it stands beside is compared after that.
    sql = f"{_BATCH} WHERE caller = :caller AND door = :door AND asked LIKE :said"
    rows = link.run(sql, caller=caller, door=door, said=f"%{token}%")
    found = [_to_batch(row) for row in rows]
    return [batch for batch in found if batch.asked.get(TOKEN) == token and not batch.told.get(DELETED)]


def _to_batch(row: Sequence[Any]) -> BatchEntry:
    return BatchEntry(
        id=row[0],
        owner=row[1],
        caller=row[2],
        door=row[3],
        created_at=row[4],
        asked=read_json(row[5]),
        told=read_json(row[6]),
        state=row[7],
        ended_at=row[8],
    )


def _of_line(line: LineEntry) -> dict[str, Any]:
    return {
        "batch": line.batch,
        "number": line.number,
        "key": storable(line.key),
        "place": line.place,
        "asked": _written(line) if line.request else None,
        "state": line.state,
        "fault": to_json(line.fault).decode() if line.fault else None,
    }


def _written(line: LineEntry) -> str:
    notices = [to_plain(notice) for notice in line.notices]
    return write_json({"request": line.request and to_plain(line.request), "notices": notices}).decode()


def _to_line(row: Sequence[Any]) -> LineEntry:
    asked: dict[str, Any] = read_json(row[4]) if row[4] else {"notices": []}
    return LineEntry(
        batch=row[0],
        number=row[1],
        key=row[2],
        place=row[3],
        request=from_plain(asked["request"], ImageRequest) if row[4] else None,
        notices=tuple(from_plain(notice, Notice) for notice in asked["notices"]),
        state=row[5],
        job=row[6] or "",
        fault=from_json(row[7], Fault) if row[7] else None,
    )


def _run(link: Link, sql: str, **values: object) -> None:
    link.run(sql, **values)
