"""The parts that a bulk run is given beside those of every run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...model.fault import Fault
from ...model.job import Job, JobLine, JobResult
from ..ports import Lane


class Jobs(Protocol):
    """The jobs of one key at one endpoint. Faults are answers; the only exceptions are cancellation and a full disk."""

    @property
    def key(self) -> str:
        """The fingerprint of the key: its jobs are visible to no other."""
        ...

    async def submit(self, name: str, lines: Sequence[JobLine]) -> Job | Fault:
        """Ask for a job. A fault whose ``charged`` is unknown leaves open whether there is one now."""
        ...

    async def find(self, name: str) -> Job | Fault | None:
        """The job that we gave this name, ``None`` when there is none."""
        ...

    async def look(self, job_id: str) -> Job | Fault:
        """How a job stands."""
        ...

    async def cancel(self, job_id: str) -> Fault | None:
        """Give a job up. What it has finished stays to be had."""
        ...

    def results(self, job: Job, wanted: Callable[[str], bool]) -> AsyncGenerator[JobResult | Fault]:
        """What came of the calls of a job, those whose keys are wanted.

        A key is the id of an attempt. Before a ``Done`` is given out it is durable, so that ``Blobs.recorded`` finds it
        after a crash. A bare fault, as the last thing, says that not all could be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class BulkLane:
    """A route whose calls are bought as jobs. Of ``lane`` the provider and the quota are not asked."""

    lane: Lane
    jobs: Jobs


@dataclass(frozen=True, slots=True)
class BulkPolicy:
    """The bounds of a bulk run.

    ``rows`` and ``input_bytes`` bound one job, ``jobs`` those at work at once (Google takes a hundred of a project).
    Polls are ``first_poll_s`` apart at first and get rarer up to ``poll_cap_s``. ``deadline_s`` after the first of its
    jobs was asked for, those that are not done are given up. What is then left goes elsewhere, unless ``only`` says
    that it is to be left open. ``misses_online``: what a job answered without a picture goes elsewhere as well, as far
    as the cap of the run has room for it there; else it goes into a further job. ``listing_s``: how long a new job may
    be missing from the provider's list.
    """

    rows: int = 500
    input_bytes: int = 1 << 30
    jobs: int = 20
    first_poll_s: float = 10.0
    poll_cap_s: float = 120.0
    deadline_s: float | None = None
    only: bool = False
    misses_online: bool = False
    listing_s: float = 20.0

    @property
    def goes_online(self) -> bool:
        """Whether what no job made in time may be bought elsewhere, at the full price."""
        return self.deadline_s is not None and not self.only


AT_ONCE_BY_JOBS = BulkPolicy().rows * BulkPolicy().jobs
"""As many pictures as all jobs of a run that are at work at once."""
