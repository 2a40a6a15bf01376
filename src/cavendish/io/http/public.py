"""Public: pictures fetched from addresses that strangers name, and from public ones only.

A name is looked up once, every address that it has is judged, and the line goes to one of those very addresses. So
neither a name that leads inside, nor one that is looked up twice and answered differently, nor a redirect gets to a
machine that only this one can reach. Address blocks: IANA's special-purpose registries as Python's ``ipaddress`` has
them; of IPv6 only global unicast, RFC 4291 section 2.4, and RFC 6052 section 2.1 for addresses that hold one of IPv4.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ...model.blob import Blob
from ...wire import media
from ...wire.blobs import BlobWriter, NewBlob
from .session import USER_AGENT

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name. Raises ``OSError`` when it has none."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
PORTS: Final = frozenset({80, 443, 8080, 8443})
"""Where pictures are served; the ports of other services are nobody's business."""

AT_ONCE: Final = 64
READ_BYTES: Final = 64 * 1024
MAX_URL: Final = 4096

_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_HOLDS_V4: Final = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC: Final = (
    # Which of these Python knows depends on its patch level.
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata service
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's own services, the machine's credentials among them
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays
    ipaddress.ip_network("2001::/23"),  # protocol assignments, Teredo among them: any IPv4 address inside
    ipaddress.ip_network("2002::/16"),  # 6to4: any IPv4 address inside
    ipaddress.ip_network("3fff::/20"),  # documentation
)
_NUMBER: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE | re.ASCII)


class Unfetched(ValueError):
    """A picture could not be had from there: why, in words that tell nothing of this machine's surroundings."""


@dataclass(frozen=True, slots=True)
class FetchRules:
    """The bounds of one fetch. ``loopback`` also lets this very machine be asked, on any port: for tests alone."""

    max_bytes: int = 32 << 20
    timeout_s: float = 30.0
    redirects: int = 3
    loopback: bool = False


