"""multipart/form-data, both ways: files streamed from and into blobs, never held in memory.

RFC 7578 for the body, RFC 2046 (section 5.1) for its borders, the WHATWG HTML standard (section 4.10.22.8) for the
spelling of names. A part with a file name, or with a type that is not text, is a file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from enum import Enum, auto
from typing import Final
from urllib.parse import unquote

from ..model.blob import Blob
from .blobs import DEFAULT_LIMITS, BodyBlobs, Limits, NewBlob, SpillError, SpillTooLarge
from .message import Field, Form

MAX_FIELDS: Final = 1000
"""An edit has at most 17 files and some dozen words."""

MAX_HEAD_BYTES: Final = 16 * 1024
"""Of one part: its name, file name and type."""

_SHOWN_CHARS: Final = 100
"""Of a field's name in an error."""

_BOUNDARY: Final = re.compile(r"(?:^|;)\s*boundary\s*=\s*(?:\"([^\"\r\n]{1,200})\"|([^\s;,\"]{1,200}))", re.IGNORECASE)
_NAME: Final = re.compile(r"(?:^|;)\s*name\s*=\s*(?:\"([^\"]*)\"|([^\s;\"]+))", re.IGNORECASE)
_FILE_NAME: Final = re.compile(r"(?:^|;)\s*filename\*?\s*=\s*(?:\"([^\"]*)\"|([^\s;\"]*))", re.IGNORECASE)
_ESCAPED: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
_WORDS: Final = ("text/", "application/json")
"""Types of parts that are words when they have no file name. Some clients declare a type for each field."""


# --- writing ---------------------------------------------------------------------------------------------------------


def form_type(form: Form) -> str:
    """The ``Content-Type`` of a form, with its boundary."""
    return f"multipart/form-data; boundary={_boundary(form)}"


def write_form(form: Form) -> list[bytes | Blob]:
    """The body: bytes and blobs, all of which go as they are. Raises ``ValueError`` for half a surrogate pair."""
    boundary = _boundary(form)
    parts: list[bytes | Blob] = []
    text = ""
    for field in form.fields:
        text += f"--{boundary}\r\n{_written_head(field)}\r\n\r\n"
        if isinstance(field.value, Blob):
            parts += (text.encode(), field.value)
            text = "\r\n"
        else:
            text += f"{field.value}\r\n"
    return [*parts, f"{text}--{boundary}--\r\n".encode()]


def form_length(parts: Iterable[bytes | Blob]) -> int:
    """How many bytes the parts of a form's body come to: for ``Content-Length``."""
    return sum(part.size if isinstance(part, Blob) else len(part) for part in parts)


def _boundary(form: Form) -> str:
    """A word that no field can contain, because it is a hash of all fields; the same form has the same one."""
    digest = hashlib.blake2b(digest_size=16)
    for field in form.fields:
        value = field.value.sha256 if isinstance(field.value, Blob) else field.value
        digest.update(repr((field.name, value, field.filename, field.media_type)).encode())
    return f"cavendish-{digest.hexdigest()}"


def _written_head(field: Field) -> str:
    words = f'Content-Disposition: form-data; name="{field.name.translate(_ESCAPED)}"'
    is_file = isinstance(field.value, Blob) or field.filename
    if is_file:
        words += f'; filename="{(field.filename or field.name).translate(_ESCAPED)}"'
    media_type = field.media_type or (field.value.media_type if isinstance(field.value, Blob) else "")
    return f"{words}\r\nContent-Type: {' '.join(media_type.split())}" if media_type else words


# --- reading ---------------------------------------------------------------------------------------------------------


class _State(Enum):
    PREAMBLE = auto()  # before the first border: passed over
    BORDER = auto()  # behind a border: the end, or a part
    HEAD = auto()
    WORDS = auto()
    FILE = auto()
    DONE = auto()


