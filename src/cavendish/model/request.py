"""ImageRequest: what is asked, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal, Self

from .blob import Blob

JsonValue = Any
"""A JSON value: None, bool, int, float, str, list or dict of such."""


class Role(StrEnum):
    """Who spoke a turn."""

    USER = "user"
    MODEL = "model"


class Use(StrEnum):
    """What a reference picture is for. A mask is transparent where the first reference is to be drawn anew."""

    OBJECT = "object"
    PERSON = "person"
    STYLE = "style"
    MASK = "mask"


@dataclass(frozen=True, slots=True)
class Text:
    """Words in a turn. ``signature`` is the provider's opaque thought signature (base64, or a blob when large)."""

    text: str
    thought: bool = False
    signature: str | Blob | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a turn: bytes we hold, or a URI that the provider reads itself. Exactly one of the two is set.

    ``cell`` is which cell of a sheet it was cut from, counted from 1 row by row; 0 for a picture of its own.
    """

    blob: Blob | None = None
    uri: str | None = None
    media_type: str | None = None
    use: Use | None = None
    thought: bool = False
    signature: str | Blob | None = None
    cell: int = 0


Part = Text | Image


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's words and pictures, in their order: providers give the order meaning."""

    role: Role
    parts: tuple[Part, ...]


Grounding = Literal["web", "image"]
Modality = Literal["TEXT", "IMAGE"]


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """N pictures of this.

    ``turns`` ends with the user's turn that asks. ``n`` is the number of pictures; whatever the prompt says
    about a count is left alone. ``size`` is a size word of the model (``"512"``, ``"1K"``, ``"2K"``, ``"4K"``)
    or ``WIDTHxHEIGHT`` where a model takes pixels; ``aspect_ratio`` is ``"W:H"``. ``None`` everywhere means the
    provider's default, and is not sent. ``thinking`` is a level's name in lower case. ``extra`` holds members
    that only one wire format knows, keyed by their names on that wire; other dialects give a notice for them.
    """

    turns: tuple[Turn, ...]
    model: str
    n: int = 1
    size: str | None = None
    aspect_ratio: str | None = None
    system: str | None = None
    thinking: str | None = None
    include_thoughts: bool = False
    modalities: tuple[Modality, ...] | None = None
    grounding: tuple[Grounding, ...] = ()
    seed: int | None = None
    temperature: float | None = None
    quality: str | None = None
    output_format: str | None = None
    extra: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], hash=False)

    @classmethod
    def of(cls, prompt: str, model: str, references: tuple[Image, ...] = (), **fields: Any) -> Self:
        """A single-turn request: references first, then the prompt."""
        parts: tuple[Part, ...] = (*references, Text(prompt))
        return cls(turns=(Turn(Role.USER, parts),), model=model, **fields)

    @property
    def prompt(self) -> str:
        """The words of the last turn."""
        return "\n".join(p.text for p in self.turns[-1].parts if isinstance(p, Text)) if self.turns else ""

    @property
    def references(self) -> tuple[Image, ...]:
        """The pictures of the last turn."""
        return tuple(p for p in self.turns[-1].parts if isinstance(p, Image)) if self.turns else ()

    def having(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return replace(self, **changes) if changes else self


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that could not be honoured exactly, told to the caller.

    ``code`` is stable and documented (``size_normalised``, ``model_retired``, ...); ``text`` is for people.
    """

    code: str
    text: str
    field: str | None = None
