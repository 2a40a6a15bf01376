"""Pictures in words: data URIs, markdown pictures and addresses, as relays put them into what a model says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..model.request import Image, Part, Text
from . import media
from .message import Spilled

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


def pictures_between(spilled: Spilled) -> Iterator[Part]:
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
    return _found(part, _MARKDOWN_URL if _MARKDOWN_URL.search(part.text) else _PICTURE_URL)


def markdown_pictures(part: Part) -> tuple[Part, ...]:
    """The part, with the addresses of its markdown pictures as pictures of their own: those are nothing else."""
    return _found(part, _MARKDOWN_URL) if isinstance(part, Text) and not part.thought else (part,)


def _found(part: Text, pattern: re.Pattern[str]) -> tuple[Part, ...]:
    parts: list[Part] = []
    at = 0
    for match in pattern.finditer(part.text):
        parts += _words(part.text[at : match.start()])
        parts.append(Image(uri=match[match.lastindex or 0], signature=part.signature))
        at = match.end()
    return (*parts, *_words(part.text[at:])) if parts else (part,)


def _words(words: str) -> tuple[Part, ...]:
    return (Text(words.strip()),) if words.strip() else ()
