"""The door for Google's Files API: resumable uploads, lists, downloads."""

from __future__ import annotations

import re

from aiohttp import web

from ....dialects.gemini.uploads import (
    Step,
    moment,
    no_file,
    page_of,
    read_step,
    read_upload,
    write_begun,
    write_files,
    write_received,
    write_uploaded,
    written_hash,
)
from ....io.desk.stored import FileEntry, Upload
from ....model.fault import Fault, FaultKind
from ....model.job import StoredFile
from ....wire.message import Headers, WireResponse
from ..batches.batches import Batches
from ..batches.files import Files
from ..transit.arriving import arriving
from ..transit.download import download
from .door import Door, json_response


class GoogleFiles:
    """Files as Google's SDKs keep them. ``google`` writes the errors."""

    def __init__(self, google: Door, files: Files, batches: Batches) -> None:
        self._google = google
        self._files = files
        self._batches = batches

    def _base(self, request: web.Request) -> str:
        return self._google.desk.links.base(request)

    # --- uploads ------------------------------------------------------------------------------------------------------

    async def start(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """Begin an upload: the answer names the address that the bytes go to."""
        own_id = self._google.desk.fresh_id()
        body = await self._google.intake.body(request, own_id) if request.can_read_body else None
        self._google.intake.drop(own_id)
        wish = body if isinstance(body, Fault) else read_upload(body, Headers(tuple(request.headers.items())))
        if not isinstance(wish, Fault):
            wish = await self._files.room(caller, wish.size) or wish
        if isinstance(wish, Fault):
            return await self._google.refuse(request, wish)
        upload = await self._files.begin(caller, wish)
        return _answered(write_begun(f"{self._base(request)}/upload/sessions/{upload.id}"))

    async def piece(self, request: web.Request, match: re.Match[str], _caller: str) -> web.StreamResponse:
        """Bytes of an upload, a question how far it is, or its end. The address stands for the key."""
        upload = await self._files.upload(match["name"])
        if upload is None:
            fault = Fault(FaultKind.MODEL_NOT_FOUND, "there is no such upload", reason="NOT_FOUND", status=404)
            return await self._google.refuse(request, fault)
        step = read_step(Headers(tuple(request.headers.items())))
        done = upload if upload.file else await self._brought(request, upload, step)
        if isinstance(done, Fault):
            return await self._google.refuse(request, done)
        if isinstance(done, Upload) and done.file:
            found = await self._files.find(done.file, done.caller)
            done = found or no_file(done.file)
        if isinstance(done, Fault):
            return await self._google.refuse(request, done)
        if isinstance(done, Upload):
            return _answered(write_received(done.received))
        return _answered(write_uploaded(told(self._base(request), done)))

    async def _brought(self, request: web.Request, upload: Upload, step: Step) -> Upload | FileEntry | Fault:
        """What an upload has become by a request's bytes, or its end."""
        if step.brings:
            if step.offset != upload.received:
                message = f"the bytes are those at {step.offset}, but {upload.received} are here"
                return Fault(FaultKind.INVALID_REQUEST, message, reason="INVALID_ARGUMENT", status=400)
            taken = await self._files.take(upload, arriving(request))
            if isinstance(taken, Fault):
                return taken
            upload = taken
        return await self._files.finish(upload) if step.ends else upload

    # --- files --------------------------------------------------------------------------------------------------------

    async def list(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """One page of a caller's files, the newest first."""
        files = await self._files.all(caller)
        start, end, more = page_of(request.query.get("pageSize", ""), request.query.get("pageToken", ""), len(files))
        return json_response(write_files([told(self._base(request), file) for file in files[start:end]], more))

    async def one(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """What is known of a file."""
        file = await self._files.find(match["name"], caller)
        if file is None:
            return await self._google.refuse(request, no_file(match["name"]))
        return json_response(write_uploaded(told(self._base(request), file)).body["file"])

    async def delete(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """Forget a file."""
        file = await self._files.find(match["name"], caller)
        if file is None:
            return await self._google.refuse(request, no_file(match["name"]))
        await self._files.delete(file)
        return json_response({})

    async def content(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """The bytes of a file."""
        file = await self._files.find(match["name"], caller)
        if file is None:
            return await self._google.refuse(request, no_file(match["name"]))
        pieces = self._batches.results(file) if file.batch else self._files.read(file)
        return await download(request, pieces, file.size, {"Content-Type": _plain_type(file.media_type)})


def told(base: str, file: FileEntry) -> StoredFile:
    """A file as Google's API tells of it, to who reaches the gateway under this address."""
    address = f"{base}/v1beta/files/{file.id}"
    return StoredFile(
        id=f"files/{file.id}",
        uri=address,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=written_hash(file.blob.sha256) if file.blob else "",
        source="GENERATED" if file.batch else "UPLOADED",
        created=moment(file.created_at),
        expires="" if file.ends_at is None else moment(file.ends_at),
        download_uri=f"{address}:download?alt=media",
    )


def _plain_type(media_type: str) -> str:
    """A type that a header can hold, and no browser runs as a page of ours."""
    safe = media_type if re.fullmatch(r"[\w.+-]{1,60}/[\w.+-]{1,100}", media_type) else "application/octet-stream"
    return "application/octet-stream" if safe in {"text/html", "image/svg+xml", "application/xhtml+xml"} else safe


def _answered(response: WireResponse) -> web.Response:
    headers = dict(response.headers)
    return json_response(response.body, headers=headers) if response.body is not None else web.Response(headers=headers)
