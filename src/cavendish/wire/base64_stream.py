"""Base64 in pieces: a strict decoder for what arrives, an encoder for what leaves.

The decoder takes both alphabets of RFC 4648, but never both in one run. What it decodes reads back as the standard
alphabet with padding, which is the canonical form of base64 throughout Cavendish.
"""

from __future__ import annotations

import binascii
import re
import sys
from enum import IntEnum
from typing import Final

import pybase64

_CHARS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_FROM_URLSAFE: Final = bytes.maketrans(b"-_+/", b"+/--")
SHORT_CHARS: Final = 4096
"""So much is decoded without letting another thread in: taking turns costs more than the decoding."""

_UNUSED_BITS: Final = {2: 0x0F, 3: 0x03}
"""Bits of a run's last character that carry nothing, by the number of characters after the last whole four."""


class Alphabet(IntEnum):
    """Which two characters stand for 62 and 63. A run is ``OPEN`` until the first of them comes."""

    OPEN = 0
    STANDARD = 1
    URLSAFE = 2
    MIXED = 3  # no run is


class Tolerance(IntEnum):
    """How far the end of a run may be from canonical. Each allows what those before it do."""

    EXACT = 0  # padded, unused bits zero: encoding the bytes gives the very same characters
    UNPADDED = 1  # the padding may be missing
    LOOSE = 2  # unused bits may be set, as some encoders leave them


def _spelled(chars: bytes) -> bytes:
    r"""A pattern for any of these characters as JSON may spell them: plain, ``\/``, ``\u002b``."""
    codes = b"|".join(b"".join(b"[%c%c]" % (d, d ^ 32) if d > 57 else b"%c" % d for d in b"%02x" % c) for c in chars)
    slash = rb"\\/|" if b"/" in chars else b""
    return rb"[" + re.escape(chars) + rb"]++|" + slash + rb"\\u00(?:" + codes + rb")"


def _run(chars: bytes) -> re.Pattern[bytes]:
    # Not possessive: before Python 3.11.5 such a repeat keeps the beginning of an alternative that failed (gh-106052).
    return re.compile(rb"(?:" + _spelled(chars) + rb")*" + _PAD + rb"{0,2}")


_PAD: Final = rb"(?:=|\\u003[dD])"
_RUNS: Final = {Alphabet.STANDARD: _run(_CHARS + b"+/"), Alphabet.URLSAFE: _run(_CHARS + b"-_")}
_MORE_PADDING: Final = {1: re.compile(_PAD + rb"?"), 2: re.compile(rb"")}
"""What may follow a run that has so much padding already."""

_UNICODE_ESCAPE: Final = re.compile(rb"\\u00([0-9a-fA-F]{2})")
_KINDS_OF_ESCAPE: Final = 8
"""So many different escapes are replaced one by one: encoders escape ``/``, ``+`` and ``=``, in one spelling each."""


def unescape(raw: bytes) -> bytes:
    """The content of a JSON string without its escapes, as far as they stand for base64.

    Where there are others, a backslash stays, which is in no alphabet: a decoder refuses it.
    """
    if b"\\\\" in raw:
        return raw
    plain = raw.replace(rb"\/", b"/")  # every backslash begins an escape
    for _ in range(_KINDS_OF_ESCAPE):
        if (slash := plain.find(b"\\")) < 0:
            return plain
        if not (match := _UNICODE_ESCAPE.match(plain, slash)):
            return raw
        plain = plain.replace(match[0], _char(match))
    return _UNICODE_ESCAPE.sub(_char, plain)


def _char(match: re.Match[bytes]) -> bytes:
    char = bytes.fromhex(match[1].decode())
    return match[0] if char == b"\\" else char  # a backslash must not seem to begin another escape


