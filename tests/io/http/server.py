"""A loopback server that misbehaves as told, and a wire format small enough to see through."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from cavendish.model.call import Call, Cancel, Done, Fetch, Later, Open, Poll, Reply, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image
from cavendish.wire.message import Spilled, WireRequest, WireResponse


@dataclass
class Heard:
    """What a server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answerer = Callable[[asyncio.StreamWriter, Heard], Awaitable[None]]


@dataclass
class Server:
    """HTTP by hand, since most of what is tested no web framework would send."""

    answer: Answerer
    heard: list[Heard] = field(default_factory=list)
    port: int = 0
    keeps: bool = False
    tls: ssl.SSLContext | None = None
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20, ssl=self.tls)
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
        self.connections += 1
        try:
            while True:
                heard = await hear(reader)
                self.heard.append(heard)
                await self.answer(writer, heard)
                await writer.drain()
                if not self.keeps:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def hear(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    method, path, _ = line.split(" ")
    headers = {name.lower(): value for name, _, value in (entry.partition(": ") for entry in fields)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Heard(method, path, headers, body)


def head(status=200, content_type="application/json", **headers):
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def self_signed(folder):
    """TLS for ``localhost`` and ``api.localhost`` with a certificate that it signed itself, and that one's file."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += [
        "-addext",
        "subjectAltName=DNS:localhost,DNS:api.localhost",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"makes a certificate with openssl: {error}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def whole(body, status=200, content_type="application/json", **headers):
    """An answerer that gives one whole answer."""

    async def answer(writer, _):
        writer.write(head(status, content_type, content_length=len(body), **headers) + body)

    return answer


def reset(writer):
    """Cut the line so that the other side sees a reset and not an end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class TinyDialect:
    """``{"picture": base64}`` means a picture, ``{"job": id}`` a job, ``{"error": words}`` a fault."""

    name = "tiny"

    def __init__(self, body=None, path="/v1/draw"):
        self.body = body
        self.path = path

    def write_call(self, call: Call) -> WireRequest:
        match call:
            case Open(request):
                body = {"prompt": request.prompt} if self.body is None else self.body
                return WireRequest("POST", self.path, body)
            case Poll(ticket) | Cancel(ticket):
                return WireRequest("GET", ticket.url)
            case Fetch(url):
                return WireRequest("GET", url)

    def unsupported(self, call):
        return ()

    def read_reply(self, response: WireResponse, call: Call) -> Reply:
        if response.binary is not None:
            return Done((Image(response.binary),), (0,))
        bodies = response.body if isinstance(response.body, list) else [response.body]
        for body in bodies:
            if isinstance(body, dict) and isinstance(body.get("picture"), Spilled):
                return Done((Image(body["picture"].blob),), (0,))
            if isinstance(body, dict) and "job" in body:
                return Later(Ticket(body["job"]), 1.0)
            if isinstance(body, dict) and "error" in body:
                return Fault(FaultKind.SERVER_ERROR, str(body["error"]), status=response.status)
        words = response.raw[:200].decode("utf-8", "replace")
        return Fault(FaultKind.MALFORMED, words, Charged.UNKNOWN, status=response.status)

    def read_call(self, request):
        raise NotImplementedError

    def write_reply(self, reply, call):
        raise NotImplementedError
