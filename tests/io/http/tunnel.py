"""A proxy on loopback: it passes plain requests on, and opens tunnels to any port of this machine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from .server import Heard


@dataclass
class Proxy:
    """``heard`` is what it was asked, ``seen`` every byte that it carried towards a server."""

    heard: list[Heard] = field(default_factory=list)
    seen: bytearray = field(default_factory=bytearray)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks = set()
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        sides = [writer]
        try:
            await self._lead(reader, writer, sides)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            for side in sides:
                side.transport.abort()

    async def _lead(self, reader, writer, sides):
        first = await reader.readuntil(b"\r\n\r\n")
        line, *fields = first.decode().strip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value for name, _, value in (entry.partition(": ") for entry in fields)}
        self.heard.append(Heard(method, target, headers, b""))
        # Whatever name was asked for: this is not a way out.
        port = int(target.removeprefix("http://").partition("/")[0].rpartition(":")[2])
        other, opened = await asyncio.open_connection("127.0.0.1", port)
        sides.append(opened)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Open\r\n\r\n")
        else:
            opened.write(first)
        await asyncio.gather(self._carry(reader, opened, self.seen), self._carry(other, writer, bytearray()))

    async def _carry(self, source, target, seen):
        while data := await source.read(65536):
            seen += data
            target.write(data)
            await target.drain()
        target.close()
