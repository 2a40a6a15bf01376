"""Batches: what the results of batch jobs say that their calls used, read once more where they are still kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

from ...catalog.resolve import Resolved
from ...dialects.gemini import GeminiDialect
from ...dialects.gemini.batch import GeminiBatch
from ...errors import InputError
from ...io.blobs.memory import MemoryBlobs
from ...io.http.bulk import GoogleJobs
from ...io.quota.local import fingerprint
from ...model.bill import Bill, BillLine
from ...model.fault import Fault
from ...model.job import JobResult
from ...model.request import ImageRequest
from ...model.result import Slot
from ...plan.estimate import PriceBook
from ..build import Workshop
from ..order import BATCH
from ..routes import RouteWish, dialect_of
from .calls import OurCall


async def read_jobs(workshop: Workshop, calls: Sequence[OurCall]) -> AsyncIterator[Bill | str]:
    """For each endpoint and model a bill of the lines of its jobs, by the catalog's prices; or why there is none."""
    wanted: dict[tuple[str, str], list[OurCall]] = defaultdict(list)
    for call in calls:
        if call.job:
            wanted[call.endpoint, call.model].append(call)
    for (endpoint, model), ours in sorted(wanted.items()):
        notes: list[str] = []
        try:
            lines = await _lines(workshop, endpoint, model, ours, notes)
        except InputError as error:
            yield f"{endpoint}: the results of its batch jobs cannot be read: {error}"
            continue
        for note in notes:
            yield f"{endpoint}: {note}"
        yield Bill(f"{endpoint}: batch results", (endpoint,), tuple(lines), complete=False)


async def _lines(
    workshop: Workshop, endpoint: str, model: str, calls: Sequence[OurCall], notes: list[str]
) -> list[BillLine]:
    routes = workshop.setup.routes(RouteWish(via=(endpoint,), mode=BATCH))
    lines: list[BillLine] = []
    for resolved, door in workshop.doors(routes, model, MemoryBlobs()):
        dialect = dialect_of(resolved)
        if not isinstance(dialect, GeminiDialect):
            continue
        jobs = GoogleJobs(door, GeminiBatch(dialect.version, dialect.spelling))
        whose = fingerprint(door.key.reveal() if door.key else "")
        for job_id in sorted({call.job for call in calls if call.key in {whose, ""}}):
            async for found in _results(jobs, job_id):
                if isinstance(found, Fault):
                    notes.append(f"the results of {job_id} are not to be had: {found.message or found.kind.value}")
                else:
                    lines.append(_line(found, resolved, job_id))
    return lines


async def _results(jobs: GoogleJobs, job_id: str) -> AsyncIterator[JobResult | Fault]:
    job = await jobs.look(job_id)
    if isinstance(job, Fault):
        yield job
        return
    async for result in jobs.replies(job):
        yield result


def _line(result: JobResult, resolved: Resolved, job_id: str) -> BillLine:
    """A line by what it used; the catalog's price of it."""
    slot = Slot("", "", 0, 0, ImageRequest((), resolved.card.id))
    amount = PriceBook.of(resolved).cost(slot, result.reply.usage, result.reply)
    return BillLine(amount, result.key, model=resolved.card.id, quantity=1, place=job_id)
