"""The members of a request: which there are, of what type, and what the servers that differ from OpenAI call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Spelling = Literal["openai", "server", "openrouter"]
Kind = Literal["string", "integer", "number", "flag", "any"]

EXTRAS: Final[Mapping[str, Kind]] = {
    "background": "string",
    "output_compression": "integer",
    "moderation": "string",
    "partial_images": "integer",
    "complexity": "string",
    "frame_count": "integer",
    "frame_duration_ms": "integer",
    "svg": "any",
    "input_fidelity": "string",
    "safety_identifier": "string",
    "user": "string",
    "response_format": "string",
    "style": "string",
}
"""Members that OpenAI knows and the request does not (openai-python 3.52.0, ``image_generate_params`` and
``image_edit_params``). In a form all of them are words, so their type must be known."""

OPENROUTER_EXTRAS: Final = frozenset(
    {"background", "output_compression", "provider", "session_id", "trace", "user", "partial_images"}
)
"""openrouter 1.3.84, the schema of /images."""


def extras_of(spelling: Spelling) -> frozenset[str]:
    """The members of ``extra`` that go through."""
    return OPENROUTER_EXTRAS if spelling == "openrouter" else frozenset(EXTRAS)


def says(spelling: Spelling) -> frozenset[str]:
    """The fields of a request that there are members for."""
    plain = frozenset({"size", "quality", "output_format"})
    return plain if spelling == "openai" else plain | {"aspect_ratio", "seed"}


def is_pixels(size: str) -> bool:
    """Whether a size is not a word such as ``2K``: ``WIDTHxHEIGHT``, or ``auto``."""
    width, _, height = size.partition("x")
    return size == "auto" or (width.isdigit() and height.isdigit())
