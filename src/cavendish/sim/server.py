"""The simulator behind real HTTP: ``cavendish sim``, and the provider of last resort when no key is configured.

Bodies are streamed: a picture is drawn when its turn comes and is never held as base64. Connections really break.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, cast

import orjson
from aiohttp import web

from ..catalog.load import load
from ..dialects.gemini import GeminiDialect
from ..model.call import Done, Fetch, Open, Reply
from ..model.fault import Fault, FaultKind
from ..model.request import ImageRequest
from ..wire.blobs import SpillError, SpillTooLarge
from ..wire.dialect import Dialect
from ..wire.message import Headers, WireRequest, WireResponse
from ..wire.spill import Spiller
from . import listing
from .answers import input_tokens
from .checks import check_key, invalid, no_model
from .draw import Mode
from .faults import WISH_HEADER, Line
from .menu import menu_of
from .profile import Profile, load_profile
from .provider import Planned, SimProvider
from .roundtrip import Unseen, body_bytes
from .shelves import MemoryShelf

LOOPBACK = "127.0.0.1"
WRITE_BYTES = 64 * 1024
GRACE_S = 1.0
"""How long calls in flight may go on when the server is told to stop."""
HANG_S = 3600.0
DROP_BYTES = 2048
DROP_S = 0.05
MAX_DROPS = 600
"""After this many drops the rest of a trickling body comes at once: half a minute."""
_JSON = "application/json; charset=UTF-8"
_EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Times:
    """Where the server's time comes from: seconds since some moment, and since the epoch."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class SimServer:
    """A running simulator. ``url`` is its address without a path."""

    def __init__(self, sim: SimProvider, shelf: MemoryShelf, dialect: Dialect, times: Times, page: str) -> None:
        self.sim = sim
        self.url = ""
        self._shelf = shelf
        self._dialect = dialect
        self._times = times
        self._page_text = page
        self._began = times.monotonic()
        self._runner: web.AppRunner | None = None

    def stats(self) -> dict[str, Any]:
        """What ``/stats`` shows."""
        return self.sim.stats(self._now(), self._times.wall())

    async def close(self) -> None:
        """Stop taking calls, give those in flight a moment, and end."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def open(self, host: str, port: int) -> None:
        """Begin to listen; port 0 takes a free one."""
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=GRACE_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address = self._runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        self.url = f"http://{shown}:{address[1]}"
        self._shelf.url_base = f"{self.url}/sim/pictures/"

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/stats", self._stats)
        app.router.add_post("/stats/reset", self._reset)
        app.router.add_get("/sim/pictures/{name}", self._picture)
        app.router.add_get("/{version:v1|v1beta}/models", self._list)
        app.router.add_get("/{version:v1|v1beta}/models/{model}", self._get)
        app.router.add_post("/{version:v1|v1beta}/models/{model}:{method}", self._call)
        app.router.add_route("*", "/{rest:.*}", self._unknown)
        return app

    def _now(self) -> float:
        return self._times.monotonic() - self._began

    # --- pages and lists ---------------------------------------------------------------------------------------------

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._page_text, content_type="text/html")

    async def _stats(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=orjson.dumps(self.stats()), content_type="application/json")

    async def _reset(self, _request: web.Request) -> web.StreamResponse:
        self.sim.reset()
        return web.Response(body=b"{}", content_type="application/json")

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if fault := check_key(_key(request), ""):
            return await self._fault(request, fault)
        entries = self.sim.menu.all(self._times.wall())
        try:
            page = listing.page(entries, request.query.get("pageSize", ""), request.query.get("pageToken", ""))
        except ValueError as error:
            return await self._fault(request, invalid(str(error)))
        return web.Response(body=orjson.dumps(page), content_type="application/json")

    async def _get(self, request: web.Request) -> web.StreamResponse:
        model = request.match_info["model"]
        entry = self.sim.menu.find(model, self._times.wall())
        fault = check_key(_key(request), model)
        if fault or entry is None:
            return await self._fault(request, fault or no_model(model))
        return web.Response(body=orjson.dumps(listing.described(entry)), content_type="application/json")

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        call = Fetch(f"{self._shelf.url_base}{request.match_info['name']}")
        planned = self.sim.handle(call, "", self._now(), self._times.wall())
        refs = self._shelf.made()
        try:
            return await self._send(request, _fetched(planned.reply), planned)
        finally:
            self._shelf.drop(refs)

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        message = f"Simulated: {request.method} {request.path} is not served here."
        return await self._fault(request, Fault(FaultKind.MODEL_NOT_FOUND, message, reason="NOT_FOUND", status=404))

    # --- calls -------------------------------------------------------------------------------------------------------

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method, model = request.match_info["method"], request.match_info["model"]
        if method not in {"generateContent", "streamGenerateContent", "countTokens"}:
            return await self._unknown(request)
        try:
            body = await _read_body(request)
        except SpillTooLarge:
            return await self._fault(request, Fault(FaultKind.TOO_LARGE, "Request payload is too large.", status=413))
        except SpillError as error:
            return await self._fault(request, invalid(f"Invalid JSON payload received. {error}"))
        if method == "countTokens":
            return await self._count(request, body)
        call = self._dialect.read_call(_wire_request(request, request.path, body))
        wish = request.headers.get(WISH_HEADER, "")
        planned = self.sim.handle(call, _key(request), self._now(), self._times.wall(), wish)
        refs = self._shelf.made()
        try:
            with self.sim.books.in_work():
                asked = call if isinstance(call, Open) else _asked(model)
                return await self._answer(request, planned, asked)
        finally:
            self._shelf.drop(refs)

    async def _answer(self, request: web.Request, planned: Planned, call: Open) -> web.StreamResponse:
        if planned.line is not Line.REFUSED:
            await asyncio.sleep(HANG_S if planned.line is Line.HANG else planned.latency_s)
        if planned.line in {Line.REFUSED, Line.DROPPED, Line.HANG}:
            _break(request)
            return web.Response()
        reply = planned.reply
        response = reply if isinstance(reply, WireResponse) else self._dialect.write_reply(reply, call)
        return await self._send(request, response, planned)

    async def _count(self, request: web.Request, body: Any) -> web.StreamResponse:
        model = request.match_info["model"]
        body = _members(_members(body).get("generateContentRequest")) or body
        path = request.path.removesuffix("countTokens") + "generateContent"
        call = self._dialect.read_call(_wire_request(request, path, body))
        fault = check_key(_key(request), model) or (call if isinstance(call, Fault) else None)
        if fault is None and self.sim.menu.find(model, self._times.wall()) is None:
            fault = no_model(model)
        if fault or not isinstance(call, Open):
            return await self._fault(request, fault or invalid("Simulated: nothing to count."))
        counted = listing.token_count(call.request, input_tokens(call.request))
        return web.Response(body=orjson.dumps(counted), content_type="application/json")

    async def _fault(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        response = self._dialect.write_reply(fault, _asked(request.match_info.get("model", "")))
        return await self._send(request, response, Planned(0, response, 0.0))

    # --- the line ----------------------------------------------------------------------------------------------------

    async def _send(self, request: web.Request, response: WireResponse, planned: Planned) -> web.StreamResponse:
        events = request.query.get("alt") == "sse" and "streamGenerateContent" in request.path
        answer = web.StreamResponse(status=response.status, headers=_headers(response, planned, events=events))
        pieces = body_bytes(response, self._shelf.read, events=events)
        await answer.prepare(request)
        if planned.line in {Line.CUT, Line.RESET}:
            await answer.write(next(gathered(pieces, planned.after_bytes), b"")[: planned.after_bytes])
            _break(request, reset=planned.line is Line.RESET)
            return answer
        if planned.line is Line.TRICKLE:
            await _trickle(answer, pieces)
        else:
            for chunk in gathered(pieces, WRITE_BYTES):
                await answer.write(chunk)
        await answer.write_eof()
        return answer


async def start_server(
    profile: Profile | str = "fast",
    *,
    dialect: Dialect | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    seed: int = 0,
    mode: Mode = "full",
    times: Times | None = None,
) -> SimServer:
    """A server that answers until it is closed. Raises ``ConfigError`` for a profile, ``OSError`` for a port."""

    def build() -> SimServer:
        chosen = load_profile(profile) if isinstance(profile, str) else profile
        shelf = MemoryShelf(lazy=True)
        sim = SimProvider(chosen, menu_of(chosen, load()), shelf, seed=seed, mode=mode)
        page = (resources.files(__package__ or "") / "page.html").read_text(encoding="utf-8")
        return SimServer(sim, shelf, dialect or GeminiDialect(), times or Times(), page)

    server = await asyncio.to_thread(build)
    await server.open(host, port)
    return server


async def serve(
    profile: Profile | str,
    *,
    host: str = LOOPBACK,
    port: int = 8080,
    seed: int = 0,
    on_ready: Callable[[SimServer], None] | None = None,
) -> None:
    """Serve until cancelled. ``on_ready`` is told when the address is known."""
    server = await start_server(profile, host=host, port=port, seed=seed)
    try:
        if on_ready:
            on_ready(server)
        await asyncio.Event().wait()
    finally:
        await server.close()


def gathered(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in chunks of at least this size, but for the last."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= size:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def _read_body(request: web.Request) -> Any:
    """The body's JSON, its pictures counted and forgotten. Raises ``SpillError``."""
    spiller = Spiller(Unseen)
    async for chunk in request.content.iter_any():
        spiller.feed(chunk)
    return spiller.close()