class FormReader:
    """Reads one form: ``feed`` it as it arrives, ``close`` it for the value.

    ``SpillError`` says that it is no form, ``SpillTooLarge`` that it is beyond a limit; errors of the blob writer pass
    through. After any error, and after ``abort``, no writer is open and the reader is of no more use.
    """

    def __init__(self, content_type: str, new_blob: NewBlob, *, limits: Limits = DEFAULT_LIMITS) -> None:
        match = _BOUNDARY.search(content_type)
        if match is None:
            raise SpillError("a form without a boundary")
        self._border = b"\r\n--" + (match[1] or match[2]).encode()
        self._blobs = BodyBlobs(new_blob, limits)
        self._limits = limits
        self._state = _State.PREAMBLE
        self._data = b"\r\n"  # what is not taken yet; the first border may stand at the very beginning
        self._field = Field("", "")
        self._words: list[bytes] = []
        self._kept = 0  # bytes of names and words
        self._size = 0  # of the open file
        self._fields: list[Field] = []
        self._closed = False

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the body."""
        self._check_open()
        self._data += chunk
        try:
            while self._step():
                pass
        except BaseException:
            self.abort()
            raise

    def close(self) -> Form:
        """The form, now that the body has ended."""
        self._check_open()
        self.abort()
        if self._state is not _State.DONE:
            raise SpillError("the form is not whole")
        return Form(tuple(self._fields))

    def abort(self) -> None:
        """Give the body up. Does no harm when it has ended."""
        self._closed = True
        self._blobs.abort()

    def _check_open(self) -> None:
        if self._closed:
            raise SpillError("the body has ended")

    def _step(self) -> bool:
        """Take what can be taken; says whether there may be more."""
        match self._state:
            case _State.BORDER:
                return self._behind_border()
            case _State.HEAD:
                return self._head()
            case _State.DONE:
                self._data = b""  # an epilogue
                return False
            case _:
                return self._content()

    def _content(self) -> bool:
        """Up to the next border, or to where one may begin."""
        found = self._data.find(self._border)
        if found < 0:
            sure = max(len(self._data) - len(self._border) + 1, 0)
            self._take(self._data[:sure])
            self._data = self._data[sure:]
            return False
        self._take(self._data[:found])
        self._data = self._data[found + len(self._border) :]
        self._end_part()
        self._state = _State.BORDER
        return True

    def _take(self, data: bytes) -> None:
        if self._state is _State.FILE:
            self._size += len(data)
            self._blobs.write(data)
        elif self._state is _State.WORDS:
            self._keep(data)
            self._words.append(data)

    def _keep(self, data: bytes) -> None:
        self._kept += len(data)
        if self._kept > self._limits.envelope_bytes:
            raise SpillTooLarge(f"more than {self._limits.envelope_bytes} bytes of a form besides its files")

    def _end_part(self) -> None:
        field = self._field
        if self._state is _State.FILE:
            value = self._blobs.finish() if self._size else ""
            self._fields.append(Field(field.name, value, field.filename, field.media_type))
        elif self._state is _State.WORDS:
            self._fields.append(Field(field.name, self._text(), field.filename, field.media_type))

    def _text(self) -> str:
        try:
            return b"".join(self._words).decode()
        except UnicodeDecodeError as error:
            name = self._field.name.encode("ascii", "backslashreplace").decode()[:_SHOWN_CHARS]
            raise SpillError(f"byte {error.start + 1} of the field '{name}' is no UTF-8") from None

    def _behind_border(self) -> bool:
        """Two dashes end the form; else the line's end begins a part, behind white space that a gateway may add."""
        end = self._data.find(b"\r\n")
        if self._data.startswith(b"--"):
            self._state = _State.DONE
            return True
        if end < 0:
            if len(self._data) > MAX_HEAD_BYTES or self._data.rstrip(b" \t\r-"):
                raise SpillError("a border of the form is followed by something else")
            return False
        if self._data[:end].strip(b" \t"):
            raise SpillError("a border of the form is followed by something else")
        self._data = self._data[end:]  # with the line's end: a head may be empty
        self._state = _State.HEAD
        return True

    def _head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._data) > MAX_HEAD_BYTES):
            raise SpillTooLarge(f"more than {MAX_HEAD_BYTES} bytes before the content of a field")
        if end < 0:
            return False
        if len(self._fields) >= MAX_FIELDS:
            raise SpillTooLarge(f"more than {MAX_FIELDS} fields")
        head, self._data = self._data[:end], self._data[end + 4 :]
        self._keep(head)
        self._field, is_file = _read_head(head.decode(errors="replace"))
        self._state = _State.FILE if is_file else _State.WORDS
        self._words, self._size = [], 0
        return True


def _read_head(head: str) -> tuple[Field, bool]:
    """The field without its value, and whether it is a file."""
    disposition = media_type = ""
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        match name.strip().lower():
            case "content-disposition":
                disposition = value.partition(";")[2]
            case "content-type":
                media_type = value.strip()
            case _:
                pass
    filename = _FILE_NAME.search(disposition)
    is_file = filename is not None or bool(media_type and not media_type.lower().startswith(_WORDS))
    return Field(_spelled(_NAME.search(disposition)), "", _spelled(filename), media_type), is_file


def _spelled(match: re.Match[str] | None) -> str:
    return "" if match is None else unquote(match[1] or match[2] or "")
