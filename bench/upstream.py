"""Upstream: a provider that does nothing but send a picture of noise, in a process of its own.

Each reply is a whole PNG in the shape of Google's ``generateContent``, and no two are the same. ``python -m
bench.upstream OPTIONS-AS-JSON`` prints its port; ``POST /log`` answers with what it saw. Times are ``time.monotonic``,
which all processes of a Linux machine share.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import struct
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from .measure import ROOT

SIZES = {
    "tiny": (8, 8),
    "1K": (1024, 8),
    "2.4 MB": (1024, 64),
    "2K": (2048, 8),
    "4K": (4096, 6),
    "20 MB": (4096, 9),
}
"""Edge in pixels and levels of noise: 1K comes to 1.2 MB (1.6 on the wire), 2K to 4.7 (6.3), 4K to 17 (22)."""

MODEL = "gemini-3.1-flash-image"
SERIAL_BYTES = 24
HEAD_BYTES = 33 + 12 + SERIAL_BYTES
"""Signature, header and a text chunk with the picture's number: a multiple of three, so base64 can be cut here."""

PIECE = 1 << 18


@dataclass(frozen=True)
class Options:
    """``gate``: replies stop half-way until so many are that far. ``retry_in``: the first call is told 429 and this
    many seconds, and so is every call that comes earlier. ``latency_s``: before each reply.
    """

    size: str = "tiny"
    gate: int = 0
    retry_in: float = 0.0
    latency_s: float = 0.0


@dataclass
class Seen:
    """What the log tells."""

    calls: int = 0
    first: float = 0.0
    last: float = 0.0
    refused_at: list[float] = field(default_factory=list)
    let_in_at: list[float] = field(default_factory=list)
    half_way: int = 0


class Pictures:
    """Makes pictures of one size: everything but the number is made once. ``tail`` is all after ``HEAD_BYTES``."""

    def __init__(self, size: str) -> None:
        edge, levels = SIZES[size]
        rows = b"".join(b"\0" + os.urandom(edge * 3).translate(_levels(levels)) for _ in range(edge))
        packer = zlib.compressobj(1, strategy=zlib.Z_HUFFMAN_ONLY)
        pixels = packer.compress(rows) + packer.flush()
        header = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
        self._head = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
        self.tail = _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")

    def head(self, number: int) -> bytes:
        return self._head + _chunk(b"tEXt", b"Comment\0%016d" % number)


class Replies:
    """Makes the bytes of replies: all of them hold another picture."""

    def __init__(self, size: str) -> None:
        self._pictures = Pictures(size)
        self._numbers = itertools.count(1)
        self.picture_bytes = HEAD_BYTES + len(self._pictures.tail)
        self._before = BEFORE.encode()
        self._after = base64.b64encode(self._pictures.tail) + AFTER.encode()
        head = base64.b64encode(self._pictures.head(0))
        self.length = len(self._before) + len(head) + len(self._after)
        self.data_at = len(self._before)
        self.tail_letters = len(AFTER)

    def pieces(self) -> tuple[bytes, memoryview]:
        """The reply with the next number."""
        head = base64.b64encode(self._pictures.head(next(self._numbers)))
        return self._before + head, memoryview(self._after)


BEFORE = (
    '{\n  "candidates": [{"content": {"role": "model", "parts": [{"inlineData": {"mimeType": "image/png", "data": "'
)
AFTER = f""""}}}}]}}, "finishReason": "STOP", "index": 0}}],
  "usageMetadata": {{"promptTokenCount": 9, "candidatesTokenCount": 1290, "totalTokenCount": 1299,
    "promptTokensDetails": [{{"modality": "TEXT", "tokenCount": 9}}],
    "candidatesTokensDetails": [{{"modality": "IMAGE", "tokenCount": 1290}}]}},
  "modelVersion": "{MODEL}", "responseId": "bench"
}}
"""


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _levels(levels: int) -> bytes:
    return bytes(value % levels for value in range(256))


class Upstream:
    """Answers every POST with a picture; speaks just enough HTTP/1.1, with keep-alive."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._replies = Replies(options.size)
        self._seen = Seen()
        self._open_gate = asyncio.Event()

    async def serve(self) -> None:
        server = await asyncio.start_server(self._line, "127.0.0.1", 0, backlog=2048)
        port = server.sockets[0].getsockname()[1]
        facts = {"port": port, "data_at": self._replies.data_at, "bytes": self._replies.picture_bytes}
        print(json.dumps({**facts, "length": self._replies.length}), flush=True)
        await server.serve_forever()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if length := _content_length(head):
                    await reader.readexactly(length)
                await self._answer(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"POST /log"):
            writer.write(_response(200, json.dumps(asdict(self._seen)).encode()))
            return
        now = time.monotonic()
        self._seen.calls += 1
        self._seen.first = self._seen.first or now
        self._seen.last = now
        if self._options.retry_in and self._too_early(now):
            self._seen.refused_at.append(time.monotonic())
            writer.write(_response(429, _refusal(self._options.retry_in)))
            return
        if self._options.latency_s:
            await asyncio.sleep(self._options.latency_s)
        await self._send(writer)

    def _too_early(self, now: float) -> bool:
        refused = self._seen.refused_at
        if not refused or now < refused[-1] + self._options.retry_in:
            return True
        self._seen.let_in_at.append(now)
        return False

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        first, rest = self._replies.pieces()
        writer.write(_head(200, self._replies.length) + first)
        half = len(rest) // 2 if self._options.gate else 0
        await _write(writer, rest[:half])
        if half:
            await self._wait_at_gate()
        await _write(writer, rest[half:])

    async def _wait_at_gate(self) -> None:
        self._seen.half_way += 1
        if self._seen.half_way >= self._options.gate:
            self._open_gate.set()
        await self._open_gate.wait()


async def _write(writer: asyncio.StreamWriter, data: memoryview) -> None:
    for at in range(0, len(data), PIECE):
        writer.write(data[at : at + PIECE])
        await writer.drain()


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _head(status: int, length: int) -> bytes:
    return f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()


def _response(status: int, body: bytes) -> bytes:
    return _head(status, len(body)) + body


def _refusal(seconds: float) -> bytes:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds:g}s"}]
    message = f"You exceeded your current quota. Please retry in {seconds:g}s."
    error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}
    return json.dumps({"error": error}).encode()


# --- from outside -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Running:
    """An upstream at work. ``data_at`` is where the base64 begins in a reply of ``length`` bytes."""

    port: int
    data_at: int
    bytes: int
    length: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> Seen:
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/log", method="POST")) as answer:
            return Seen(**json.load(answer))


@contextmanager
def upstream(**options: str | float) -> Iterator[Running]:
    """Start one, and end it."""
    command = [sys.executable, "-m", "bench.upstream", json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as server:
        assert server.stdout
        try:
            yield Running(**json.loads(server.stdout.readline()))
        finally:
            server.terminate()


if __name__ == "__main__":
    try:
        asyncio.run(Upstream(Options(**json.loads(sys.argv[1]))).serve())
    except KeyboardInterrupt:
        sys.exit(130)
