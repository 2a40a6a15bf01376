"""HttpProvider: an endpoint that can be called. Dialect, address and key behind ``engine.ports.Provider``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import Protocol

from yarl import URL

from ...catalog.cards import EndpointCard
from ...engine.ports import Answer, Clock
from ...errors import ConfigError
from ...model.call import Call, Done, Fetch, Open, Reply
from ...model.fault import Charged, Fault, FaultKind, Scope
from ...model.request import ImageRequest
from ...secret import Secret
from ...wire.blobs import DEFAULT_LIMITS, Limits
from ...wire.dialect import Dialect, ReadsDrafts
from ...wire.message import WireRequest, WireResponse
from ..blobs.inbox import Inbox
from ..blobs.memory import MemoryBlobs
from .drafts import Onlooker, Showing
from .exchange import REDIRECT_LIMIT, Arrived, Exchange, Timeouts
from .faults import without
from .session import Session
from .stated import COST_HEADER, with_stated_cost

TIMEOUT_HEADER = "timeout_header"
"""The option of an endpoint that names a header for our time-out in whole seconds (Google: ``X-Server-Timeout``)."""

LEAST_TOLD_S = 10
"""A shorter time-out is kept by us alone: Google refuses the call (livekit/agents, issue 3723, 2025-10-27)."""

UNAUTHENTICATED = 401

LOOK_LIMITS = Limits(blobs=0)
_ANY = Open(ImageRequest((), ""))
"""The call under which a dialect reads an error that no call led to."""

_REQUEST_IDS = (
    "x-generation-id",
    "x-request-id",
    "request-id",
    "x-goog-request-id",
    "x-oneapi-request-id",
    "apim-request-id",
    "cf-ray",
)
GENERATION = "gen-"
_KEY = re.compile(r"[!-~]*")
_BREAKS = re.compile(r"[\x00-\x20\x7f]")


class Tokens(Protocol):
    """A key that does not last: it is asked for before each call."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with every call beside the token."""
        ...

    async def current(self) -> Secret | Fault:
        """A token that is good for the next minutes, or why there is none."""
        ...

    def refused(self, token: Secret) -> None:
        """The endpoint did not take this token: the next call needs another."""
        ...


