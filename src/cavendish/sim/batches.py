"""The simulated Batch API: jobs that wait, run and end as time goes by. No IO; time is an argument.

Each call of a job is judged when its turn comes, so what was cancelled in time is not billed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ..dialects.gemini.batch import JobWish, write_result
from ..dialects.gemini.uploads import moment
from ..model.call import Done, Open
from ..model.fault import Fault, FaultKind
from ..model.job import Job, JobCounts, JobLine, JobResult, JobState
from ..wire.message import JsonBody
from ..wire.pour import pour
from .faults import Line
from .provider import SimProvider
from .roundtrip import spelled
from .shelves import MemoryShelf

MAX_JOBS: Final = 100
"""Concurrent jobs of a project, by Google's page on limits."""


@dataclass(slots=True)
class BatchMood:
    """How the service is today, for tests and rehearsals. A job waits and takes so many times what one call does.

    ``ends`` are how the next jobs end, ``succeeded`` when there is nothing; ``lost`` so many creations are answered by
    a broken line after the job was made; ``busy`` so many are refused with a full queue. ``cut_after`` breaks the next
    downloads off after so many bytes each, ``cut_pieces`` so many pieces of uploads in their middle.
    """

    waits: float = 5.0
    takes: float = 15.0
    ends: list[JobState] = field(default_factory=list[JobState])
    lost: int = 0
    busy: int = 0
    cut_after: list[int] = field(default_factory=list[int])
    cut_pieces: int = 0
    missing: list[set[int]] = field(default_factory=list[set[int]])
    """Lines, by number, that the results of the next jobs leave out."""


@dataclass(slots=True)
class Work:
    """A job and how far it is."""

    id: str
    wish: JobWish
    lines: Sequence[JobLine]
    key: str
    made_at: float
    made: str
    waits_s: float
    takes_s: float
    end: JobState
    results: list[JobResult] = field(default_factory=list[JobResult])
    refs: list[str] = field(default_factory=list[str])
    stopped: JobState | None = None
    missing: frozenset[int] = frozenset()

    def due(self, now: float) -> int:
        """How many calls have had their turn."""
        ran_s = now - self.made_at - self.waits_s
        if ran_s < 0 or self.end is JobState.FAILED:
            return 0
        share = 1.0 if self.takes_s <= 0 else min(1.0, ran_s / self.takes_s)
        if self.end is JobState.EXPIRED:
            share /= 2
        return int(len(self.lines) * share)

    def state(self, now: float) -> JobState:
        """Where it stands."""
        if self.stopped:
            return self.stopped
        if now - self.made_at < self.waits_s:
            return JobState.PENDING
        return self.end if now - self.made_at >= self.waits_s + self.takes_s else JobState.RUNNING


