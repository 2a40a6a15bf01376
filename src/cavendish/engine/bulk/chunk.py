"""Chunk: the slots of one job, and how they stand on the books. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ...model.attempt import Attempt, AttemptState
from ...model.call import Open, Ticket
from ...model.fault import Charged, Fault, FaultKind
from ...model.job import Job, JobLine, JobState
from ...model.request import ImageRequest, Text
from ..queue import Work
from .ports import BulkLane, BulkPolicy

NAME, KEY = "job", "key"
"""In a ticket's data: the name that we gave the job, and the fingerprint of the key that it belongs to."""


@dataclass(slots=True)
class Filling:
    """Slots that are to go as one job, and about how many bytes they come to."""

    place: BulkLane
    works: list[Work] = field(default_factory=list[Work])
    size: int = 0

    def add(self, work: Work) -> None:
        """One slot more."""
        self.works.append(work)
        self.size += weight(work.slot.request)

    def is_full(self, policy: BulkPolicy) -> bool:
        """Whether they are as many as one job takes."""
        return len(self.works) >= policy.rows or self.size >= policy.input_bytes


@dataclass(slots=True)
class Chunk:
    """``open`` holds, by attempt, what has no receipt yet. ``job_id`` is empty until the provider took the job.

    ``maybe_sent``: it was asked for, at ``asked_at`` (epoch), and what came of that is not known. ``given_up_at`` is in
    monotonic seconds.
    """

    name: str
    place: BulkLane
    open: dict[str, tuple[Work, Attempt]] = field(default_factory=dict[str, tuple[Work, Attempt]])
    reserved: dict[str, int] = field(default_factory=dict[str, int])
    job_id: str = ""
    maybe_sent: bool = False
    asked_at: float = 0.0
    given_up: bool = False
    given_up_at: float = 0.0

    def lines(self) -> list[JobLine]:
        """What the job is asked for, each call under the id of its attempt."""
        lines: list[JobLine] = []
        for work, attempt in self.open.values():
            call = self.place.lane.make_call(work.slot, attempt.number)
            assert isinstance(call, Open)
            lines.append(JobLine(attempt.id, call.request))
        return lines

    def taken(self, job: Job) -> list[Attempt]:
        """The provider has the job: its attempts with their ticket."""
        self.job_id = job.id
        for attempt_id, (work, attempt) in self.open.items():
            assert attempt.ticket is not None
            ticket = Ticket(job.id, data=attempt.ticket.data)
            self.open[attempt_id] = work, replace(attempt, ticket=ticket)
        return [attempt for _, attempt in self.open.values()]


def job_name(run_id: str, first_attempt_id: str) -> str:
    """The name of a job: from what is on the books before it is asked for, and of no other job."""
    return f"cavendish-{run_id}-{first_attempt_id}"


def intents(works: Sequence[Work], place: BulkLane, ids: Sequence[str], run_id: str, at: float) -> Chunk:
    """A chunk of these slots as it goes on the books: waiting, with a ticket that has the job's name and no id yet."""
    name = job_name(run_id, ids[0])
    chunk = Chunk(name, place)
    for attempt_id, work in zip(ids, works, strict=True):
        estimate = place.lane.pricing.estimate(work.slot)
        attempt = Attempt(
            id=attempt_id,
            slot_id=work.slot.id,
            number=work.state.attempts,
            route=place.lane.route,
            state=AttemptState.WAITING,
            estimate_nusd=estimate,
            intent_at=at,
            ticket=Ticket("", data={NAME: name, KEY: place.jobs.key}),
            key=place.jobs.key,
        )
        chunk.open[attempt_id] = work, attempt
        chunk.reserved[attempt_id] = estimate or 0
    return chunk


def regrouped(waiting: Iterable[tuple[Work, Attempt]]) -> dict[str, list[tuple[Work, Attempt]]]:
    """Attempts that an earlier process left, by the names of their jobs."""
    jobs: dict[str, list[tuple[Work, Attempt]]] = {}
    for work, attempt in waiting:
        jobs.setdefault(str(_said(attempt, NAME)), []).append((work, attempt))
    return jobs


def is_bulk(attempt: Attempt) -> bool:
    """Whether an attempt waits for a job of many."""
    return bool(_said(attempt, NAME))


def key_of(attempt: Attempt) -> str:
    """The fingerprint of the key whose job it is in."""
    return str(_said(attempt, KEY))


def _said(attempt: Attempt, name: str) -> object:
    return attempt.ticket.data.get(name, "") if attempt.ticket else ""


def weight(request: ImageRequest) -> int:
    """About how many bytes a request takes in a job's input."""
    parts = [part for turn in request.turns for part in turn.parts]
    words = sum(len(part.text.encode(errors="replace")) for part in parts if isinstance(part, Text))
    blobs = sum(part.blob.size for part in parts if not isinstance(part, Text) and part.blob)
    return words + blobs * 4 // 3 + 500


def unfinished(job: Job) -> Fault:
    """Why a call of an ended job has no result."""
    match job.state:
        case JobState.EXPIRED:
            return Fault(FaultKind.JOB_EXPIRED, "the job expired before this call's turn", Charged.NO)
        case JobState.CANCELLED:
            return Fault(FaultKind.JOB_EXPIRED, "the job was cancelled before this call's turn", Charged.NO)
        case JobState.FAILED:
            said = job.fault.message if job.fault else ""
            return Fault(FaultKind.JOB_FAILED, said or "the job failed", Charged.NO, reason=_reason(job))
        case _:
            return Fault(FaultKind.JOB_FAILED, "the job has no result for this call", Charged.UNKNOWN)


def _reason(job: Job) -> str:
    return job.fault.reason if job.fault else ""


def released(why: str, charged: Charged, reason: str = "") -> Fault:
    """A call that no job will answer any more: its slot stays open."""
    return Fault(FaultKind.CANCELLED, why, charged, reason=reason)
