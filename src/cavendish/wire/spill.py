"""Spiller: a JSON body read as it arrives, its base64 decoded into blobs on the way.

What is set aside. A string (never a member's name) that is base64 from end to end, in either alphabet, padded or not;
and base64 that follows ``;base64,`` inside a string, as in a data URI or a markdown picture. It must be long
(``threshold``), or stand under one of ``MEDIA_MEMBERS``, or show a picture's magic bytes. All else goes, byte for byte,
through ``json.loads``: the result agrees with that of ``json.loads(body)`` on every input, and so does what is refused.

What may differ: base64 that was set aside reads back in canonical form (standard alphabet, padded, unused bits zero).
Unused bits that are set are forgiven where base64 is certain: under a media member, after ``;base64,``, in a picture.

Memory: the envelope, and of a string at most ``HOLD_CHARS`` and a chunk. A string held whole that proves to be no
base64 is kept as it came. A longer one has been partly decoded by then: it becomes blob and text, which together are
exact; only where that part was in the URL-safe alphabet, which a blob does not remember, the body is refused.

Chats tell what a model says in many events, and may cut it anywhere, also within ``;base64,`` or behind it. ``Words``
goes from the spiller of one event to that of the next: a run that was cut becomes one blob, which stands where it ends.
"""

from __future__ import annotations

import json
from enum import Enum, auto
from typing import Final, cast

from ..model.blob import Blob
from . import media
from .base64_stream import Alphabet, Base64Decoder, Tolerance, unescape
from .blobs import DEFAULT_LIMITS, BlobWriter, BodyBlobs, Limits, NewBlob, SpillError, SpillTooLarge
from .envelope import MEDIA_MEMBERS, Envelope, Place
from .message import JsonBody

__all__ = [
    "DEFAULT_LIMITS",
    "MEDIA_MEMBERS",
    "BlobWriter",
    "Limits",
    "NewBlob",
    "SpillError",
    "SpillTooLarge",
    "Spiller",
    "Words",
]

THRESHOLD_CHARS: Final = 1024
"""Shorter strings are cheaper in memory than as a blob: ids, URLs, small thought signatures."""

HOLD_CHARS: Final = 16 * 1024
"""How much of a string is held before it is taken for base64: no word of any language is so long."""

MAX_STRINGS: Final = 200_000
"""Each is looked at by itself, which takes microseconds: so many are seconds. A long chat has some thousands."""

MARK: Final = b";base64,"
MAX_MARKS: Final = 10_000
"""So many marks are looked behind in a body, ten times the blobs it may have; base64 behind later ones stays text."""

_PICTURE_CHARS: Final = 32
"""Less base64 than this is no whole picture: the smallest GIF that decodes has 26 bytes."""


class _Mode(Enum):
    """What is being done with the string that the reader is in."""

    NAME = auto()  # a member's name: text, and remembered
    HELD = auto()  # may be base64: held back
    BASE64 = auto()  # is base64 so far: decoded on the way
    TEXT = auto()  # is text: searched for the mark


class Words:
    """What the words of one event hand on to those of the next: what a mark may have begun in, or an open run."""

    __slots__ = ("blobs", "decoder", "mode", "seen")

    def __init__(self, new_blob: NewBlob, limits: Limits) -> None:
        self.blobs = BodyBlobs(new_blob, limits)
        self.decoder = Base64Decoder()
        self.mode: _Mode | None = None  # HELD: a mark was the last; BASE64: in the middle of a run; None: in neither
        self.seen = b""

    def end(self, *, cut: bool) -> Blob | None:
        """The stream has ended: the run that is still open, unless it was ``cut`` short."""
        if self.mode is not _Mode.BASE64:
            return None
        last, _ = self.decoder.end(Tolerance.LOOSE)
        self.blobs.write(last)
        self.mode = None
        if not self.blobs.is_open or (cut and not self.blobs.ends_whole()):
            self.blobs.abort()
            return None
        return self.blobs.finish()


