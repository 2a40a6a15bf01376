"""Parts of a turn or of an answer, both ways.

A picture is ``inlineData`` with its bytes set aside, or ``fileData`` with an address. Thought signatures are opaque
and go back exactly as they came. Relays put pictures into words: those are found here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from ...model.blob import Blob
from ...model.request import Image, Part, Text
from ...wire import media
from ...wire.message import Spilled
from ...wire.reading import blob_of, flag, mapping, member, text, text_of

_DATA_URI: Final = re.compile(
    r"(?:!\[[^\]\n]{0,200}\]\(\s*)?<?data:(image/[\w.+-]{1,60})[^,\s]{0,60};base64,$", re.IGNORECASE
)
_CLOSING: Final = re.compile(r">?\s*(?:\"[^\"\n]{0,200}\"\s*)?\)")
_MARKDOWN_URL: Final = re.compile(r"!\[[^\]\n]{0,200}\]\(\s*<?(https?://[^\s<>()]{1,4000})>?[^()\n]{0,200}\)")
_PICTURE_URL: Final = re.compile(
    r"https?://[^\s<>()\"'\]]{1,4000}?\.(?:png|jpe?g|webp|gif|avif|heic)(?:\?[^\s<>()\"'\]]{0,4000})?(?![\w/?-])",
    re.IGNORECASE,
)
_BARE_URL: Final = re.compile(r"https?://[^\s<>()\"']{1,4000}", re.IGNORECASE)


def write_part(part: Part) -> dict[str, Any]:
    """One part as Google spells it."""
    entry: dict[str, Any] = {"text": part.text} if isinstance(part, Text) else _write_image(part)
    if part.thought:
        entry["thought"] = True
    if part.signature is not None:
        entry["thoughtSignature"] = Spilled((part.signature,)) if isinstance(part.signature, Blob) else part.signature
    return entry


def _write_image(image: Image) -> dict[str, Any]:
    if image.blob is not None:
        data = {"mimeType": image.media_type or image.blob.media_type, "data": Spilled((image.blob,))}
        return {"inlineData": data}
    named = {"mimeType": image.media_type} if image.media_type else {}
    return {"fileData": {**named, "fileUri": image.uri or ""}}


def read_parts(values: Iterable[Any]) -> list[Part]:
    """All parts that say something, in order; what is no text and no picture is passed over."""
    return [part for value in values for part in read_part(value)]


def read_part(value: Any) -> tuple[Part, ...]:
    """The part, or the parts: base64 pictures inside a text stand between its words."""
    thought, signature = flag(value, "thought"), read_signature(value)
    if image := _read_image(value):
        return (replace(image, thought=thought, signature=signature),)
    found = member(value, "text")
    if isinstance(found, Spilled):
        return tuple(replace(part, thought=thought, signature=signature) for part in _pictures_between(found))
    words = text_of(found)
    return (Text(words, thought, signature),) if words or signature is not None else ()


def read_signature(value: Any) -> str | Blob | None:
    """A part's thought signature: text as it stands, a blob when it is large."""
    found = member(value, "thoughtSignature")
    if isinstance(found, Spilled):
        return found.blob
    return found if isinstance(found, str) and found else None


def _read_image(value: Any) -> Image | None:
    inline = mapping(value, "inlineData")
    if blob := blob_of(member(inline, "data")):
        return Image(blob=blob, media_type=text(inline, "mimeType") or blob.media_type or None)
    file = mapping(value, "fileData")
    if uri := text(file, "fileUri"):
        return Image(uri=uri, media_type=text(file, "mimeType") or None)
    return None


# --- pictures in words -----------------------------------------------------------------------------------------------


def _pictures_between(spilled: Spilled) -> Iterator[Part]:
    """A data URI, a markdown picture with one, or bare base64: words and pictures in turn."""
    before, closes = "", False
    for piece in spilled.pieces:
        if isinstance(piece, str):
            closing = _CLOSING.match(piece) if closes else None
            words = _DATA_URI.sub("", piece[closing.end() :] if closing else piece).strip()
            before = piece
            if words:
                yield Text(words)
        else:
            said = _DATA_URI.search(before)
            closes = said is not None and "](" in said[0]
            before = ""
            if said or media.is_picture(piece.media_type):
                yield Image(blob=piece, media_type=said[1].lower() if said else piece.media_type)


def linked_pictures(part: Part) -> tuple[Part, ...]:
    """The part, with the addresses of pictures in its words as pictures of their own, between the words.

    An address counts when it stands in a markdown picture, ends like a picture's file, or is all that the text says.
    """
    if not isinstance(part, Text) or part.thought:
        return (part,)
    if _BARE_URL.fullmatch(bare := part.text.strip()):
        return (Image(uri=bare, signature=part.signature),)
    pattern = _MARKDOWN_URL if _MARKDOWN_URL.search(part.text) else _PICTURE_URL
    parts: list[Part] = []
    at = 0
    for match in pattern.finditer(part.text):
        parts += _words(part.text[at : match.start()])
        parts.append(Image(uri=match[match.lastindex or 0], signature=part.signature))
        at = match.end()
    return (*parts, *_words(part.text[at:])) if parts else (part,)


def _words(words: str) -> tuple[Part, ...]:
    return (Text(words.strip()),) if words.strip() else ()
