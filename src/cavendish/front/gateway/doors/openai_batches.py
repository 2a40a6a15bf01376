"""The door for OpenAI's Batch API: a file of requests, each for one of the routes of this gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aiohttp import web

from ....io.desk.batches import CANCELLING, EXPIRED, FAILED, BatchEntry, LineEntry, Standing
from ....io.desk.books import CANCELLED, DONE, OPEN
from ....io.desk.stored import FileEntry
from ....model.call import Open
from ....model.fault import Fault, FaultKind
from ....model.request import ImageRequest, JsonValue
from ....wire.message import JsonBody, WireRequest
from ....wire.reading import mapping, member, text
from ..batches.batches import CANCELLED_AT, ERRORS, LIFE, MODE, NO_TURN, OUTPUT, TOO_LATE, WINDOWS_S, Batches
from ..batches.modes import Dearer, page_of_mode, read_mode
from ..batches.named import earlier, name_of
from ..routing import World
from ..wants import Answer
from .door import Door, json_response
from .lines import fitted, line_values
from .openai_files import life_of, missing, page

ADDED_AT_ONCE: Final = 64
MOST_ERRORS: Final = 50
"""Of a file that cannot be taken: enough to see what is wrong with it."""

MAX_KEY: Final = 512
MAX_METADATA: Final = 16
MAX_METADATA_KEY, MAX_METADATA_VALUE = 64, 512
LIST_LIMIT: Final = 100

_ANY: Final = Open(ImageRequest.of("", ""))
_STATUS: Final = {OPEN: "in_progress", DONE: "completed"}


@dataclass(slots=True)
class _Reading:
    """The lines of a batch while they are read."""

    http: web.Request
    caller: str
    batch_id: str
    place: str
    door: Door
    dearer: Dearer
    keys: set[str] = field(default_factory=set[str])


class OpenaiScribe:
    """Implements ``Scribe`` in OpenAI's words. ``places`` are the doors by the path that a line names."""

    def __init__(self, places: Mapping[str, Door]) -> None:
        self._places = places

    def write(self, line: LineEntry, came: Answer | Fault) -> JsonBody:
        """One result: the answer that the request would have had by itself."""
        told: dict[str, JsonBody] = {"id": f"batch_req_{line.batch}_{line.number}", "custom_id": line.key}
        if isinstance(came, Fault) and came in (NO_TURN, TOO_LATE):
            code = "batch_cancelled" if came == NO_TURN else "batch_expired"
            return {**told, "response": None, "error": {"code": code, "message": came.message}}
        door = self._places[line.place]
        reply = came if isinstance(came, Fault) else door.made(came)
        response = door.dialect.write_reply(reply, Open(line.request) if line.request else _ANY)
        answer = {"status_code": response.status, "request_id": line.job or told["id"], "body": response.body}
        return {**told, "response": answer, "error": None}

    def files(self, standing: Standing, batch: BatchEntry) -> Mapping[str, Sequence[str]]:  # noqa: ARG002
        """What came, and what did not: each in its own file, when there is any of it."""
        divided: dict[str, Sequence[str]] = {}
        if standing.done:
            divided[OUTPUT] = (DONE,)
        if standing.failed or standing.cancelled:
            divided[ERRORS] = (FAILED, CANCELLED)
        return divided


