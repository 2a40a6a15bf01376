"""The door for Google's Batch API: jobs of generateContent requests, inline or out of a file of lines."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from ....dialects.gemini.batch import JobWish, read_create, read_line, write_job, write_page, write_result
from ....dialects.gemini.uploads import moment, no_file, page_of
from ....errors import CavendishError
from ....io.desk.batches import CANCELLING, EXPIRED, FAILED, BatchEntry, LineEntry, Standing
from ....io.desk.books import CANCELLED, DONE, OPEN
from ....model.call import Later, Open
from ....model.fault import Fault, FaultKind
from ....model.job import Job, JobCounts, JobLine, JobResult, JobState
from ....model.request import ImageRequest
from ....wire.blobs import Limits
from ....wire.message import JsonBody, WireResponse
from ....wire.reading import text
from ..batches.batches import MODE, OUTPUT, Batches
from ..batches.modes import Dearer, page_of_mode, read_mode
from ..batches.named import earlier, name_of
from ..jobs.answer import reply_of
from ..routing import World
from ..transit.outlet import send
from ..wants import Answer, fault_of
from .door import Door, json_response
from .lines import fitted, line_values

PLACE: Final = "generateContent"
INLINE: Final = Limits(envelope_bytes=16 << 20, blobs=2000, blob_bytes=64 << 20, total_bytes=256 << 20)
"""Of all inline requests together; Google takes 20 MB, and who has more sends a file."""

ADDED_AT_ONCE: Final = 64
"""Lines that are written down together."""

ENDED: Final = (DONE, FAILED, CANCELLED)
_STATES: Final[Mapping[str, JobState]] = {
    OPEN: JobState.RUNNING,
    CANCELLING: JobState.RUNNING,
    DONE: JobState.SUCCEEDED,
    CANCELLED: JobState.CANCELLED,
    FAILED: JobState.FAILED,
    EXPIRED: JobState.EXPIRED,
}


class GoogleScribe:
    """Implements ``Scribe`` in Google's words: inline results, or one file with a line for each request."""

    def write(self, line: LineEntry, came: Answer | Fault) -> JsonBody:
        """One result."""
        return write_result(result_of(line, came))

    def files(self, standing: Standing, batch: BatchEntry) -> Mapping[str, Sequence[str]]:  # noqa: ARG002
        """One file when the requests came in one."""
        return {OUTPUT: ENDED} if batch.asked.get("file") else {}


def result_of(line: LineEntry, came: Answer | Fault) -> JobResult:
    """What came of a line."""
    reply = came if isinstance(came, Fault) else reply_of(came)
    assert not isinstance(reply, Later)  # a job that has ended
    return JobResult(line.key, reply)


