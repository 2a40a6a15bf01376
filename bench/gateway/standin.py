"""Stand-in: a provider that costs next to nothing, for gateways to stand before. Speaks OpenAI's images and Gemini.

All but the first letters of a reply lie ready in a file of memory, from which the kernel sends them; one loop over
``epoll`` serves all lines. ``python -m bench.gateway.standin SIZE FILE`` writes the letters that all pictures have in
common to a file and prints its port; ``GET /log`` tells how many pictures it was asked for.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import select
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..measure import ROOT
from ..upstream import AFTER, BEFORE, HEAD_BYTES, Pictures

OPENAI_MODEL = "gpt-image-2"
HEAD_LETTERS = HEAD_BYTES // 3 * 4
"""So many letters of base64 are a picture's own; all that follow, every picture of this size has."""

AT_ONCE = 1 << 22
"""Bytes for one line before the next has its turn."""

SMALL = 1 << 16
"""Replies up to here go out in one piece."""

OPENAI_BEFORE = '{"created": 1781000000, "data": [{"b64_json": "'
OPENAI_AFTER = """"}], "background": "opaque", "output_format": "png", "quality": "high", "size": "1024x1024",
  "usage": {"input_tokens": 9, "input_tokens_details": {"image_tokens": 0, "text_tokens": 9}, "output_tokens": 1290,
    "total_tokens": 1299}}
"""

MODELS = {"object": "list", "data": [{"id": OPENAI_MODEL, "object": "model", "created": 1, "owned_by": "openai"}]}

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Form:
    """What surrounds a picture in one provider's replies, with what is the same in all of them ready to be sent."""

    def __init__(self, before: str, letters: bytes, after: str) -> None:
        rest = letters + after.encode()
        length = len(before) + HEAD_LETTERS + len(rest)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{before}"
        self.before = head.encode()
        self.rest = rest if len(rest) <= SMALL else b""
        self.rest_bytes = len(rest)
        self.file = os.memfd_create("rest")
        with os.fdopen(os.dup(self.file), "wb") as file:
            file.write(rest)


def request_length(buffer: bytes | bytearray) -> int:
    """How many bytes the request at the begin of this has; 0 while its end is not there."""
    end = buffer.find(b"\r\n\r\n") + 4
    if end < 4:
        return 0
    if found := _LENGTH.search(buffer, 0, end):
        whole = end + int(found[1])
        return whole if len(buffer) >= whole else 0
    if _CHUNKED.search(buffer, 0, end):
        last = buffer.find(b"0\r\n\r\n", end)
        return last + 5 if last >= 0 else 0
    return end


class Line:
    """One connection. ``at``: how much of a reply's file was sent; ``form``: whose, or none when there is no reply."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.asked = bytearray()
        self.form: Form | None = None
        self.at = 0
        self.blocked = False


class StandIn:
    """Answers every POST with a picture of its own number."""

    def __init__(self, size: str, letters_file: Path) -> None:
        self._pictures = Pictures(size)
        letters = base64.b64encode(self._pictures.tail)
        letters_file.write_bytes(letters)
        self._openai = Form(OPENAI_BEFORE, letters, OPENAI_AFTER)
        self._gemini = Form(BEFORE, letters, AFTER)
        self._numbers = itertools.count(1)
        self._calls = 0
        self._poll = select.epoll()
        self._lines: dict[int, Line] = {}

    def serve(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        listener.setblocking(False)
        self._poll.register(listener, select.EPOLLIN)
        print(listener.getsockname()[1], flush=True)
        while True:
            for number, _ in self._poll.poll():
                if number == listener.fileno():
                    self._open(listener)
                else:
                    self._go_on(self._lines[number])

    def _open(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines[sock.fileno()] = Line(sock)
        self._poll.register(sock, select.EPOLLIN)

    def _go_on(self, line: Line) -> None:
        try:
            if line.form is None:
                self._read(line)
            else:
                self._send_rest(line, line.form)
        except ConnectionError:
            self._close(line)

    def _read(self, line: Line) -> None:
        data = line.sock.recv(SMALL)
        if not data:
            return self._close(line)
        line.asked += data
        while line.form is None and (length := request_length(line.asked)):
            request = bytes(line.asked[:length])
            del line.asked[:length]
            self._answer(line, request)
        return None

    def _answer(self, line: Line, request: bytes) -> None:
        if request.startswith(b"GET "):
            told = {"pictures": self._calls} if request.startswith(b"GET /log") else MODELS
            line.sock.sendall(_response(json.dumps(told).encode()))
            return
        self._calls += 1
        form = self._gemini if b":generateContent" in request.partition(b"\r\n")[0] else self._openai
        head = form.before + base64.b64encode(self._pictures.head(next(self._numbers)))
        line.sock.sendall(head + form.rest)
        if not form.rest:
            line.form, line.at = form, 0
            self._send_rest(line, form)

    def _send_rest(self, line: Line, form: Form) -> None:
        until = min(line.at + AT_ONCE, form.rest_bytes)
        try:
            while line.at < until:
                line.at += os.sendfile(line.sock.fileno(), form.file, line.at, until - line.at)
        except BlockingIOError:
            pass
        if line.at == form.rest_bytes:
            line.form = None
        blocked = line.form is not None
        if blocked != line.blocked:
            line.blocked = blocked
            self._poll.modify(line.sock, select.EPOLLOUT if blocked else select.EPOLLIN)

    def _close(self, line: Line) -> None:
        del self._lines[line.sock.fileno()]
        line.sock.close()


def _response(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


# --- from outside -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Running:
    """A stand-in at work, and the file with the letters that all its pictures have in common."""

    url: str
    letters: Path

    def calls(self) -> int:
        """How many pictures were asked of it."""
        with urllib.request.urlopen(f"{self.url}/log") as answer:
            return json.load(answer)["pictures"]


@contextmanager
def stand_in(size: str, folder: Path) -> Iterator[Running]:
    """Start one, and end it."""
    letters = folder / "letters"
    command = [sys.executable, "-m", "bench.gateway.standin", size, str(letters)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as server:
        assert server.stdout
        try:
            yield Running(f"http://127.0.0.1:{int(server.stdout.readline())}", letters)
        finally:
            server.terminate()


if __name__ == "__main__":
    try:
        StandIn(sys.argv[1], Path(sys.argv[2])).serve()
    except KeyboardInterrupt:
        sys.exit(130)
