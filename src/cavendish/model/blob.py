"""Blob: bytes that are kept outside memory, known by their hash."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes in a blob store. Two blobs are equal when their bytes are.

    ``ref`` is where the store finds them; it is no part of the identity, since the same picture may stand
    in two places.
    """

    sha256: str
    size: int
    media_type: str
    ref: str = field(default="", compare=False)