class Spiller:
    """Reads one JSON body: ``feed`` it as it arrives, ``close`` it for the value.

    ``SpillError`` says that it is no JSON, ``SpillTooLarge`` that it is beyond a limit; errors of the blob writer pass
    through. After any error, and after ``abort``, no writer is open and the reader is of no more use. Blobs that were
    finished by then are the store's to forget.
    """

    def __init__(
        self,
        new_blob: NewBlob,
        *,
        threshold: int = THRESHOLD_CHARS,
        limits: Limits = DEFAULT_LIMITS,
        words: Words | None = None,
    ) -> None:
        self._blobs = self._own_blobs = BodyBlobs(new_blob, limits)
        self._words = words
        self._in_words = False  # the string goes on in another event
        self._envelope = Envelope(limits.envelope_bytes)
        self._place = Place()
        self._threshold = threshold
        self._hold = max(_ESCAPE_CHARS * threshold, HOLD_CHARS)  # at least the threshold, however it is spelled
        self._begun = False
        self._closed = False
        self._plain = False  # UTF-16 or UTF-32: not looked into
        self._carry = b""  # the beginning of an escape, or of the body
        self._mode: _Mode | None = None  # None: between strings
        self._held = b""
        self._seen = b""  # the end of the text so far, in which a mark may have begun
        self._marked = False  # the base64 in question follows a mark
        self._marks = 0
        self._strings = 0
        self._media = False  # the string stands under a media member
        self._decoder = Base64Decoder()

    @property
    def kept_bytes(self) -> int:
        """How much of the body so far was not set aside."""
        return self._envelope.size + len(self._carry)

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the body."""
        self._check_open()
        try:
            data = self._carry + chunk if self._carry else chunk
            self._carry = b""
            if not self._begun and len(data) < _ENCODING_BYTES:
                self._carry = data
            else:
                self._take(data)
        except BaseException:
            self.abort()
            raise

    def close(self) -> JsonBody:
        """The value, now that the body has ended."""
        self._check_open()
        try:
            rest, self._carry = self._carry, b""
            if not self._begun:
                self._take(rest)
                rest = self._carry
            self._envelope.keep(rest)
            return self._envelope.value()
        except SpillError:
            raise
        except (ValueError, RecursionError) as error:
            raise SpillError(f"not JSON: {_said(error)}") from error
        finally:
            self.abort()

    def abort(self) -> None:
        """Give the body up. Does no harm when it has ended."""
        self._closed = True
        self._blobs.abort()
        self._own_blobs.abort()

    def _check_open(self) -> None:
        if self._closed:
            raise SpillError("the body has ended")

    def _take(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            self._plain = not json.detect_encoding(data).startswith("utf-8")
        if self._plain:
            self._envelope.keep(data)
        else:
            self._scan(data)

    def _scan(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._mode is None:
                at = self._between(data, at)
                continue
            end, closed = _content_end(data, at)
            self._string(data, at, end, closed=closed)
            if not closed:
                self._carry = data[end:]
                return
            self._envelope.keep(b'"')
            if self._in_words:
                self._hand_on(cast("Words", self._words))
            self._mode = None
            at = end + 1

    def _hand_on(self, words: Words) -> None:
        """The event's words end here, and may go on in the next event."""
        words.mode = self._mode if self._marked and self._mode is not _Mode.TEXT else None
        words.seen, words.decoder = self._seen, self._decoder
        self._blobs = self._own_blobs
        self._in_words = False

    def _between(self, data: bytes, at: int) -> int:
        """From between strings into the next one that needs attention. Short ones within the data are passed by."""
        start = at
        while (quote := data.find(b'"', at)) >= 0:
            self._place.pass_by(data[at:quote])
            at = quote + 1
            self._begin()
            end = data.find(b'"', at, at + _PICTURE_CHARS)
            if end < 0 or self._media or self._in_words or data.find(b"\\", at, end) >= 0:
                self._envelope.keep(data[start:at])
                return at
            if self._mode is _Mode.NAME:
                self._place.add_name(data[at:end])
            self._mode = None
            at = end + 1
        self._place.pass_by(data[at:])
        self._envelope.keep(data[start:])
        return len(data)

    def _begin(self) -> None:
        """A string begins."""
        self._strings += 1
        if self._strings > MAX_STRINGS:
            raise SpillTooLarge(f"more than {MAX_STRINGS} strings")
        if self._place.expects_name():
            self._mode, self._media = _Mode.NAME, False
            self._place.begin_name()
        else:
            self._mode, self._media = _Mode.HELD, self._place.in_media_member()
        self._marked = False
        self._seen = b""
        if self._words is not None and self._mode is _Mode.HELD and self._place.in_words():
            self._go_on(self._words)

    def _go_on(self, words: Words) -> None:
        """Words begin where those of the event before ended."""
        self._in_words = True
        self._marked = words.mode is not None
        self._mode = words.mode or _Mode.HELD
        self._seen, self._decoder, self._blobs = words.seen, words.decoder, words.blobs

    def _string(self, data: bytes, at: int, end: int, *, closed: bool) -> None:
        """The string goes on with ``data[at:end]``, and ends there if ``closed``."""
        while at < end or (closed and self._held):
            match self._mode:
                case _Mode.TEXT:
                    at = self._text(data, at, end)
                case _Mode.BASE64:
                    at = self._base64(data, at, end)
                case _Mode.HELD:
                    at = self._hold_back(data, at, end, closed=closed)
                case _:
                    self._place.add_name(data[at:end])
                    self._envelope.keep(data[at:end])
                    return
        if closed and self._mode is _Mode.BASE64 and not self._may_go_on():
            self._end_base64(Tolerance.LOOSE if self._is_certain() else Tolerance.UNPADDED)
            self._mode = _Mode.TEXT

    def _may_go_on(self) -> bool:
        """Whether the run may go on in the next event's words: it is neither padded nor a PNG that ends here.

        The end of a JPEG may be that of the thumbnail in it.
        """
        ends = self._decoder.padded or (self._blobs.sniffed() == "image/png" and self._blobs.ends_whole())
        return self._in_words and self._marked and not ends

    def _text(self, data: bytes, at: int, end: int) -> int:
        """Text up to the end or to behind a mark."""
        window = self._seen + data[at : min(end, at + len(MARK) - 1)]
        found = window.find(MARK)  # across the border of two pieces
        cut = at - len(self._seen) + found if found >= 0 else data.find(MARK, at, end)
        if cut >= 0 or found >= 0:
            cut += len(MARK)
            self._envelope.keep(data[at:cut])
            self._seen = b""
            self._marks += 1
            if self._marks <= MAX_MARKS:
                self._mode, self._marked = _Mode.HELD, True
            return cut
        self._envelope.keep(data[at:end])
        self._seen = (self._seen + data[max(at, end - len(MARK) + 1) : end])[1 - len(MARK) :]
        return end

    def _hold_back(self, data: bytes, at: int, end: int, *, closed: bool) -> int:
        """Hold what may be base64, until it ends or is long enough to be taken for it."""
        # Behind a mark no more than the run is looked at: there may be a mark every few characters.
        stop = at + Base64Decoder().reach(data, at, end) if self._marked else end
        ended = (closed and not (self._in_words and self._marked)) or stop < end
        self._held += data[at:stop]
        if ended or closed or len(self._held) >= self._hold:
            held, self._held = self._held, b""
            self._string(held, self._judge(held, closed=ended), len(held), closed=False)
        return stop

    def _judge(self, data: bytes, *, closed: bool) -> int:
        """What was held: is there base64 at its beginning? Returns where that ends; 0 when there is none."""
        decoder = self._decoder = Base64Decoder()
        reach = len(data)
        plain = unescape(data)
        decoded = decoder.feed(plain)
        if decoded is None and self._marked:
            reach = decoder.reach(data)
            plain = unescape(data[:reach])
            decoded = decoder.feed(plain)
        if decoded is None:
            self._mode = _Mode.TEXT
            return 0
        if reach == len(data) and not closed:
            self._mode = _Mode.BASE64
            self._blobs.write(decoded)
            return reach
        self._mode = _Mode.TEXT
        decoded, worthy = self._finished(decoded, len(plain))
        if not worthy:
            return 0
        self._blobs.write(decoded)
        self._envelope.take_out(self._blobs.finish())
        return reach

    def _finished(self, decoded: bytes, length: int) -> tuple[bytes, bool]:
        """All bytes of a run that was held whole, and whether it is to be set aside."""
        picture = length >= _PICTURE_CHARS and media.is_picture(media.sniff(decoded[: media.HEAD_BYTES]))
        certain = picture or self._is_certain()
        last, stray = self._decoder.end(Tolerance.LOOSE if certain else Tolerance.UNPADDED)
        worthy = picture or self._media or length >= self._threshold
        decoded += last
        return decoded, worthy and not stray and bool(decoded)

    def _is_certain(self) -> bool:
        return self._marked or self._media or media.is_picture(self._blobs.sniffed())

    def _base64(self, data: bytes, at: int, end: int) -> int:
        """More of what was base64 so far, up to the end or to what is none."""
        escaped = data.find(b"\\", at, end) >= 0
        decoded = self._decoder.feed(unescape(data[at:end])) if escaped else self._decoder.feed(data, at, end)
        if decoded is not None:
            self._blobs.write(decoded)
            return end
        raw = data[at:end]
        reach = self._decoder.reach(raw)
        self._blobs.write(cast("bytes", self._decoder.feed(unescape(raw[:reach]))))
        self._end_base64(Tolerance.LOOSE if self._marked else Tolerance.EXACT)
        self._mode = _Mode.TEXT
        return at + reach

    def _end_base64(self, tolerance: Tolerance) -> None:
        """The run that was decoded on the way is over. Characters that are not part of it follow it as text."""
        last, stray = self._decoder.end(tolerance)
        broken = bool(stray) or tolerance is Tolerance.EXACT
        if broken and self._decoder.alphabet is Alphabet.URLSAFE and not self._in_words:
            raise SpillTooLarge(f"text of more than {self._hold} characters that begins as URL-safe base64")
        self._blobs.write(last)
        if self._blobs.is_open:
            self._envelope.take_out(self._blobs.finish())
        self._envelope.keep(stray)


