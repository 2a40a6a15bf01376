"""Errors in the words of relays (one-api, new-api and their kin), which use OpenAI's envelope on Google's paths.

::

    {"error": {"message": "...", "type": "shell_api_error", "param": "", "code": "insufficient_user_quota"}}

The code is looked at before the status: an unknown model is a 503 there. ``bad_response_status_code`` hides the
upstream's status in ``param``. Sources: docs.apiyi.com (2026-11) and the source of QuantumNous/new-api.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...model.call import Call, Open
from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Image
from ...wire.google import http_status
from ...wire.http_faults import kind_by_status, scope_of
from ...wire.reading import member, text

_KINDS: Final[Mapping[str, FaultKind]] = {
    "insufficient_user_quota": FaultKind.NO_CREDIT,
    "insufficient_quota": FaultKind.NO_CREDIT,
    "pre_consume_token_quota_failed": FaultKind.NO_CREDIT,
    "billing_hard_limit_reached": FaultKind.NO_CREDIT,
    "model_not_found": FaultKind.MODEL_NOT_FOUND,
    "invalid_api_key": FaultKind.BAD_KEY,
    "invalid_token": FaultKind.BAD_KEY,
    "access_denied": FaultKind.FORBIDDEN,
    "rate_limit_exceeded": FaultKind.RATE_LIMITED,
    "invalid_request": FaultKind.INVALID_REQUEST,
    "sensitive_words_detected": FaultKind.PROMPT_BLOCKED,
    "content_policy_violation": FaultKind.PROMPT_BLOCKED,
    "moderation_blocked": FaultKind.PROMPT_BLOCKED,
    "prompt_blocked": FaultKind.PROMPT_BLOCKED,
    "write_response_body_failed": FaultKind.TOO_LARGE,
}
_PASSED_ON: Final = "bad_response_status_code"
_NO_CHANNEL: Final = "no available channel for model"
_UNKNOWN: Final = "unknown error"
ADVISED_BYTES: Final = 1_500_000
"""A reference picture above this is the usual reason of an "Unknown error": docs.apiyi.com advises less than 1.5 MB."""


def is_relay_error(error: Any) -> bool:
    """Whether it is OpenAI's envelope: a code of words, or a ``type``."""
    code = text(error, "code").strip()
    return bool(text(error, "type") or (code and not code.isdigit() and not text(error, "status")))


def read_relay_error(error: Any, status: int, call: Call) -> Fault:
    """What a relay's error means. ``status`` is the answer's own, 200 not excepted."""
    code, message = text(error, "code").strip(), text(error, "message")
    kind = _kind(error, code, message, status, call)
    return Fault(
        kind,
        message or text(error, "localizedMessage"),
        charged=_charged(kind, code, status),
        scope=scope_of(kind),
        reason=code or text(error, "type"),
        status=status,
    )


def _kind(error: Any, code: str, message: str, status: int, call: Call) -> FaultKind:
    if code in _KINDS:
        return _KINDS[code]
    if _NO_CHANNEL in message.lower():
        return FaultKind.MODEL_NOT_FOUND
    if code == _PASSED_ON:
        return _upstream(error, status)
    if message.strip().lower().rstrip(".") == _UNKNOWN and _has_large_picture(call):
        return FaultKind.TOO_LARGE
    return kind_by_status(_number(code) or _at_least_500(status))


def _upstream(error: Any, status: int) -> FaultKind:
    kind = kind_by_status(_number(member(error, "param")) or _at_least_500(status))
    # It is the relay's own key that the upstream refuses, not ours.
    return FaultKind.SERVER_ERROR if kind in {FaultKind.BAD_KEY, FaultKind.FORBIDDEN, FaultKind.NO_CREDIT} else kind


def _number(value: Any) -> int:
    words = str(value).strip() if isinstance(value, str | int) else ""
    return http_status(int(words)) if words.isascii() and words.isdigit() and len(words) <= _STATUS_DIGITS else 0


_STATUS_DIGITS: Final = 3


def _at_least_500(status: int) -> int:
    """An error under status 200 is the relay's own trouble."""
    return status if status >= 400 else 500


def _has_large_picture(call: Call) -> bool:
    if not isinstance(call, Open):
        return False
    pictures = (part for turn in call.request.turns for part in turn.parts if isinstance(part, Image))
    return any(picture.blob is not None and picture.blob.size > ADVISED_BYTES for picture in pictures)


_NEVER_BILLED: Final = frozenset(
    {
        FaultKind.NO_CREDIT,
        FaultKind.MODEL_NOT_FOUND,
        FaultKind.BAD_KEY,
        FaultKind.FORBIDDEN,
        FaultKind.RATE_LIMITED,
        FaultKind.INVALID_REQUEST,
    }
)


def _charged(kind: FaultKind, code: str, status: int) -> Charged:
    """Relays bill no error status; one that failed to pass the answer on had the answer, and who knows."""
    if kind in _NEVER_BILLED:
        return Charged.NO
    return Charged.UNKNOWN if status < 400 or code == "write_response_body_failed" else Charged.NO
