"""The choices of an answer, put together from a message or from the deltas of many events, with all their pictures.

Where a picture can hide: in ``images`` of the message or the delta (OpenRouter, LiteLLM), with a wrapping or without;
in a list of content parts; as markdown, a data URI or an address among the words (the relays), cut anywhere when they
are streamed; in a ``data`` list as of the Images API, without any choices (reverse relays).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ...model.blob import Blob
from ...model.fault import Fault
from ...model.request import Image, Part, Text
from ...wire.message import Spilled
from ...wire.openai_pictures import read_items, read_picture
from ...wire.pictures_in_words import linked_pictures, markdown_pictures, pictures_between
from ...wire.reading import entries_of, integer, items, mapping, member, text, text_of
from .messages import joined


@dataclass(slots=True)
class Choice:
    """One answer of the model, as far as it arrived. ``pieces`` are its words and the blobs in them."""

    thoughts: str = ""
    pieces: list[str | Blob | Image] = field(default_factory=list[str | Blob | Image])
    pictures: list[Image] = field(default_factory=list[Image])
    finish: str = ""
    native: str = ""
    refusal: str = ""
    last: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What came with the end: an error, or our own note."""

    def parts(self) -> list[Part]:
        """Thoughts, words with their pictures, and the pictures beside them that are not among the words as well."""
        parts: list[Part] = [Text(self.thoughts, thought=True)] if self.thoughts else []
        parts += (found for part in self._said() for found in markdown_pictures(part))
        twice = Counter(_key(part) for part in parts if isinstance(part, Image))
        for picture in self.pictures:
            if twice[_key(picture)]:
                twice[_key(picture)] -= 1
            else:
                parts.append(picture)
        if not any(isinstance(part, Image) for part in parts):
            parts = [found for part in parts for found in linked_pictures(part)]
        return parts

    def _said(self) -> Iterable[Part]:
        run: list[str | Blob] = []
        for piece in self.pieces:
            if isinstance(piece, Image):
                yield from _words(run)
                yield piece
                run = []
            else:
                run.append(piece)
        yield from _words(run)


def _key(picture: Image) -> str:
    return picture.blob.sha256 if picture.blob else picture.uri or ""


def _words(run: list[str | Blob]) -> Iterable[Part]:
    pieces = tuple(joined(run))
    if any(isinstance(piece, Blob) for piece in pieces):
        return pictures_between(Spilled(pieces))
    return [Text(str(piece)) for piece in pieces]


@dataclass(slots=True)
class Gathered:
    """All events up to the first error. ``known`` says that anything at all looked like an answer."""

    choices: dict[int, Choice] = field(default_factory=dict[int, Choice])
    listed: list[Part] = field(default_factory=list[Part])
    """Of an answer in the shape of the Images API."""
    faults: list[Fault] = field(default_factory=list[Fault])
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model: str = ""
    response_id: str = ""
    error: Any = None
    known: bool = False

    @property
    def in_order(self) -> list[Choice]:
        """The choices by their index."""
        return [choice for _, choice in sorted(self.choices.items())]


def gather(body: Any) -> Gathered:
    """Put an answer together: one object, or the events of a stream. Never raises."""
    answer = Gathered()
    for event in entries_of(body) or (body,):
        if member(event, "error") is not None and not items(event, "choices"):
            answer.error = event
            break
        _take(answer, event)
    return answer


def _take(answer: Gathered, event: Any) -> None:
    answer.known = answer.known or any(member(event, name) is not None for name in ("choices", "data", "images"))
    for position, value in enumerate(items(event, "choices")):
        index = integer(value, "index")
        _add(answer.choices.setdefault(position if index is None else index, Choice()), value)
    if not items(event, "choices"):
        parts, faults = read_items((*items(event, "data"), *items(event, "images")))
        answer.listed += parts
        answer.faults += faults
    answer.usage = mapping(event, "usage") or answer.usage
    answer.model = text(event, "model") or answer.model
    answer.response_id = text(event, "id") or answer.response_id


def _add(choice: Choice, value: Any) -> None:
    delta = mapping(value, "delta")
    # A stream may end with the whole message once more.
    repeats = bool(choice.pieces or choice.pictures)
    message = delta or ({} if repeats else mapping(value, "message"))
    choice.thoughts += text(message, "reasoning") or text(message, "reasoningContent")
    _add_content(choice, member(message, "content"))
    for entry in (*items(message, "images"), _sole_picture(message)):
        if picture := read_picture(entry):
            choice.pictures.append(picture)
    choice.refusal += text(message, "refusal")
    choice.finish = text(value, "finishReason") or choice.finish
    choice.native = text(value, "nativeFinishReason") or choice.native
    if isinstance(value, Mapping):
        choice.last = cast("Mapping[str, Any]", value)


def _sole_picture(message: Any) -> Any:
    return member(message, "image_b64_json") or member(message, "b64_json")


def _add_content(choice: Choice, content: Any) -> None:
    if isinstance(content, Spilled):
        # Bare base64 is a picture by its bytes alone; the words around a data URI say more.
        choice.pieces += content.pieces
    elif words := text_of(content):
        choice.pieces.append(words)
    for entry in entries_of(content):
        if (said := member(entry, "text")) is not None:
            _add_content(choice, said)
        elif picture := read_picture(entry):
            choice.pieces.append(picture)