_ENCODING_BYTES: Final = 4
"""What the encoding of JSON is told by (RFC 4627, section 3)."""


def _content_end(data: bytes, at: int) -> tuple[int, bool]:
    """Where a string's content that goes on at ``at`` ends, and whether at its closing quote.

    Without one, it ends before an escape that is not complete.
    """
    quote = at - 1
    while (quote := data.find(b'"', quote + 1)) >= 0:
        if data[quote - 1 : quote] != b"\\" or quote == at or not _is_escape(data, at, quote - 1):
            return quote, True
    slash = data.rfind(b"\\", max(at, len(data) - _ESCAPE_CHARS + 1))
    if slash >= 0 and _is_escape(data, at, slash):
        left = len(data) - slash
        if left == 1 or data[slash + 1 : slash + 2] == b"u":
            return slash, False
    return len(data), False


_ESCAPE_CHARS: Final = 6
"""The longest escape, ``\\u0041``."""


def _is_escape(data: bytes, at: int, slash: int) -> bool:
    """Whether the backslash begins an escape: an even number of them stand before it."""
    first = slash
    while first > at and data[first - 1] == 0x5C:
        first -= 1
    return (slash - first) % 2 == 0


def _said(error: ValueError | RecursionError) -> str:
    """What is wrong with a body, without the parser's own affairs."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is no {error.encoding.upper()}"
    return str(error) if isinstance(error, json.JSONDecodeError) else "a number has too many digits"
