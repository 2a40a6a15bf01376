"""OpenAI's 429: which limit was hit, and how long to wait.

The sentence says it best: "Rate limit reached for <model> ... on input-images per min: Limit 5, Used 5, Requested 1.
Please try again in 12s." Pictures are counted when a call is admitted, so one that asks for more than the limit can
never pass.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from ..model.fault import Fault, FaultKind, Scope
from .http_faults import header_wait_s
from .message import Headers
from .reading import as_number, duration_s

_LIMIT: Final = re.compile(
    r"\bon ([a-z][a-z -]{1,60}?)(?: \([A-Z]{1,9}\))?: limit:? (\d{1,15}(?:,\d{3}){0,5})"
    r"(?:, used:? \d{1,15}(?:,\d{3}){0,5})?(?:, requested:? (\d{1,15}(?:,\d{3}){0,5}))?",
    re.IGNORECASE,
)
_MODEL: Final = re.compile(r"(?:rate limit reached|request too large) for ([^\s,]{1,200})", re.IGNORECASE)
_NAMED: Final = re.compile(r"rate limit exceeded: ([\w-]{1,60})", re.IGNORECASE)
_WAIT: Final = re.compile(
    r"(?:try again in|retry (?:in|after)) ((?:\d{1,9}(?:\.\d{1,9})?(?:ms|[hms]))+|\d{1,9} (?:second|minute|hour))",
    re.IGNORECASE,
)
_DAY: Final = re.compile(r"per.?day|daily", re.IGNORECASE)
_UNITS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_COUNTED: Final = ("requests", "images", "input-images", "tokens")
"""What ``x-ratelimit-*`` headers speak of."""

MINUTE_S: Final = 60.0


def read_wait(fault: Fault, headers: Headers | None = None) -> Fault:
    """The fault with the wait that its sentence or the headers ask for, the longer one where they differ."""
    waits = [header_wait_s(headers) if headers else None, *map(_wait_s, _WAIT.findall(fault.message))]
    return replace(fault, retry_after_s=max((wait for wait in waits if wait is not None), default=None))


def _wait_s(words: str) -> float | None:
    number, _, unit = words.lower().partition(" ")
    return float(number) * _UNITS[unit] if unit else duration_s(number)


def read_quota(fault: Fault, headers: Headers | None = None) -> Fault:
    """A ``RATE_LIMITED`` fault with what is known of its limit: perhaps a day's, none at all, or one that cannot do."""
    fault = read_wait(fault, headers)
    scope = Scope.MODEL if _MODEL.search(fault.message) else fault.scope
    if match := _LIMIT.search(fault.message):
        limit, asked = _whole(match[2]), _whole(match[3] or "0")
        kind = _kind(match[1], limit, asked)
        scope = {FaultKind.NO_QUOTA: Scope.KEY, FaultKind.INVALID_REQUEST: Scope.CALL}.get(kind, scope)
        return replace(fault, kind=kind, scope=scope, limit=match[1], limit_value=limit)
    if match := _NAMED.search(fault.message):
        kind = FaultKind.DAY_QUOTA if _DAY.search(match[1]) else fault.kind
        return replace(fault, kind=kind, scope=scope, limit=match[1])
    if _DAY.search(fault.message):
        return replace(fault, kind=FaultKind.DAY_QUOTA, scope=scope)
    return replace(_by_headers(fault, headers), scope=scope) if headers else replace(fault, scope=scope)


def _kind(name: str, limit: int, asked: int) -> FaultKind:
    if limit == 0:
        return FaultKind.NO_QUOTA
    if asked > limit:
        return FaultKind.INVALID_REQUEST
    return FaultKind.DAY_QUOTA if _DAY.search(name) else FaultKind.RATE_LIMITED


def _whole(digits: str) -> int:
    return int(digits.replace(",", ""))


def _by_headers(fault: Fault, headers: Headers) -> Fault:
    """What is used up says how long it takes to come back. A number counts as that of a minute only when it is near."""
    for counted in _COUNTED:
        if as_number(headers.get(f"x-ratelimit-remaining-{counted}")) == 0:
            reset_s = duration_s(headers.get(f"x-ratelimit-reset-{counted}"))
            value = as_number(headers.get(f"x-ratelimit-limit-{counted}"))
            near = reset_s is not None and reset_s <= MINUTE_S
            wait_s = reset_s if fault.retry_after_s is None else fault.retry_after_s
            limit_value = int(value) if value is not None and near else None
            return replace(fault, retry_after_s=wait_s, limit=counted, limit_value=limit_value)
    return fault
