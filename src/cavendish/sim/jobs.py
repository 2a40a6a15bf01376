"""Stored jobs: what was taken, when it ends, and with what. No IO; time is an argument in seconds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from ..model.call import Done, Later, Reply, Ticket
from ..model.fault import Charged, Fault, FaultKind
from .profile import Stored
from .quota import Breach

JOBS_KEPT = 10_000
"""The oldest are forgotten first, as results are at a real provider."""


@dataclass(slots=True)
class StoredJob:
    """One job. ``refs`` are what lies on the shelf for it."""

    ticket: Ticket
    key: str
    ends_at: float
    end: Done | Fault
    refs: tuple[str, ...] = ()
    given_up: bool = False


class Jobs:
    """All jobs of one system. ``base_url`` is the system's address, below which they are asked for."""

    def __init__(self, stored: Stored, base_url: str = "https://jobs.simulated") -> None:
        self.base_url = base_url
        self._stored = stored
        self._jobs: OrderedDict[str, StoredJob] = OrderedDict()

    def take(self, number: int, model: str, job: StoredJob, now: float, *, cost: float | None = None) -> Later:
        """Keep a job under a ticket of its own. ``cost``: what it is told to cost, in credits of a cent."""
        identity = f"sim-job-{number}"
        url = self.base_url + self._stored.address.format(id=identity, model=model)
        job.ticket = Ticket(identity, url, {} if cost is None else {"cost": cost})
        self._jobs[identity] = job
        return Later(job.ticket, self._wait_s(job, now))

    def _wait_s(self, job: StoredJob, now: float) -> float:
        """How long a caller is told to wait: no longer than the job takes, in whole milliseconds."""
        return min(self._stored.poll_s, ceil((job.ends_at - now) * 1000) / 1000)

    def ask(self, ticket: Ticket, now: float) -> Reply:
        """How a job is."""
        job = self._jobs.get(ticket.id)
        if job is None:
            return Fault(FaultKind.JOB_EXPIRED, "Simulated: there is no such job.", Charged.UNKNOWN, status=404)
        if job.given_up:
            return Fault(FaultKind.CANCELLED, "Simulated: the job was given up.", Charged.UNKNOWN)
        return job.end if now >= job.ends_at else Later(ticket, self._wait_s(job, now))

    def give_up(self, ticket: Ticket, now: float) -> Reply:
        """Cancel a job, unless it has ended."""
        job = self._jobs.get(ticket.id)
        if job and now < job.ends_at:
            job.given_up = True
        return self.ask(ticket, now)

    def full(self, key: str, limit: int, now: float) -> Breach | None:
        """The limit on what may be under way at once, when one more would break it."""
        ends = [job.ends_at for job in self._jobs.values() if job.key == key and job.ends_at > now and not job.given_up]
        return Breach("tasks", limit, min(ends) - now, len(ends)) if len(ends) >= limit else None

    def forgotten(self) -> Iterable[str]:
        """Forget the oldest beyond those that are kept; gives what lay on the shelf for them."""
        while len(self._jobs) > JOBS_KEPT:
            yield from self._jobs.popitem(last=False)[1].refs
