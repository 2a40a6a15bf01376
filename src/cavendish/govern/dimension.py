"""Dimension: which of our limits a provider means by its own word for a quota."""

from __future__ import annotations

import re
from enum import StrEnum

from ..model.fault import Fault, FaultKind


class Dimension(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    IMAGES = "images"
    TOKENS = "tokens"
    DAY = "day"
    SPEND = "spend"
    IN_FLIGHT = "in_flight"


WORDS = (
    (Dimension.SPEND, ("spend", "spending", "budget")),
    (Dimension.IN_FLIGHT, ("concurren", "inflight", "activetask", "parallel")),
    (Dimension.DAY, ("perday", "daily", "rpd")),
    (Dimension.TOKENS, ("token", "tpm")),
    (Dimension.IMAGES, ("images", "imageper", "ipm")),
)
"""In order: ``GenerateContentInputTokensPerModelPerMinute`` (Google), ``input-images per min`` (OpenAI),
``ModelAccountIpmRateLimitExceeded`` (Ark). Anything else counts requests, as most limits do. A model's own name may
hold the word ``image``, so that alone says nothing."""


def dimension_of(fault: Fault) -> Dimension:
    """The limit that a fault speaks of: by its kind where that is plain, else by the words of ``fault.limit``."""
    if fault.kind is FaultKind.DAY_QUOTA:
        return Dimension.DAY
    if fault.kind is FaultKind.SPEND_LIMIT:
        return Dimension.SPEND
    spelled = re.sub(r"[^a-z]", "", fault.limit.lower())
    for dimension, words in WORDS:
        if any(word in spelled for word in words):
            return dimension
    return Dimension.REQUESTS
