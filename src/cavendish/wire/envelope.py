"""Envelope: what is left of a JSON body when its blobs are taken out, and where they were.

Everything but the blobs goes through ``json.loads``, so the result is the standard library's by construction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final, cast

from ..model.blob import Blob
from .blobs import SpillTooLarge
from .message import JsonBody, Spilled

MEDIA_MEMBERS: Final = frozenset({"data", "b64_json", "bytesBase64Encoded"})
"""Members whose base64 is set aside whatever its length: the pictures of Google, OpenAI and Imagen."""

WORDS_MEMBER: Final = "content"
"""The member under which chats tell in many events what a model says."""

_NAME_CHARS: Final = 6 * max(len(name) for name in MEDIA_MEMBERS)
"""The longest spelling of a member's name that matters, each character as ``\\u0064``."""

_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))


class Place:
    """Where in the structure the reader stands: is the next string a name, and if not, under which name is it?

    Told of a body that is no JSON, it answers anything: the parser refuses that body in the end.
    """

    __slots__ = ("_after", "_name", "_stack")

    def __init__(self) -> None:
        self._stack = bytearray()  # the open brackets
        self._after = b""  # the last sign that is no space
        self._name = b""

    def pass_by(self, gap: bytes) -> None:
        """What stands between two strings."""
        after = _USUAL_GAPS.get(gap)
        if after is None:
            for bracket in gap.translate(None, _NO_BRACKETS):
                if bracket in b"{[":
                    self._stack.append(bracket)
                else:
                    del self._stack[-1:]
            after = gap.rstrip(b" \t\r\n")[-1:] or self._after
        self._after = after

    def expects_name(self) -> bool:
        """Whether the string that begins here is a member's name."""
        return self._after == b"{" or (self._after == b"," and self._stack.endswith(b"{"))

    def begin_name(self) -> None:
        """A name begins."""
        self._name = b""

    def add_name(self, raw: bytes) -> None:
        """The name goes on with this raw content."""
        if len(self._name) <= _NAME_CHARS:
            self._name += raw[: _NAME_CHARS + 1]

    def in_media_member(self) -> bool:
        """Whether the string that begins here is the value of a media member."""
        return self._after == b":" and _unescaped(self._name) in MEDIA_MEMBERS

    def in_words(self) -> bool:
        """Whether the string that begins here is what a model says."""
        return self._after == b":" and _unescaped(self._name) == WORDS_MEMBER


_USUAL_GAPS: Final = {b":": b":", b",": b",", b": ": b":", b", ": b","}
"""Gaps without a bracket, and the last sign of each."""


def _unescaped(raw: bytes) -> str:
    try:
        return str(json.loads(b'"' + raw + b'"')) if b"\\" in raw else raw.decode()
    except ValueError:
        return ""


class Envelope:
    """The bytes that are kept, and the blobs taken out with the positions where they were."""

    __slots__ = ("_blobs", "_kept", "_limit", "_places")

    def __init__(self, limit: int) -> None:
        self._kept = bytearray()
        self._blobs: list[Blob] = []
        self._places: list[int] = []
        self._limit = limit

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return len(self._kept)

    def keep(self, raw: bytes) -> None:
        """More of the body. Raises ``SpillTooLarge`` beyond the limit."""
        if len(self._kept) + len(raw) > self._limit:
            raise SpillTooLarge(f"more than {self._limit} bytes of JSON besides its base64")
        self._kept += raw

    def take_out(self, blob: Blob) -> None:
        """Here, inside a string, a blob was."""
        self._places.append(len(self._kept))
        self._blobs.append(blob)

    def value(self) -> JsonBody:
        """The JSON value, strings with blobs as ``Spilled``. Raises what ``json.loads`` raises."""
        if not self._blobs:
            return json.loads(bytes(self._kept))
        token = self._token()
        view, start, parts = memoryview(self._kept), 0, list[bytes | memoryview]()
        for number, place in enumerate(self._places):
            parts += (view[start:place], b"%s%d." % (token, number))
            start = place
        value: JsonBody = json.loads(b"".join((*parts, view[start:])))
        return _with_blobs(value, token.decode(), self._blobs)

    def _token(self) -> bytes:
        """A word that the body cannot contain, because it is a hash of the body."""
        digest = hashlib.blake2b(self._kept, digest_size=24)
        digest.update(repr(self._places).encode())
        return b"<blob:%s:" % digest.hexdigest().encode()


def _with_blobs(value: JsonBody, token: str, blobs: list[Blob]) -> JsonBody:
    """The value with its blobs back in their places. Not recursive: JSON may be as deep as the parser allows."""
    root = [value]
    todo: list[list[Any] | dict[str, Any]] = [root]
    while todo:
        holder: Any = todo.pop()
        for key, entry in holder.items() if isinstance(holder, dict) else enumerate(holder):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            if isinstance(entry, str):
                if token in entry:
                    holder[key] = Spilled(tuple(_pieces(entry.split(token), blobs)))
            elif isinstance(entry, list | dict):
                todo.append(cast("list[Any] | dict[str, Any]", entry))
    return root[0]


def _pieces(split: list[str], blobs: list[Blob]) -> Iterator[str | Blob]:
    """The words before the first blob, then each blob by its number, which a dot ends, with the words after it."""
    if split[0]:
        yield split[0]
    for piece in split[1:]:
        number, _, words = piece.partition(".")
        yield blobs[int(number)]
        if words:
            yield words