async def _trickle(answer: web.StreamResponse, pieces: Iterable[bytes]) -> None:
    drops = 0
    for chunk in gathered(pieces, WRITE_BYTES):
        for at in range(0, len(chunk), DROP_BYTES):
            await answer.write(chunk[at : at + DROP_BYTES])
            drops += 1
            if drops < MAX_DROPS:
                await asyncio.sleep(DROP_S)


def _break(request: web.Request, *, reset: bool = False) -> None:
    """End the connection after what was written, or tear it down. Whatever is answered then goes nowhere."""
    transport = request.transport
    if transport is None:
        return
    if reset and (line := transport.get_extra_info("socket")):
        # Zero seconds to linger make the system send a reset instead of an orderly end.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()


def _key(request: web.Request) -> str:
    """The key, however it came."""
    bearer = request.headers.get("Authorization", "")
    scheme, _, token = bearer.partition(" ")
    from_bearer = token.strip() if scheme.lower() == "bearer" else ""
    return request.headers.get("x-goog-api-key", "") or request.query.get("key", "") or from_bearer


def _wire_request(request: web.Request, path: str, body: Any) -> WireRequest:
    """The request without its key."""
    headers = Headers(tuple((name, value) for name, value in request.headers.items() if name.lower() not in _SECRET))
    query = tuple((name, value) for name, value in request.query.items() if name != "key")
    return WireRequest(request.method, path, body, headers, query)


_SECRET = frozenset({"authorization", "x-goog-api-key", "cookie"})


def _members(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _asked(model: str) -> Open:
    """A call in place of one that could not be read, so that its fault can be written."""
    return Open(ImageRequest.of("", model))


def _fetched(reply: Reply | WireResponse) -> WireResponse:
    """A picture as its own body."""
    if isinstance(reply, WireResponse):
        return reply
    blob = reply.pictures[0].blob if isinstance(reply, Done) else None
    return WireResponse(200, Headers((("Content-Type", blob.media_type if blob else ""),)), binary=blob)


def _headers(response: WireResponse, planned: Planned, *, events: bool) -> dict[str, str]:
    headers = dict(response.headers)
    if response.body is not None:
        # Google declares a stream even when it answers with a plain error.
        headers["Content-Type"] = _EVENTS if events else _JSON
    if planned.number:
        headers[WISH_HEADER] = f"call={planned.number}"
    return headers
