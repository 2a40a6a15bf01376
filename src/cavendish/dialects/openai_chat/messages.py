"""Messages, both ways: the turns of a conversation as chats have them.

A turn of the user is a text, or a list of texts and pictures in their order. A model's pictures of earlier turns go as
``images`` beside its words, as markdown among them, or with the next turn of the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from ...model.request import Image, ImageRequest, Part, Role, Text, Turn
from ...wire.data_uri import write_picture
from ...wire.message import Spilled
from ...wire.openai_pictures import read_picture, words_of
from ...wire.pictures_in_words import pictures_between
from ...wire.reading import entries_of, items, member, text, text_of
from .spelling import History

SYSTEM: Final = frozenset({"system", "developer"})
_ROLES: Final = {"user": Role.USER, "assistant": Role.MODEL}
_TEXTS: Final = frozenset({"text", "input_text", "output_text"})
_PICTURES: Final = frozenset({"image_url", "input_image", "image", "image_file", "file", "input_file"})


class Unreadable(ValueError):
    """The request is not what OpenAI would take: what it would say, and under which code."""

    def __init__(self, message: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.code = code


# --- writing ---------------------------------------------------------------------------------------------------------


def write_messages(request: ImageRequest, history: History) -> list[dict[str, Any]]:
    """The conversation. Thoughts and signatures have no place in it."""
    messages: list[dict[str, Any]] = []
    if request.system is not None:
        messages.append({"role": "system", "content": request.system})
    carried: tuple[Part, ...] = ()
    for turn in request.turns:
        parts = tuple(part for part in turn.parts if not part.thought)
        if turn.role is Role.USER:
            messages.append({"role": "user", "content": _content((*carried, *parts))})
            carried = ()
        else:
            messages.append(_of_model(parts, history))
            carried = tuple(part for part in parts if isinstance(part, Image)) if history == "user" else ()
    return messages


def _content(parts: Sequence[Part]) -> Any:
    if all(isinstance(part, Text) for part in parts) and len(parts) < 2:
        return words_of(parts)
    return [_write_part(part) for part in parts]


def _write_part(part: Part) -> dict[str, Any]:
    return {"type": "text", "text": part.text} if isinstance(part, Text) else write_image(part)


def write_image(image: Image) -> dict[str, Any]:
    """A picture as a part of a message."""
    return {"type": "image_url", "image_url": {"url": write_picture(image)}}


def _of_model(parts: Sequence[Part], history: History) -> dict[str, Any]:
    texts = [part for part in parts if isinstance(part, Text)]
    pictures = [part for part in parts if isinstance(part, Image)]
    if history == "markdown" and pictures:
        return {"role": "assistant", "content": as_markdown(parts)}
    message: dict[str, Any] = {"role": "assistant", "content": _content(texts)}
    return {**message, "images": write_images(pictures)} if history == "images" and pictures else message


def write_images(pictures: Iterable[Image]) -> list[dict[str, Any]]:
    """Pictures as the ``images`` of a model's message."""
    return [{**write_image(picture), "index": index} for index, picture in enumerate(pictures)]


def as_markdown(parts: Iterable[Part]) -> Spilled:
    """Words with pictures among them."""
    pieces: list[Any] = []
    for part in parts:
        pieces.append("\n\n" if pieces else "")
        url = part.text if isinstance(part, Text) else write_picture(part)
        shown = url.pieces if isinstance(url, Spilled) else (url,)
        pieces += shown if isinstance(part, Text) else ("![image](", *shown, ")")
    return Spilled(tuple(joined(pieces)))


def joined(pieces: Iterable[Any]) -> Iterator[Any]:
    """Pieces of a string, texts side by side as one and none of them empty."""
    words = ""
    for piece in pieces:
        if isinstance(piece, str):
            words += piece
            continue
        if words:
            yield words
        yield piece
        words = ""
    if words:
        yield words


# --- reading ---------------------------------------------------------------------------------------------------------


def read_messages(values: Iterable[Any]) -> tuple[str | None, tuple[Turn, ...]]:
    """What the system says, and the turns. Raises ``Unreadable``."""
    system: list[str] = []
    turns: list[Turn] = []
    for number, message in enumerate(values):
        role = text(message, "role").strip().lower()
        parts = tuple(_parts(message, f"messages[{number}]"))
        if role in SYSTEM:
            system.append(words_of(parts))
        elif role in _ROLES:
            turns.append(Turn(_ROLES[role], parts))
        else:
            raise Unreadable(f"Invalid value: '{role}'. Supported values are: 'system', 'user' and 'assistant'.")
    return "\n".join(system) if system else None, tuple(turns)


def _parts(message: Any, place: str) -> Iterator[Part]:
    content = member(message, "content")
    yield from _words(content)
    for number, entry in enumerate(entries_of(content)):
        yield from _read_part(entry, f"{place}.content[{number}]")
    for number, entry in enumerate(items(message, "images")):
        yield _picture(entry, f"{place}.images[{number}]")


def _read_part(entry: Any, place: str) -> Iterator[Part]:
    kind = text(entry, "type").strip().lower()
    if kind in _TEXTS:
        yield from _words(member(entry, "text"))
    elif kind in _PICTURES:
        yield _picture(entry, place)
    else:
        raise Unreadable(f"Invalid value at '{place}.type': '{kind}'. Supported values are: 'text' and 'image_url'.")


def _words(value: Any) -> Iterator[Part]:
    """Words, with the base64 pictures among them."""
    if isinstance(value, Spilled):
        yield from pictures_between(value)
    elif words := text_of(value):
        yield Text(words)


def _picture(value: Any, place: str) -> Image:
    picture = read_picture(value)
    if picture is None:
        raise Unreadable(f"Invalid image at '{place}': expected a URL or a data URL.", "invalid_image_url")
    return picture
