"""Big pictures: a provider that sends them without holding any, and clients that read and drop."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import re
import struct
from collections.abc import AsyncIterator

HEAD = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 1024, 1024, 8, 2, 0, 0, 0)
END = b"\x00\x00\x00\x00IEND\xaeB\x60\x82"
PIECE = b"A" * 65_536
"""Base64 of zeros."""

_numbers = itertools.count()


def size_of(megabytes: float) -> tuple[int, int]:
    """Pieces of base64 between a picture's beginning and its end, and the size of the picture."""
    pieces = int(megabytes * 1e6) // (len(PIECE) // 4 * 3)
    return pieces, len(HEAD) + 4 + len(END) + pieces * len(PIECE) // 4 * 3


def beginning() -> bytes:
    """How a picture begins, which no other does so; a multiple of three."""
    return HEAD + struct.pack(">I", next(_numbers))


def picture(megabytes: float) -> bytes:
    """All of one."""
    pieces, _ = size_of(megabytes)
    return beginning() + bytes(pieces * len(PIECE) // 4 * 3) + END


class Provider:
    """Answers each request in Google's words with one picture of so many megabytes."""

    def __init__(self, megabytes: float) -> None:
        self.pieces, _ = size_of(megabytes)
        self.heard = self.answers = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                left = int((re.search(rb"content-length: (\d+)", head.lower()) or [0, 0])[1])
                self.heard += left
                while left:
                    left -= len(await reader.read(min(left, 65_536)))
                self.answers += 1
                await self.answer(writer)
        writer.close()

    async def answer(self, writer: asyncio.StreamWriter) -> None:
        before = b'{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"'
        start = base64.b64encode(beginning())
        last = base64.b64encode(END)
        after = b'"}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"totalTokenCount":9}}'
        size = len(before) + len(start) + self.pieces * len(PIECE) + len(last) + len(after)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size)
        writer.write(before + start)
        for _ in range(self.pieces):
            writer.write(PIECE)
            await writer.drain()
        writer.write(last + after)
        await writer.drain()


@contextlib.asynccontextmanager
async def provider(megabytes: float) -> AsyncIterator[Provider]:
    """One on loopback."""
    made = Provider(megabytes)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


def asked(path: str, *pieces: bytes, kind: str = "application/json") -> list[bytes]:
    """A request as it goes over the wire; its last body pieces may be large."""
    size = sum(map(len, pieces))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    return [f"{head}Content-Length: {size}\r\n\r\n".encode(), *pieces]


def drawn(**members: object) -> list[bytes]:
    """A request in OpenAI's words."""
    return asked("/v1/images/generations", json.dumps({"model": "nano-banana-2", **members}).encode())


async def dropped(url: str, request: list[bytes]) -> tuple[bytes, int, int]:
    """The first line of what comes back, how much came, and the longest line of it."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=65_536)
    try:
        for piece in map(memoryview, request):
            for at in range(0, len(piece), len(PIECE)):
                writer.write(piece[at : at + len(PIECE)])
                await writer.drain()
        first, count, line, longest = b"", 0, 0, 0
        while data := await reader.read(65_536):
            first = first or data.partition(b"\r\n")[0]
            count += len(data)
            *ended, rest = data.split(b"\n")
            for end in ended:
                longest, line = max(longest, line + len(end)), 0
            line += len(rest)
        return first, count, max(longest, line)
    finally:
        writer.close()
