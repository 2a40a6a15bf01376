"""How long a provider asks to wait: RetryInfo, its sentence, its headers. Where they differ the longest counts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any, Final

from ...wire.message import Headers
from ...wire.reading import duration_s, seconds, text

_SENTENCE: Final = re.compile(r"retry in ((?:\d{1,9}(?:\.\d{1,12})?(?:ms|[hms]))+)", re.IGNORECASE)


def read_wait(message: str, details: Iterable[Any], headers: Headers) -> float | None:
    """Seconds to wait, ``None`` when nothing is said."""
    infos = (seconds(detail, "retryDelay") for detail in details if text(detail, "@type").endswith("RetryInfo"))
    waits = [*infos, *(duration_s(found.lower()) for found in _SENTENCE.findall(message)), *_from_headers(headers)]
    return max((wait for wait in waits if wait is not None), default=None)


def _from_headers(headers: Headers) -> tuple[float | None, ...]:
    milliseconds = _plain_number(headers.get("retry-after-ms"))
    after = headers.get("retry-after")
    wait = _plain_number(after)
    return None if milliseconds is None else milliseconds / 1000, _until(after, headers) if wait is None else wait


def _plain_number(words: str) -> float | None:
    # Python's float takes "nan" and "1_0", too.
    return float(words) if re.fullmatch(r"\s*\d{1,15}(?:\.\d{1,12})?\s*", words, re.ASCII) else None


def _until(moment: str, headers: Headers) -> float | None:
    """Seconds up to a date, by the server's own clock."""
    try:
        wait = parsedate_to_datetime(moment) - parsedate_to_datetime(headers.get("date"))
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
    return max(wait.total_seconds(), 0.0)


def write_wait(wait_s: float) -> dict[str, str]:
    """RetryInfo; a proto3 duration has at most nine digits after the point."""
    digits = f"{wait_s:.9f}".rstrip("0").rstrip(".")
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{digits}s"}
