"""Listing: the menu and token counts as Google's API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dialects.gemini.usage import write_count
from ..model.request import Image, ImageRequest
from .answers import INPUT_IMAGE_TOKENS
from .checks import signs
from .menu import Entry

PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
INPUT_TOKENS = 65_536
OUTPUT_TOKENS = 32_768
METHODS = ("generateContent", "countTokens")


def described(entry: Entry) -> dict[str, Any]:
    """One model, with the members that were seen in a recording of ListModels in 2026-08."""
    return {
        "name": f"models/{entry.id}",
        "version": "simulated",
        "displayName": entry.card.name,
        "description": f"Simulated {entry.card.name}",
        "inputTokenLimit": entry.card.max_input_tokens or INPUT_TOKENS,
        "outputTokenLimit": OUTPUT_TOKENS,
        "supportedGenerationMethods": list(METHODS),
        "temperature": 1,
        "maxTemperature": 1,
        "topP": 0.95,
        "topK": 64,
        "thinking": signs(entry),
    }


def page(entries: Sequence[Entry], size: str, token: str) -> dict[str, Any]:
    """One page of the list. Raises ``ValueError`` for a size or token that is no such thing."""
    count = min(MAX_PAGE_SIZE, int(size)) if size else PAGE_SIZE
    start = int(token) if token else 0
    if count < 1 or start < 0:
        raise ValueError("pageSize is at least 1, and pageToken comes from the page before")
    shown: dict[str, Any] = {"models": [described(entry) for entry in entries[start : start + count]]}
    if start + count < len(entries):
        shown["nextPageToken"] = str(start + count)
    return shown


def token_count(request: ImageRequest, total: int) -> dict[str, Any]:
    """The answer of countTokens."""
    images = sum(isinstance(part, Image) for turn in request.turns for part in turn.parts) * INPUT_IMAGE_TOKENS
    return write_count(total - images, images)
