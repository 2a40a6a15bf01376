"""Exchange: one HTTP request and its answer, read into blobs as it arrives."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from yarl import URL

from ...engine.ports import OutOfSpace
from ...model.fault import Charged, Fault, FaultKind
from ...wire.blobs import DEFAULT_LIMITS, Limits, NewBlob
from ...wire.body import BodyReader
from ...wire.message import Headers, JsonBody, WireRequest, WireResponse
from ..blobs.inbox import Inbox
from .faults import broken_fault, connect_fault
from .session import Sending, Session
from .upload import Upload

CONNECT_S = 30.0
WHOLE_S = 300.0

REDIRECT_LIMIT = 5
"""For pictures behind URLs; stores of such pictures redirect once, link shorteners twice."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: until connected, between two bytes (``None``: as long as the whole), until the answer is whole.

    ``whole_by_size``: pictures of these sizes take longer.
    """

    connect_s: float = CONNECT_S
    silence_s: float | None = None
    whole_s: float = WHOLE_S
    whole_by_size: Mapping[str, float] = field(default_factory=dict[str, float])

    def of_size(self, size: str | None) -> Timeouts:
        """Those of a call for a picture of this size."""
        whole_s = self.whole_by_size.get(size or "", self.whole_s)
        return self if whole_s == self.whole_s else replace(self, whole_s=whole_s)

    @property
    def silence(self) -> float:
        """The longest silence in seconds."""
        return self.whole_s if self.silence_s is None else self.silence_s

    @property
    def whole_seconds(self) -> int:
        """The whole, rounded up."""
        return math.ceil(self.whole_s)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came back: ``response`` as far as it can be read, and ``fault`` when the exchange broke. Never neither.

    ``left_at_s``: when the request was on its way, by the event loop's clock; 0 when it never was.
    """

    response: WireResponse | None = None
    fault: Fault | None = None
    left_at_s: float = 0.0


class Exchange:
    """One request, to be run once. ``stamp`` gives the headers that only the endpoint's own hosts may see.

    ``look`` is shown the events of a stream as they come, each time all of them.
    """

    def __init__(
        self,
        session: Session,
        inbox: Inbox,
        stamp: Callable[[URL], Mapping[str, str]],
        timeouts: Timeouts,
        limits: Limits = DEFAULT_LIMITS,
        look: Callable[[Sequence[JsonBody]], Awaitable[None]] | None = None,
    ) -> None:
        self._look = look
        self._session = session
        self._inbox = inbox
        self._stamp = stamp
        self._timeouts = timeouts
        self._limits = limits
        self._sending = Sending()
        self._upload: Upload | None = None
        self._reader: BodyReader | None = None

    async def run(self, url: URL, request: WireRequest, new_blob: NewBlob, *, redirects: int = 0) -> Arrived:
        """Make the exchange. Raises only ``OutOfSpace`` and cancellation."""
        try:
            try:
                with self._session.calling():
                    async with asyncio.timeout(self._timeouts.whole_s):
                        fault = await self._follow(url, request, new_blob, redirects)
            except OutOfSpace:
                raise
            except (aiohttp.ClientError, OSError, ValueError, TypeError) as error:
                fault = self._fault_of(error, url)
            return replace(self._end(fault), left_at_s=self._sending.left_at_s)
        except BaseException:
            if self._reader is not None:
                self._reader.abort()
            raise

    async def _follow(self, url: URL, request: WireRequest, new_blob: NewBlob, redirects: int) -> Fault | None:
        for _ in range(redirects):
            target = await self._once(url, request, new_blob, redirects=True)
            if target is None:
                return None
            url = target
        if await self._once(url, request, new_blob, redirects=redirects > 0) is None:
            return None
        return Fault(FaultKind.MALFORMED, f"more than {redirects} redirects", Charged.UNKNOWN)

    async def _once(self, url: URL, request: WireRequest, new_blob: NewBlob, *, redirects: bool) -> URL | None:
        """One request and its answer; returns where the answer redirects to, when that is to be followed."""
        options = dict(await self._session.proxy_arguments(url))
        headers = {**dict(request.headers), **options.pop("headers", {})}
        if request.body is not None:
            self._upload = Upload(request.body, self._inbox.read)
            headers |= {"Content-Type": self._upload.content_type, "Content-Length": str(self._upload.size)}
            options["data"] = self._upload.data
        timeout = aiohttp.ClientTimeout(sock_connect=self._timeouts.connect_s, sock_read=self._timeouts.silence)
        headers |= self._stamp(url)
        async with self._session.request(
            request.method, url, self._sending, timeout, headers=headers, **options
        ) as response:
            target = _redirect(response, url) if redirects else None
            if target is None:
                await self._receive(response, new_blob)
            return target

    async def _receive(self, response: aiohttp.ClientResponse, new_blob: NewBlob) -> None:
        headers = Headers(tuple(response.headers.items()))
        self._reader = reader = BodyReader(response.status, headers, new_blob, limits=self._limits)
        transport: Any = response.connection.transport if response.connection else None
        with self._session.receiving() as at_once:
            async for chunk in response.content.iter_any():
                if hasattr(transport, "max_size"):
                    transport.max_size = at_once()
                with _disk():
                    reader.feed(chunk)
                if reader.too_large:
                    return
                if self._look is not None and reader.events:
                    await self._look(reader.events)
                await self._inbox.drained()

    def _end(self, fault: Fault | None) -> Arrived:
        if self._reader is None:
            return Arrived(None, fault or Fault(FaultKind.MALFORMED, "there was no answer", Charged.UNKNOWN))
        with _disk():
            return Arrived(self._reader.close(cut=fault is not None), fault)

    def _fault_of(self, error: Exception, url: URL) -> Fault:
        if self._upload is not None and self._upload.error is not None:
            # Never whole, so nothing that a provider could have worked on.
            words = f"a reference picture cannot be read: {self._upload.error}"
            return Fault(FaultKind.UNREADABLE, words, Charged.NO)
        if not self._sending.left and not isinstance(error, aiohttp.ClientError | OSError):
            return Fault(FaultKind.INVALID_REQUEST, f"the request cannot be written: {error}", Charged.NO)
        return connect_fault(error, url) or broken_fault(
            error, left=self._sending.left, whole_s=self._timeouts.whole_s, silence_s=self._timeouts.silence
        )


@contextlib.contextmanager
def _disk() -> Generator[None]:
    """Whatever keeps a store from taking bytes stops the run: it is no fault of the line."""
    try:
        yield
    except OutOfSpace:
        raise
    except OSError as error:
        raise OutOfSpace(error.errno, f"what arrives cannot be stored: {error.strerror or error}") from error


def _redirect(response: aiohttp.ClientResponse, url: URL) -> URL | None:
    location = response.headers.get("Location", "")
    if response.status not in _REDIRECTS or not location:
        return None
    target = url.join(URL(location, encoded=True))
    return target if target.scheme in {"http", "https"} and target.host else None
