"""Pictures as strings of JSON: an address, a data URI, or bare base64; both ways."""

from __future__ import annotations

import re
from typing import Any, Final

from ..model.request import Image
from .message import Spilled
from .reading import blob_of, text_of

_HEAD: Final = re.compile(r"data:(image/[\w.+-]{1,60})[^,\s]{0,60};base64,", re.IGNORECASE)


def write_picture(image: Image, *, bare: bool = False) -> str | Spilled:
    """The address of a picture, or its bytes as a data URI; ``bare``: as base64 alone."""
    if image.blob is None:
        return image.uri or ""
    head = () if bare else (f"data:{(image.media_type or image.blob.media_type).lower()};base64,",)
    return Spilled((*head, image.blob))


def read_picture(value: Any) -> Image | None:
    """The picture that a string stands for, ``None`` for all else. A data URI too short to be one stays an address."""
    if blob := blob_of(value):
        said = _HEAD.match(text_of(value))
        return Image(blob=blob, media_type=said[1].lower() if said else blob.media_type)
    words = value.strip() if isinstance(value, str) else ""
    return Image(uri=words) if words.lower().startswith(("http://", "https://", "data:")) else None
