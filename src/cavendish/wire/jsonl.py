"""LineReader: a body of one JSON value a line, read as it arrives, the base64 of each line decoded into blobs.

A file of a thousand results is gigabytes; what is held at any moment is the envelope of one line. Lines are told apart
by their line feeds, of which JSON has none inside its strings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .blobs import DEFAULT_LIMITS, BlobWriter, Limits
from .message import JsonBody
from .spill import Spiller, SpillError

_FEED: Final = b"\n"
_SPACE: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line. ``number`` is the one that its blobs were asked for with, ``end`` the offset behind it in bytes.

    ``broken`` says why it is no JSON, or is beyond a limit; then there is no value.
    """

    number: int
    end: int
    value: JsonBody = None
    broken: str = ""


class LineReader:
    """``feed`` it the body as it arrives; each call gives the lines that it completed.

    ``new_blob`` is given the number of the line that the blob is of. Errors of the blob writer pass through; after one,
    and after ``abort``, no writer is open.
    """

    def __init__(
        self, new_blob: Callable[[int], BlobWriter], *, first: int = 0, offset: int = 0, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._new_blob = new_blob
        self._limits = limits
        self._number = first
        self._offset = offset
        self._spiller: Spiller | None = None
        self._broken = ""

    def feed(self, chunk: bytes) -> list[Line]:
        """The next bytes."""
        lines: list[Line] = []
        start = 0
        while (at := chunk.find(_FEED, start)) >= 0:
            self._take(chunk[start:at])
            self._offset += at + 1 - start
            lines += self._ended()
            start = at + 1
        self._take(chunk[start:])
        self._offset += len(chunk) - start
        return lines

    def close(self) -> list[Line]:
        """The body has ended: the last line, when it has no line feed."""
        return self._ended()

    def abort(self) -> None:
        """Give the body up, and with it the line that is not whole. Does no harm when it has ended."""
        if self._spiller is not None:
            self._spiller.abort()
            self._spiller = None

    def _take(self, piece: bytes) -> None:
        if self._broken:
            return
        if self._spiller is None:
            piece = piece.lstrip(_SPACE)
            if not piece:
                return
            number = self._number
            self._spiller = Spiller(lambda: self._new_blob(number), limits=self._limits)
        try:
            self._spiller.feed(piece)
        except SpillError as error:
            self._broken = str(error)

    def _ended(self) -> list[Line]:
        spiller, broken = self._spiller, self._broken
        self._spiller, self._broken = None, ""
        if spiller is None:
            return []
        number = self._number
        self._number += 1
        if broken:
            return [Line(number, self._offset, broken=broken)]
        try:
            return [Line(number, self._offset, spiller.close())]
        except SpillError as error:
            return [Line(number, self._offset, broken=str(error))]
