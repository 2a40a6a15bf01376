"""DeskBooks: a gateway's jobs and what was bought for them. Entries that come together are committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from ...errors import CavendishError
from ...model.attempt import Attempt
from ...model.plain import from_json, from_plain, to_json, to_plain
from ...model.request import ImageRequest, JsonValue, Notice
from ...model.result import Failure, Outcome, Picture
from ..spend.calendar import UTC_CALENDAR, Calendar
from ..state.port import Database, Link
from .allowance import Ended, settle
from .deliveries import put_delivery
from .patience import insisted
from .signed import put_signed

T = TypeVar("T")

Entry = Callable[[Link], None]

OPEN, DONE, CANCELLED = "open", "done", "cancelled"

DEAD_AFTER_S = 20.0
"""A replica whose beat is older is taken for dead: its jobs go to another."""


MOST_BRIEF = 64
"""Entries that are committed together without a thread: a few milliseconds of work."""


_NEVER_S = -1e12
"""Long before the zero of any store's clock."""


class TakenOver(CavendishError):
    """This replica was taken for dead, and another works at the job: nothing more of it may be written here."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} was taken over by another replica")


@dataclass(frozen=True, slots=True)
class JobEntry:
    """One request of a client, as the books know it. Times are seconds since the epoch.

    ``caller`` is who asked, ``door`` how (the name of a dialect), ``form`` the fingerprint of what was asked, ``token``
    the client's own name for it. ``told`` is what the answer says beside the outcomes, as JSON. ``lost``: the line
    broke before the client had the answer.
    """

    id: str
    owner: str
    caller: str
    door: str
    form: str
    request: ImageRequest
    begun_at: float
    token: str | None = None
    stream: bool = False
    state: str = OPEN
    ended_at: float | None = None
    lost: bool = False
    told: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What could not be honoured exactly, as it was told."""
        return tuple(from_plain(notice, Notice) for notice in self.told.get("notices", ()))


@dataclass(frozen=True, slots=True)
class Repeats:
    """Which jobs a new request may repeat: of this caller and form, begun since then.

    ``said``: it says itself that it is a repeat, so that each of them may be meant. Else those whose line broke, and
    those that came to nothing since ``refused_since``.
    """

    caller: str
    form: str
    since: float
    refused_since: float
    said: bool = False


