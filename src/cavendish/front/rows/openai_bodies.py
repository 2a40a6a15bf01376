"""Bodies of OpenAI's batch lines as requests: images/generations, images/edits and chat/completions.

Members as in openai-python 2.x. What has no counterpart (``style``, ``user``, ``response_format``, ...) says nothing
about the picture and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...model.call import Open
from ...model.fault import Fault, FaultKind
from ...model.request import Image, ImageRequest, Part, Role, Text, Turn
from ...wire.message import Spilled, WireRequest
from ...wire.reading import entries_of, integer, items, mapping, member, number, text, text_of

AUTO = "auto"


def read_images(request: WireRequest) -> Open | Fault:
    """A body of images/generations or images/edits. Never raises."""
    body = request.body
    prompt = text(body, "prompt")
    if not prompt.strip():
        return _invalid("body: there is no prompt")
    given = member(body, "image") or member(body, "images")
    references = tuple(filter(None, map(_picture, entries_of(given) or (given,))))
    wanted = ImageRequest.of(
        prompt,
        text(body, "model"),
        references,
        n=_count(body),
        size=_unless_auto(text(body, "size")),
        quality=_unless_auto(text(body, "quality")),
        output_format=text(body, "output_format") or None,
        seed=integer(body, "seed"),
    )
    return Open(wanted)


def read_chat(request: WireRequest) -> Open | Fault:
    """A body of chat/completions. Never raises."""
    body = request.body
    said = [(text(message, "role"), tuple(_parts(message))) for message in items(body, "messages")]
    system = "\n".join(part.text for role, parts in said if role in _SYSTEM for part in parts if isinstance(part, Text))
    turns = tuple(Turn(_ROLES[role], parts) for role, parts in said if role in _ROLES and parts)
    if not turns:
        return _invalid("body: there is no message of the user")
    wanted = ImageRequest(
        turns,
        text(body, "model"),
        n=_count(body),
        system=system or None,
        seed=integer(body, "seed"),
        temperature=number(body, "temperature"),
        size=text(mapping(body, "image_config"), "image_size") or None,
        aspect_ratio=text(mapping(body, "image_config"), "aspect_ratio") or None,
    )
    return Open(wanted)


_SYSTEM = frozenset({"system", "developer"})
_ROLES = {"user": Role.USER, "assistant": Role.MODEL}


def _parts(message: Any) -> Iterator[Part]:
    content = member(message, "content")
    if words := text_of(content):
        yield Text(words)
    for entry in entries_of(content):
        if words := text(entry, "text"):
            yield Text(words)
        elif picture := _picture(member(entry, "image_url")):
            yield picture


def _picture(value: Any) -> Image | None:
    """A picture by its address, or the bytes that were set aside from a data URI."""
    address: Any = member(value, "url") or member(value, "image_url") or value
    if isinstance(address, Spilled):
        blob = next(iter(address.blobs))
        return Image(blob=blob, media_type=blob.media_type)
    return Image(uri=address) if isinstance(address, str) and address else None


def _count(body: Any) -> int:
    asked = integer(body, "n")
    return 1 if asked is None else asked


def _unless_auto(word: str) -> str | None:
    return None if word in {"", AUTO} else word


def _invalid(message: str) -> Fault:
    return Fault(FaultKind.INVALID_REQUEST, message, status=400)
