"""BodyReader: an HTTP answer's body as it arrives, made a ``WireResponse``. The bytes decide what it is.

The declared type is not trusted: Google answers an event stream's immediate errors as plain JSON, relays answer
pictures and HTML under any type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from . import media
from .blobs import BodyBlobs
from .message import Headers, JsonBody, WireResponse
from .spill import DEFAULT_LIMITS, Limits, NewBlob, Spiller, SpillError, SpillTooLarge
from .sse import EventReader

RAW_BYTES: Final = 64 * 1024
"""What is kept of a body that is neither JSON nor a picture: enough for any page of a proxy."""

BEGINNING_BYTES: Final = 4 * 1024
"""What is kept of JSON until it is known to be whole; a thousand answers may be on their way."""

_SPACE: Final = b" \t\r\n"
_JSON_STARTS: Final = b'{["-0123456789tfnNI\xef\xfe\xff\x00'  # values, NaN and Infinity, byte order marks
_EVENT_STARTS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")


class _Form(Protocol):
    """A body of one kind. ``take`` and ``end`` raise ``SpillTooLarge``, and what the blob writer raises."""

    raw_bytes: int
    """How much of the beginning to keep."""

    def take(self, chunk: bytes, /) -> None: ...

    def end(self, raw: bytes, *, cut: bool) -> dict[str, Any]:
        """The members of ``WireResponse`` that speak of the body, ``raw`` being its beginning."""
        ...

    def abort(self) -> None: ...


class _Json:
    raw_bytes = BEGINNING_BYTES

    def __init__(self, new_blob: NewBlob, limits: Limits) -> None:
        self._spiller = Spiller(new_blob, limits=limits)
        self.abort = self._spiller.abort
        self.take = self._spiller.feed

    def end(self, raw: bytes, *, cut: bool) -> dict[str, Any]:
        try:
            value = self._spiller.close()
        except SpillTooLarge:
            raise
        except SpillError:
            return {"raw": raw, "cut": cut}
        if value is None or (cut and not isinstance(value, dict | list)):  # 12 may have been going to be 123
            return {"raw": raw, "cut": cut}
        return {"body": value}


class _Events:
    raw_bytes = BEGINNING_BYTES

    def __init__(self, new_blob: NewBlob, limits: Limits) -> None:
        self._reader = EventReader(new_blob, limits=limits)
        self.values: list[JsonBody] = []
        self.abort = self._reader.abort

    def take(self, chunk: bytes) -> None:
        self.values += self._reader.feed(chunk)

    def end(self, raw: bytes, *, cut: bool) -> dict[str, Any]:
        self.values += self._reader.close(cut=cut)
        cut = cut and not self._reader.done
        if not self._reader.broken:
            return {"body": self.values, "stream": True, "cut": cut}
        if not self.values:
            return {"raw": raw, "cut": cut}
        return {"body": self.values, "stream": True, "cut": cut, "raw": raw}


class _Picture:
    raw_bytes = BEGINNING_BYTES

    def __init__(self, new_blob: NewBlob, limits: Limits) -> None:
        self._blobs = BodyBlobs(new_blob, limits)
        self.abort = self._blobs.abort
        self.take = self._blobs.write

    def end(self, raw: bytes, *, cut: bool) -> dict[str, Any]:
        if cut and not self._blobs.ends_whole():
            return {"raw": raw, "cut": True}
        return {"binary": self._blobs.finish()}


class _Other:
    raw_bytes = RAW_BYTES

    def take(self, chunk: bytes) -> None:
        """Its beginning is all that is kept."""

    def end(self, raw: bytes, *, cut: bool) -> dict[str, Any]:
        return {"raw": raw, "cut": cut}

    def abort(self) -> None:
        """Nothing is held."""


class BodyReader:
    """Reads one body: ``feed`` it as it arrives, ``close`` it for the response.

    Content never raises. Errors of the blob writer pass through; after one, and after ``abort``, no writer is open.
    ``too_large`` says that a limit was passed: what comes from then on is ignored, so the line may as well be closed.
    """

    def __init__(self, status: int, headers: Headers, new_blob: NewBlob, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.too_large = False
        self._status = status
        self._headers = headers
        self._new_blob = new_blob
        self._limits = limits
        self._start = b""  # without white space, which relays send to keep a line open
        self._form: _Form | None = None  # None: too little has come to tell

    @property
    def events(self) -> Sequence[JsonBody]:
        """The events that have come whole so far, when it is a stream of them."""
        return self._form.values if isinstance(self._form, _Events) else ()

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the body, without any transfer or content encoding."""
        if self.too_large:
            return
        if self._form is None:
            self._start = chunk = self._start + chunk if self._start else chunk.lstrip(_SPACE)
            if len(chunk) < media.HEAD_BYTES:
                return
            form = self._form = self._formed(chunk)
            self._start = chunk[: form.raw_bytes]
        else:
            form = self._form
            self._start += chunk[: form.raw_bytes - len(self._start)]
        self._take(form, chunk)

    def close(self, *, cut: bool = False) -> WireResponse:
        """The response, now that the body has ended or the line was ``cut``.

        A JSON object or list that came whole is whole, whatever broke thereafter; so is a picture that ends as its
        format does.
        """
        form = self._form
        if form is None:
            form = self._form = self._formed(self._start)
            self._take(form, self._start)
        members: dict[str, Any] = {}
        if not self.too_large:
            try:
                members = form.end(self._start, cut=cut)
            except SpillTooLarge:
                self.too_large = True
            finally:
                form.abort()
        if self.too_large:
            members = {"raw": self._start, "cut": cut, "too_large": True}
        return WireResponse(self._status, self._headers, **members)

    def abort(self) -> None:
        """Give the body up. Does no harm when it has ended."""
        if self._form is not None:
            self._form.abort()

    def _take(self, form: _Form, chunk: bytes) -> None:
        try:
            form.take(chunk)
        except SpillTooLarge:
            self.too_large = True
            form.abort()
        except BaseException:
            form.abort()
            raise

    def _formed(self, start: bytes) -> _Form:
        if media.is_picture(media.sniff(start)):
            return _Picture(self._new_blob, self._limits)
        if start.startswith(_EVENT_STARTS):
            return _Events(self._new_blob, self._limits)
        if start and start[0] in _JSON_STARTS:
            return _Json(self._new_blob, self._limits)
        declared = self._headers.get("content-type").strip().lower()
        if start and declared.startswith("image/") and not start.startswith(b"<"):
            return _Picture(self._new_blob, self._limits)
        return _Other()
