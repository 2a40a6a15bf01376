"""A site: one system behind HTTP. Reads its calls, has them judged, and writes the answers in its wire format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import orjson
from aiohttp import web

from ..model.call import Call, Done, Fetch, Open, Reply
from ..model.fault import Fault, FaultKind
from ..model.request import ImageRequest
from ..wire.blobs import SpillError, SpillTooLarge
from ..wire.dialect import Dialect
from ..wire.fault_note import MEMBER
from ..wire.message import Headers, WireRequest, WireResponse
from ..wire.request_body import request_reader
from ..wire.sse import END_OF_STREAM
from .checks import invalid
from .faults import WISH_HEADER
from .line import Style, send, waited
from .provider import Planned, SimProvider, call_name
from .roundtrip import Unseen
from .shelves import MemoryShelf
from .systems import System

Moment = Callable[[], tuple[float, float]]
"""The time: monotonic seconds, and seconds since the epoch."""

REQUEST_ID = "x-request-id"
_SECRET = frozenset({"authorization", "x-goog-api-key", "x-key", "cookie"})


class Site:
    """One system. ``shelf`` must be the simulated provider's own."""

    def __init__(self, system: System, sim: SimProvider, shelf: MemoryShelf, dialect: Dialect, now: Moment) -> None:
        self.system = system
        self.sim = sim
        self.dialect = dialect
        self._shelf = shelf
        self._now = now
        self._paths = re.compile(system.paths)

    def open(self, url: str) -> None:
        """Learn the server's address."""
        place = f"{self.system.endpoint}/" if self.system.prefix else ""
        self._shelf.url_base = f"{url}/sim/pictures/{place}"
        if self.sim.jobs:
            self.sim.jobs.base_url = url + self.system.prefix

    def rest_of(self, path: str) -> str | None:
        """What is left of a path below this system's, ``None`` when the path is not its own."""
        prefix = self.system.prefix
        rest = path.removeprefix(prefix)
        ours = path.startswith(f"{prefix}/") and self._paths.fullmatch(rest)
        return rest if ours else None

    async def serve(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer whatever is asked below this system's path."""
        if request.method == "GET" and path == "/models":
            return await self._list(request)
        try:
            body = await read_body(request) if request.method == "POST" else None
        except SpillTooLarge:
            return await self.refuse(request, Fault(FaultKind.TOO_LARGE, "Simulated: too large.", status=413))
        except SpillError as error:
            return await self.refuse(request, _unworded(invalid(f"Simulated: the body cannot be read. {error}")))
        return await self.call(request, path, body)

    async def call(self, request: web.Request, path: str, body: Any, asked: Call | None = None) -> web.StreamResponse:
        """Judge a call and answer it. ``asked`` stands for one that cannot be read, so that its fault can be said."""
        heard = self.dialect.read_call(wire_request(request, path, body))
        wish = request.headers.get(WISH_HEADER, "")
        planned = self.sim.handle(heard, key_of(request), *self._now(), wish)
        refs = self._shelf.made()
        try:
            with self.sim.books.in_work():
                if not await waited(request, planned):
                    return web.Response()
                call = (asked or any_call()) if isinstance(heard, Fault) else heard
                return await self.send(request, self.written(planned.reply, call), planned)
        finally:
            self._shelf.drop(refs)

    async def picture(self, request: web.Request, name: str) -> web.StreamResponse:
        """A picture by the address that an answer named."""
        planned = self.sim.handle(Fetch(f"{self._shelf.url_base}{name}"), "", *self._now())
        refs = self._shelf.made()
        try:
            return await self.send(request, _fetched(planned.reply), planned)
        finally:
            self._shelf.drop(refs)

    async def refuse(self, request: web.Request, fault: Fault, call: Call | None = None) -> web.StreamResponse:
        """Answer with a fault that no call led to."""
        response = self.written(fault, call or any_call())
        return await self.send(request, response, Planned(0, response, 0.0))

    async def send(self, request: web.Request, response: WireResponse, planned: Planned) -> web.StreamResponse:
        """Send an answer in this system's style."""
        named = self._named(response, planned.number)
        return await send(request, named, planned, self._shelf.read, self.style(request, response))

    def _named(self, response: WireResponse, number: int) -> WireResponse:
        """The answer with its call's name in a header, by which the bill speaks of it."""
        if not number or response.headers.get(REQUEST_ID):
            return response
        named = Headers((*response.headers.items, (REQUEST_ID, call_name(self.system.endpoint, number))))
        return replace(response, headers=named)

    def style(self, request: web.Request, response: WireResponse) -> Style:
        """How an answer's body goes out."""
        return Style(events=response.stream and request.method == "POST", ending=END_OF_STREAM)

    def written(self, reply: Reply | WireResponse, call: Call) -> WireResponse:
        """A reply in the wire format, without our own notes: a real provider has none."""
        if isinstance(reply, WireResponse):
            return reply
        response = self.dialect.write_reply(reply, call)
        return _without_notes(response)

    def now(self) -> tuple[float, float]:
        """The time, as this site's server has it."""
        return self._now()

    async def _list(self, request: web.Request) -> web.StreamResponse:
        entries = self.sim.menu.all(self._now()[1])
        data = [{"id": entry.id, "object": "model", "created": 0, "owned_by": "simulated"} for entry in entries]
        response = WireResponse(200, body={"object": "list", "data": data})
        return await self.send(request, response, Planned(0, response, 0.0))


# --- requests --------------------------------------------------------------------------------------------------------


async def read_body(request: web.Request) -> Any:
    """A body, JSON or a form, its pictures counted and forgotten. Raises ``SpillError``."""
    reader = request_reader(request.headers.get("Content-Type", ""), Unseen)
    async for chunk in request.content.iter_any():
        reader.feed(chunk)
    return reader.close()


def key_of(request: web.Request) -> str:
    """The key, however it came."""
    headers = request.headers
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    from_header = token.strip() if scheme.lower() in {"bearer", "key"} else ""
    return headers.get("x-goog-api-key", "") or headers.get("x-key", "") or request.query.get("key", "") or from_header


def wire_request(request: web.Request, path: str, body: Any) -> WireRequest:
    """The request without its key."""
    headers = Headers(tuple((name, value) for name, value in request.headers.items() if name.lower() not in _SECRET))
    query = tuple((name, value) for name, value in request.query.items() if name != "key")
    return WireRequest(request.method, path, body, headers, query)


def any_call(model: str = "") -> Open:
    """A call in place of one that could not be read, so that its fault can be written."""
    return Open(ImageRequest.of("", model))


def json_response(value: Any) -> web.Response:
    """A page of plain JSON."""
    return web.Response(body=orjson.dumps(value), content_type="application/json")


# --- answers ---------------------------------------------------------------------------------------------------------


def _unworded(fault: Fault) -> Fault:
    return fault.having(reason="")


def _without_notes(response: WireResponse) -> WireResponse:
    body = _unnoted(response.body)
    return WireResponse(
        response.status,
        response.headers,
        body,
        response.raw,
        stream=response.stream,
        cut=response.cut,
        binary=response.binary,
    )


def _unnoted(value: Any) -> Any:
    """The same without any note, at whatever depth: answers are not deep."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {name: _unnoted(held) for name, held in members.items() if name != MEMBER}
    return [_unnoted(held) for held in cast("list[Any]", value)] if isinstance(value, list) else value


def _fetched(reply: Reply | WireResponse) -> WireResponse:
    """A picture as its own body."""
    if isinstance(reply, WireResponse):
        return reply
    blob = reply.pictures[0].blob if isinstance(reply, Done) else None
    return WireResponse(200, Headers((("Content-Type", blob.media_type if blob else ""),)), binary=blob)