class PublicPictures:
    """Fetches pictures. Make it inside the loop, close it at the end."""

    def __init__(self, rules: FetchRules | None = None, lookup: Lookup | None = None) -> None:
        self.rules = rules or FetchRules()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._client = aiohttp.ClientSession(
            # Each fetch has a line of its own: one that was opened for one stranger serves no other.
            connector=public_connector(self.rules, lookup),
            cookie_jar=aiohttp.DummyCookieJar(),
            # What is compressed may be a thousand times its size; pictures gain nothing by it.
            headers={"User-Agent": USER_AGENT, "Accept": "image/*", "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def close(self) -> None:
        """Close all lines."""
        await self._client.close()

    async def fetch(self, url: str, new_blob: NewBlob) -> Blob:
        """The picture at an address, written to a new blob. Raises ``Unfetched``."""
        try:
            async with self._turns, asyncio.timeout(self.rules.timeout_s):
                return await self._follow(read_url(url), new_blob)
        except TimeoutError:
            raise Unfetched(f"it did not come within {self.rules.timeout_s:g} s") from None
        except NotPublic as error:
            raise Unfetched(str(error)) from None
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
            if isinstance(error, Unfetched):
                raise
            hidden = error.__cause__ or error.__context__
            if isinstance(hidden, NotPublic):
                raise Unfetched(str(hidden)) from None
            raise Unfetched("its server could not be reached, or did not answer as HTTP") from None

    async def _follow(self, url: URL, new_blob: NewBlob) -> Blob:
        for _ in range(self.rules.redirects + 1):
            judge(url, self.rules)
            async with self._client.get(url, allow_redirects=False) as answer:
                if answer.status not in REDIRECTS:
                    return await self._read(answer, new_blob)
                url = _next(url, answer.headers.get("Location", ""))
        raise Unfetched(f"it is redirected more than {self.rules.redirects} times")

    async def _read(self, answer: aiohttp.ClientResponse, new_blob: NewBlob) -> Blob:
        if answer.status != 200:
            raise Unfetched(f"its server answered with status {answer.status}")
        if answer.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
            raise Unfetched("it is compressed, which was not asked for")
        if (answer.content_length or 0) > self.rules.max_bytes:
            raise self._too_large()
        writer: BlobWriter | None = None
        try:
            head = await self._head(answer)
            media_type = media.sniff(head)
            if not media.is_picture(media_type) or media_type == "image/svg+xml":
                raise Unfetched("what is there is no picture")
            writer = new_blob()
            writer.write(head)
            await self._rest(answer, writer, len(head))
            finished, writer = writer, None
            return finished.finish(media_type or media.UNKNOWN)
        finally:
            if writer is not None:
                writer.abort()

    async def _head(self, answer: aiohttp.ClientResponse) -> bytes:
        head = b""
        while len(head) < media.HEAD_BYTES and (chunk := await answer.content.read(media.HEAD_BYTES - len(head))):
            head += chunk
        return head

    async def _rest(self, answer: aiohttp.ClientResponse, writer: BlobWriter, size: int) -> None:
        while chunk := await answer.content.read(READ_BYTES):
            size += len(chunk)
            if size > self.rules.max_bytes:
                raise self._too_large()
            writer.write(chunk)

    def _too_large(self) -> Unfetched:
        return Unfetched(f"it has more than {self.rules.max_bytes:,} bytes")


def public_connector(rules: FetchRules, lookup: Lookup | None = None) -> aiohttp.TCPConnector:
    """Opens lines to public addresses alone, each for one exchange."""

    def gate(address: tuple[Any, ...]) -> socket.socket:
        # The last one: whatever led here, no line to elsewhere is opened.
        family, kind, protocol, _, place = address
        if not is_public(ipaddress.ip_address(place[0].partition("%")[0]), loopback=rules.loopback):
            raise NotPublic
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(
        resolver=_Judged(rules, lookup or _look_up),
        use_dns_cache=False,
        force_close=True,
        limit=AT_ONCE,
        socket_factory=gate,
    )


def judge(url: URL, rules: FetchRules) -> None:
    """What can be told before a line is opened. An address instead of a name is never looked up.

    Raises ``Unfetched`` and ``NotPublic``.
    """
    host = url.host or ""
    if not rules.loopback and url.port not in PORTS:
        raise Unfetched(f"port {url.port} is not one that is asked")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            # 127.1, 0x7f000001 and 2130706433 are addresses to some and names to others.
            raise Unfetched("its host is a number that is no plain address") from None
        return
    if not is_public(address, loopback=rules.loopback):
        raise NotPublic


class NotPublic(OSError):
    """Where a line would have to go is no public address."""

    def __init__(self) -> None:
        super().__init__("its address is not a public one")

    def __str__(self) -> str:
        return "its address is not a public one"


class _Judged(AbstractResolver):
    """Looks a name up, and gives its addresses only when all of them are public."""

    def __init__(self, rules: FetchRules, lookup: Lookup) -> None:
        self._rules = rules
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._lookup(host, port)
        addresses = [ipaddress.ip_address(address.partition("%")[0]) for address in found]
        if not all(is_public(address, loopback=self._rules.loopback) for address in addresses):
            raise NotPublic
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET6 if address.version == 6 else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
            if family in {socket.AF_UNSPEC, socket.AF_INET6 if address.version == 6 else socket.AF_INET}
        ]

    async def close(self) -> None:
        """It holds nothing."""


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address, *, loopback: bool = False) -> bool:
    """Whether anybody on the internet can reach it. ``loopback``: or only this machine can."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped, loopback=loopback)
        if address in _HOLDS_V4:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        unicast = address in _GLOBAL_V6
    else:
        unicast = not address.is_reserved
    if address.is_loopback:
        return loopback
    special = address.is_multicast or address.is_unspecified or any(address in block for block in _NOT_PUBLIC)
    return unicast and address.is_global and not special


def read_url(words: str) -> URL:
    """An address that may be asked, as far as its spelling tells. Raises ``Unfetched``."""
    if len(words) > MAX_URL:
        raise Unfetched(f"its address has more than {MAX_URL} characters")
    try:
        url = URL(words.strip())
    except ValueError:
        raise Unfetched("its address cannot be read") from None
    return _plain(url)


def _plain(url: URL) -> URL:
    if url.scheme not in {"http", "https"} or not url.host:
        raise Unfetched("its address is neither http nor https")
    if url.user is not None or url.password is not None:
        raise Unfetched("its address holds a name or a password")
    return url.with_fragment(None)


def _next(url: URL, place: str) -> URL:
    if not place or len(place) > MAX_URL:
        raise Unfetched("it is redirected to nowhere")
    try:
        following = url.join(URL(place))
    except ValueError:
        raise Unfetched("it is redirected to what is no address") from None
    if url.scheme == "https" and following.scheme == "http":
        raise Unfetched("it is redirected from https to http")
    return _plain(following)


_NAMES: Final = ThreadPoolExecutor(16, "cavendish-names")
"""A stranger's name server may take its time: those who ask it have threads of their own."""


async def _look_up(host: str, port: int) -> Sequence[str]:
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_NAMES, ask)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