class GoogleBatches:
    """Batches as Google's SDKs make them. ``google`` writes the errors and reads the bodies."""

    def __init__(self, google: Door, batches: Batches) -> None:
        self._google = google
        self._desk = google.desk
        self._batches = batches

    async def create(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """Take a batch."""
        batch_id = self._desk.fresh_id()
        body = await replace(self._google.intake, limits=INLINE).body(request, batch_id)
        wish = body if isinstance(body, Fault) else read_create(body, match["model"])
        mode = read_mode(request.headers, {})
        fault = wish if isinstance(wish, Fault) else self._unknown_model(wish.model)
        if isinstance(wish, Fault) or isinstance(mode, Fault) or fault:
            self._google.intake.drop(batch_id)
            return await self._google.refuse(request, fault or (mode if isinstance(mode, Fault) else _EMPTY))
        batch = BatchEntry(
            id=batch_id,
            owner=self._batches.books.owner,
            caller=caller,
            door=World.GOOGLE,
            created_at=self._batches.files.now(),
            asked={
                "model": wish.model,
                "name": wish.name,
                "file": wish.file,
                MODE: mode,
                **name_of(request.headers, wish.lines),
            },
        )
        known = await earlier(self._batches.books, caller, World.GOOGLE, batch.asked)
        if known is not None:
            self._google.intake.drop(batch_id)
            is_other = isinstance(known, Fault)
            return await self._google.refuse(request, known) if is_other else await self._told(request, known)
        dearer = Dearer(self._batches, caller, mode)
        refused = await self._added(request, batch, wish, dearer)
        if refused is not None:
            self._google.intake.drop(batch_id)
            await self._batches.books.drop(batch_id)
            return await self._google.refuse(request, refused)
        made = await self._batches.create(replace(batch, told=dearer.told()))
        if made.id != batch_id:
            self._google.intake.drop(batch_id)
        return await self._told(request, made)

    async def list(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """One page of a caller's batches, the newest first."""
        batches = await self._batches.all(caller, World.GOOGLE)
        start, end, more = page_of(request.query.get("pageSize", ""), request.query.get("pageToken", ""), len(batches))
        return json_response(write_page([await self._job(batch) for batch in batches[start:end]], more))

    async def one(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """How a batch stands, with its inline results when it has ended."""
        batch = await self._batches.find(match["name"], caller, World.GOOGLE)
        return await (self._told(request, batch) if batch else self._missing(request, match))

    async def cancel(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """Give a batch up."""
        batch = await self._batches.find(match["name"], caller, World.GOOGLE)
        if batch is None:
            return await self._missing(request, match)
        await self._batches.cancel(batch)
        return json_response({})

    async def delete(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """Forget a batch."""
        batch = await self._batches.find(match["name"], caller, World.GOOGLE)
        if batch is None:
            return await self._missing(request, match)
        await self._batches.delete(batch)
        return json_response({})

    # --- lines --------------------------------------------------------------------------------------------------------

    def _unknown_model(self, name: str) -> Fault | None:
        try:
            self._desk.routes().resolve(name)
        except CavendishError as error:
            return fault_of(error)
        return None

    async def _added(self, http: web.Request, batch: BatchEntry, wish: JobWish, dearer: Dearer) -> Fault | None:
        """Write the lines down; why there can be no such batch."""
        lines: list[LineEntry] = []
        count = 0
        async for line in self._lines(http, batch, wish):
            if isinstance(line, Fault):
                return line
            await dearer.see(line)
            lines.append(replace(line, number=count))
            count += 1
            if len(lines) == ADDED_AT_ONCE:
                await self._batches.books.add(lines)
                lines = []
        await self._batches.books.add(lines)
        return None if count else _EMPTY

    async def _lines(self, http: web.Request, batch: BatchEntry, wish: JobWish) -> AsyncIterator[LineEntry | Fault]:
        """All lines; a fault is the whole batch's."""
        if not wish.file:
            kept = await self._kept(batch, wish.lines)
            for number, line in enumerate(kept):
                entry = await self._fitting(http, batch, line)
                if isinstance(entry, Fault):
                    entry = entry.having(message=f"requests[{number}]: {entry.message}")
                yield entry
            return
        file = await self._batches.files.find(wish.file.removeprefix("files/"), batch.caller)
        if file is None:
            yield no_file(wish.file)
            return
        async for own_id, value in line_values(self._batches.files.read(file), self._google.intake, batch.id):
            line = value if isinstance(value, Fault) else read_line(value, wish.model)
            key = _key(value)
            entry = line if isinstance(line, Fault) else await self._line(http, batch, line, own_id)
            if isinstance(entry, Fault):
                # What is wrong with a line is its own result, not the whole batch's.
                self._google.intake.drop(own_id)
                entry = LineEntry(batch.id, 0, key, PLACE, state=FAILED, fault=entry)
            yield entry

    async def _kept(self, batch: BatchEntry, lines: Sequence[JobLine]) -> list[JobLine]:
        """Inline requests, with what all of them brought kept together."""
        turns = [turn for line in lines for turn in line.request.turns]
        kept = await self._google.intake.kept(ImageRequest(tuple(turns), ""), batch.id)
        rest = list(kept.turns)
        moved: list[JobLine] = []
        for line in lines:
            own, rest = rest[: len(line.request.turns)], rest[len(line.request.turns) :]
            moved.append(replace(line, request=line.request.having(turns=tuple(own))))
        return moved

    async def _line(self, http: web.Request, batch: BatchEntry, line: JobLine, own_id: str) -> LineEntry | Fault:
        """A line of a file."""
        kept = await self._google.intake.kept(line.request, own_id)
        return await self._fitting(http, batch, replace(line, request=kept))

    async def _fitting(self, http: web.Request, batch: BatchEntry, line: JobLine) -> LineEntry | Fault:
        asked = await fitted(self._google, http, batch.caller, Open(line.request))
        if isinstance(asked, Fault):
            return asked
        return LineEntry(batch.id, 0, line.key, PLACE, asked.request, asked.notices)

    # --- answers ------------------------------------------------------------------------------------------------------

    async def _told(self, request: web.Request, batch: BatchEntry) -> web.StreamResponse:
        job = await self._job(batch)
        inline: list[JsonBody] = []
        if job.over and not batch.asked.get("file"):
            inline = [_inline(body) async for body in self._batches.bodies(batch, ENDED)]
        operation = write_job(job, inline)
        cost_nusd = await self._batches.books.cost_nusd(batch.id)
        operation["metadata"]["cavendish"] = page_of_mode(batch, cost_nusd)
        response = WireResponse(200, body=operation)
        return await send(request, response, self._desk.blobs.read, headers={})

    async def _job(self, batch: BatchEntry) -> Job:
        standing = await self._batches.books.standing(batch.id)
        results = batch.told.get(OUTPUT)
        begun = standing.open < standing.total or batch.state != OPEN
        ended = moment(batch.ended_at) if batch.ended_at is not None else ""
        return Job(
            id=f"batches/{batch.id}",
            name=str(batch.asked.get("name", "")),
            state=_STATES[batch.state] if begun else JobState.PENDING,
            model=f"models/{str(batch.asked['model']).removeprefix('models/')}",
            counts=JobCounts(standing.total, standing.done, standing.failed + standing.cancelled, standing.open),
            input_file=str(batch.asked.get("file", "")),
            results_file=f"files/{results}" if results else "",
            created=moment(batch.created_at),
            updated=ended or moment(self._batches.files.now()),
            ended=ended,
        )

    async def _missing(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        message = f"Requested entity was not found: batches/{match['name']}."
        fault = Fault(FaultKind.MODEL_NOT_FOUND, message, reason="NOT_FOUND", status=404)
        return await self._google.refuse(request, fault)


def _inline(body: Any) -> JsonBody:
    """A line of a file of results as an inline result: its key is in the metadata.

    Without an error's details: Google's SDK takes nothing but words there, and fails on the whole job.
    """
    rest = {name: value for name, value in body.items() if name != "key"}
    if "error" in rest:
        rest["error"] = {name: value for name, value in rest["error"].items() if name != "details"}
    return {**rest, "metadata": {"key": body["key"]}} if body.get("key") else rest


def _key(value: JsonBody | Fault) -> str:
    return "" if isinstance(value, Fault) else text(value, "key")


_EMPTY: Final = Fault(
    FaultKind.INVALID_REQUEST, "a batch needs requests, or a file with lines", reason="INVALID_ARGUMENT", status=400
)
