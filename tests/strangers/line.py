"""A server on loopback that writes down what it is asked, and our own client's request for a wish, sent to it."""

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cavendish.catalog.cards import EndpointCard
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.clock import SystemClock
from cavendish.io.http.exchange import Timeouts
from cavendish.io.http.provider import HttpProvider
from cavendish.io.http.session import Proxies, Session
from cavendish.model.call import Call, Open
from cavendish.model.request import Image
from cavendish.secret import Secret
from cavendish.wire.dialect import Dialect
from tests.strangers.facts import Seen
from tests.strangers.wishes import STORE
from tests.wire.memory import PNG

KEY = "a-key-of-nobody"
TIMEOUT_S = 120
PICTURE = base64.b64encode(PNG).decode()


@dataclass
class Line:
    """What was asked, in its order. ``url`` has no slash at its end."""

    url: str
    seen: list[Seen] = field(default_factory=list)

    @property
    def last(self) -> Seen:
        """The latest request."""
        return self.seen[-1]


@contextmanager
def listening() -> Iterator[Line]:
    """A server that answers each request with a picture, in the form of the API that was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.line = line = Line(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)) or self._chunks()
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, url.path, body, dict(parse_qsl(url.query)), headers)
        self.server.line.seen.append(seen)  # type: ignore[attr-defined]
        answer = _answer(seen)
        content = b"".join(b"data: %s\r\n\r\n" % json.dumps(value).encode() for value in answer)
        is_stream = isinstance(answer, list)
        self._reply(content if is_stream else json.dumps(answer).encode(), is_stream=is_stream)

    def _chunks(self) -> bytes:
        body = b""
        while self.headers.get("transfer-encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def _reply(self, content: bytes, *, is_stream: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if is_stream else "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
        """Nothing is said: what was asked is in ``Line.seen``."""


def _answer(seen: Seen) -> Any:
    """A list is a stream of events."""
    if "/images/" in seen.path:
        data = {"b64_json": PICTURE}
        if b"stream" in seen.body:
            kind = "image_edit" if seen.path.endswith("edits") else "image_generation"
            return [{"type": f"{kind}.completed", **data}]
        return {"created": 1, "data": [data]}
    if seen.path.endswith("/chat/completions"):
        return _chat(is_stream=b'"stream":' in seen.body)
    if seen.path.endswith(":predict"):
        return {"predictions": [{"bytesBase64Encoded": PICTURE, "mimeType": "image/png"}]}
    parts = [
        {"text": "Here it is."},
        {"inlineData": {"mimeType": "image/png", "data": PICTURE}, "thoughtSignature": SIGN},
    ]
    answer = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}
    return [answer] if "alt" in seen.query else answer


SIGN = base64.b64encode(bytes(range(240, 256)) * 3).decode()
"""A signature of which the two alphabets of base64 differ."""


def _chat(*, is_stream: bool) -> Any:
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}
    said = {"role": "assistant", "content": "Here it is.", "images": [url]}
    choice = {"index": 0, "finish_reason": "stop", "delta" if is_stream else "message": said}
    kind = "chat.completion.chunk" if is_stream else "chat.completion"
    answer = {"id": "c", "object": kind, "created": 1, "model": "m", "choices": [choice]}
    return [answer] if is_stream else answer


# --- our own client --------------------------------------------------------------------------------------------------


def send(call: Call, dialect: Dialect, card: EndpointCard) -> None:
    """Send a call as our client does, with its key and its headers."""
    asyncio.run(_send(call, dialect, card))


async def _send(call: Call, dialect: Dialect, card: EndpointCard) -> None:
    store, clock = MemoryBlobs(), SystemClock()
    async with Session(proxies=Proxies({})) as session:
        timeouts = Timeouts(whole_s=TIMEOUT_S)
        provider = HttpProvider(dialect, card, Secret(KEY), session, store, clock, timeouts)
        await provider.call(_with_bytes(call, store), "a1")


def _with_bytes(call: Call, store: MemoryBlobs) -> Call:
    """The call with its pictures in that store."""
    if not isinstance(call, Open):
        return call
    turns = tuple(replace(turn, parts=tuple(_kept(p, store) for p in turn.parts)) for turn in call.request.turns)
    return replace(call, request=call.request.having(turns=turns))


def _kept(part: Any, store: MemoryBlobs) -> Any:
    if not isinstance(part, Image) or part.blob is None:
        return part
    store.put(part.blob.sha256, STORE.data[part.blob.sha256])
    return replace(part, blob=replace(part.blob, ref=part.blob.sha256))
