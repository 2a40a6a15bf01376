"""Carrier: one job from its name on the books to the receipt of its last call.

A job is asked for only when its attempts are on the books under its name, and asked for again only when the provider's
list does not have that name: so an answer that was lost never makes a second job.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import replace
from typing import Protocol

from ...model.attempt import Attempt
from ...model.call import Done
from ...model.fault import Charged, Fault, FaultKind
from ...model.job import Job, JobResult, JobState
from ..flight import Flight, Landing, Parts
from ..policy import PACED, SHUTTING, Policy
from ..queue import Work
from ..step import WAITS_BEFORE_RETRY
from .chunk import Chunk, released, unfinished
from .ports import BulkLane, BulkPolicy

ASK_TRIES = 40
"""How often a job is asked for, or looked at, in spite of trouble on the line: with the back-off, half an hour."""
PACED_TRIES = 2_000
"""So often a full queue at the provider is waited for: it empties as jobs end, which may take days."""
PACED_CAP_S = 300.0
RESULT_TRIES = 12
GONE_LOOKS = 3
"""A new job may be missing for a moment where it was made."""
CANCEL_S = 900.0
"""How long a job may take to end after it was cancelled; it finishes the calls that it is at."""
LANDINGS = 16
POLL_GROWTH = 1.5

_AGAIN = WAITS_BEFORE_RETRY | PACED | {FaultKind.MALFORMED}


class Desk(Protocol):
    """The bulk run, as a carrier sees it."""

    @property
    def leaving(self) -> bool:
        """Whether everything is to be left as it stands on the books."""
        ...

    @property
    def overdue(self) -> bool:
        """Whether the deadline of all jobs has passed."""
        ...

    async def pause(self, seconds: float, why: str = "") -> None:
        """Wait, but not beyond the moment at which all is left, or the deadline passes."""
        ...

    def shut(self, place: BulkLane, fault: Fault) -> None:
        """No further job is to be asked for here."""
        ...

    def stop(self, fault: Fault) -> None:
        """The run cannot go on as it was meant."""
        ...


class Carrier:
    """Carries jobs. Decides nothing about slots: that is ``Flight``'s, one call at a time."""

    def __init__(self, desk: Desk, flight: Flight, parts: Parts, policy: Policy, bounds: BulkPolicy) -> None:
        self._desk = desk
        self._flight = flight
        self._parts = parts
        self._policy = policy
        self._bounds = bounds

    async def carry(self, chunk: Chunk) -> None:
        """Ask for the job unless that was done, wait for its end, land what came of each of its calls."""
        job = Job(chunk.job_id, chunk.name) if chunk.job_id else await self._taken(chunk)
        if job is not None:
            job = await self._ended(chunk, job)
        if job is not None:
            await self._landed(chunk, job)

    # --- asking -----------------------------------------------------------------------------------------------------

    async def _taken(self, chunk: Chunk) -> Job | None:
        """The job, once the provider has it; ``None`` when it has none, or all is left."""
        for tries in itertools.count():
            reply = await self._asked(chunk)
            if self._desk.leaving and not isinstance(reply, Job):
                return None
            if isinstance(reply, Job):
                await self._parts.ledger.waiting_all(chunk.taken(reply))
                return reply
            bound = PACED_TRIES if reply.kind in PACED else ASK_TRIES
            if reply.kind not in _AGAIN or tries >= bound:
                await self._refused(chunk, reply)
                return None
            await self._desk.pause(self._wait_s(reply, tries), f"the batch is not taken: {reply.message}")
        return None

    async def _asked(self, chunk: Chunk) -> Job | Fault:
        """Look for it under its name when it may be there, and ask for it when it is not."""
        if chunk.maybe_sent:
            age_s = self._parts.clock.now() - chunk.asked_at
            if 0 <= age_s < self._bounds.listing_s:
                await self._desk.pause(self._bounds.listing_s - age_s)
            found = await chunk.place.jobs.find(chunk.name)
            if found is not None:
                return found
            chunk.maybe_sent = False
        if self._desk.leaving or self._desk.overdue:
            return Fault(FaultKind.JOB_EXPIRED, "no job was taken in time", Charged.NO)
        reply = await chunk.place.jobs.submit(chunk.name, chunk.lines())
        # Its input may have been uploaded for minutes before it was asked for.
        chunk.asked_at = self._parts.clock.now()
        chunk.maybe_sent = isinstance(reply, Fault) and reply.charged is not Charged.NO
        return reply

    def _wait_s(self, fault: Fault, tries: int) -> float:
        wait_s = self._policy.backoff(tries, self._parts.dice.uniform())
        if fault.kind in PACED:
            wait_s = min(PACED_CAP_S, wait_s * 5)
        return max(wait_s, fault.retry_after_s or 0.0)

    async def _refused(self, chunk: Chunk, fault: Fault) -> None:
        """There will be no job. When that is not certain, its attempts stay on the books for the next run to find."""
        if chunk.maybe_sent:
            self._desk.stop(fault)
            return
        if not self._desk.overdue:
            self._desk.shut(chunk.place, fault)
        await self._land_rest(chunk, released(fault.message, Charged.NO, fault.reason or fault.kind.value))

    # --- waiting ----------------------------------------------------------------------------------------------------

    async def _ended(self, chunk: Chunk, job: Job) -> Job | None:
        """The job at its end; ``None`` when all is left, or it cannot be asked for any more."""
        delay_s, misses = self._bounds.first_poll_s, 0
        while not job.over:
            if self._desk.overdue and not chunk.given_up:
                await self._give_up(chunk)
                delay_s = self._bounds.first_poll_s
            if self._desk.leaving:
                return None
            looked = await chunk.place.jobs.look(job.id)
            misses = misses + 1 if isinstance(looked, Fault) else 0
            if isinstance(looked, Job):
                job = looked
            elif (told := self._lost(job, looked, misses)) is not None:
                return told if told.over else None
            if not job.over and self._too_late(chunk):
                return replace(job, state=JobState.CANCELLED, fault=_NOT_ENDED)
            if not job.over:
                await self._desk.pause(delay_s, _told(job))
                delay_s = min(self._bounds.poll_cap_s, delay_s * POLL_GROWTH)
        return job

    async def _give_up(self, chunk: Chunk) -> None:
        chunk.given_up = True
        chunk.given_up_at = self._parts.clock.monotonic()
        # Whether it was taken shows when the job is looked at.
        await chunk.place.jobs.cancel(chunk.job_id)

    def _too_late(self, chunk: Chunk) -> bool:
        return chunk.given_up and self._parts.clock.monotonic() - chunk.given_up_at > CANCEL_S

    def _lost(self, job: Job, fault: Fault, misses: int) -> Job | None:
        """What to make of a job that cannot be looked at: ``None`` to look again; one that is not over is left."""
        if fault.kind is FaultKind.MODEL_NOT_FOUND:
            if misses < GONE_LOOKS:
                return None
            gone = Fault(FaultKind.JOB_FAILED, f"the provider knows no job {job.id}", Charged.UNKNOWN)
            return replace(job, state=JobState.FAILED, fault=gone)
        if fault.kind in SHUTTING or misses >= ASK_TRIES:
            self._desk.stop(fault)
            return job
        return None

    # --- landing ----------------------------------------------------------------------------------------------------

    async def _landed(self, chunk: Chunk, job: Job) -> None:
        problem: Fault | None = None
        for tries in range(RESULT_TRIES):
            problem = await self._land_results(chunk, job)
            if problem is None or not chunk.open or problem.kind is FaultKind.MODEL_NOT_FOUND or self._desk.leaving:
                break
            await self._desk.pause(self._policy.backoff(tries, self._parts.dice.uniform()))
        if self._desk.leaving or not chunk.open:
            return
        if problem is None:
            await self._land_rest(chunk, self._of_unfinished(chunk, job))
        elif problem.kind is FaultKind.MODEL_NOT_FOUND:
            gone = Fault(FaultKind.JOB_FAILED, "the results are not kept any more", Charged.UNKNOWN)
            await self._land_rest(chunk, gone)
        else:
            # They are paid for and still there: the next run fetches them.
            self._desk.stop(problem)

    def _of_unfinished(self, chunk: Chunk, job: Job) -> Fault:
        fault = job.fault if job.fault and job.fault.charged is Charged.UNKNOWN else unfinished(job)
        if chunk.given_up or self._bounds.goes_online:
            return released(fault.message, fault.charged, fault.kind.value)
        return fault

    async def _land_results(self, chunk: Chunk, job: Job) -> Fault | None:
        """Land what came of the calls, some at a time; returns why not all of it could be read."""
        landing: set[asyncio.Task[None]] = set()
        problem: Fault | None = None
        try:
            async with contextlib.aclosing(chunk.place.jobs.results(job, chunk.open.__contains__)) as results:
                async for result in results:
                    if isinstance(result, Fault):
                        problem = result
                        break
                    if result.key in chunk.open:
                        landing.add(self._landing(chunk, result))
                    if len(landing) >= LANDINGS:
                        landing = await _some_done(landing)
                    if self._desk.leaving:
                        break
        finally:
            # What has arrived is durable: it is put on the books, whatever broke meanwhile.
            done = await asyncio.gather(*landing, return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
        return problem

    def _landing(self, chunk: Chunk, result: JobResult) -> asyncio.Task[None]:
        """The landing of a call, which is taken from the open ones at once: a provider may tell of one twice."""
        return asyncio.ensure_future(self._land(chunk, chunk.open.pop(result.key), result.reply))

    async def _land(self, chunk: Chunk, landed: tuple[Work, Attempt], reply: Done | Fault) -> None:
        work, attempt = landed
        if chunk.given_up and isinstance(reply, Fault) and reply.kind is FaultKind.JOB_EXPIRED:
            reply = released(reply.message, reply.charged, reply.reason)
        latency_s = max(0.0, self._parts.clock.now() - attempt.intent_at)
        landing = Landing((attempt,), reply, latency_s, chunk.reserved.get(attempt.id, 0))
        await self._flight.land(chunk.place.lane, (work,), landing)

    async def _land_rest(self, chunk: Chunk, fault: Fault) -> None:
        await asyncio.gather(*(self._landing(chunk, JobResult(key, fault)) for key in tuple(chunk.open)))


_NOT_ENDED = Fault(FaultKind.JOB_EXPIRED, "the job did not end when it was cancelled", Charged.UNKNOWN)


def _told(job: Job) -> str:
    """Where a job stands, for people."""
    counts = job.counts
    made = f", {counts.succeeded + counts.failed} of {counts.total}" if counts.total else ""
    return f"the batch is {job.state.value}{made}"


async def _some_done(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait until one has ended; returns the others. Raises what any of them raised."""
    done, going = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return going
