"""Large reference pictures, uploaded once and referred to from then on, for as long as the provider keeps them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from ...dialects.gemini.batch_files import FILE_LIFE_S, GeminiFiles
from ...engine.ports import Answer, Clock, Provider
from ...model.blob import Blob
from ...model.call import Call, Open
from ...model.fault import Charged, Fault, FaultKind, Scope
from ...model.request import Image, ImageRequest, Part, Turn
from .files import Door, Uploads

FILES_API: Final = "files_api"
"""The option of an endpoint that keeps files for those who speak its dialect (Google's Developer API)."""

LARGE_BYTES: Final = 4 << 20
"""From here on a picture is cheaper to upload once, in two exchanges, than to send along again and again."""

REQUEST_BYTES: Final = 15 << 20
"""What a request may hold of pictures before the smaller ones are uploaded, too: Google once refused 20 MB."""

SMALL_BYTES: Final = 256 << 10
FRESH_S: Final = FILE_LIFE_S - 6 * 3600.0
"""How long a file is referred to: a job that names it may have to wait for some hours."""

REMEMBERED: Final = 10_000

Read = Callable[[Blob], Iterator[bytes]]


class PlacedReferences:
    """The uploads of one key, known by their hashes. Several calls that need one picture wait for one upload."""

    def __init__(self, door: Door, files: GeminiFiles) -> None:
        self._uploads = Uploads(door, files)
        self._clock: Clock = door.clock
        self._kept: OrderedDict[str, tuple[float, asyncio.Task[str]]] = OrderedDict()

    async def placed(self, request: ImageRequest, read: Read) -> ImageRequest:
        """The request with its large pictures as addresses. One that cannot be uploaded goes along as it is."""
        wanted = large_blobs(request)
        if not wanted:
            return request
        uris = await asyncio.gather(*(self._uri(blob, read) for blob in wanted.values()))
        known = {digest: uri for digest, uri in zip(wanted, uris, strict=True) if uri}
        return request.having(turns=tuple(_told(turn, known) for turn in request.turns))

    def forget(self, request: ImageRequest) -> None:
        """The provider does not know one of these any more: all are uploaded anew when they are next wanted."""
        for digest in large_blobs(request):
            self._kept.pop(digest, None)

    async def _uri(self, blob: Blob, read: Read) -> str:
        now = self._clock.monotonic()
        made_at, task = self._kept.get(blob.sha256, (now, None))
        if task is None or now - made_at > FRESH_S or _is_in_vain(task):
            task = asyncio.ensure_future(self._uploaded(blob, read))
            self._kept[blob.sha256] = now, task
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        # Shielded: others wait for the same upload.
        return await asyncio.shield(task)

    async def _uploaded(self, blob: Blob, read: Read) -> str:
        """Where the picture is now; empty when it could not be uploaded."""
        file = await self._uploads.send(blob.sha256[:16], blob.media_type, blob.size, read(blob))
        return file.uri if not isinstance(file, Fault) and file.state == "ACTIVE" else ""


def large_blobs(request: ImageRequest) -> dict[str, Blob]:
    """The pictures that are worth an upload, by their hashes."""
    parts = [part for turn in request.turns for part in turn.parts]
    blobs = {part.blob.sha256: part.blob for part in parts if isinstance(part, Image) and part.blob}
    crowded = sum(blob.size for blob in blobs.values()) > REQUEST_BYTES
    least = SMALL_BYTES if crowded else LARGE_BYTES
    return {digest: blob for digest, blob in blobs.items() if blob.size >= least}


def _is_in_vain(task: asyncio.Task[str]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None or not task.result())


def _told(turn: Turn, uris: dict[str, str]) -> Turn:
    return replace(turn, parts=tuple(_told_part(part, uris) for part in turn.parts))


def _told_part(part: Part, uris: dict[str, str]) -> Part:
    if not isinstance(part, Image) or part.blob is None or part.blob.sha256 not in uris:
        return part
    return replace(part, blob=None, uri=uris[part.blob.sha256], media_type=part.media_type or part.blob.media_type)


class PlacingProvider:
    """Implements ``engine.ports.Provider`` around another: what is large is uploaded before a call leaves."""

    def __init__(self, inner: Provider, references: PlacedReferences, read: Read) -> None:
        self._inner = inner
        self._references = references
        self._read = read

    async def call(self, call: Call, attempt_id: str) -> Answer:
        """Make one exchange; see ``engine.ports.Provider``."""
        if not isinstance(call, Open):
            return await self._inner.call(call, attempt_id)
        request = await self._references.placed(call.request, self._read)
        answer = await self._inner.call(replace(call, request=request), attempt_id)
        if request is call.request or not _is_gone(answer.reply):
            return answer
        self._references.forget(call.request)
        fault = Fault(FaultKind.CONNECT, "the provider does not keep a reference any more", Charged.NO, Scope.CALL)
        return replace(answer, reply=fault)


def _is_gone(reply: object) -> bool:
    """Whether a call was refused because a file that it names is not there."""
    if not isinstance(reply, Fault) or reply.status not in {400, 403, 404}:
        return False
    words = reply.message.lower()
    return "file" in words and ("not exist" in words or "not found" in words)
