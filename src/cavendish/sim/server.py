"""The simulator behind real HTTP: ``cavendish sim``, and the provider of last resort when no key is configured.

Google's API is at the root, every other system below a path of its own. Bodies are streamed: a picture is drawn when
its turn comes and is never held as base64. Connections really break.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from aiohttp import web

from ..catalog.load import load
from ..catalog.resolve import Catalog
from ..dialects.gemini import GeminiDialect
from ..wire.dialect import Dialect
from .bill_pages import page_at
from .books import Books
from .draw import Mode
from .google_site import GoogleSite
from .menu import menu_of
from .profile import Profile, load_profile, names
from .provider import SimProvider
from .shelves import MemoryShelf
from .site import Site, json_response, key_of
from .systems import SYSTEMS, System, speaks

__all__ = ["SimServer", "Times", "serve", "start_server"]

LOOPBACK = "127.0.0.1"
GRACE_S = 1.0
"""How long calls in flight may go on when the server is told to stop."""


@dataclass(frozen=True, slots=True)
class Times:
    """Where the server's time comes from: seconds since some moment, and since the epoch."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class SimServer:
    """A running simulator. ``url`` is its address without a path, ``sim`` the system at the root."""

    def __init__(self, root: Site, sites: Iterable[Site], page: str) -> None:
        self.sim = root.sim
        self.url = ""
        self._sites = (*sites, root)
        self._page_text = page
        self._runner: web.AppRunner | None = None

    @property
    def urls(self) -> Mapping[str, str]:
        """The base URL of each system, by the name of its endpoint."""
        return {site.system.endpoint: self.url + site.system.prefix for site in self._sites}

    def site(self, endpoint: str) -> Site:
        """The system of an endpoint's name. Raises ``KeyError``."""
        return {site.system.endpoint: site for site in self._sites}[endpoint]

    def stats(self) -> dict[str, Any]:
        """What ``/stats`` shows."""
        *others, root = (site.sim.stats(*site.now()) for site in self._sites)
        return {**root, "quota": [row for stats in (root, *others) for row in stats["quota"]]}

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
        for site in self._sites:
            site.open(self.url)

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/stats", self._stats)
        app.router.add_post("/stats/reset", self._reset)
        app.router.add_get("/sim/pictures/{name}", self._picture)
        app.router.add_get("/sim/pictures/{endpoint}/{name}", self._picture)
        app.router.add_route("*", "/{rest:.*}", self._serve)
        return app

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._page_text, content_type="text/html")

    async def _stats(self, _request: web.Request) -> web.StreamResponse:
        return json_response(self.stats())

    async def _reset(self, _request: web.Request) -> web.StreamResponse:
        for site in self._sites:
            site.sim.reset()
        return json_response({})

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        named = request.match_info.get("endpoint", "")
        site = next((site for site in self._sites if site.system.endpoint == named), self._sites[-1])
        return await site.picture(request, request.match_info["name"])

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            page = page_at(self.sim.books, request.path, request.query, key_of(request))
            if page is not None:
                return json_response(page)
        for site in self._sites:
            if (rest := site.rest_of(request.path)) is not None:
                return await site.serve(request, rest)
        raise web.HTTPNotFound


async def start_server(
    profile: Profile | str = "fast",
    *,
    dialect: Dialect | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    seed: int = 0,
    mode: Mode = "full",
    times: Times | None = None,
    others: Iterable[Profile | str] = (),
) -> SimServer:
    """A server that answers until it is closed. Raises ``ConfigError`` for a profile, ``OSError`` for a port.

    ``profile`` is that of the root, which speaks ``dialect``, Google's unless told otherwise. All other systems are as
    fast, as full and as troubled, but for those whose own profile is among ``others``.
    """

    def build() -> SimServer:
        builder = _Builder(load(), times or Times(), seed, mode)
        first = load_profile(profile) if isinstance(profile, str) else profile
        chosen = [load_profile(other) if isinstance(other, str) else other for other in others]
        own = {given.endpoint: given for given in chosen}
        root = builder.site(System(first.endpoint, ""), first, dialect or GeminiDialect())
        sites = [builder.of(system, first, own.get(system.endpoint)) for system in SYSTEMS]
        page = (resources.files(__package__ or "") / "page.html").read_text(encoding="utf-8")
        return SimServer(root, [site for site in sites if site], page)

    server = await asyncio.to_thread(build)
    await server.open(host, port)
    return server


class _Builder:
    """Puts sites together: one clock, one pair of books."""

    def __init__(self, catalog: Catalog, times: Times, seed: int, mode: Mode) -> None:
        self._catalog = catalog
        self._times = times
        self._began = times.monotonic()
        self._seed = seed
        self._mode: Mode = mode
        self._books = Books()
        self._known = names()

    def of(self, system: System, first: Profile, own: Profile | None) -> Site | None:
        """The site of a system that the catalog knows."""
        card = self._catalog.endpoints.get(system.endpoint)
        if card is None or system.endpoint not in self._known:
            return None
        profile = own or load_profile(system.endpoint).in_the_manner_of(first)
        return self.site(system, profile, speaks(card))

    def site(self, system: System, profile: Profile, dialect: Dialect) -> Site:
        """A site."""
        shelf = MemoryShelf(lazy=True)
        menu = menu_of(profile, self._catalog)
        sim = SimProvider(profile, menu, shelf, seed=self._seed, mode=self._mode, ledger=self._books)
        kind = GoogleSite if dialect.name == "gemini" else Site
        return kind(system, sim, shelf, dialect, self._moment)

    def _moment(self) -> tuple[float, float]:
        return self._times.monotonic() - self._began, self._times.wall()


async def serve(
    profile: Profile | str,
    *,
    host: str = LOOPBACK,
    port: int = 8080,
    seed: int = 0,
    others: Iterable[Profile | str] = (),
    on_ready: Callable[[SimServer], None] | None = None,
) -> None:
    """Serve until cancelled. ``on_ready`` is told when the address is known."""
    server = await start_server(profile, host=host, port=port, seed=seed, others=others)
    try:
        if on_ready:
            on_ready(server)
        await asyncio.Event().wait()
    finally:
        await server.close()
