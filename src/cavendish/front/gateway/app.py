"""App: the gateway as a server: which door a path leads to, and the parts behind it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson
from aiohttp import web

from ...io.blobs.folder import FolderBlobs
from ...io.blobs.journaled import JournaledBlobs
from ...io.blobs.mirrored import MirroredBlobs
from ...io.blobs.objects import S3Keys, open_objects
from ...io.desk.arrivals import Arrivals
from ...io.desk.books import DeskBooks
from ...io.desk.keys import KeyBooks
from ...io.desk.schema import MIGRATIONS
from ...io.http.posts import PublicPosts
from ...io.state.database import is_server, open_database
from ..build import Setup, Workshop
from ..spending import calendar_of
from .bulk import Bulk
from .jobs.delivery import Deliveries
from .jobs.desk import Desk, DeskRules
from .jobs.removal import Sweeper
from .jobs.replica import Peers, take_seat
from .jobs.sealing import seal_of
from .keys.gate import Gate, is_loopback, must_be_guarded
from .operation.description import description
from .operation.guard import Guard, GuardRules, Handler
from .operation.journal import Journal
from .operation.probes import Probes
from .operation.turned_away import nowhere, unreadable, without_heads
from .passage import passage
from .routing import Route, found
from .table import routes_of
from .talks.forgetting import Forgetting
from .transit.intake import DEFAULT_LIMITS
from .wants import ANYBODY
from .webhooks.telling import TELL_WITHIN_S, Telling

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8790
FOLDER: Final = "gateway"

HEAD_WITHIN_S: Final = 75.0
"""A connection on which no request arrives whole for so long is closed."""

_PAGES: Final = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json"})

LAST_S: Final = 2.0
"""For answers to go out at the end, when nothing is in flight any more."""


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """How a gateway is run. ``folder`` holds the pictures; ``replica`` tells one of several over it from the others.

    Without a name it takes one after the machine's that no other process has. ``keep_s`` is how long jobs and their
    pictures are kept after they ended, ``None``: until somebody deletes them. ``objects`` is a
    store where finished pictures are, too: ``s3://bucket/prefix``. ``guard`` is what is let in.
    """

    folder: Path
    replica: str = ""
    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    rules: DeskRules = field(default_factory=DeskRules)
    grace_s: float = 60.0
    linger_s: float = 0.0
    keep_s: float | None = None
    objects: str = ""
    guard: GuardRules = field(default_factory=GuardRules)
    journal: Journal | None = None


class Gateway:
    """A running gateway. ``url`` is its address without a path."""

    def __init__(self, setup: Setup, options: GatewayOptions) -> None:
        self._setup = setup
        self._options = options
        self._stack = AsyncExitStack()
        self._desk: Desk | None = None
        self._gate: Gate | None = None
        self._guard: Guard | None = None
        self._routes: tuple[Route, ...] = ()
        self._document: bytes | None = None
        self._deliveries = Deliveries(lambda job: self._desk.lost(job) if self._desk else None)
        self.url = ""

    async def open(self) -> None:
        """Open the books and the folder, take up what was left, and begin to listen.

        Raises ``StateError``, ``FolderError`` and ``OSError`` for what cannot be opened.
        """
        options = self._options
        workshop = await self._stack.enter_async_context(Workshop(self._setup))
        database = await open_database(
            self._setup.settings.state_address, "desk", MIGRATIONS, workshop.clock, durable=True
        )
        self._stack.push_async_callback(database.close)
        folder = await asyncio.to_thread(_made, options.folder)
        seat = await asyncio.to_thread(take_seat, folder, options.replica, workshop.dice.fresh_id())
        self._stack.callback(seat.leave)
        books = DeskBooks(database, seat.owner, seat.place)
        books.calendar = calendar_of(self._setup.settings)
        self._stack.push_async_callback(books.close)
        blobs = await self._stack.enter_async_context(self._blobs(folder, seat.own, books))
        await must_be_guarded(KeyBooks(books), options.host, workshop.clock.now())
        desk = Desk(workshop, books, blobs, options.rules, Peers(books, seat))
        desk.seal = await asyncio.to_thread(seal_of, self._setup.settings)
        self._gate = Gate(desk.keeper, alone=is_loopback(options.host), origins=options.guard.origins)
        self._stack.push_async_callback(lambda: desk.close(LAST_S))
        await desk.open()
        self._desk = desk
        bulk = Bulk(desk, options.keep_s)
        self._routes = routes_of(desk, bulk)
        self._guard = Guard(options.guard, desk, options.journal)
        await bulk.batches.open()
        self._stack.push_async_callback(bulk.batches.close)
        self._open_afterwork(desk)
        forgetting = Forgetting(desk)
        forgetting.open()
        self._stack.push_async_callback(forgetting.close)
        await self._listen()

    def _blobs(self, folder: Path, own: str, books: DeskBooks) -> FolderBlobs:
        """The folder, mirrored in a store that machines share where the options name one.

        Books in a file are quicker than a file for each picture; a server far away is not.
        """
        settings, address = self._setup.settings, self._options.objects
        if not address and not is_server(settings.state_address):
            return JournaledBlobs(folder, Arrivals(books), own=own)
        if not address:
            return FolderBlobs(folder, own=own)
        keys = (settings.store_access_key, settings.store_secret_key, settings.store_session_token)
        return MirroredBlobs(folder, open_objects(address, S3Keys(*(key.value for key in keys))), own=own)

    def _open_afterwork(self, desk: Desk) -> None:
        """What is done when jobs have ended: who asked for it is told, and old ones go."""
        telling = Telling(desk, PublicPosts(replace(desk.rules.references, timeout_s=TELL_WITHIN_S)))
        sweeper = Sweeper(desk, self._options.keep_s)
        for part in (telling, sweeper):
            part.open()
            self._stack.push_async_callback(part.close)

    async def drain(self) -> None:
        """Take no more requests, and finish what is in flight, for as long as the options allow.

        A balancer is given ``linger_s`` to find out: until then requests that it sends are taken.
        """
        if self._desk is not None:
            self._desk.leaving = True
            await asyncio.sleep(self._options.linger_s)
            await self._desk.drain(self._options.grace_s)

    async def close(self, *, at_once: bool = False) -> None:
        """Drain, and end. ``at_once``: what is in flight is lost."""
        if not at_once and self._desk is not None:
            await self._desk.drain(self._options.grace_s)
        await self._stack.aclose()

    async def _listen(self) -> None:
        runner = web.AppRunner(
            self._app(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=LAST_S,
            keepalive_timeout=HEAD_WITHIN_S,
            lingering_time=LAST_S,
            auto_decompress=False,
            logger=without_heads(),
        )
        await runner.setup()
        assert runner.server is not None
        self._deliveries.watch(runner.server)
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self._options.host, self._options.port).start()
        address = runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        self.url = f"http://{shown}:{address[1]}"

    def _app(self) -> web.Application:
        assert self._desk is not None, "the gateway is not open"
        assert self._guard is not None, "the gateway is not open"
        guard = self._guard

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._deliveries.answered(request, None)
            answer = await guard.pass_on(request, handler)
            self._deliveries.answered(request, passage().job)
            return answer

        app = web.Application(client_max_size=DEFAULT_LIMITS.total_bytes, middlewares=[guarded])
        app.on_response_prepare.append(self._guard.tell)
        app.on_response_prepare.append(_name)
        if self._gate is not None:
            app.on_response_prepare.append(self._gate.tell)
        probes = Probes(self._desk, self._guard, self._options.folder)
        app.router.add_get("/healthz", probes.healthy)
        app.router.add_get("/readyz", probes.ready)
        app.router.add_get("/metrics", probes.metrics)
        app.router.add_get("/openapi.json", self._described)
        app.router.add_route("*", "/{rest:.*}", self._serve)
        return app

    async def _described(self, _request: web.Request) -> web.Response:
        if self._document is None:
            self._document = await asyncio.to_thread(_written, self._routes, self._options.rules.max_n)
        return web.Response(body=self._document, content_type="application/json")

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if (refused := unreadable(request)) is not None:
            return refused
        route = found(self._routes, request)
        if isinstance(route, frozenset):
            methods = frozenset({"GET", "HEAD"}) if request.path in _PAGES else route
            return nowhere(request, methods, self._routes)
        assert self._gate is not None, "the gateway is not open"
        caller = ANYBODY if route[0].keyless else await self._gate.caller(request, route[0])
        if isinstance(caller, web.Response):
            return caller
        passage().caller = caller
        return await route[0].handler(request, route[1], caller)


async def _name(_request: web.Request, response: web.StreamResponse) -> None:
    """Give each answer a name that a client can quote: its job's, where it has one."""
    response.headers.setdefault("x-request-id", response.headers.get("x-cavendish-job") or uuid4().hex)


def _written(routes: tuple[Route, ...], max_n: int) -> bytes:
    return orjson.dumps(description(routes, max_n))


def _made(folder: Path) -> Path:
    """The folder, there and by its whole name: the program may change its current one."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder.absolute()
