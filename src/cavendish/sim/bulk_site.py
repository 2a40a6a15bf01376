"""Google's files and batches behind HTTP: the paths that ``GoogleSite`` hands on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

from aiohttp import web

from ..dialects.gemini.batch import JobWish, read_create, read_line, write_job, write_page
from ..dialects.gemini.batch_files import write_file
from ..dialects.gemini.uploads import (
    no_file,
    page_of,
    read_step,
    read_upload,
    write_begun,
    write_files,
    write_received,
    write_uploaded,
)
from ..model.fault import Fault, FaultKind
from ..model.job import JobLine
from ..wire.blobs import SpillError
from ..wire.jsonl import LineReader
from ..wire.message import Headers, WireResponse
from ..wire.written import gathered
from .batches import Batches, Work, results_name
from .checks import check_key, invalid, no_model
from .files import Files, Kept, Session, lines_of
from .line import WRITE_BYTES
from .provider import Planned, SimProvider
from .roundtrip import Unseen
from .shelves import MemoryShelf

_V = "v1|v1beta"
_NAME = "[A-Za-z0-9_-]{1,80}"


class Host(Protocol):
    """The site, as far as it is needed here."""

    sim: SimProvider

    def now(self) -> tuple[float, float]:
        """The time."""
        ...

    async def refuse(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Answer with a fault."""
        ...

    async def send(self, request: web.Request, response: WireResponse, planned: Planned) -> web.StreamResponse:
        """Send an answer."""
        ...


Handler = Callable[[web.Request, re.Match[str]], Awaitable[web.StreamResponse]]


