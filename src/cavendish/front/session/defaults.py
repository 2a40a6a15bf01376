"""Defaults: what holds for all turns of a session unless a turn says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import RequestError
from ..asking import FIELDS

NAMES = ("via", "mode", *(name for name in FIELDS if name not in {"n", "extra"}))
"""What may be a default: where to ask, and fields of a request."""


def checked(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were given. Raises ``RequestError`` for what can be none."""
    given = {name: value for name, value in defaults.items() if value is not None}
    if unknown := sorted(set(given) - set(NAMES)):
        raise RequestError(f"a session has no {', '.join(unknown)}", field=unknown[0], allowed=NAMES)
    return given
