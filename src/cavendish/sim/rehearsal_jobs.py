"""Rehearsal jobs: a batch API for plays: jobs that end in their own time, and what came of each of their calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace

from ..catalog.cards import Latency
from ..engine.ports import Clock
from ..model.call import Done
from ..model.fault import Charged, Fault, FaultKind
from ..model.job import Job, JobLine, JobResult, JobState
from .faults import BREAKDOWNS, LINES
from .rehearsal import Stage

HOUR_S = 3600.0
TURNAROUND = Latency(4 * HOUR_S, 16 * HOUR_S)
"""How long a job takes. Providers promise a day and say no more: this is supposed, and told as such."""
PROMISED_S = 24 * HOUR_S


@dataclass(slots=True)
class _Taken:
    job: Job
    lines: Sequence[JobLine]
    ends_at: float
    cancelled: bool = False


class RehearsalJobs:
    """Implements ``engine.bulk.ports.Jobs`` for one key on a stage."""

    def __init__(self, stage: Stage, key: str, clock: Clock) -> None:
        self._stage = stage
        self._key = key
        self._clock = clock
        self._taken: dict[str, _Taken] = {}

    @property
    def key(self) -> str:
        """Whose jobs they are."""
        return self._key

    async def submit(self, name: str, lines: Sequence[JobLine]) -> Job | Fault:
        """A job, taken at once."""
        takes_s = min(PROMISED_S, self._stage.dice.lognormal(TURNAROUND.p50_s, TURNAROUND.p90_s))
        job = Job(self._stage.ticket(), name, JobState.PENDING)
        self._taken[job.id] = _Taken(job, tuple(lines), self._clock.monotonic() + takes_s)
        return job

    async def find(self, name: str) -> Job | Fault | None:
        """The job of that name."""
        return next((taken.job for taken in self._taken.values() if taken.job.name == name), None)

    async def look(self, job_id: str) -> Job | Fault:
        """How it stands."""
        taken = self._taken[job_id]
        if taken.cancelled:
            return replace(taken.job, state=JobState.CANCELLED)
        over = self._clock.monotonic() >= taken.ends_at
        return replace(taken.job, state=JobState.SUCCEEDED if over else JobState.RUNNING)

    async def cancel(self, job_id: str) -> Fault | None:
        """Give it up."""
        self._taken[job_id].cancelled = True
        return None

    async def results(self, job: Job, wanted: Callable[[str], bool]) -> AsyncGenerator[JobResult | Fault]:
        """What came of its calls; none, when it was given up."""
        taken = self._taken[job.id]
        for line in taken.lines if job.state is JobState.SUCCEEDED else ():
            if wanted(line.key):
                yield JobResult(line.key, self._reply(line))

    def _reply(self, line: JobLine) -> Done | Fault:
        stage = self._stage
        kind = stage.repertoire.kind(line.request)
        mishap = stage.dice.pick(stage.profile.faults)
        # No line of its own can break, and nobody is too busy for what may take a day.
        fine = mishap in BREAKDOWNS or mishap in LINES
        reply = stage.reply(kind, None if fine else mishap, 0)
        if isinstance(reply, Done | Fault):
            return reply
        return Fault(FaultKind.MALFORMED, "the line has no answer", Charged.UNKNOWN)