class Batches:
    """All jobs of one system. ``sim`` judges their calls, ``shelf`` must be its own."""

    def __init__(self, sim: SimProvider, shelf: MemoryShelf) -> None:
        self.mood = BatchMood()
        self._sim = sim
        self._shelf = shelf
        self._works: dict[str, Work] = {}
        self._numbers = itertools.count(1)

    def create(self, wish: JobWish, lines: Sequence[JobLine], key: str, times: tuple[float, float]) -> Work | Fault:
        """Take a job, unless there are too many."""
        now, wall = times
        if self.mood.busy or len(self._active(key, now)) >= MAX_JOBS:
            self.mood.busy = max(0, self.mood.busy - 1)
            message = "You exceeded your current quota: too many tokens are enqueued."
            return Fault(FaultKind.RATE_LIMITED, message, reason="RESOURCE_EXHAUSTED", status=429)
        call_s = self._call_s(wish.model, wall)
        work = Work(
            id=f"batches/sim{next(self._numbers)}",
            wish=wish,
            lines=lines,
            key=key,
            made_at=now,
            made=moment(wall),
            waits_s=self.mood.waits * call_s,
            takes_s=self.mood.takes * call_s,
            end=self.mood.ends.pop(0) if self.mood.ends else JobState.SUCCEEDED,
            missing=frozenset(self.mood.missing.pop(0) if self.mood.missing else ()),
        )
        self._works[work.id] = work
        return work

    def _call_s(self, model: str, wall: float) -> float:
        """How long one call of this model usually takes."""
        entry = self._sim.menu.find(model, wall)
        profile = self._sim.profile
        return (profile.latency_of("1K", entry.offer.latency) if entry else profile.latency_of("1K")).p50_s

    def find(self, identity: str, key: str) -> Work | None:
        """A job, for its own key."""
        work = self._works.get(identity)
        return work if work and work.key == key else None

    def all(self, key: str) -> list[Work]:
        """All jobs of a key, the newest first."""
        return [work for work in self._works.values() if work.key == key][::-1]

    def cancel(self, work: Work, times: tuple[float, float]) -> None:
        """Give a job up: one that has begun ends as succeeded, with errors for what had no turn."""
        self._go_on(work, times)
        state = work.state(times[0])
        if state is JobState.PENDING:
            work.stopped = JobState.CANCELLED
        elif state is JobState.RUNNING:
            left = range(len(work.results), len(work.lines))
            gone = Fault(FaultKind.CANCELLED, "Batch was cancelled.", reason="CANCELLED")
            work.results += [JobResult(work.lines[i].key, gone) for i in left]
            work.stopped = JobState.SUCCEEDED

    def delete(self, work: Work) -> None:
        """Forget a job and its results."""
        self._shelf.drop(work.refs)
        self._works.pop(work.id, None)

    def job(self, work: Work, times: tuple[float, float]) -> Job:
        """The job as it is told of."""
        self._go_on(work, times)
        state = work.state(times[0])
        over = replace(Job(work.id), state=state).over
        succeeded = sum(isinstance(result.reply, Done) for result in work.results)
        counts = JobCounts(
            len(work.lines), succeeded, len(work.results) - succeeded, len(work.lines) - len(work.results)
        )
        failed = state in {JobState.FAILED, JobState.CANCELLED} and over
        gone = {JobState.FAILED: _FAILED, JobState.CANCELLED: _CANCELLED}.get(state)
        return Job(
            id=work.id,
            name=work.wish.name,
            state=state,
            model=f"models/{work.wish.model.removeprefix('models/')}",
            counts=counts,
            input_file=work.wish.file,
            results_file=results_name(work) if over and not failed and work.wish.file else "",
            fault=gone,
            created=work.made,
            updated=moment(times[1]),
            ended=moment(times[1]) if over else "",
        )

    def inline(self, work: Work) -> list[JsonBody]:
        """The results of an inline job."""
        return [write_result(result, inline=True) for result in self._told(work)]

    def lines(self, work: Work) -> Iterator[bytes]:
        """The file of results."""
        for result in self._told(work):
            yield from spelled(pour(write_result(result)), self._shelf.read)
            yield b"\n"

    def _told(self, work: Work) -> list[JobResult]:
        return [result for number, result in enumerate(work.results) if number not in work.missing]

    def _active(self, key: str, now: float) -> list[Work]:
        return [work for work in self.all(key) if not Job(work.id, state=work.state(now)).over]

    def _go_on(self, work: Work, times: tuple[float, float]) -> None:
        """Judge the calls whose turn has come."""
        if work.stopped:
            return
        for line in work.lines[len(work.results) : work.due(times[0])]:
            work.results.append(JobResult(line.key, self._judged(line, work.key, times)))
            work.refs += self._shelf.made()

    def _judged(self, line: JobLine, key: str, times: tuple[float, float]) -> Done | Fault:
        planned = self._sim.handle(Open(line.request), key, *times)
        if planned.line is not Line.CLEAN or not isinstance(planned.reply, Done | Fault):
            return Fault(FaultKind.SERVER_ERROR, "Simulated: an internal error.", reason="INTERNAL", status=500)
        return planned.reply


def results_name(work: Work) -> str:
    """The name of a job's file of results."""
    return f"files/batch-{work.id.removeprefix('batches/')}"


_FAILED: Final = Fault(FaultKind.SERVER_ERROR, "Simulated: the job failed.", reason="INTERNAL", status=500)
_CANCELLED: Final = Fault(FaultKind.CANCELLED, "Batch was cancelled.", reason="CANCELLED")