class DeskBooks:
    """Everything durable of a gateway but the pictures. May be shared by replicas."""

    def __init__(self, database: Database, owner: str, place: str = "") -> None:
        """``owner`` names one life of one replica, ``place`` the folder by which others may see that it is over."""
        self._database = database
        self._owner = owner
        self._place = place
        self.calendar = UTC_CALENDAR
        self._lenient_until_s = _NEVER_S
        self._pending: list[_Pending] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def owner(self) -> str:
        """The name of this replica."""
        return self._owner

    async def close(self) -> None:
        """Write what is pending, and close."""
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._database.close()

    # --- jobs ---------------------------------------------------------------------------------------------------------

    async def begin(self, job: JobEntry, admit: Callable[[Link], bool] = lambda _link: True) -> JobEntry | None:
        """Write a job down. Returns it, or the one that the same client gave the same token before.

        ``None`` when ``admit``, which is asked in the same transaction, does not let it in.
        """
        refused: list[bool] = []
        found: list[JobEntry] = []

        def entry(link: Link) -> None:
            found.clear()
            refused.clear()
            if job.token is not None:
                rows = link.run(
                    f"{JOB_COLUMNS} WHERE caller = :caller AND token = :token", caller=job.caller, token=job.token
                )
                found.extend(map(to_job, rows))
            if not found and admit(link):
                link.run(_PUT_JOB, **_of_job(job))
            elif not found:
                refused.append(True)

        # Nothing is bought before an intent lasts, and then this does, too. Only who comes back later relies on it now.
        await self.write(entry, brief=True, lasting=bool(job.told.get("patient")))
        return None if refused else found[0] if found else job

    async def end(self, job_id: str, state: str, at: float, told: Mapping[str, JsonValue]) -> None:
        """A job has all its outcomes, or was cancelled: its cost is on its caller's account from now on."""
        ending = self.ending(job_id, state, at, told)

        def entry(link: Link) -> None:
            self.must_own(link, job_id)
            ending(link)

        await insisted(lambda: self.write(entry, brief=True))

    def ending(self, job_id: str, state: str, at: float, told: Mapping[str, JsonValue]) -> Entry:
        """The entry that ends a job, for a transaction that may write of it."""
        said = orjson.dumps(dict(told)).decode()

        def entry(link: Link) -> None:
            settle_job(link, job_id, self.calendar)
            sql = "UPDATE jobs SET state = :state, ended_at = :at, told = :told WHERE id = :id AND state = 'open'"
            link.run(sql, state=state, at=at, told=said, id=job_id)
            put_delivery(link, job_id, told)

        return entry

    async def release(self, job_id: str) -> None:
        """Nothing came of a job and nothing was bought: who asks for the same again asks anew, with its token, too."""
        sql = "UPDATE jobs SET token = NULL, form = '' WHERE id = :id"
        await insisted(lambda: self.write(lambda link: _run(link, sql, id=job_id)))

    async def lose(self, job_id: str, *, lost: bool) -> None:
        """Note whether the client went away without its answer."""
        await self.write(lambda link: _run(link, "UPDATE jobs SET lost = :lost WHERE id = :id", lost=lost, id=job_id))

    async def claim(self, job_id: str) -> bool:
        """Take the answer that was lost: of several who ask for it, at whatever replica, one gets it."""
        sql = "UPDATE jobs SET lost = 0 WHERE id = :id AND lost = 1 RETURNING id"
        return bool(await self.read(lambda link: link.run(sql, id=job_id)))

    async def job(self, job_id: str) -> JobEntry | None:
        """A job by its id."""
        rows = await self.read(lambda link: link.run(f"{JOB_COLUMNS} WHERE id = :id", id=job_id))
        return to_job(rows[0]) if rows else None

    async def repeatable(self, question: Repeats) -> list[JobEntry]:
        """What a request may be a repeat of, the newest first: the jobs of its form that are not over and done with."""
        values = {name: getattr(question, name) for name in ("caller", "form", "since", "refused_since")}
        rows = await self.read(
            lambda link: link.run(
                _REPEATABLE, **values, said=int(question.said), most=LATELY, failure=_FAILURE, letters=len(_FAILURE)
            ),
            brief=True,
        )
        return [to_job(row) for row in rows]

    async def outcomes(self, job_id: str) -> list[Outcome]:
        """What became of a job's slots, as far as they have ended, in their order."""
        sql = "SELECT entry FROM outcomes WHERE job = :job"
        rows = await self.read(lambda link: link.run(sql, job=job_id))
        found = (from_json(entry) for (entry,) in rows)
        outcomes = [outcome for outcome in found if isinstance(outcome, Picture | Failure)]
        return sorted(outcomes, key=lambda outcome: outcome.slot.ordinal)

    async def attempts(self, job_id: str) -> list[Attempt]:
        """Every call that was made for a job, the oldest first."""
        rows = await self.read(lambda link: link.run(_ATTEMPTS, job=job_id))
        return [from_json(entry, Attempt) for (entry,) in rows]

    # --- replicas -----------------------------------------------------------------------------------------------------

    async def beat(self) -> None:
        """Show that this replica lives."""

        def entry(link: Link) -> None:
            now_s = link.now_s()
            before = link.run("SELECT beat_s FROM owners WHERE id = :id", id=self._owner)
            if before and now_s - before[0][0] > DEAD_AFTER_S / 2:
                # The books were away, or this replica asleep: the others may not have been able to beat, either.
                self._lenient_until_s = now_s + DEAD_AFTER_S
            link.run(_BEAT, id=self._owner, place=self._place, now_s=now_s)

        await self.write(entry)

    def dead_since(self, link: Link) -> float:
        """Whose last beat was before this moment of the store's clock is taken for dead."""
        now_s = link.now_s()
        return now_s - DEAD_AFTER_S if now_s >= self._lenient_until_s else _NEVER_S

    async def neighbours(self) -> list[str]:
        """The owners that share this one's place, itself left out."""
        sql = "SELECT id FROM owners WHERE place = :place AND place != '' AND id != :me ORDER BY id"
        return [row[0] for row in await self.read(lambda link: link.run(sql, place=self._place, me=self._owner))]

    async def retire(self, owners: Sequence[str]) -> None:
        """These are known to be gone: their jobs are free to be taken over at once."""

        def entry(link: Link) -> None:
            for owner in owners:
                link.run("DELETE FROM owners WHERE id = :id", id=owner)

        await self.write(entry)

    def must_own(self, link: Link, job_id: str) -> None:
        """Raises ``TakenOver`` when a job is not this replica's any more."""
        if not link.run("SELECT 1 FROM jobs WHERE id = :id AND owner = :me", id=job_id, me=self._owner):
            raise TakenOver(job_id)

    async def inherit(self) -> list[JobEntry]:
        """Take over the open jobs of those that are dead."""
        found: list[JobEntry] = []

        def entry(link: Link) -> None:
            values = {"since": self.dead_since(link), "me": self._owner}
            found[:] = map(to_job, link.run(f"{JOB_COLUMNS} {_ORPHANED}", **values))
            link.run(f"{_ADOPT} {_ORPHANED}", **values)

        await self.write(entry)
        return found

    async def depart(self) -> None:
        """This replica ends in good order: its open jobs are free to be taken over at once."""
        await self.write(lambda link: _run(link, "DELETE FROM owners WHERE id = :id", id=self._owner))

    # --- the door -----------------------------------------------------------------------------------------------------

    async def write(self, entry: Entry, *, brief: bool = False, lasting: bool = True) -> None:
        """Carry an entry out; returns when it is on the disk. Raises what it raised. ``brief``: it is of a few rows.

        Not ``lasting``: it outlives this process at once, and a power cut together with whatever lasts after it.
        """
        pending = _Pending(entry, brief, lasting, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        if self._writer is None:
            self._writer = asyncio.ensure_future(self._write_pending())
        # A caller that is cancelled takes its wait away, not its entry.
        await pending.written

    async def read(self, work: Callable[[Link], T], *, brief: bool = False) -> T:
        """Look something up, behind everything that is written by then. ``brief``: it is a few rows, by an index."""
        return await self._database.transact(work, lock="desk", brief=brief)

    async def _write_pending(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            error = await self._committed(batch)
            if error is not None and len(batch) > 1:
                # One of them was refused: each in its own transaction, so that the others get in.
                errors = [await self._committed([pending]) for pending in batch]
            else:
                errors = [error] * len(batch)
            for pending, failed in zip(batch, errors, strict=True):
                _answer(pending.written, failed)
        self._writer = None

    async def _committed(self, batch: Sequence[_Pending]) -> BaseException | None:
        def all_of_them(link: Link) -> None:
            for pending in batch:
                pending.entry(link)

        brief = len(batch) <= MOST_BRIEF and all(pending.brief for pending in batch)
        try:
            lasting = any(pending.lasting for pending in batch)
            await self._database.transact(all_of_them, lock="desk", brief=brief, lasting=lasting)
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            return error
        return None


@dataclass(frozen=True, slots=True)
class _Pending:
    """An entry that is not on the disk yet."""

    entry: Entry
    brief: bool
    lasting: bool
    written: asyncio.Future[None]


# --- rows ------------------------------------------------------------------------------------------------------------

JOB_COLUMNS = "SELECT id, owner, caller, door, form, token, asked, state, begun_at, ended_at, lost, told FROM jobs"
_ORPHANED = (
    "WHERE state = 'open' AND owner != :me AND owner NOT IN (SELECT id FROM owners WHERE beat_s > :since)"
    # A line that is bought together with others of its batch goes where the batch goes.
    " AND NOT EXISTS (SELECT 1 FROM batch_lines WHERE job = jobs.id AND batch_lines.state = 'open')"
)
LATELY = 20
"""Of one form the newest that are looked at."""

_REPEATABLE = (
    "SELECT id, owner, caller, door, form, token, asked, state, begun_at, ended_at, lost, told"
    " FROM (SELECT * FROM jobs WHERE caller = :caller AND form = :form AND begun_at >= :since"
    " ORDER BY begun_at DESC LIMIT :most) AS newest"
    " WHERE :said = 1 OR lost = 1 OR (state = 'done' AND ended_at >= :refused_since"
    " AND EXISTS (SELECT 1 FROM outcomes WHERE job = newest.id)"
    " AND NOT EXISTS (SELECT 1 FROM outcomes WHERE job = newest.id AND substr(entry, 1, :letters) != :failure))"
    " ORDER BY begun_at DESC"
)
_ADOPT = "UPDATE jobs SET owner = :me"
_BEAT = (
    "INSERT INTO owners (id, place, beat_s) VALUES (:id, :place, :now_s)"
    " ON CONFLICT (id) DO UPDATE SET beat_s = excluded.beat_s"
)
_PUT_JOB = (
    "INSERT INTO jobs (id, owner, caller, door, form, token, asked, state, begun_at, ended_at, lost, told)"
    " VALUES (:id, :owner, :caller, :door, :form, :token, :asked, :state, :begun_at, :ended_at, :lost, :told)"
)


def _of_job(job: JobEntry) -> dict[str, Any]:
    return {
        "id": job.id,
        "owner": job.owner,
        "caller": job.caller,
        "door": job.door,
        "form": job.form,
        "token": job.token,
        "asked": orjson.dumps({"stream": job.stream, "request": to_plain(job.request)}).decode(),
        "state": job.state,
        "begun_at": job.begun_at,
        "ended_at": job.ended_at,
        "lost": int(job.lost),
        "told": orjson.dumps(dict(job.told)).decode(),
    }


def to_job(row: Sequence[Any]) -> JobEntry:
    asked = orjson.loads(row[6])
    return JobEntry(
        id=row[0],
        owner=row[1],
        caller=row[2],
        door=row[3],
        form=row[4],
        token=row[5],
        request=from_plain(asked["request"], ImageRequest),
        stream=asked["stream"],
        state=row[7],
        begun_at=row[8],
        ended_at=row[9],
        lost=bool(row[10]),
        told=orjson.loads(row[11] or b"{}"),
    )


def settle_job(link: Link, job_id: str, calendar: Calendar) -> None:
    """Add what an open job cost to its caller's account; nothing when it has ended already."""
    sql = "SELECT caller, begun_at, asked FROM jobs WHERE id = :id AND state = 'open'"
    for caller, begun_at, asked in link.run(sql, id=job_id):
        attempts = [from_json(entry, Attempt) for (entry,) in link.run(_ATTEMPTS, job=job_id)]
        outcomes = {slot: not entry.startswith(_FAILURE) for slot, entry in link.run(_OUTCOMES, job=job_id)}
        model = "" if attempts else str(orjson.loads(asked)["request"]["model"])
        settle(link, Ended(caller, job_id, model, begun_at, attempts, outcomes), calendar)


_ATTEMPTS = "SELECT entry FROM attempts WHERE job = :job ORDER BY id"
_OUTCOMES = "SELECT slot, entry FROM outcomes WHERE job = :job"
_FAILURE = '{"type":"failure"'
"""How the entry of a failure begins: to count them they need not be read."""


def put_attempt(job_id: str, attempt: Attempt) -> Entry:
    """The entry that brings an attempt up to date."""
    values = {
        "id": attempt.id,
        "job": job_id,
        "charged": attempt.charged.value,
        "cost_nusd": attempt.cost_nusd,
        "estimate_nusd": attempt.estimate_nusd,
        "at": attempt.intent_at,
        "entry": to_json(attempt).decode(),
    }
    sql = (
        "INSERT INTO attempts (id, job, charged, cost_nusd, estimate_nusd, at, entry)"
        " VALUES (:id, :job, :charged, :cost_nusd, :estimate_nusd, :at, :entry)"
        " ON CONFLICT (id) DO UPDATE SET charged = excluded.charged, cost_nusd = excluded.cost_nusd,"
        " entry = excluded.entry"
    )
    return lambda link: _run(link, sql, **values)


def put_outcome(job_id: str, outcome: Outcome) -> Entry:
    """The entry that ends a slot."""
    sql = (
        "INSERT INTO outcomes (slot, job, entry) VALUES (:slot, :job, :entry)"
        " ON CONFLICT (slot) DO UPDATE SET entry = excluded.entry"
    )
    entry = to_json(outcome).decode()

    def put(link: Link) -> None:
        link.run(sql, slot=outcome.slot.id, job=job_id, entry=entry)
        if isinstance(outcome, Picture):
            put_signed(link, job_id, outcome)

    return put


def _run(link: Link, sql: str, **values: object) -> None:
    link.run(sql, **values)


def _answer(written: asyncio.Future[None], error: BaseException | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
