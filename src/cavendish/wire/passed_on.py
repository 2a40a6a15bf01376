"""Members that are passed on unread: found among a body's others, and fit to be sent again."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from .message import Spilled
from .reading import leaves


def passed_on(body: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The members of these names that say something. Raises ``ValueError`` for what could not be sent again."""
    found = {name: value for name, value in body.items() if name in names and value is not None}
    for name, value in found.items():
        if any(map(_unsendable, leaves(value))):
            raise ValueError(f"{name} holds what it cannot: base64 data, or a number that is not finite")
    return found


def _unsendable(leaf: Any) -> bool:
    # Python reads NaN as JSON, but it is none.
    return isinstance(leaf, Spilled) or (isinstance(leaf, float) and not math.isfinite(leaf))