class HttpProvider:
    """Implements ``engine.ports.Provider``.

    The key goes to the endpoint's own origin, and over HTTPS to its trusted hosts; to no other, whatever a reply's URL
    or a redirect says. ``key`` is ``None`` for endpoints that want none, and ``Tokens`` where keys do not last.
    ``onlooker`` is shown what streams show of pictures before they are finished.
    """

    def __init__(
        self,
        dialect: Dialect,
        card: EndpointCard,
        key: Secret | Tokens | None,
        session: Session,
        inbox: Inbox,
        clock: Clock,
        timeouts: Timeouts | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if isinstance(key, Secret) and not _KEY.fullmatch(key.reveal()):
            raise ConfigError(f"the key for {card.name} has characters in it that no key has", hints=("set it anew",))
        self._dialect = dialect
        self._card = card
        self._base = URL(card.base_url)
        self._key = key
        self._session = session
        self._inbox = inbox
        self._clock = clock
        self._timeouts = timeouts or Timeouts()
        self._limits = limits
        self._refused: Secret | None = None
        self.onlooker: Onlooker | None = None

    def __repr__(self) -> str:
        return f"HttpProvider({self._card.name!r}, {str(self._base)!r})"

    async def call(self, call: Call, attempt_id: str) -> Answer:
        """Make one exchange; see ``engine.ports.Provider``."""
        started, began_s = self._clock.monotonic(), asyncio.get_running_loop().time()
        fetched = call.url if isinstance(call, Fetch) else ""
        try:
            key = await self._key_now()
            arrived = Arrived(fault=key) if isinstance(key, Fault) else await self._exchange(call, attempt_id, key)
            reply = self._read(arrived, call, None if isinstance(key, Fault) else key)
            reply = with_stated_cost(reply, arrived.response, self._card.options.get(COST_HEADER))
            latency_s = self._clock.monotonic() - started
            if isinstance(reply, Done):
                await self._inbox.record(attempt_id, reply, url=fetched)
        finally:
            # What a reply does not name, or all of it when there is none.
            self._inbox.discard(attempt_id)
        request_id = _generation_of(reply) or _request_id(arrived.response)
        return Answer(reply, latency_s, request_id, max(0.0, arrived.left_at_s - began_s))

    async def look(self, path: str) -> WireResponse | Fault:
        """A plain GET below the endpoint's address, with the key: what models it lists, and whether the key is good.

        An error is read by the dialect.
        """
        request = WireRequest("GET", path)
        store = MemoryBlobs()
        key = await self._key_now()
        if isinstance(key, Fault):
            return key
        stamp = partial(self._stamp, token=key, whole_s=self._timeouts.whole_seconds)
        exchange = Exchange(self._session, store, stamp, self._timeouts, LOOK_LIMITS)
        arrived = await exchange.run(self._url(request), request, lambda: store.new_blob(""))
        if arrived.response is None or arrived.fault is not None:
            return _safe(arrived.fault or Fault(FaultKind.MALFORMED, "there was no answer"), key)
        if arrived.response.status < 400:
            return arrived.response
        refused = self._dialect.read_reply(arrived.response, _ANY)
        unread = Fault(FaultKind.MALFORMED, "the error cannot be read", status=arrived.response.status)
        return _safe(refused if isinstance(refused, Fault) else unread, key)

    async def _key_now(self) -> Secret | Fault | None:
        if isinstance(self._key, Secret) or self._key is None:
            return self._key
        return await self._key.current()

    async def _exchange(self, call: Call, attempt_id: str, key: Secret | None) -> Arrived:
        try:
            request = self._dialect.write_call(call)
            url = self._url(request)
            if isinstance(call, Fetch) and is_inner(url) and not is_inner(self._base):
                raise ValueError("the answer names a picture inside of this network")
        except ValueError as error:
            return Arrived(fault=Fault(FaultKind.INVALID_REQUEST, f"the request cannot be written: {error}"))
        timeouts = self._timeouts.of_size(call.request.size) if isinstance(call, Open) else self._timeouts
        stamp = partial(self._stamp, token=key, whole_s=timeouts.whole_seconds)
        look = self._showing(call, attempt_id)
        exchange = Exchange(self._session, self._inbox, stamp, timeouts, self._limits, look.look if look else None)
        redirects = REDIRECT_LIMIT if isinstance(call, Fetch) else 0
        return await exchange.run(url, request, lambda: self._inbox.new_blob(attempt_id), redirects=redirects)

    def _showing(self, call: Call, attempt_id: str) -> Showing | None:
        dialect, onlooker = self._dialect, self.onlooker
        if onlooker is None or not isinstance(call, Open) or not call.stream or not isinstance(dialect, ReadsDrafts):
            return None
        return Showing(onlooker, dialect, attempt_id)

    def _read(self, arrived: Arrived, call: Call, key: Secret | None) -> Reply:
        response, fault = arrived.response, arrived.fault
        if response is None:
            assert fault is not None
            return _safe(fault, key)
        if response.too_large:
            return Fault(FaultKind.MALFORMED, "the answer is too large", Charged.UNKNOWN, status=response.status)
        reply = self._dialect.read_reply(response, call)
        if not isinstance(reply, Fault):
            self._refused = None
            return reply
        if fault is not None and response.status < 400:
            # How far it came is known here, and what the rest would have said is not known to anyone.
            reply = fault.having(status=response.status, usage=reply.usage)
        return _safe(self._outlived(reply, key), key)

    def _outlived(self, fault: Fault, key: Secret | None) -> Fault:
        """A token that is refused may have been taken back; only a second refusal in a row is about who asks."""
        if fault.status != UNAUTHENTICATED or key is None or isinstance(self._key, Secret) or self._key is None:
            return fault
        self._key.refused(key)
        before, self._refused = self._refused, key
        if before not in {None, key}:
            return fault
        return replace(fault, kind=FaultKind.CONNECT, charged=Charged.NO, scope=Scope.CALL)

    def _url(self, request: WireRequest) -> URL:
        if request.path.startswith("/"):
            url = URL(self._card.base_url.rstrip("/") + request.path)
        elif _BREAKS.search(request.path):
            raise ValueError("a URL with spaces or control characters")
        else:
            # As it came: it may be signed.
            url = URL(request.path, encoded=True)
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError(f"no HTTP URL: {url.scheme}:")
        return url.extend_query(request.query) if request.query else url

    def _stamp(self, url: URL, token: Secret | None = None, whole_s: int = 0) -> Mapping[str, str]:
        """The key, and our time-out where it is asked for: only for the endpoint's own hosts."""
        if not self._is_ours(url):
            return {}
        headers: dict[str, str] = {}
        option = self._card.options.get(TIMEOUT_HEADER)
        if isinstance(option, str) and option and whole_s >= LEAST_TOLD_S:
            headers[option] = str(whole_s)
        key = self._key if isinstance(self._key, Secret) else token
        if key is not None:
            headers[self._card.auth_header] = self._card.auth_prefix + key.reveal()
        if self._key is not None and not isinstance(self._key, Secret):
            headers |= self._key.headers
        return headers

    def _is_ours(self, url: URL) -> bool:
        if url.origin() == self._base.origin():
            return True
        if url.scheme != "https" or not url.is_default_port():
            return False
        return any(_is_host(url.host or "", trusted) for trusted in self._card.trusted_hosts)


def _safe(fault: Fault, key: Secret | None) -> Fault:
    return without(fault, key.reveal()) if key else fault


def _is_host(host: str, trusted: str) -> bool:
    """Whether a host is the trusted one, in which ``*`` stands for one label: ``api.*.example``."""
    labels, wanted = host.split("."), trusted.split(".")
    return len(labels) == len(wanted) and all(w in {"*", label} for label, w in zip(labels, wanted, strict=True))


def is_inner(url: URL) -> bool:
    """Whether an address is plainly one of this machine or network: a model's words must not lead us there."""
    host = (url.host or "").rstrip(".").lower()
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host.replace(":", "."):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return not address.is_global


def _generation_of(reply: Reply) -> str:
    """OpenRouter's own name of an answer, by which its bill speaks of it; its headers have only its proxy's."""
    name = reply.response_id if isinstance(reply, Done) else ""
    return name if name.startswith(GENERATION) else ""


def _request_id(response: WireResponse | None) -> str:
    if response is None:
        return ""
    return next((value for name in _REQUEST_IDS if (value := response.headers.get(name))), "")
