"""Server-sent events: read as they arrive, each event's JSON with its base64 set aside; and written.

Format: the WHATWG HTML standard, section 9.2.6, of which only the field ``data`` matters here: all known image APIs
repeat the event's name inside its JSON. A picture is one ``data`` line of megabytes, so lines are never put together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..model.blob import Blob
from .base64_stream import encoded_size
from .message import JsonBody, Spilled
from .pour import pour
from .spill import DEFAULT_LIMITS, Limits, NewBlob, Spiller, SpillError, SpillTooLarge, Words

MAX_EVENTS: Final = 20_000
"""One answer has some dozens; one that is told word by word, thousands."""

END_OF_STREAM: Final = b"data: [DONE]\n\n"
"""What OpenAI's formats end with. Google's do not."""

_DONE: Final = b"[DONE]"
_DATA: Final = b"data:"
_BOM: Final = b"\xef\xbb\xbf"


def write_event(value: JsonBody, name: str = "") -> Iterator[bytes | Blob]:
    """One event, its JSON on one ``data`` line: bytes to send as they are, blobs to send as base64."""
    parts = pour(value)  # what cannot be written is refused before anything is sent
    yield f"event: {name}\ndata: ".encode() if name else b"data: "
    yield from parts
    yield b"\n\n"


class EventReader:
    """Reads one event stream: ``feed`` and ``close`` give the JSON values of the events that became whole.

    ``done`` says that ``[DONE]`` came, ``broken`` how many whole events were no JSON. ``SpillTooLarge`` is raised
    beyond a limit; errors of the blob writer pass through. After either no writer is open.
    """

    def __init__(self, new_blob: NewBlob, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.done = False
        self.broken = 0
        self._new_blob = new_blob
        self._limits = limits
        self._fed = self._kept = self._count = 0
        self._line = b""  # the beginning of a line whose field is not known yet
        self._in_data: bool | None = None  # whether the line is ``data``; None: not known yet
        self._first = True
        self._after_cr = False
        self._spiller: Spiller | None = None  # of the event that has data
        self._head = b""  # the beginning of its data
        self._words = Words(new_blob, limits)

    def feed(self, chunk: bytes) -> list[JsonBody]:
        """The next bytes of the stream; returns the events that they complete."""
        self._fed += len(chunk)
        events: list[JsonBody] = []
        try:
            if self._fed > encoded_size(self._limits.total_bytes):
                raise SpillTooLarge(f"more than {encoded_size(self._limits.total_bytes)} bytes of events")
            at = 0
            while at < len(chunk):
                at = self._step(chunk, at, events)
        except BaseException:
            self.abort()
            raise
        return events

    def close(self, *, cut: bool = False) -> list[JsonBody]:
        """The stream has ended, or was ``cut``: the last event, if all of it came.

        A last event without its blank line counts when it is a whole JSON object or list.
        """
        events: list[JsonBody] = []
        broken = self.broken
        try:
            self._end_line(events)
            self._end_event(events)
            if blob := self._words.end(cut=cut):
                # Its own event ended before it was known to be whole.
                events.append({"choices": [{"index": 0, "delta": {"content": Spilled((blob,))}}]})
        finally:
            self.abort()
        if cut:
            self.broken = broken
            return [event for event in events if isinstance(event, dict | list)]
        return events

    def abort(self) -> None:
        """Give the stream up. Does no harm when it has ended."""
        spiller, self._spiller = self._spiller, None
        if spiller is not None:
            spiller.abort()
        self._words.blobs.abort()

    def _step(self, chunk: bytes, at: int, events: list[JsonBody]) -> int:
        """From ``at`` to the end of the line or of the chunk."""
        if self._after_cr:
            self._after_cr = False
            if chunk.startswith(b"\n", at):
                return at + 1
        end = _line_end(chunk, at)
        if self._in_data is None:
            at = self._field(chunk, at, end)
        if self._in_data:
            self._data(chunk[at:end])
        if end < len(chunk):
            self._after_cr = chunk.startswith(b"\r", end)
            self._end_line(events)
        return end + 1

    def _field(self, chunk: bytes, at: int, end: int) -> int:
        """Gather the beginning of the line until its field is known; returns where the value goes on."""
        wanted = len(_DATA) + 1 + (len(_BOM) if self._first else 0)
        taken = min(end, at + wanted - len(self._line))
        self._line += chunk[at:taken]
        if len(self._line) == wanted:
            self._know_field()
        return taken

    def _know_field(self) -> None:
        line, self._line = self._line, b""
        if self._first:
            line = line.removeprefix(_BOM)
            self._first = False
        field, colon, value = line.partition(b":")
        self._in_data = field == b"data"
        if self._in_data:
            self._begin_data()
            self._data(value.removeprefix(b" ") if colon else b"")

    def _begin_data(self) -> None:
        if self._spiller is None:
            self._count += 1
            if self._count > MAX_EVENTS:
                raise SpillTooLarge(f"more than {MAX_EVENTS} events")
            self._spiller = Spiller(self._new_blob, limits=self._limits, words=self._words)
            self._head = b""
        else:
            self._data(b"\n")

    def _data(self, data: bytes) -> None:
        if self._spiller is not None and data:
            self._head += data[: len(_DONE) + 2 - len(self._head)]
            self._spiller.feed(data)

    def _end_line(self, events: list[JsonBody]) -> None:
        if self._in_data is None:
            blank = self._line in {b"", _BOM if self._first else b""}
            self._know_field()
            if blank:
                self._end_event(events)
        self._in_data = None

    def _end_event(self, events: list[JsonBody]) -> None:
        spiller, self._spiller = self._spiller, None
        if spiller is None:
            return
        if (head := self._head.strip()) in {b"", _DONE}:
            spiller.abort()
            self.done = self.done or head == _DONE
            return
        self._kept += spiller.kept_bytes
        if self._kept > self._limits.envelope_bytes:
            spiller.abort()
            raise SpillTooLarge(f"more than {self._limits.envelope_bytes} bytes of events besides their base64")
        try:
            events.append(spiller.close())
        except SpillError:
            self.broken += 1


def _line_end(chunk: bytes, at: int) -> int:
    end = chunk.find(b"\n", at)
    end = len(chunk) if end < 0 else end
    earlier = chunk.find(b"\r", at, end)
    return end if earlier < 0 else earlier
