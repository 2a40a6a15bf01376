"""Files: one endpoint with one key for what is no call: plain questions, uploads that can be taken up, long downloads.

Nothing here is billed. What a request means, and what is read from it, is the caller's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from yarl import URL

from ...catalog.cards import EndpointCard
from ...dialects.gemini.batch_files import (
    UPLOAD_COMMAND,
    UPLOAD_OFFSET,
    UPLOAD_RECEIVED,
    UPLOAD_STATUS,
    GeminiFiles,
)
from ...engine.ports import Clock, OutOfSpace
from ...model.fault import Charged, Fault, FaultKind
from ...model.job import StoredFile
from ...secret import Secret
from ...wire.body import BodyReader
from ...wire.message import Headers, WireRequest, WireResponse
from ..blobs.inbox import Inbox
from ..blobs.memory import MemoryBlobs
from .exchange import Exchange, Timeouts
from .faults import broken_fault, connect_fault, without
from .session import Sending, Session

PIECE_BYTES: Final = 8 << 20
"""What is sent at a time, and held for another try. Google's own SDK takes as much; all but the last must be multiples
of 256 KiB."""

GRAIN_BYTES: Final = 256 << 10
HELD_BYTES: Final = 16 << 20
"""What all uploads of a key hold at once: when there are many, their pieces are smaller."""

PIECE_TRIES: Final = 6
BACKOFF_S: Final = 1.0
DOWNLOAD_SILENCE_S: Final = 120.0
REDIRECT_STATUS: Final = frozenset({301, 302, 303, 307, 308})
REDIRECTS: Final = 3
PARTIAL, NOTHING_THERE = 206, 416


@dataclass(slots=True)
class Door:
    """One endpoint with one key. The key goes to the endpoint's own origin alone, wherever an answer may lead."""

    card: EndpointCard
    key: Secret | None = field(repr=False)
    session: Session
    inbox: Inbox
    clock: Clock
    timeouts: Timeouts = field(default_factory=Timeouts)

    def stamp(self, url: URL) -> Mapping[str, str]:
        """The key, for the endpoint itself."""
        if self.key is None or url.origin() != URL(self.card.base_url).origin():
            return {}
        return {self.card.auth_header: self.card.auth_prefix + self.key.reveal()}

    def url(self, request: WireRequest) -> URL:
        """Where a request goes."""
        path = request.path
        url = URL(self.card.base_url.rstrip("/") + path) if path.startswith("/") else URL(path, encoded=True)
        return url.extend_query(request.query) if request.query else url

    def safe(self, fault: Fault) -> Fault:
        """The fault without the key."""
        return without(fault, self.key.reveal()) if self.key else fault

    async def ask(self, request: WireRequest, into: str) -> WireResponse | Fault:
        """One exchange; blobs of the answer arrive in the inbox under the id ``into``. Raises only ``OutOfSpace``."""
        exchange = Exchange(self.session, self.inbox, self.stamp, self.timeouts)
        arrived = await exchange.run(self.url(request), request, lambda: self.inbox.new_blob(into))
        if arrived.fault is not None and (arrived.response is None or arrived.response.status < 400):
            return self.safe(arrived.fault)
        assert arrived.response is not None
        return arrived.response

    async def send(self, url: URL, data: bytes, headers: Mapping[str, str]) -> WireResponse | Fault:
        """Post bytes as they are; the short answer is kept in memory."""
        sending, times = Sending(), self.timeouts
        try:
            async with asyncio.timeout(times.whole_s):
                return await self._sent(url, data, headers, sending)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return self.safe(
                connect_fault(error, url)
                or broken_fault(error, left=sending.left, whole_s=times.whole_s, silence_s=times.silence)
            )

    async def _sent(self, url: URL, data: bytes, headers: Mapping[str, str], sending: Sending) -> WireResponse:
        options = dict(await self.session.proxy_arguments(url))
        sent = {**headers, **options.pop("headers", {})}
        timeout = aiohttp.ClientTimeout(sock_connect=self.timeouts.connect_s, sock_read=self.timeouts.silence)
        store = MemoryBlobs()
        async with self.session.request("POST", url, sending, timeout, headers=sent, data=data, **options) as answer:
            reader = BodyReader(answer.status, Headers(tuple(answer.headers.items())), lambda: store.new_blob(""))
            async for chunk in answer.content.iter_any():
                reader.feed(chunk)
            return reader.close()

    async def download(self, request: WireRequest, offset: int) -> AsyncGenerator[Piece | Fault | WireResponse]:
        """A body from an offset on, as it arrives. A fault or an error's answer is the last thing given."""
        url, sending = self.url(request), Sending()
        try:
            for _ in range(REDIRECTS):
                async with await self._begun(url, offset, sending) as answer:
                    location = answer.headers.get("Location", "")
                    if answer.status in REDIRECT_STATUS and location:
                        url = url.join(URL(location, encoded=True))
                        continue
                    async for piece in _pieces(answer, offset):
                        yield piece
                    return
            yield Fault(FaultKind.MALFORMED, f"more than {REDIRECTS} redirects")
        except OutOfSpace:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            fault = connect_fault(error, url) or broken_fault(
                error, left=False, whole_s=DOWNLOAD_SILENCE_S, silence_s=DOWNLOAD_SILENCE_S
            )
            yield self.safe(fault)

    async def _begun(self, url: URL, offset: int, sending: Sending) -> Any:
        options = dict(await self.session.proxy_arguments(url))
        headers = {**options.pop("headers", {}), **self.stamp(url)}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        timeout = aiohttp.ClientTimeout(sock_connect=self.timeouts.connect_s, sock_read=DOWNLOAD_SILENCE_S)
        return self.session.request("GET", url, sending, timeout, headers=headers, **options)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a download. ``start`` is the offset of the first of them."""

    data: bytes
    start: int


async def _pieces(answer: aiohttp.ClientResponse, offset: int) -> AsyncGenerator[Piece | WireResponse]:
    if answer.status == NOTHING_THERE and offset:
        return
    if answer.status >= 300:
        store = MemoryBlobs()
        reader = BodyReader(answer.status, Headers(tuple(answer.headers.items())), lambda: store.new_blob(""))
        async for chunk in answer.content.iter_any():
            reader.feed(chunk)
        yield reader.close()
        return
    at = offset if answer.status == PARTIAL else 0
    async for chunk in answer.content.iter_any():
        yield Piece(chunk, at)
        at += len(chunk)


class Uploads:
    """Resumable uploads through a door. A piece that was not taken is sent again from where the server has got to."""

    def __init__(self, door: Door, files: GeminiFiles | None = None) -> None:
        self._door = door
        self._files = files or GeminiFiles()
        self._at_work = 0

    async def send(self, name: str, media_type: str, size: int, pieces: Iterator[bytes]) -> StoredFile | Fault:
        """Upload so many bytes. ``pieces`` are read in threads; when they cannot be read, that is the fault.

        A fault of this says nothing of money: files cost nothing.
        """
        self._at_work += 1
        try:
            sent = await self._send(name, media_type, size, pieces)
        finally:
            self._at_work -= 1
        return sent.having(charged=Charged.NO) if isinstance(sent, Fault) else sent

    async def _send(self, name: str, media_type: str, size: int, pieces: Iterator[bytes]) -> StoredFile | Fault:
        begun = await self._door.ask(self._files.write_start(name, media_type, size), "upload")
        url = begun if isinstance(begun, Fault) else self._files.read_start(begun)
        if isinstance(url, Fault):
            return url
        try:
            target = URL(url, encoded=True)
        except ValueError:
            return Fault(FaultKind.MALFORMED, "the answer to an upload names no address")
        source, offset = _Source(pieces), 0
        while True:
            try:
                piece = await asyncio.to_thread(source.take, self._piece_bytes())
            except OSError as error:
                return Fault(FaultKind.UNREADABLE, f"a reference picture cannot be read: {error}")
            last = offset + len(piece) >= size
            if not piece and not last:
                return Fault(FaultKind.UNREADABLE, "what is to be uploaded is shorter than it was said to be")
            answer = await self._piece(target, piece, offset, last=last)
            if isinstance(answer, Fault):
                return answer
            if last:
                return self._files.read_file(answer)
            offset += len(piece)

    def _piece_bytes(self) -> int:
        share = HELD_BYTES // self._at_work
        return min(PIECE_BYTES, max(GRAIN_BYTES, share - share % GRAIN_BYTES))

    async def _piece(self, url: URL, piece: bytes, offset: int, *, last: bool) -> WireResponse | Fault:
        """Send one piece, as often as it takes within reason."""
        done = 0
        answer: WireResponse | Fault = Fault(FaultKind.CUT, "the upload broke off")
        for tries in range(PIECE_TRIES):
            headers = {UPLOAD_COMMAND: "upload, finalize" if last else "upload", UPLOAD_OFFSET: str(offset + done)}
            answer = await self._door.send(url, piece[done:], headers)
            if isinstance(answer, WireResponse) and answer.status < 300:
                return answer
            if isinstance(answer, WireResponse) and answer.status < 500:
                return self._refused(answer)
            await self._door.clock.sleep(BACKOFF_S * 2**tries)
            received = await self._received(url)
            if received is None:
                continue
            done = min(max(received - offset, 0), len(piece))
            if done == len(piece) and not last:
                return WireResponse(200)
        return self._refused(answer) if isinstance(answer, WireResponse) else answer

    def _refused(self, answer: WireResponse) -> Fault:
        read = self._files.read_file(answer)
        return self._door.safe(read) if isinstance(read, Fault) else Fault(FaultKind.MALFORMED, "an odd answer")

    async def _received(self, url: URL) -> int | None:
        """How many bytes the server has, ``None`` when it does not say."""
        answer = await self._door.send(url, b"", {UPLOAD_COMMAND: "query"})
        if isinstance(answer, Fault) or answer.headers.get(UPLOAD_STATUS).lower() != "active":
            return None
        received = answer.headers.get(UPLOAD_RECEIVED)
        return int(received) if received.isascii() and received.isdigit() else None


class _Source:
    """Bytes of an iterator in portions of another size. Blocks."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def take(self, count: int) -> bytes:
        held, size = [self._rest], len(self._rest)
        while size < count and (piece := next(self._pieces, None)) is not None:
            held.append(piece)
            size += len(piece)
        over = max(0, size - count)
        last = held.pop()
        self._rest = last[len(last) - over :]
        return b"".join((*held, last[: len(last) - over]))