class Base64Decoder:
    """Decodes one run that comes in pieces. A piece is taken whole or refused without a trace."""

    __slots__ = ("_padding", "_tail", "alphabet")

    def __init__(self) -> None:
        self.alphabet = Alphabet.OPEN
        self._tail = b""
        self._padding = 0

    @property
    def padded(self) -> bool:
        """Whether the run has its padding: nothing of it can follow."""
        return self._padding > 0 and self._padding == -len(self._tail) % 4

    def feed(self, data: bytes, start: int = 0, end: int | None = None) -> bytes | None:
        """The bytes that ``data[start:end]`` completes, or ``None`` when the run cannot go on like that."""
        end = len(data) if end is None else end
        body_end = data.find(b"=", start, end)
        body_end = end if body_end < 0 else body_end
        padding = end - body_end
        if padding and (self._padding + padding > 2 or data.count(b"=", body_end, end) != padding):
            return None
        if self._padding and body_end > start:
            return None
        decoded = self._body(data, start, body_end)
        if decoded is not None:
            self._padding += padding
        return decoded

    def _body(self, data: bytes, start: int, end: int) -> bytes | None:
        lead_end = min(start + -len(self._tail) % 4, end)
        lead = self._tail + data[start:lead_end]
        if len(lead) % 4:  # still no four characters
            lead, tail, main_end = b"", lead, lead_end
        else:
            main_end = end - (end - lead_end) % 4
            tail = data[main_end:end]
        alphabet = self._alphabet_with(data, start, end)
        try:
            first = _decode(lead, alphabet)
            decoded = _decode(memoryview(data)[lead_end:main_end], alphabet)
            _decode(tail + b"A" * (-len(tail) % 4), alphabet)
        except ValueError:
            return None
        self._tail, self.alphabet = tail, alphabet
        return first + decoded if first else decoded

    def _alphabet_with(self, data: bytes, start: int, end: int) -> Alphabet:
        """Which alphabet the run is in, this piece included. ``STANDARD`` refuses the characters of the other one."""
        if self.alphabet is Alphabet.STANDARD:
            return Alphabet.STANDARD
        if data.find(b"+", start, end) >= 0 or data.find(b"/", start, end) >= 0:
            return Alphabet.MIXED if self.alphabet is Alphabet.URLSAFE else Alphabet.STANDARD
        urlsafe = data.find(b"-", start, end) >= 0 or data.find(b"_", start, end) >= 0
        return Alphabet.URLSAFE if urlsafe else self.alphabet

    def reach(self, raw: bytes, start: int = 0, end: int = sys.maxsize) -> int:
        """How many bytes of a JSON string's raw content go on with this run; the rest is no base64."""
        if self._padding:
            runs = (_MORE_PADDING[self._padding],)
        else:
            runs = _RUNS.values() if self.alphabet is Alphabet.OPEN else (_RUNS[self.alphabet],)
        return max(len(match[0]) for run in runs if (match := run.match(raw, start, end)))

    def end(self, tolerance: Tolerance) -> tuple[bytes, bytes]:
        """The run is over: its last bytes, and the characters at its end that are no base64 in that tolerance."""
        length = len(self._tail)
        if length == self._padding == 0:
            return b"", b""
        padded = self._padding == -length % 4
        if length in _UNUSED_BITS and (padded or (self._padding == 0 and tolerance >= Tolerance.UNPADDED)):
            quad = _decode(self._tail + b"A" * (4 - length), self.alphabet)
            stray = quad[length - 1] | (quad[2] if length == 2 else 0)
            if not stray or tolerance is Tolerance.LOOSE:
                return quad[: length - 1], b""
        return b"", self._tail + b"=" * self._padding


def _decode(quads: bytes | memoryview, alphabet: Alphabet) -> bytes:
    if alphabet is Alphabet.MIXED:
        raise ValueError("both alphabets in one run")
    if len(quads) <= SHORT_CHARS:
        plain = bytes(quads).translate(_FROM_URLSAFE) if alphabet is Alphabet.URLSAFE else quads
        return binascii.a2b_base64(plain, strict_mode=True)
    if alphabet is Alphabet.URLSAFE:
        return pybase64.b64decode(quads, altchars=b"-_", validate=True)
    return pybase64.b64decode(quads, validate=True)


def encoded_size(size: int) -> int:
    """How many characters the base64 of so many bytes has."""
    return (size + 2) // 3 * 4


class Base64Encoder:
    """Encodes bytes that come in pieces, in the standard alphabet with padding at the end."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The characters that these bytes complete."""
        lead = -len(self._rest) % 3
        if len(data) < lead:
            self._rest += data
            return b""
        whole = len(data) - (len(data) - lead) % 3
        first = pybase64.b64encode(self._rest + data[:lead])
        self._rest = data[whole:]
        return first + pybase64.b64encode(memoryview(data)[lead:whole])

    def end(self) -> bytes:
        """The last characters. The encoder is as new afterwards."""
        rest, self._rest = self._rest, b""
        return pybase64.b64encode(rest)
