"""WireRequest and WireResponse: one HTTP exchange as values, with large bodies set aside as blobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..model.blob import Blob
from ..model.request import JsonValue


@dataclass(frozen=True, slots=True)
class Spilled:
    """A long JSON string that was set aside while it arrived, or is to be streamed while it leaves.

    The string is the concatenation of ``pieces``: text as it is, a blob as the base64 of its bytes (standard alphabet,
    padded). A plain base64 string is one blob; ``data:image/png;base64,<blob>`` is a text and a blob; a markdown
    picture is text, blob, text. Strings under the members ``data``, ``b64_json`` and ``bytesBase64Encoded`` that are
    base64 are set aside whatever their length, so that a dialect always finds a picture as a blob.
    """

    pieces: tuple[str | Blob, ...]

    @property
    def blob(self) -> Blob | None:
        """The blob when the string is nothing but base64."""
        return self.pieces[0] if len(self.pieces) == 1 and isinstance(self.pieces[0], Blob) else None

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All blobs in it, in order."""
        return tuple(p for p in self.pieces if isinstance(p, Blob))


@dataclass(frozen=True, slots=True)
class Headers:
    """HTTP headers, read without regard to case. Repeated names keep every value."""

    items: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, mapping: Mapping[str, str]) -> Headers:
        """Headers from a plain mapping."""
        return cls(tuple(mapping.items()))

    def get(self, name: str, default: str = "") -> str:
        """The first value of that name."""
        wanted = name.lower()
        return next((value for key, value in self.items if key.lower() == wanted), default)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Name and value pairs as they stand."""
        return iter(self.items)


JsonBody = JsonValue
"""A JSON value in which ``Spilled`` may stand for a string, at any depth."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form: words, or a file, whose bytes are a blob. An empty file is ``""`` with a file name.

    ``media_type`` is what the sender calls it; that of the blob is what its bytes show.
    """

    name: str
    value: str | Blob
    filename: str = ""
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A body of the type multipart/form-data: fields in their order, of which several may have the same name."""

    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class WireRequest:
    """What leaves for a provider, without its key: the endpoint stamps that on last.

    ``path`` is relative to the endpoint's base URL and starts with ``/``, or is a whole URL where the provider named
    one. ``body`` is JSON (``None``: no body at all), or a ``Form``.
    """

    method: str
    path: str
    body: JsonBody = None
    headers: Headers = field(default_factory=Headers)
    query: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WireResponse:
    """What a provider answered, after its long strings were set aside.

    ``body`` is the JSON value when the body was JSON; for an event stream it is the list of the events' JSON values, in
    order, with ``stream`` set. When the body was not JSON, ``body`` is ``None`` and ``raw`` holds the beginning of it
    (at most 64 KiB). ``binary`` is the body itself when it was a picture. ``cut`` says that the line broke before the
    body ended; then ``body`` holds what was complete (the events of a stream), else ``None``. ``too_large`` says that
    the body was beyond a limit and not read to its end; then there is only ``raw``.
    """

    status: int
    headers: Headers = field(default_factory=Headers)
    body: JsonBody = None
    raw: bytes = b""
    stream: bool = False
    cut: bool = False
    binary: Blob | None = None
    too_large: bool = False