class OpenaiBatches:
    """Batches as OpenAI's SDKs make them. ``openai`` writes the errors and reads the bodies."""

    def __init__(self, openai: Door, places: Mapping[str, Door], batches: Batches) -> None:
        self._openai = openai
        self._places = places
        self._batches = batches

    async def create(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """Take a batch. A file that cannot be taken makes one that has failed, and says why."""
        batch_id = self._openai.desk.fresh_id()
        body = await self._openai.intake.body(request, batch_id)
        self._openai.intake.drop(batch_id)
        asked = body if isinstance(body, Fault) else _read(body, self._places, request.headers)
        if isinstance(asked, Fault):
            return await self._openai.refuse(request, asked)
        asked |= name_of(request.headers)
        known = await earlier(self._batches.books, caller, World.OPENAI, asked)
        if known is not None:
            refused = isinstance(known, Fault)
            return await self._openai.refuse(request, known) if refused else json_response(await self._told(known))
        file = await self._batches.files.find(str(asked["file"]), caller)
        if file is None:
            fault = missing("File", f"file-{asked['file']}")
            return await self._openai.refuse(request, fault.having(kind=FaultKind.INVALID_REQUEST, status=400))
        place = str(asked["endpoint"])
        dearer = Dearer(self._batches, caller, str(asked[MODE]))
        errors = await self._added(_Reading(request, caller, batch_id, place, self._places[place], dearer), file)
        if errors:
            await self._batches.books.drop(batch_id)
        now = self._batches.files.now()
        batch = BatchEntry(
            id=batch_id,
            owner=self._batches.books.owner,
            caller=caller,
            door=World.OPENAI,
            created_at=now,
            asked=asked,
            told={"wrong": errors} if errors else dearer.told(),
            state=FAILED if errors else OPEN,
            ended_at=now if errors else None,
        )
        return json_response(await self._told(await self._batches.create(batch)))

    async def list(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """A caller's batches, the newest first."""
        batches = await self._batches.all(caller, World.OPENAI)
        shown = [{"id": f"batch_{batch.id}", "of": batch} for batch in batches]
        listed = page(shown, request.query.get("after", ""), request.query.get("limit", "20"), LIST_LIMIT)
        return json_response({**listed, "data": [await self._told(entry["of"]) for entry in listed["data"]]})

    async def one(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """How a batch stands."""
        batch = await self._batches.find(match["name"], caller, World.OPENAI)
        if batch is None:
            return await self._missing(request, match)
        cost_nusd = await self._batches.books.cost_nusd(batch.id)
        return json_response({**await self._told(batch), "cavendish": page_of_mode(batch, cost_nusd)})

    async def cancel(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """Give a batch up; what is in flight is finished, and kept."""
        batch = await self._batches.find(match["name"], caller, World.OPENAI)
        if batch is None:
            return await self._missing(request, match)
        if batch.state not in {OPEN, CANCELLING}:
            message = f"Cannot cancel a batch with status '{_STATUS.get(batch.state, batch.state)}'."
            return await self._openai.refuse(request, Fault(FaultKind.INVALID_REQUEST, message, status=400))
        await self._batches.cancel(batch)
        later = await self._batches.find(match["name"], caller, World.OPENAI)
        return json_response(await self._told(later or batch))

    async def _missing(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        return await self._openai.refuse(request, missing("Batch", f"batch_{match['name']}"))

    # --- lines --------------------------------------------------------------------------------------------------------

    async def _added(self, reading: _Reading, file: FileEntry) -> list[JsonValue]:
        """Write the lines down; what is wrong with them, which is nothing when they can all be worked on."""
        wrong: list[JsonValue] = []
        lines: list[LineEntry] = []
        number = 0
        async for own_id, value in line_values(self._batches.files.read(file), self._openai.intake, reading.batch_id):
            number += 1
            line = await self._line(reading, number, own_id, value)
            if isinstance(line, Fault):
                self._openai.intake.drop(own_id)
                wrong.append(_error(line, number))
            else:
                lines.append(line)
            if len(wrong) >= MOST_ERRORS:
                break
            if len(lines) >= ADDED_AT_ONCE:
                await self._batches.books.add(lines)
                lines = []
        await self._batches.books.add(lines)
        return wrong if number else [_error(_wrong("The input file is empty.", "empty_file"), 0)]

    async def _line(self, reading: _Reading, number: int, own_id: str, value: JsonBody | Fault) -> LineEntry | Fault:
        """One line, or what is wrong with it."""
        fault = value if isinstance(value, Fault) else _odd(value, reading)
        if fault is not None:
            return fault
        reading.keys.add(key := text(value, "custom_id"))
        path = reading.place.removeprefix("/v1")
        call = reading.door.read(reading.http, WireRequest("POST", path, member(value, "body")))
        if not isinstance(call, Open) or call.stream:
            return call if isinstance(call, Fault) else _wrong("A request of a batch cannot be streamed.", "invalid")
        kept = await self._openai.intake.kept(call.request, own_id)
        asked = await fitted(reading.door, reading.http, reading.caller, replace(call, request=kept))
        if isinstance(asked, Fault):
            return asked
        line = LineEntry(reading.batch_id, number, key, reading.place, asked.request, asked.notices)
        await reading.dearer.see(line)
        return line

    # --- answers ------------------------------------------------------------------------------------------------------

    async def _told(self, batch: BatchEntry) -> dict[str, Any]:
        """A batch as OpenAI tells of it."""
        standing = await self._batches.books.standing(batch.id)
        counts = {
            "total": standing.total,
            "completed": standing.done,
            "failed": standing.failed + (standing.cancelled if batch.state in {DONE, EXPIRED} else 0),
        }
        cancelled_at = int(batch.told.get(CANCELLED_AT) or batch.ended_at or batch.created_at)
        wrong = batch.told.get("wrong")
        created, ended = int(batch.created_at), None if batch.ended_at is None else int(batch.ended_at)
        return {
            "id": f"batch_{batch.id}",
            "object": "batch",
            "endpoint": batch.asked["endpoint"],
            "errors": {"object": "list", "data": wrong} if wrong else None,
            "input_file_id": f"file-{batch.asked['file']}",
            "completion_window": batch.asked["window"],
            "status": _STATUS.get(batch.state, batch.state),
            "output_file_id": _file_id(batch, OUTPUT),
            "error_file_id": _file_id(batch, ERRORS),
            "created_at": created,
            "in_progress_at": None if batch.state == FAILED else created,
            "expires_at": created + int(WINDOWS_S[World.OPENAI]),
            "finalizing_at": ended if batch.state == DONE else None,
            "completed_at": ended if batch.state == DONE else None,
            "failed_at": ended if batch.state == FAILED else None,
            "expired_at": ended if batch.state == EXPIRED else None,
            "cancelling_at": cancelled_at if batch.state in {CANCELLING, CANCELLED} else None,
            "cancelled_at": ended if batch.state == CANCELLED else None,
            "request_counts": counts,
            "metadata": batch.asked.get("metadata"),
            "cavendish": page_of_mode(batch, None),
        }


def _file_id(batch: BatchEntry, name: str) -> str | None:
    return f"file-{batch.told[name]}" if batch.told.get(name) else None


def _read(body: Any, places: Mapping[str, Door], headers: Mapping[str, str]) -> dict[str, JsonValue] | Fault:
    """What a client asks for."""
    file, endpoint = text(body, "input_file_id"), text(body, "endpoint")
    if not file:
        return _wrong("Missing required parameter: 'input_file_id'.", "missing_required_parameter")
    if endpoint not in places:
        return _wrong(f"Invalid value for 'endpoint': supported values are: {', '.join(places)}.", "invalid_value")
    window = text(body, "completion_window")
    if window != "24h":
        return _wrong("Invalid value for 'completion_window': supported values are: 24h.", "invalid_value")
    metadata = dict(mapping(body, "metadata"))
    if len(metadata) > MAX_METADATA or not all(_is_word(name, value) for name, value in metadata.items()):
        bounds = f"of up to {MAX_METADATA_VALUE} characters, under names of up to {MAX_METADATA_KEY}"
        return _wrong(f"'metadata' has at most {MAX_METADATA} members, all of them strings {bounds}.", "invalid_value")
    life_s = life_of(mapping(body, "output_expires_after"), "output_expires_after")
    if isinstance(life_s, Fault):
        return life_s
    mode = read_mode(headers, metadata)
    if isinstance(mode, Fault):
        return mode
    return {
        MODE: mode,
        LIFE: life_s,
        "file": file.removeprefix("file-"),
        "endpoint": endpoint,
        "window": window,
        "metadata": metadata or None,
    }


def _is_word(name: str, value: object) -> bool:
    return len(name) <= MAX_METADATA_KEY and isinstance(value, str) and len(value) <= MAX_METADATA_VALUE


def _odd(value: JsonBody, reading: _Reading) -> Fault | None:
    """Why a line is none that can be worked on."""
    key = text(value, "custom_id")
    if not key or len(key) > MAX_KEY:
        return _wrong("Missing required parameter: 'custom_id'.", "missing_required_parameter")
    if key in reading.keys:
        return _wrong(
            f"The custom_id for this request is a duplicate of another request: {key}.", "duplicate_custom_id"
        )
    if text(value, "method").upper() != "POST" or text(value, "url") != reading.place:
        return _wrong(
            f"The line must be a POST to '{reading.place}', the endpoint of the batch.", "mismatched_endpoint"
        )
    if not mapping(value, "body"):
        return _wrong("Missing required parameter: 'body'.", "missing_required_parameter")
    return None


def _error(fault: Fault, line: int) -> dict[str, JsonValue]:
    return {
        "code": fault.reason or fault.kind.value,
        "message": fault.message,
        "param": None,
        "line": line or None,
    }


def _wrong(message: str, code: str) -> Fault:
    return Fault(FaultKind.INVALID_REQUEST, message, reason=code, status=400)
