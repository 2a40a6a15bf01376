"""Errors in OpenAI's envelope, both ways: of OpenAI, and of all who speak like it (relays, OpenRouter, LocalAI).

::

    {"error": {"message": "...", "type": "invalid_request_error", "param": "size", "code": "invalid_value"}}

The code is looked at before the status: an unknown model is a 503 at relays, and spent credit a 429 at OpenAI.
OpenRouter has the HTTP status as ``code``. ``bad_response_status_code`` hides the upstream's status in ``param``.
Sources: error classes of openai-python 3.52.0, OpenAI's guide on error codes, docs.apiyi.com (2026-11), the source of
QuantumNous/new-api, the schema of openrouter 1.3.84.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ..model.call import Done, Later, Reply
from ..model.fault import Charged, Fault, FaultKind, Scope
from ..model.request import Image, ImageRequest
from .fault_note import noted, read_note
from .http_faults import bare_fault, kind_by_status, scope_of, wait_headers
from .message import WireRequest, WireResponse
from .openai_quota import read_quota, read_wait
from .reading import entries_of, items, mapping, member, text, text_of

K = FaultKind

_KINDS: Final[Mapping[str, FaultKind]] = {
    "insufficient_user_quota": K.NO_CREDIT,
    "insufficient_quota": K.NO_CREDIT,
    "insufficient_credits": K.NO_CREDIT,
    "pre_consume_token_quota_failed": K.NO_CREDIT,
    "billing_hard_limit_reached": K.NO_CREDIT,
    "billing_not_active": K.NO_CREDIT,
    "model_not_found": K.MODEL_NOT_FOUND,
    "model_not_available": K.MODEL_NOT_FOUND,
    "deployment_not_found": K.MODEL_NOT_FOUND,
    "invalid_api_key": K.BAD_KEY,
    "invalid_token": K.BAD_KEY,
    "account_deactivated": K.BAD_KEY,
    "access_denied": K.FORBIDDEN,
    "unsupported_country_region_territory": K.FORBIDDEN,
    "rate_limit_exceeded": K.RATE_LIMITED,
    "invalid_request": K.INVALID_REQUEST,
    "unknown_parameter": K.INVALID_REQUEST,
    "invalid_value": K.INVALID_REQUEST,
    "invalid_image_file": K.INVALID_REQUEST,
    "sensitive_words_detected": K.PROMPT_BLOCKED,
    "content_policy_violation": K.PROMPT_BLOCKED,
    "content_filter": K.PROMPT_BLOCKED,
    "moderation_blocked": K.PROMPT_BLOCKED,
    "prompt_blocked": K.PROMPT_BLOCKED,
    "write_response_body_failed": K.TOO_LARGE,
    "request_too_large": K.TOO_LARGE,
}
_BY_TYPE: Final[Mapping[str, FaultKind]] = {
    "insufficient_quota": K.NO_CREDIT,
    "authentication_error": K.BAD_KEY,
    "overloaded_error": K.OVERLOADED,
    "rate_limit_error": K.RATE_LIMITED,
    "requests": K.RATE_LIMITED,
    "tokens": K.RATE_LIMITED,
    "input-images": K.RATE_LIMITED,
}
"""What a type says where there is no code: the last three name what was counted."""

_BY_WORDS: Final[tuple[tuple[str, FaultKind], ...]] = (
    ("no available channel for model", K.MODEL_NOT_FOUND),
    ("rejected by the safety system", K.PROMPT_BLOCKED),
    ("rejected as a result of our safety system", K.PROMPT_BLOCKED),
    ("billing hard limit", K.NO_CREDIT),
    ("incorrect api key", K.BAD_KEY),
)
_PASSED_ON: Final = "bad_response_status_code"
_UNKNOWN: Final = "unknown error"
_STATUS_DIGITS: Final = 3
ADVISED_BYTES: Final = 1_500_000
"""A reference above this is the usual reason of a relay's "Unknown error": docs.apiyi.com advises less than 1.5 MB."""


def read_error(response: WireResponse, *, large_pictures: bool = False) -> Fault:
    """The fault that an answer without a picture stands for. Never raises.

    ``large_pictures``: see ``has_large_picture``; an "Unknown error" is about them.
    """
    error = error_of(response.body)
    if error is None:
        return bare_fault(response)
    fault = read_error_object(error, response.status, large_pictures=large_pictures)
    return read_quota(fault, response.headers) if fault.kind is K.RATE_LIMITED else read_wait(fault, response.headers)


