"""Pictures as OpenAI's formats hold them: base64, addresses, data URIs, and the lists of them in answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from ..model.fault import Fault
from ..model.request import Image, Part, Text
from . import data_uri
from .message import Spilled
from .openai_error import error_object, read_error_object
from .reading import entries_of, mapping, member, text

FILE_ID: Final = "file-"
"""How ids of uploaded files begin."""

_PLACES: Final = (
    "b64_json", "url", "image_url", "file_id", "base64", "image", "data", "image_b64_json", "file", "image_file",
    "file_data", "file_url", "source",
)  # fmt: skip


def read_picture(value: Any) -> Image | None:
    """The picture that a value is: base64, an address, a data URI, or an object that holds one of them."""
    named = ""
    while isinstance(value, Mapping):
        value = cast("Mapping[str, Any]", value)
        named = named or text(value, "mediaType") or text(value, "mimeType")
        value = next((found for name in _PLACES if (found := member(value, name)) is not None), None)
    if isinstance(value, str) and value.startswith(FILE_ID):
        return Image(uri=value)
    found = data_uri.read_picture(value)
    if found is None or (found.uri or "").lower().startswith("data:"):  # too short to be a picture
        return None
    return replace(found, media_type=named) if named else found


# --- lists of answers ------------------------------------------------------------------------------------------------


def read_items(items: Iterable[Any]) -> tuple[list[Part], list[Fault]]:
    """Pictures with the words before each of them, and the faults that stand in the place of others."""
    parts: list[Part] = []
    faults: list[Fault] = []
    for item in items:
        if (picture := read_picture(item)) is not None:
            if words := text(item, "revisedPrompt"):
                parts.append(Text(words))
            parts.append(picture)
        elif error := mapping(item, "error"):
            faults.append(read_error_object(error, 200))
    return parts, faults


def write_items(parts: Sequence[Part], finals: Iterable[int]) -> list[dict[str, Any]]:
    """The final pictures, each with the words that stand before it. Drafts and thoughts have no place there."""
    items: list[dict[str, Any]] = []
    start = 0
    for final in sorted(finals):
        words = words_of(parts[start:final])
        items.append({**write_item(parts[final]), **({"revised_prompt": words} if words else {})})
        start = final + 1
    return items


def words_of(parts: Iterable[Part]) -> str:
    """What was said aloud."""
    return "\n".join(part.text for part in parts if isinstance(part, Text) and not part.thought)


def write_item(part: Part) -> dict[str, Any]:
    """One picture of an answer."""
    if not isinstance(part, Image):
        return {}
    return {"b64_json": Spilled((part.blob,))} if part.blob is not None else {"url": part.uri or ""}


def read_failures(body: Any) -> tuple[Fault, ...]:
    """Why pictures are missing, as our own gateway says it beside those that came."""
    errors = (mapping({"of": entry}, "of") for entry in entries_of(member(body, "failures")))
    return tuple(read_error_object(error, 200) for error in errors if error)


def write_failures(faults: Iterable[Fault]) -> dict[str, Any]:
    """The member ``failures``: in the list of pictures, clients refuse what is none."""
    written = [error_object(fault, 200) for fault in faults]
    return {"failures": written} if written else {}
