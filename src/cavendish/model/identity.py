"""Identity: the same wish has the same name, on every machine and on every day.

A slot is named by a hash of its request's canonical form and by its ordinal among the slots of that form, so a
changed prompt in row 17 renames row 17 alone, and moving rows about renames none.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .blob import Blob
from .request import Image, ImageRequest, Part, Text

FORM_VERSION = 1
DIGEST_BYTES = 16


def canonical(request: ImageRequest) -> dict[str, Any]:
    """The request as plain JSON values, without ``n`` and without members left at their defaults.

    Pictures stand by the hash of their bytes, so a file that moved is the same picture.
    """
    form: dict[str, Any] = {
        "model": request.model,
        "turns": [{"role": turn.role.value, "parts": [_part(p) for p in turn.parts]} for turn in request.turns],
        "size": request.size,
        "aspect_ratio": request.aspect_ratio,
        "system": request.system,
        "thinking": request.thinking,
        "include_thoughts": request.include_thoughts or None,
        "modalities": list(request.modalities) if request.modalities else None,
        "grounding": sorted(request.grounding) or None,
        "seed": request.seed,
        "temperature": request.temperature,
        "quality": request.quality,
        "output_format": request.output_format,
        "extra": dict(request.extra) or None,
    }
    return {name: value for name, value in form.items() if value is not None}


def digest(request: ImageRequest) -> str:
    """The name of a request's canonical form: 32 hexadecimal digits."""
    text = json.dumps(canonical(request), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(f"{FORM_VERSION}\n{text}".encode(), digest_size=DIGEST_BYTES).hexdigest()


def slot_id(form: str, ordinal: int) -> str:
    """The name of one slot: ``<digest>.<ordinal>``."""
    return f"{form}.{ordinal}"


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        entry: dict[str, Any] = {"text": part.text}
    else:
        entry = _image(part)
    if part.thought:
        entry["thought"] = True
    if part.signature is not None:
        entry["signature"] = part.signature.sha256 if isinstance(part.signature, Blob) else part.signature
    return entry


def _image(image: Image) -> dict[str, Any]:
    entry: dict[str, Any] = {"sha256": image.blob.sha256} if image.blob else {"uri": image.uri}
    if image.use is not None:
        entry["use"] = image.use.value
    return entry