def has_large_picture(request: ImageRequest) -> bool:
    """Whether it holds a picture beyond ``ADVISED_BYTES``."""
    pictures = (part for turn in request.turns for part in turn.parts if isinstance(part, Image))
    return any(picture.blob is not None and picture.blob.size > ADVISED_BYTES for picture in pictures)


def error_of(body: Any) -> Mapping[str, Any] | None:
    """The error object of a body, or of one of the events in it; ``None`` when there is none."""
    for event in entries_of(body) or (body,):
        if found := mapping(event, "error"):
            return found
        if said := text_of(member(event, "error")):
            return {**event, "message": said}
        if member(event, "data") is not None or member(event, "choices") is not None:
            continue
        if said := _plain_message(event):
            return {**event, "message": said}
    return None


def _plain_message(event: Any) -> str:
    """What servers say that have no envelope: a sentence, or FastAPI's list of what is wrong."""
    details = (f"{'.'.join(map(str, items(d, 'loc')))}: {text(d, 'msg')}" for d in items(event, "detail"))
    said = (text(event, name) for name in ("message", "msg", "detail"))
    return next(filter(None, said), "") or "; ".join(details)


def read_error_object(error: Mapping[str, Any], status: int, *, large_pictures: bool = False) -> Fault:
    """What an error object means under that status, 200 not excepted; without the wait that headers ask for."""
    message = text(error, "message") or text(error, "localizedMessage")
    if told := read_note(error):
        return replace(told, message=message, status=status)
    code = text(error, "code").strip()
    upstream = _number(member(error, "code"))
    shown = status if status >= 400 else upstream or status
    kind = _kind(error, code, message, shown, large=large_pictures)
    return Fault(
        kind,
        message or text(mapping(error, "metadata"), "raw"),
        charged=_charged(kind, code, status),
        scope=scope_of(kind),
        reason=_reason(error, code),
        status=shown,
    )


def _reason(error: Mapping[str, Any], code: str) -> str:
    return code if code and not code.isdigit() else text(error, "type")


def _kind(error: Mapping[str, Any], code: str, message: str, status: int, *, large: bool) -> FaultKind:
    said = message.lower()
    kind = _KINDS.get(code) or next((kind for words, kind in _BY_WORDS if words in said), None)
    if kind is K.PROMPT_BLOCKED or member(error, "moderationDetails") is not None:
        return _moderated(error)
    if kind is not None:
        return kind
    if code == _PASSED_ON:
        return _upstream(error, status)
    if said.strip().rstrip(".") == _UNKNOWN and large:
        return K.TOO_LARGE
    if items(mapping(error, "metadata"), "reasons"):  # OpenRouter: what its moderation flagged
        return K.PROMPT_BLOCKED
    by_type = _BY_TYPE.get(text(error, "type").strip())
    return by_type or kind_by_status(_number(code) or _at_least_500(status))


def _moderated(error: Mapping[str, Any]) -> FaultKind:
    """Refused by the picture or by the prompt: a new picture may pass where a prompt does not."""
    stage = text(mapping(error, "moderationDetails"), "moderationStage").strip().lower()
    return K.IMAGE_SAFETY if stage == "output" else K.PROMPT_BLOCKED


def _upstream(error: Mapping[str, Any], status: int) -> FaultKind:
    kind = kind_by_status(_number(member(error, "param")) or _at_least_500(status))
    # It is the relay's own key that the upstream refuses, not ours.
    return K.SERVER_ERROR if kind in {K.BAD_KEY, K.FORBIDDEN, K.NO_CREDIT} else kind


def _number(value: Any) -> int:
    words = str(value).strip() if isinstance(value, str | int) else ""
    number = int(words) if words.isascii() and words.isdigit() and len(words) <= _STATUS_DIGITS else 0
    return number if 400 <= number < 600 else 0


def _at_least_500(status: int) -> int:
    """An error under status 200 is the server's own trouble."""
    return status if status >= 400 else 500


_NEVER_BILLED: Final = frozenset(
    {K.NO_CREDIT, K.MODEL_NOT_FOUND, K.BAD_KEY, K.FORBIDDEN, K.RATE_LIMITED, K.INVALID_REQUEST, K.PROMPT_BLOCKED}
)


def _charged(kind: FaultKind, code: str, status: int) -> Charged:
    """No error status is billed, but a picture that was drawn and then refused may be: OpenAI does not say."""
    if kind in _NEVER_BILLED:
        return Charged.NO
    drawn = kind is K.IMAGE_SAFETY or code == "write_response_body_failed"
    return Charged.UNKNOWN if drawn or status < 400 else Charged.NO