class BulkSite:
    """Serves files and batches. ``shelf`` must be the provider's own."""

    def __init__(self, host: Host, sim: SimProvider, shelf: MemoryShelf, read_body: Any, key_of: Any) -> None:
        self.files = Files()
        self.batches = Batches(sim, shelf)
        self._host = host
        self._read_body: Callable[[web.Request], Awaitable[Any]] = read_body
        self._key_of: Callable[[web.Request], str] = key_of
        self._routes: tuple[tuple[str, re.Pattern[str], Handler], ...] = (
            ("POST", re.compile(rf"/(?:{_V})/models/(?P<name>[^/:]+):batchGenerateContent"), self._create),
            ("GET", re.compile(rf"/(?:{_V})/batches"), self._list),
            ("GET", re.compile(rf"/(?:{_V})/batches/(?P<name>{_NAME})"), self._look),
            ("POST", re.compile(rf"/(?:{_V})/batches/(?P<name>{_NAME}):cancel"), self._cancel),
            ("DELETE", re.compile(rf"/(?:{_V})/batches/(?P<name>{_NAME})"), self._delete),
            ("POST", re.compile(rf"/upload/(?:{_V})/files"), self._start),
            ("POST", re.compile(rf"/upload/sessions/(?P<name>{_NAME})"), self._piece),
            ("PUT", re.compile(rf"/upload/sessions/(?P<name>{_NAME})"), self._piece),
            ("GET", re.compile(rf"/(?:{_V})/files"), self._list_files),
            ("GET", re.compile(rf"/(?:{_V})/files/(?P<name>{_NAME})"), self._file),
            ("DELETE", re.compile(rf"/(?:{_V})/files/(?P<name>{_NAME})"), self._delete_file),
            ("GET", re.compile(rf"(?:/download)?/(?:{_V})/files/(?P<name>{_NAME}):download"), self._download),
        )

    async def serve(self, request: web.Request, path: str) -> web.StreamResponse | None:
        """Answer what is asked about files and batches; ``None`` when it is about something else."""
        for method, pattern, handler in self._routes:
            if request.method == method and (match := pattern.fullmatch(path)):
                # The address of an upload stands for its key.
                fault = None if "sessions" in path else check_key(self._key_of(request), "")
                return await (self._host.refuse(request, fault) if fault else handler(request, match))
        return None

    # --- batches ----------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        try:
            body = await self._read_body(request)
        except SpillError as error:
            return await self._host.refuse(request, invalid(f"Invalid JSON payload received. {error}"))
        key, times = self._key_of(request), self._host.now()
        if self._host.sim.menu.find(match["name"], times[1]) is None:
            return await self._host.refuse(request, no_model(match["name"]))
        wish = read_create(body, match["name"])
        lines = wish if isinstance(wish, Fault) else await asyncio.to_thread(self._lines, wish, key, times[1])
        if isinstance(wish, Fault) or isinstance(lines, Fault):
            return await self._host.refuse(request, wish if isinstance(wish, Fault) else _fault(lines))
        work = self.batches.create(wish, lines, key, times)
        if isinstance(work, Fault):
            return await self._host.refuse(request, work)
        if wish.file:
            self.files.add(results_name(work), key, times[1], lambda: self.batches.lines(work))
        if self.batches.mood.lost:
            self.batches.mood.lost -= 1
            return _broken(request)
        return await self._job(request, work)

    def _lines(self, wish: JobWish, key: str, wall: float) -> list[JobLine] | Fault:
        if not wish.file:
            return list(wish.lines)
        kept = self.files.find(wish.file, key, wall)
        if kept is None:
            return no_file(wish.file)
        lines: list[JobLine] = []
        reader = LineReader(lambda _: Unseen())
        read = [line for piece in lines_of(kept) for line in reader.feed(piece)] + reader.close()
        for entry in read:
            line = read_line(entry.value, wish.model)
            if isinstance(line, Fault):
                return line.having(message=f"line {entry.number + 1}: {line.message}")
            lines.append(line)
        return lines or Fault(FaultKind.INVALID_REQUEST, "The input file has no lines.", status=400)

    async def _look(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        work = self._work(request, match)
        return await (self._job(request, work) if work else self._no_job(request, match))

    async def _list(self, request: web.Request, _match: re.Match[str]) -> web.StreamResponse:
        works = self.batches.all(self._key_of(request))
        start, end, more = _page(request, len(works))
        jobs = [self.batches.job(work, self._host.now()) for work in works[start:end]]
        return await self._answer(request, write_page(jobs, more))

    async def _cancel(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        if (work := self._work(request, match)) is None:
            return await self._no_job(request, match)
        self.batches.cancel(work, self._host.now())
        return await self._answer(request, {})

    async def _delete(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        if (work := self._work(request, match)) is None:
            return await self._no_job(request, match)
        self.batches.delete(work)
        self.files.delete(results_name(work))
        return await self._answer(request, {})

    def _work(self, request: web.Request, match: re.Match[str]) -> Work | None:
        return self.batches.find(f"batches/{match['name']}", self._key_of(request))

    async def _job(self, request: web.Request, work: Work) -> web.StreamResponse:
        job = self.batches.job(work, self._host.now())
        inline = [] if work.wish.file or not job.over else self.batches.inline(work)
        return await self._answer(request, write_job(job, inline))

    async def _no_job(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        message = f"Requested entity was not found: batches/{match['name']}."
        fault = Fault(FaultKind.MODEL_NOT_FOUND, message, reason="NOT_FOUND", status=404)
        return await self._host.refuse(request, fault)

    # --- files ------------------------------------------------------------------------------------------------------

    async def _start(self, request: web.Request, _match: re.Match[str]) -> web.StreamResponse:
        body = await self._read_body(request) if request.can_read_body else None
        wish = read_upload(body, headers_of(request))
        if isinstance(wish, Fault):
            return await self._host.refuse(request, wish)
        identity = self.files.start(wish, self._key_of(request))
        self.files.base_url = str(request.url.origin())
        return _plain(write_begun(f"{request.url.origin()}/upload/sessions/{identity}"))

    async def _piece(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        session = self.files.session(match["name"])
        if session is None:
            return await self._host.refuse(request, invalid("Simulated: there is no such upload."))
        step = read_step(headers_of(request))
        if step.brings and session.done is None:
            if step.offset != session.received:
                message = f"Simulated: offset {step.offset}, not {session.received}."
                return await self._host.refuse(request, invalid(message))
            if not await self._taken(request, session):
                return _broken(request)
        if step.ends and session.done is None:
            self.files.finish(session, self._host.now()[1])
        if session.done is None:
            return _plain(write_received(session.received))
        return _plain(write_uploaded(session.done))

    async def _taken(self, request: web.Request, session: Session) -> bool:
        """Take a piece; whether the line held."""
        cut = self.batches.mood.cut_pieces > 0
        async for chunk in request.content.iter_any():
            await asyncio.to_thread(self.files.take, session, chunk)
            if cut:
                self.batches.mood.cut_pieces -= 1
                return False
        return True

    async def _list_files(self, request: web.Request, _match: re.Match[str]) -> web.StreamResponse:
        files = self.files.all(self._key_of(request), self._host.now()[1])
        start, end, more = _page(request, len(files))
        return await self._answer(request, write_files(files[start:end], more))

    async def _file(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        kept = self._kept(request, match)
        if kept is None:
            return await self._host.refuse(request, no_file(match["name"]))
        return await self._answer(request, write_file(kept.file))

    async def _delete_file(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        if self._kept(request, match) is None:
            return await self._host.refuse(request, no_file(match["name"]))
        self.files.delete(f"files/{match['name']}")
        return await self._answer(request, {})

    def _kept(self, request: web.Request, match: re.Match[str]) -> Kept | None:
        return self.files.find(f"files/{match['name']}", self._key_of(request), self._host.now()[1])

    async def _download(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        kept = self._kept(request, match)
        if kept is None:
            return await self._host.refuse(request, no_file(match["name"]))
        if kept.made is None:
            return await self._host.refuse(request, invalid("Only generated files can be downloaded."))
        start = int((re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")) or ["", "0"])[1])
        answer = web.StreamResponse(status=206 if start else 200, headers={"Content-Type": "application/jsonl"})
        await answer.prepare(request)
        cut_after = self.batches.mood.cut_after.pop(0) if self.batches.mood.cut_after else None
        for chunk in gathered(_from(lines_of(kept), start, cut_after), WRITE_BYTES):
            await answer.write(chunk)
        if cut_after is not None:
            return _broken(request, answer)
        await answer.write_eof()
        return answer

    async def _answer(self, request: web.Request, body: Any) -> web.StreamResponse:
        response = WireResponse(200, body=body)
        return await self._host.send(request, response, Planned(0, response, 0.0))


def headers_of(request: web.Request) -> Headers:
    """A request's headers as a dialect reads them."""
    return Headers(tuple(request.headers.items()))


def _plain(response: WireResponse) -> web.Response:
    """An answer of an upload, whose headers matter."""
    if response.body is None:
        return web.Response(headers=dict(response.headers))
    return web.json_response(response.body, headers=dict(response.headers))


def _fault(value: object) -> Fault:
    assert isinstance(value, Fault)
    return value


def _page(request: web.Request, count: int) -> tuple[int, int, str]:
    return page_of(request.query.get("pageSize", ""), request.query.get("pageToken", ""), count)


def _from(pieces: Iterator[bytes], start: int, most: int | None) -> Iterator[bytes]:
    """The bytes from an offset on, at most so many."""
    at, left = 0, most
    for piece in pieces:
        kept = piece[max(0, start - at) :]
        at += len(piece)
        if left is not None:
            kept, left = kept[:left], left - len(kept[:left])
        if kept:
            yield kept
        if left == 0:
            return


def _broken(request: web.Request, answer: web.StreamResponse | None = None) -> web.StreamResponse:
    """End the connection; whatever is answered then goes nowhere."""
    if request.transport is not None:
        request.transport.close()
    return answer or web.Response()
