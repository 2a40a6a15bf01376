"""Answers: reads HTTP answers as they arrive, and compares every letter of the picture in them with what was sent."""

from __future__ import annotations

import base64
import binascii
import re

from .standin import HEAD_LETTERS

MAGIC = b"iVBORw0KGgo"
"""How a PNG begins in base64."""

LEAD = 1 << 16
"""A picture must begin within so many bytes of a body, and a head end."""

_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_SERIAL = re.compile(rb"Comment\0(\d{16})")


class Picture:
    """The one picture of a body: its number, and whether its letters are right. ``letters``: all after its head."""

    def __init__(self, letters: bytes) -> None:
        self._letters = letters
        self._lead = b""
        self._at = -1
        self.number = 0
        self.wrong = ""

    def feed(self, data: memoryview) -> None:
        if self.wrong or self._at > len(self._letters):
            return
        if self._at < 0:
            self._seek(bytes(data))
        else:
            self._compare(data)

    def whole(self) -> bool:
        return not self.wrong and self._at > len(self._letters)

    def _seek(self, data: bytes) -> None:
        self._lead += data
        start = self._lead.find(MAGIC)
        end = start + HEAD_LETTERS
        if start < 0 or len(self._lead) < end:
            self.wrong = "no picture" if len(self._lead) > LEAD and start < 0 else ""
            return
        self.number = serial(self._lead[start:end])
        self.wrong = "" if self.number else "another picture's head"
        self._at = 0
        self._compare(memoryview(self._lead)[end:])

    def _compare(self, data: memoryview) -> None:
        piece = data[: len(self._letters) - self._at]
        if not self._letters.startswith(piece, self._at):
            self.wrong = "other letters"
            return
        self._at += len(piece)
        if rest := bytes(data[len(piece) : len(piece) + 1]):
            self._at += 1
            self.wrong = "" if rest == b'"' else "more letters"


def serial(head: bytes) -> int:
    """The number in the head of a picture, which is base64; 0 when there is none."""
    try:
        found = _SERIAL.search(base64.b64decode(head, validate=True))
    except binascii.Error:
        return 0
    return int(found[1]) if found else 0


class Answer:
    """One answer. ``done`` when its last byte was fed; ``fault`` says what is wrong with it then, or nothing."""

    def __init__(self, letters: bytes) -> None:
        self.picture = Picture(letters)
        self.done = False
        self.closes = False
        self.status = 0
        self._framing = ""
        self._head = b""
        self._left = 0
        self._mark = b""
        self._last_chunk = False

    @property
    def fault(self) -> str:
        if not self.done:
            return "cut"
        if self.status != 200:
            return f"status {self.status}"
        return "" if self.picture.whole() else self.picture.wrong or "no whole picture"

    def end(self) -> None:
        """The line was closed: that is the end of a body which nobody gave a length."""
        self.closes = True
        self.done = self.done or self._framing == "line"

    def feed(self, data: memoryview) -> None:
        if not self._framing:
            data = self._read_head(data)
        if self._framing == "length":
            self._take(data)
            self.done = not self._left
        elif self._framing == "chunks":
            self._read_chunks(data)
        elif self._framing == "line":
            self.picture.feed(data)

    def _read_head(self, data: memoryview) -> memoryview:
        self._head += bytes(data)
        end = self._head.find(b"\r\n\r\n") + 4
        if end < 4:
            return data[:0]
        head, rest = self._head[:end], memoryview(self._head)[end:]
        status = _STATUS.match(head)
        self.status = int(status[1]) if status else 0
        self.closes = bool(_CLOSE.search(head))
        if found := _LENGTH.search(head):
            self._framing, self._left = "length", int(found[1])
        else:
            self._framing = "chunks" if _CHUNKED.search(head) else "line"
        return rest

    def _take(self, data: memoryview) -> memoryview:
        """What of this belongs to the piece at hand goes to the picture; the rest is given back."""
        mine = data[: self._left]
        self.picture.feed(mine)
        self._left -= len(mine)
        return data[len(mine) :]

    def _read_chunks(self, data: memoryview) -> None:
        while data and not self.done:
            if self._left:
                data = self._take(data)
                continue
            # Between two chunks: the end of the one before, and the size of the next.
            line = bytes(data[:64])
            end = line.find(b"\n") + 1
            self._mark += line[:end] if end else line
            data = data[end or len(line) :]
            if end:
                self._read_mark()

    def _read_mark(self) -> None:
        mark, self._mark = self._mark.strip(), b""
        if self._last_chunk:
            # Trailers end with an empty line.
            self.done = not mark
        elif mark:
            self._left = int(mark.partition(b";")[0], 16)
            self._last_chunk = not self._left