# --- writing ---------------------------------------------------------------------------------------------------------

_SAID: Final[Mapping[FaultKind, tuple[int, str, str]]] = {
    K.INVALID_REQUEST: (400, "invalid_request_error", "invalid_value"),
    K.TOO_LARGE: (413, "invalid_request_error", "request_too_large"),
    K.LOST_SIGNATURE: (400, "invalid_request_error", "lost_signature"),
    K.PROMPT_BLOCKED: (400, "image_generation_user_error", "moderation_blocked"),
    K.PROHIBITED: (400, "image_generation_user_error", "moderation_blocked"),
    K.IMAGE_SAFETY: (400, "image_generation_user_error", "moderation_blocked"),
    K.BAD_KEY: (401, "invalid_request_error", "invalid_api_key"),
    K.FORBIDDEN: (403, "invalid_request_error", "access_denied"),
    K.MODEL_NOT_FOUND: (404, "invalid_request_error", "model_not_found"),
    K.NO_CREDIT: (429, "insufficient_quota", "insufficient_quota"),
    K.NO_QUOTA: (429, "insufficient_quota", "insufficient_quota"),
    K.SPEND_LIMIT: (429, "insufficient_quota", "insufficient_quota"),
    K.BUDGET: (429, "insufficient_quota", "insufficient_quota"),
    K.RATE_LIMITED: (429, "requests", "rate_limit_exceeded"),
    K.DAY_QUOTA: (429, "requests", "rate_limit_exceeded"),
    K.OVERLOADED: (503, "server_error", "server_error"),
    K.CONNECT: (503, "server_error", "server_error"),
    K.CUT: (503, "server_error", "server_error"),
    K.TIMEOUT: (504, "server_error", "server_error"),
    K.CANCELLED: (499, "server_error", "cancelled"),
    **dict.fromkeys(
        (K.NO_IMAGE, K.TEXT_ONLY, K.IMAGE_OTHER, K.MAX_TOKENS, K.DUPLICATE, K.NOT_AN_IMAGE),
        # OpenAI's clients repeat a 5xx twice: each of these was perhaps billed, and would be again.
        (400, "image_generation_user_error", "no_image"),
    ),
}
"""Status, type and code by kind; all others are the server's error."""

_SERVER: Final = (500, "server_error", "server_error")


def write_error(fault: Fault) -> WireResponse:
    """A fault with its HTTP status, and its wait in the headers."""
    return WireResponse(error_status(fault), wait_headers(fault.retry_after_s), {"error": error_object(fault)})


def error_status(fault: Fault) -> int:
    """The HTTP status that a fault is answered with."""
    return _SAID.get(fault.kind, _SERVER)[0]


def error_object(fault: Fault, read_under: int = 0) -> dict[str, Any]:
    """The ``error`` member alone. ``read_under``: the status of what it stands in, when that is not its own."""
    status, kind, code = _SAID.get(fault.kind, _SERVER)
    error: dict[str, Any] = {
        "message": fault.message or fault.kind.value.replace("_", " "),
        "type": kind,
        "param": None,
        "code": fault.reason if fault.reason and not fault.reason.isdigit() else code,
    }
    if code == "moderation_blocked":
        stage = "input" if fault.kind is K.PROMPT_BLOCKED else "output"
        error["moderation_details"] = {"moderation_stage": stage, "categories": []}
    return noted(error, fault, lambda said: _reread(said, read_under or status))


def _reread(error: Mapping[str, Any], status: int) -> Fault:
    read = read_error_object(error, status)
    return read_quota(read) if read.kind is K.RATE_LIMITED else read


def no_such_path(request: WireRequest) -> Fault:
    """What OpenAI says to who asks for something that is not served."""
    message = f"Invalid URL ({request.method} {request.path})"
    return Fault(FaultKind.MODEL_NOT_FOUND, message, scope=Scope.MODEL, reason="not_found", status=404)


def fault_in(reply: Reply) -> Fault:
    """Why a reply holds no picture, where an answer without one is an error."""
    match reply:
        case Fault():
            return reply
        case Done():
            kind = FaultKind.TEXT_ONLY if reply.text.strip() else FaultKind.NO_IMAGE
            return Fault(kind, charged=Charged.UNKNOWN, usage=reply.usage, text=reply.text)
        case Later():
            message = "the job goes on, but this API cannot be asked for it again"
            return Fault(FaultKind.JOB_EXPIRED, message, charged=Charged.UNKNOWN)
