"""Faults by what HTTP alone says: a status, a wait in the headers, a body that is no JSON. True of every provider."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Final

from ..model.fault import Charged, Fault, FaultKind, Scope
from .message import Headers, WireResponse

MAX_MESSAGE_CHARS: Final = 500
"""Of a body that is no JSON."""

_BY_STATUS: Final[Mapping[int, FaultKind]] = {
    401: FaultKind.BAD_KEY,
    402: FaultKind.NO_CREDIT,
    403: FaultKind.FORBIDDEN,
    404: FaultKind.MODEL_NOT_FOUND,
    408: FaultKind.TIMEOUT,
    410: FaultKind.MODEL_NOT_FOUND,
    413: FaultKind.TOO_LARGE,
    429: FaultKind.RATE_LIMITED,
    451: FaultKind.FORBIDDEN,
    499: FaultKind.TIMEOUT,
    501: FaultKind.INVALID_REQUEST,
    503: FaultKind.OVERLOADED,
    504: FaultKind.TIMEOUT,
    522: FaultKind.TIMEOUT,
    524: FaultKind.TIMEOUT,
    529: FaultKind.OVERLOADED,
}
_KEY_KINDS: Final = frozenset(
    {FaultKind.BAD_KEY, FaultKind.FORBIDDEN, FaultKind.NO_CREDIT, FaultKind.NO_QUOTA, FaultKind.SPEND_LIMIT}
)
_TITLE: Final = re.compile(r"<title[^>]{0,200}>([^<]{1,300})</title>", re.IGNORECASE)
_TAGS: Final = re.compile(r"<[^<>]{0,1000}>")


def kind_by_status(status: int) -> FaultKind:
    """What an error status means when nothing else is known."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 400 <= status < 500:
        return FaultKind.INVALID_REQUEST
    return FaultKind.SERVER_ERROR if status >= 500 else FaultKind.MALFORMED


def scope_of(kind: FaultKind) -> Scope:
    """How far a fault of this kind reaches when the answer does not say."""
    if kind in _KEY_KINDS:
        return Scope.KEY
    return Scope.MODEL if kind is FaultKind.MODEL_NOT_FOUND else Scope.CALL


def bare_fault(response: WireResponse) -> Fault:
    """The fault that an answer without any envelope stands for.

    Billed or not: an error status is not, unless the model may have worked all the same behind somebody's 5xx.
    """
    status = response.status
    if response.cut and status < 400:
        return Fault(FaultKind.CUT, "the line broke before the answer", charged=Charged.UNKNOWN, status=status)
    kind = kind_by_status(status)
    worked = status < 400 or (status >= 500 and status != 503)
    return Fault(
        kind,
        _message(response),
        charged=Charged.UNKNOWN if worked else Charged.NO,
        scope=scope_of(kind),
        retry_after_s=header_wait_s(response.headers),
        status=status,
    )


def _message(response: WireResponse) -> str:
    if response.too_large:
        return "the answer is larger than any answer may be"
    empty = "an answer without content" if response.status < 400 else f"HTTP status {response.status}"
    return words_of(response.raw) or empty


def words_of(raw: bytes) -> str:
    """The words of a body that is no JSON: the title of an HTML page, or its text."""
    page = raw[: 1 << 16].decode("utf-8", "replace")
    if title := _TITLE.search(page):
        return " ".join(title[1].split())
    return " ".join(_TAGS.sub(" ", page).split())[:MAX_MESSAGE_CHARS]


# --- waits -----------------------------------------------------------------------------------------------------------


def header_wait_s(headers: Headers) -> float | None:
    """Seconds to wait by the headers, ``None`` when they ask for none. Milliseconds are the exact word."""
    milliseconds = _plain_number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    after = headers.get("retry-after")
    wait_s = _plain_number(after)
    return _until(after, headers) if wait_s is None else wait_s


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


def wait_headers(wait_s: float | None) -> Headers:
    """The headers that ask for a wait: whole seconds for all, milliseconds beside them when they say it better."""
    if wait_s is None:
        return Headers()
    seconds = ceil(wait_s)
    exact = () if seconds == wait_s else (("Retry-After-Ms", f"{wait_s * 1000:.6f}".rstrip("0").rstrip(".")),)
    return Headers((("Retry-After", str(seconds)), *exact))
