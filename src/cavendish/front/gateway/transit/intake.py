"""Intake: a client's HTTP request as a dialect reads it, its pictures in the gateway's folder and not in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from aiohttp import web

from ....engine.ports import OutOfSpace
from ....io.blobs.folder import FolderBlobs
from ....model.blob import Blob
from ....model.fault import Fault, FaultKind
from ....model.request import Image, ImageRequest, Part, Turn
from ....wire.blobs import Limits, SpillError, SpillTooLarge
from ....wire.message import Headers, WireRequest
from ....wire.request_body import FormReader, Spiller, request_reader
from .arriving import Unpacker, packing_of
from .sound import flaw_of

DEFAULT_LIMITS = Limits(envelope_bytes=4 << 20, blobs=64, blob_bytes=64 << 20, total_bytes=256 << 20)
"""Of one request: more than any provider takes."""

STALLED_S = 30.0
"""A body of which nothing arrives for so long is given up."""

BODY_WITHIN_S = 900.0
"""As much as any upload takes that is worth waiting for."""

SECRET = frozenset({"authorization", "x-goog-api-key", "x-key", "cookie", "proxy-authorization"})

_LONG = 64 << 10
"""A body beyond this takes a while to be looked through."""

NO_ROOM = Fault(FaultKind.DISK_FULL, "the gateway has no room left to keep pictures", status=507)


@dataclass(frozen=True, slots=True)
class Intake:
    """Reads bodies into a folder."""

    blobs: FolderBlobs
    limits: Limits = DEFAULT_LIMITS

    async def read(self, request: web.Request, path: str, own_id: str) -> WireRequest | Fault:
        """The request without its key. What cannot be read, or is beyond a limit, is a fault."""
        body = await self.body(request, own_id) if request.method == "POST" else None
        if isinstance(body, Fault):
            return body
        headers = Headers(tuple((name, value) for name, value in request.headers.items() if name.lower() not in SECRET))
        query = tuple((name, value) for name, value in request.query.items() if name != "key")
        return WireRequest(request.method, path, body, headers, query)

    async def body(self, request: web.Request, own_id: str) -> Any:
        """The body alone, its pictures among what ``own_id`` brought."""
        try:
            reader = request_reader(
                request.headers.get("Content-Type", ""), lambda: self.blobs.new_blob(own_id), limits=self.limits
            )
            if (request.content_length or 0) > self.most_bytes:
                raise SpillTooLarge(f"it is of {request.content_length} bytes, and {self.most_bytes} are taken")
            await self._fed(request, reader)
            body = reader.close()
            if flaw := flaw_of(body):
                self.drop(own_id)
                return Fault(FaultKind.INVALID_REQUEST, flaw, status=400)
            return body
        except OutOfSpace:
            self.drop(own_id)
            return NO_ROOM
        except SpillTooLarge as error:
            self.drop(own_id)
            return Fault(FaultKind.TOO_LARGE, f"the request is too large: {error}", status=413)
        except TimeoutError:
            self.drop(own_id)
            return Fault(FaultKind.INVALID_REQUEST, "the request did not arrive in time", status=408)
        except SpillError as error:
            self.drop(own_id)
            return Fault(FaultKind.INVALID_REQUEST, f"the body cannot be read: {error}", status=400)
        except BaseException:
            self.drop(own_id)
            raise

    @property
    def most_bytes(self) -> int:
        """Of a body as it arrives: all that is taken of it, with room for how it is spelled."""
        return self.limits.total_bytes * 3 // 2

    async def _fed(self, request: web.Request, reader: FormReader | Spiller) -> None:
        """Read all of a body. Raises ``SpillError``, and ``TimeoutError`` when it stalls or takes too long."""
        count, unpacker = 0, Unpacker(packing_of(request))
        async with asyncio.timeout(None if request.content.is_eof() else BODY_WITHIN_S):
            while True:
                chunk = await _next(request.content)
                if not chunk:
                    return unpacker.close()
                for piece in unpacker.feed(chunk):
                    count += len(piece)
                    if count > self.most_bytes:
                        raise SpillTooLarge(f"more than {self.most_bytes} bytes")
                    reader.feed(piece)
                    await self.blobs.drained()
                    if count > _LONG:
                        await asyncio.sleep(0)  # what is there already is read without a pause: others have a turn, too

    def drop(self, own_id: str) -> None:
        """Forget what a request brought."""
        self.blobs.discard(own_id)

    async def kept(self, request: ImageRequest, own_id: str) -> ImageRequest:
        """The request with what it brought kept for as long as its job is."""
        blobs = {blob.ref: blob for turn in request.turns for blob in blobs_of(turn.parts)}
        if not blobs:
            return request
        await self.blobs.seal(own_id)
        kept = await self.blobs.keep(own_id, tuple(blobs.values()))
        places = dict(zip(blobs, kept, strict=True))
        await self.blobs.forget(own_id)
        return request.having(turns=tuple(_moved(turn, places) for turn in request.turns))


async def _next(content: aiohttp.StreamReader) -> bytes:
    """What is there of a body, or comes next; empty at its end. Raises ``TimeoutError`` when nothing comes."""
    if content.is_eof():
        return content.read_nowait(-1)  # all of it is there: a small body needs no timer
    async with asyncio.timeout(STALLED_S):
        return await content.readany()


def blobs_of(parts: Iterable[Part]) -> list[Blob]:
    """All bytes that parts of a turn hold."""
    pictures = [part.blob for part in parts if isinstance(part, Image) and part.blob]
    return [*pictures, *(part.signature for part in parts if isinstance(part.signature, Blob))]


def _moved(turn: Turn, places: dict[str, Blob]) -> Turn:
    return replace(turn, parts=tuple(_moved_part(part, places) for part in turn.parts))


def _moved_part(part: Part, places: dict[str, Blob]) -> Part:
    if isinstance(part, Image) and part.blob:
        part = replace(part, blob=places[part.blob.ref])
    if isinstance(part.signature, Blob):
        part = replace(part, signature=places[part.signature.ref])
    return part
