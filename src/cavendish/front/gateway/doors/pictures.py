"""Result pictures by their signed links: whole, in part, or only whether they changed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Final

from aiohttp import web

from ....io.desk.job_lists import JobLists
from ....model.result import Picture
from ....wire.media import extension, is_picture
from ..jobs.desk import Desk
from ..transit.outlet import WRITE_BYTES, put
from .door import json_response

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_ACTIVE: Final = frozenset({"image/svg+xml"})
"""Pictures that can hold programs: never shown in place."""

_GUARDS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Accept-Ranges": "bytes",
}


class Pictures:
    """Serves what links name. There is no index, and no name of a file in any address."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._jobs = JobLists(desk.books)

    async def one(self, request: web.Request, match: re.Match[str], _caller: str) -> web.StreamResponse:
        """GET or HEAD of one picture. Who has the link needs no key."""
        now = self._desk.clock.now()
        slot_id = self._desk.links.slot_of(match["name"], request.query, now)
        if slot_id is None:
            return _refused(403, "this link is not valid, or not any more", "invalid_link")
        picture = await self._jobs.picture(slot_id)
        if picture is None:
            return _refused(404, "this picture is not kept any more", "not_found")
        with self._desk.sending(slot_id.partition(".")[0]):
            return await self._sent(request, picture, int(request.query["expires"]) - now)

    async def _sent(self, request: web.Request, picture: Picture, lasts_s: float) -> web.StreamResponse:
        try:
            file = await self._desk.blobs.file(picture.blob)
        except FileNotFoundError:
            return _refused(404, "this picture is not kept any more", "not_found")
        headers = _headers(picture, lasts_s)
        if _is_known(request, headers["ETag"]):
            return web.Response(status=304, headers=headers)
        return await send_file(request, file, picture.blob.size, headers)


async def send_file(request: web.Request, file: Path, size: int, headers: dict[str, str]) -> web.StreamResponse:
    """Send a file, or the range of it that is asked for. It is opened at once, and may be removed meanwhile."""
    span = _span(request, size, headers["ETag"])
    if span is None:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end = span
    part = (start, end) != (0, size)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    answer = web.StreamResponse(status=206 if part else 200, headers=headers)
    answer.content_length = end - start
    with contextlib.closing(_pieces(file, start, end)) as pieces:
        first = b"" if request.method == "HEAD" else await asyncio.to_thread(next, pieces, b"")
        await answer.prepare(request)
        piece = first
        while piece:
            await put(request, answer, piece)
            piece = await asyncio.to_thread(next, pieces, b"")
        await answer.write_eof()
    return answer


def _pieces(file: Path, start: int, end: int) -> Generator[bytes]:
    with file.open("rb", buffering=0) as opened:
        opened.seek(start, os.SEEK_SET)
        while start < end and (piece := opened.read(min(WRITE_BYTES, end - start))):
            start += len(piece)
            yield piece


def _span(request: web.Request, size: int, tag: str) -> tuple[int, int] | None:
    """From where to where; all of it when no single range is asked for, ``None`` when there is no such part."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or not any(match.groups()) or request.headers.get("If-Range", tag) != tag:
        return 0, size
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) and size else None
    end = min(int(last) + 1, size) if last else size
    return (int(first), end) if int(first) < end else None


def _headers(picture: Picture, lasts_s: float) -> dict[str, str]:
    media_type = picture.blob.media_type
    shown = is_picture(media_type) and media_type not in _ACTIVE
    name = f"{picture.slot.id}.{extension(media_type)}"
    return {
        **_GUARDS,
        "Content-Type": media_type if shown else "application/octet-stream",
        "Content-Disposition": f'{"inline" if shown else "attachment"}; filename="{name}"',
        "ETag": f'"{picture.blob.sha256}"',
        "Cache-Control": f"private, max-age={max(0, int(lasts_s))}, immutable",
    }


def _is_known(request: web.Request, tag: str) -> bool:
    known = [word.strip().removeprefix("W/") for word in request.headers.get("If-None-Match", "").split(",")]
    return tag in known or "*" in known


def _refused(status: int, message: str, code: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return json_response({"error": error}, status, {"X-Content-Type-Options": "nosniff"})
