"""The door for OpenAI's Files API: ``/v1/files``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from ....io.desk.stored import FileEntry
from ....model.blob import Blob
from ....model.fault import Fault, FaultKind
from ....wire.blobs import Limits
from ....wire.message import Field, Form
from ....wire.reading import integer
from ..batches.batches import Batches
from ..batches.files import Files, Keeping
from ..transit.download import download
from ..transit.intake import Intake
from .door import Door, json_response

MAX_FILE_BYTES: Final = 512 << 20
"""OpenAI's bound of one file."""

LIMITS: Final = Limits(envelope_bytes=1 << 20, blobs=1, blob_bytes=MAX_FILE_BYTES, total_bytes=MAX_FILE_BYTES)
BATCH_LIFE_S: Final = 30 * 86_400.0
"""How long a file of requests is kept when nothing else was said (OpenAI's reference, 2026)."""

LEAST_LIFE_S, MOST_LIFE_S = 3600, 30 * 86_400
MAX_NAME: Final = 255
LIST_LIMIT: Final = 10_000
PURPOSES: Final = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")


class OpenaiFiles:
    """Files as OpenAI's SDKs keep them. ``openai`` writes the errors."""

    def __init__(self, openai: Door, files: Files, batches: Batches) -> None:
        self._openai = openai
        self._files = files
        self._batches = batches

    async def create(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """Keep a file that comes in a form."""
        own_id = self._openai.desk.fresh_id()
        form = await Intake(self._openai.intake.blobs, LIMITS).body(request, own_id)
        wish = form if isinstance(form, Fault) else _read(form)
        if not isinstance(wish, Fault):
            wish = await self._files.room(caller, wish[1].size if wish[1] else 0) or wish
        if isinstance(wish, Fault):
            self._openai.intake.drop(own_id)
            return await self._openai.refuse(request, wish)
        keeping, blob = wish
        return json_response(told(await self._files.keep(caller, keeping, blob, own_id)))

    async def list(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """A caller's files, those of one purpose when it is named."""
        query = request.query
        purpose = query.get("purpose", "")
        files = [file for file in await self._files.all(caller) if purpose in {"", _purpose(file)}]
        if query.get("order") == "asc":
            files.reverse()
        shown = [told(file) for file in files]
        return json_response(page(shown, query.get("after", ""), query.get("limit", ""), LIST_LIMIT))

    async def one(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """What is known of a file."""
        file = await self._files.find(match["name"], caller)
        return json_response(told(file)) if file else await self._missing(request, match)

    async def delete(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """Forget a file."""
        file = await self._files.find(match["name"], caller)
        if file is None:
            return await self._missing(request, match)
        await self._files.delete(file)
        return json_response({"id": f"file-{file.id}", "object": "file", "deleted": True})

    async def content(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """The bytes of a file."""
        file = await self._files.find(match["name"], caller)
        if file is None:
            return await self._missing(request, match)
        pieces = self._batches.results(file) if file.batch else self._files.read(file)
        return await download(request, pieces, file.size, {"Content-Type": "application/octet-stream"})

    async def _missing(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        return await self._openai.refuse(request, missing("File", f"file-{match['name']}"))


def missing(kind: str, identity: str) -> Fault:
    """What is another's, or no one's."""
    message = f"No such {kind} object: {identity}"
    return Fault(FaultKind.MODEL_NOT_FOUND, message, reason="not_found", status=404)


def page(shown: Sequence[dict[str, Any]], after: str, limit: str, most: int) -> dict[str, Any]:
    """One page of a list: what comes behind an id."""
    ids = [entry["id"] for entry in shown]
    start = ids.index(after) + 1 if after in ids else 0
    count = min(max(integer({"limit": limit}, "limit") or most, 1), most)
    data = list(shown[start : start + count])
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start + count < len(shown),
    }


def told(file: FileEntry) -> dict[str, Any]:
    """A file as OpenAI tells of it."""
    return {
        "id": f"file-{file.id}",
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created_at),
        "expires_at": None if file.ends_at is None else int(file.ends_at),
        "filename": file.name or file.id,
        "purpose": _purpose(file),
        "status": "processed",
        "status_details": None,
    }


def _purpose(file: FileEntry) -> str:
    """What a file is for; files of Google's API are for whatever they are used for."""
    return "batch_output" if file.purpose == "batch_errors" else file.purpose or "user_data"


def _read(form: Any) -> tuple[Keeping, Blob | None] | Fault:
    """The file that a form holds."""
    fields = form.fields if isinstance(form, Form) else ()
    file = next((field for field in fields if field.name == "file"), None)
    if file is None or not (isinstance(file.value, Blob) or file.filename):
        return _wrong("'file' is a required property")
    words = {field.name: field.value for field in fields if isinstance(field.value, str)}
    purpose = words.get("purpose", "")
    if purpose not in PURPOSES:
        return _wrong(f"Invalid value for 'purpose': supported values are: {', '.join(PURPOSES)}.")
    life_s = _life_s(words, purpose)
    if isinstance(life_s, Fault):
        return life_s
    blob = file.value if isinstance(file.value, Blob) else None
    return Keeping(file.filename[-MAX_NAME:], _media_type(file), purpose, life_s), blob


def _media_type(file: Field) -> str:
    shown = file.value.media_type if isinstance(file.value, Blob) else ""
    return shown or file.media_type or "application/octet-stream"


def _life_s(words: dict[str, str], purpose: str) -> float | Fault | None:
    said = {
        name: words[f"expires_after[{name}]"] for name in ("anchor", "seconds") if f"expires_after[{name}]" in words
    }
    return life_of(said, "expires_after") if said else BATCH_LIFE_S if purpose == "batch" else None


def life_of(said: Mapping[str, Any], name: str) -> float | Fault | None:
    """For how many seconds a file is to be kept, as clients say it; ``None`` when nothing was said."""
    if not said:
        return None
    seconds = integer(said, "seconds")
    if said.get("anchor", "created_at") != "created_at" or seconds is None:
        return _wrong(f"Invalid value for '{name}': seconds from 'created_at' are wanted.")
    if not LEAST_LIFE_S <= seconds <= MOST_LIFE_S:
        return _wrong(f"'{name}.seconds' is from {LEAST_LIFE_S} to {MOST_LIFE_S}.")
    return float(seconds)


def _wrong(message: str) -> Fault:
    return Fault(FaultKind.INVALID_REQUEST, message, reason="invalid_value", status=400)
