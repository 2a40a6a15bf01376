"""Parts of a turn or of an answer, both ways.

A picture is ``inlineData`` with its bytes set aside, or ``fileData`` with an address. Thought signatures are opaque
and go back exactly as they came. Relays put pictures into words: those are found here, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ...model.blob import Blob
from ...model.request import Image, Part, Text
from ...wire.message import Spilled
from ...wire.pictures_in_words import pictures_between
from ...wire.reading import blob_of, flag, mapping, member, text, text_of


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
        return tuple(replace(part, thought=thought, signature=signature) for part in pictures_between(found))
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
