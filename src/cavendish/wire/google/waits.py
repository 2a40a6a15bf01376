"""How long Google, or a relay of it, asks to wait. Where RetryInfo, sentence and headers differ the longest counts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from ..http_faults import header_wait_s
from ..message import Headers
from ..reading import duration_s, seconds, text

_SENTENCE: Final = re.compile(r"retry in ((?:\d{1,9}(?:\.\d{1,12})?(?:ms|[hms]))+)", re.IGNORECASE)


def read_wait(message: str, details: Iterable[Any], headers: Headers) -> float | None:
    """Seconds to wait, ``None`` when nothing is said."""
    infos = (seconds(detail, "retryDelay") for detail in details if text(detail, "@type").endswith("RetryInfo"))
    waits = [*infos, *(duration_s(found.lower()) for found in _SENTENCE.findall(message)), header_wait_s(headers)]
    return max((wait for wait in waits if wait is not None), default=None)


def write_wait(wait_s: float) -> dict[str, str]:
    """RetryInfo; a proto3 duration has at most nine digits after the point."""
    digits = f"{wait_s:.9f}".rstrip("0").rstrip(".")
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{digits}s"}
