"""Session: the connections that all providers of a process share, and the proxies they go through."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import socket
import ssl
import urllib.request
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
from yarl import URL

from .faults import ProxyUnusable

USER_AGENT = f"cavendish/{version('cavendish')}"
READ_BUFFER_BYTES = 16 * 1024
"""aiohttp stops reading a line when twice this waits: a thousand answers on their way then hold 32 MiB. Of fewer
answers more may wait, so that a line is not stopped after each piece."""

HEADER_BYTES = 64 * 1024
"""For one header line or field; aiohttp's own 8 KiB are less than some content security policies of relays."""

IDLE_S = 15.0
"""How long a connection is kept for the next call. Shorter than any known server's own limit (nginx: 75 s), so that
a call is not sent into a connection that is just being closed."""

RECEIVE_BYTES = 8 << 20
"""What all answers together may take from their sockets at once: asyncio's usual 256 KiB each would for a thousand
answers be a quarter of a gigabyte. Few answers take as much as asyncio allows, which costs the least."""

RECEIVE_MOST, RECEIVE_LEAST = 256 * 1024, 16 * 1024

DNS_S = 60
KEEPALIVE_IDLE_S = 45
"""A picture takes up to minutes in which no byte comes; some address translators forget a line after one minute."""

KEEPALIVE_INTERVAL_S = 15


@dataclass(slots=True)
class Sending:
    """How far one request got; filled in by the session while it is sent."""

    left: bool = False
    """Whether any byte of it may have left this machine."""

    left_at_s: float = 0.0
    """When the last of its requests did, by the event loop's clock."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which proxy a URL goes through, as the usual environment variables or the system's settings say.

    aiohttp's ``trust_env`` is not used: it also reads ``.netrc``, for every call anew, and then refuses a request
    that has an ``Authorization`` header, or sends foreign hosts what stands there.
    """

    by_scheme: Mapping[str, str] = field(default_factory=urllib.request.getproxies)

    def of(self, url: URL) -> dict[str, Any]:
        """What of aiohttp's arguments leads a request to its proxy. May look names up, so it is for threads.

        Raises ``ProxyUnusable`` for a proxy that speaks no HTTP.
        """
        proxy = self.by_scheme.get(url.scheme) or self.by_scheme.get("all")
        host = url.host or ""
        if _is_this_machine(host):
            return {}
        # The port belongs to it: NO_PROXY may name one.
        if not proxy or urllib.request.proxy_bypass(f"{host}:{url.port}" if url.explicit_port else host):
            return {}
        address = URL(proxy if "://" in proxy else f"http://{proxy}")
        if address.scheme not in {"http", "https"}:
            # aiohttp would speak HTTP to it.
            raise ProxyUnusable(f"a proxy of the kind {address.scheme} cannot be used, only one of the kind http")
        if address.user is None:
            return {"proxy": address}
        word = base64.b64encode(f"{address.user}:{address.password or ''}".encode()).decode()
        headers = {"Proxy-Authorization": f"Basic {word}"}
        # A proxy gets a plain request itself, and of an encrypted one only what opens the tunnel.
        return {"proxy": address.with_user(None), "headers" if url.scheme == "http" else "proxy_headers": headers}


def _is_this_machine(host: str) -> bool:
    """A proxy elsewhere would look for the simulator or a gateway on its own machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Session:
    """Open connections, shared by providers. Make it inside the loop, close it at the end."""

    def __init__(self, tls: ssl.SSLContext | None = None, proxies: Proxies | None = None) -> None:
        connector = aiohttp.TCPConnector(
            limit=0,  # the engine decides how many calls are in flight
            ssl=tls or True,
            keepalive_timeout=IDLE_S,
            ttl_dns_cache=DNS_S,
            socket_factory=_socket,
        )
        self._client = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT},
            # Base64 in gzip is a quarter smaller and takes longer to unpack than to hash and to write.
            skip_auto_headers=("Accept-Encoding",),
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            trace_configs=[_tracing()],
        )
        self._calling = self._receiving = 0
        self._proxies = proxies
        self._proxy_of: dict[URL, dict[str, Any]] = {}

    async def proxy_arguments(self, url: URL) -> dict[str, Any]:
        """How a request to this URL gets to its proxy, if it has one."""
        origin = url.origin()
        if origin not in self._proxy_of:
            self._proxy_of[origin] = await asyncio.to_thread(self._find_proxy, origin)
        return self._proxy_of[origin]

    def _find_proxy(self, origin: URL) -> dict[str, Any]:
        if self._proxies is None:
            self._proxies = Proxies()
        return self._proxies.of(origin)

    def request(
        self, method: str, url: URL, sending: Sending, timeout: aiohttp.ClientTimeout, **options: Any
    ) -> Any:  # an async context manager that gives an aiohttp.ClientResponse; its type is private there
        """Begin a request. Redirects are not followed."""
        return self._client.request(
            method,
            url,
            timeout=timeout,
            allow_redirects=False,
            trace_request_ctx=sending,
            read_bufsize=max(READ_BUFFER_BYTES, _share(self._calling) // 2),
            **options,
        )

    @contextlib.contextmanager
    def calling(self) -> Generator[None]:
        """For as long as a call lasts: the more there are, the less of each may wait here."""
        self._calling += 1
        try:
            yield
        finally:
            self._calling -= 1

    @contextlib.contextmanager
    def receiving(self) -> Generator[Callable[[], int]]:
        """For as long as an answer is read; gives how much it may take from its socket at once, in bytes."""
        self._receiving += 1
        try:
            yield lambda: _share(self._receiving)
        finally:
            self._receiving -= 1

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _share(of: int) -> int:
    """What each of so many answers may take at once."""
    return min(RECEIVE_MOST, max(RECEIVE_LEAST, RECEIVE_BYTES // max(1, of)))


def _tracing() -> aiohttp.TraceConfig:
    async def note(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx.left = True
        context.trace_request_ctx.left_at_s = asyncio.get_running_loop().time()

    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(note)
    return tracing


def _socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, *_ = address
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", KEEPALIVE_IDLE_S), ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S)):
        if hasattr(socket, name):  # macOS before Python 3.13 has no TCP_KEEPIDLE
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return sock
