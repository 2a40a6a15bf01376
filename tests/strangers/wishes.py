"""Wishes as data, and what we write for them: the request of a case, made by the dialect that the case names."""

from typing import Any

import pybase64

from cavendish.dialects.gemini import GeminiDialect
from cavendish.dialects.imagen import ImagenDialect
from cavendish.dialects.openai_chat import OpenaiChatDialect
from cavendish.dialects.openai_images import OpenaiImagesDialect
from cavendish.model.call import Open
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use
from cavendish.wire.dialect import Dialect
from tests.strategies import HEADS, PICTURES

STORE = PICTURES
SPEAKERS = {
    "gemini": GeminiDialect,
    "imagen": ImagenDialect,
    "openai_images": OpenaiImagesDialect,
    "openai_chat": OpenaiChatDialect,
}
BYTES = {f"<{head.removeprefix('image/')}>": start + bytes(40) for head, start in HEADS.items()}
"""The pictures that stand in the cases as ``<png>``, ``<jpeg>`` and ``<webp>``."""


def speaker(speaks: dict[str, Any]) -> Dialect:
    """The dialect, with the options that a case gives it."""
    return SPEAKERS[speaks["dialect"]](**{k: v for k, v in speaks.items() if k not in {"dialect", "base"}})


def wished(wish: dict[str, Any]) -> Open:
    """The call that a wish is."""
    fields = dict(wish)
    stream = fields.pop("stream", False)
    turns = fields.pop("turns", None) or [["user", fields.pop("prompt")]]
    for name in ("modalities", "grounding"):
        if name in fields:
            fields[name] = tuple(fields[name])
    said = tuple(Turn(Role(role), tuple(map(_part, parts))) for role, *parts in turns)
    return Open(ImageRequest(said, **fields), stream)


def _part(entry: Any) -> Text | Image:
    if isinstance(entry, str):
        return _picture(entry) if entry in BYTES else Text(entry)
    if "uri" in entry:
        return Image(uri=entry["uri"], media_type=entry["type"])
    return _picture(
        entry["picture"], use=Use(entry["use"]) if "use" in entry else None, signature=entry.get("signature")
    )


def _picture(word: str, **further: Any) -> Image:
    media_type = f"image/{word.strip('<>')}"
    return Image(blob=STORE.blob(BYTES[word], media_type), media_type=media_type, **further)


def shown(data: bytes) -> str:
    """Bytes as the cases show them: a picture by its kind, a signature by its base64."""
    return next((word for word, known in BYTES.items() if known == data), pybase64.b64encode(data).decode())
