"""Errors, both ways: ``{"detail": [{loc, msg, type}]}`` of models, ``{"detail": "...", "error_type"}`` of the platform.

A 5xx is never billed, unless nothing shows that it is fal's own. A 422 may be, when the model had begun.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ...model.fault import Charged, Fault, FaultKind, Scope
from ...wire.detail import Detail, read_details, sentence, write_details
from ...wire.fault_note import noted, read_note
from ...wire.http_faults import bare_fault, header_wait_s, kind_by_status, scope_of, wait_headers
from ...wire.message import Headers, WireResponse
from ...wire.reading import text
from .types import MEANINGS, MODEL_TYPES, REQUEST_TYPES, RETRYABLE, STATUS_OF, TYPE_OF, Meaning

CONCURRENCY: Final = "concurrent requests"
"""The one limit there is: how many requests may run at once."""

# fal locks an account whose credit is spent: {"detail": "User is locked. Reason: Exhausted balance. ..."}, 403.
_NO_CREDIT: Final = re.compile(r"exhausted balance|top.?up", re.IGNORECASE)
_ERROR_TYPE: Final = "X-Fal-Error-Type"
_RETRYABLE: Final = "X-Fal-Retryable"
_REQUEST_ID: Final = "X-Fal-Request-Id"


def read_error(response: WireResponse) -> Fault:
    """The fault that an answer with an error status stands for, or one that is nothing of fal's. Never raises."""
    body, status = response.body, response.status
    if status < 400 or not (read_details(body) or text(body, "errorType")):
        return _bare(response)
    fault = read_body(body, status, response.headers)
    return replace(fault, retry_after_s=header_wait_s(response.headers))


def _bare(response: WireResponse) -> Fault:
    fault = bare_fault(response)
    if response.status >= 400 and response.headers.get(_REQUEST_ID):
        fault = replace(fault, charged=Charged.NO)  # fal's own
    return _limited(fault)


def read_body(body: Any, status: int, headers: Headers = Headers()) -> Fault:  # noqa: B008 (frozen)
    """The fault of a body that names what is wrong, be it the answer itself or the status of a request (0)."""
    details = read_details(body)
    message = sentence(details)
    if note := read_note(body):
        return replace(note, message=message, reason=note.reason, status=status)
    said = _type(body, details, headers)
    if said in MEANINGS:
        return replace(_by_type(MEANINGS[said], said, details), message=message, status=status)
    kind = _by_status(status, message, headers.get(_RETRYABLE).strip().lower())
    return _limited(Fault(kind, message, Charged.NO, scope_of(kind), reason=said, status=status))


def _type(body: Any, details: tuple[Detail, ...], headers: Headers) -> str:
    """The type that an error names: one that is known before others, the first before the last."""
    named = [text(body, "errorType"), headers.get(_ERROR_TYPE), *(detail.kind for detail in details)]
    named = [name for name in named if name]
    return next((name for name in named if name in MEANINGS), named[0] if named else "")


def _by_type(meaning: Meaning, said: str, details: tuple[Detail, ...]) -> Fault:
    kind = meaning.kind
    if said == "content_policy_violation" and not any(detail.place for detail in details):
        kind = FaultKind.IMAGE_SAFETY  # no member of the input is to blame, so it is the picture
    return Fault(kind, charged=meaning.charged, scope=meaning.scope, reason=said)


def _by_status(status: int, message: str, retryable: str) -> FaultKind:
    kind = kind_by_status(status if status >= 400 else 500)
    if kind is FaultKind.FORBIDDEN and _NO_CREDIT.search(message):
        return FaultKind.NO_CREDIT
    if kind is FaultKind.SERVER_ERROR and retryable == "false":
        return FaultKind.JOB_FAILED
    return FaultKind.SERVER_ERROR if kind is FaultKind.INVALID_REQUEST and retryable == "true" else kind


def _limited(fault: Fault) -> Fault:
    if fault.kind is not FaultKind.RATE_LIMITED:
        return fault
    return replace(fault, scope=Scope.KEY, limit=CONCURRENCY)


# --- writing ---------------------------------------------------------------------------------------------------------


def write_error(fault: Fault) -> WireResponse:
    """A fault with its HTTP status."""
    said = type_of(fault)
    status = _status(fault, said)
    listed = status == 422
    if listed:
        place = "" if fault.kind is FaultKind.IMAGE_SAFETY else "prompt" if said in MODEL_TYPES else ""
        detail: Any = write_details(fault.message, said, place)
    else:
        detail = fault.message or fault.kind.value.replace("_", " ")
    body: Mapping[str, Any] = {"detail": detail, **({"error_type": said} if said and not listed else {})}
    headers = Headers(
        (
            *wait_headers(fault.retry_after_s),
            *(((_ERROR_TYPE, said),) if said in REQUEST_TYPES else ()),
            (_RETRYABLE, "true" if fault.kind in RETRYABLE else "false"),
        )
    )
    return WireResponse(status, headers, noted(body, fault, lambda again: read_body(again, status, headers)))


def type_of(fault: Fault) -> str:
    """The type that a fault is said under, empty when there is none."""
    said = MEANINGS.get(fault.reason)
    return fault.reason if said and said.kind is fault.kind else TYPE_OF.get(fault.kind, "")


def _status(fault: Fault, said: str) -> int:
    return MEANINGS[said].status if said in MEANINGS else STATUS_OF.get(fault.kind, 500)
