"""Fault: why a call gave no picture. A value inside; front ends raise it as an exception."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from .usage import NOTHING_USED, Usage


class FaultKind(StrEnum):
    """The failure classes. Retry and refill are decided by these alone, never by an HTTP status."""

    # The caller's to mend: never tried again.
    INVALID_REQUEST = "invalid_request"
    TOO_LARGE = "too_large"
    PROMPT_BLOCKED = "prompt_blocked"
    PROHIBITED = "prohibited"
    LOST_SIGNATURE = "lost_signature"
    # The key's or the account's.
    BAD_KEY = "bad_key"
    FORBIDDEN = "forbidden"
    NO_CREDIT = "no_credit"
    NO_QUOTA = "no_quota"
    MODEL_NOT_FOUND = "model_not_found"
    # Wait, then again.
    RATE_LIMITED = "rate_limited"
    DAY_QUOTA = "day_quota"
    SPEND_LIMIT = "spend_limit"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECT = "connect"
    CUT = "cut"
    # Answered, without the picture that was asked for.
    IMAGE_SAFETY = "image_safety"
    IMAGE_OTHER = "image_other"
    NO_IMAGE = "no_image"
    TEXT_ONLY = "text_only"
    MAX_TOKENS = "max_tokens"
    DUPLICATE = "duplicate"
    NOT_AN_IMAGE = "not_an_image"
    MALFORMED = "malformed"
    # A stored job's end.
    JOB_FAILED = "job_failed"
    JOB_EXPIRED = "job_expired"
    # Ours.
    CANCELLED = "cancelled"
    BUDGET = "budget"
    DISK_FULL = "disk_full"
    UNREADABLE = "unreadable"


class Blame(StrEnum):
    """Who can mend it."""

    CALLER = "caller"
    ACCOUNT = "account"
    PROVIDER = "provider"
    NETWORK = "network"
    US = "us"


class Charged(StrEnum):
    """Whether the call was billed."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """What a fault speaks of: how far its wait or its verdict reaches."""

    CALL = "call"
    MODEL = "model"
    KEY = "key"
    ENDPOINT = "endpoint"


_CALLER = frozenset(
    {
        FaultKind.INVALID_REQUEST,
        FaultKind.TOO_LARGE,
        FaultKind.PROMPT_BLOCKED,
        FaultKind.PROHIBITED,
        FaultKind.LOST_SIGNATURE,
    }
)
_ACCOUNT = frozenset(
    {
        FaultKind.BAD_KEY,
        FaultKind.FORBIDDEN,
        FaultKind.NO_CREDIT,
        FaultKind.NO_QUOTA,
        FaultKind.MODEL_NOT_FOUND,
        FaultKind.RATE_LIMITED,
        FaultKind.DAY_QUOTA,
        FaultKind.SPEND_LIMIT,
    }
)
_NETWORK = frozenset({FaultKind.TIMEOUT, FaultKind.CONNECT, FaultKind.CUT})
_OURS = frozenset({FaultKind.CANCELLED, FaultKind.BUDGET, FaultKind.DISK_FULL, FaultKind.UNREADABLE})


def blame_of(kind: FaultKind) -> Blame:
    """Who can mend a fault of this kind."""
    if kind in _CALLER:
        return Blame.CALLER
    if kind in _ACCOUNT:
        return Blame.ACCOUNT
    if kind in _NETWORK:
        return Blame.NETWORK
    return Blame.US if kind in _OURS else Blame.PROVIDER


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a call gave no picture.

    ``retry_after_s`` is the wait that the provider asked for, ``None`` when it named none. ``reason`` is the
    provider's own word (``IMAGE_SAFETY``, ``RESOURCE_EXHAUSTED``, ``insufficient_user_quota``), ``message`` its
    sentence, ``text`` what a model said instead of drawing. ``limit`` names the quota that was hit, as the provider
    spells it. ``status`` is the HTTP status, 0 when no reply came.
    """

    kind: FaultKind
    message: str = ""
    charged: Charged = Charged.NO
    scope: Scope = Scope.CALL
    retry_after_s: float | None = None
    reason: str = ""
    status: int = 0
    limit: str = ""
    limit_value: int | None = None
    text: str = ""
    usage: Usage = NOTHING_USED

    @property
    def blame(self) -> Blame:
        """Who can mend it."""
        return blame_of(self.kind)

    def having(self, **changes: object) -> Self:
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
