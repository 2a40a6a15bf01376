"""Errors of the API itself, both ways: a status, and a ``detail`` of words or of what is wrong with the body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ...model.fault import Charged, Fault, FaultKind, Scope
from ...wire.detail import read_details, sentence, write_details
from ...wire.fault_note import noted, read_note
from ...wire.http_faults import bare_fault, header_wait_s, kind_by_status, scope_of, wait_headers
from ...wire.message import WireResponse

ACTIVE_TASKS: Final = "active tasks"
"""The one limit there is: how many tasks may be under way at once."""

_MOST: Final = re.compile(r"\b(\d{1,4}) (?:active|concurrent)", re.IGNORECASE)
_STATUS_OF: Final[Mapping[FaultKind, int]] = {
    FaultKind.INVALID_REQUEST: 422,
    FaultKind.TOO_LARGE: 413,
    FaultKind.PROMPT_BLOCKED: 400,
    FaultKind.PROHIBITED: 400,
    FaultKind.LOST_SIGNATURE: 400,
    FaultKind.BAD_KEY: 403,
    FaultKind.FORBIDDEN: 403,
    FaultKind.NO_CREDIT: 402,
    FaultKind.NO_QUOTA: 402,
    FaultKind.BUDGET: 402,
    FaultKind.MODEL_NOT_FOUND: 404,
    FaultKind.RATE_LIMITED: 429,
    FaultKind.DAY_QUOTA: 429,
    FaultKind.SPEND_LIMIT: 429,
    FaultKind.OVERLOADED: 503,
    FaultKind.TIMEOUT: 504,
}
"""500 for all others."""


def read_error(response: WireResponse) -> Fault:
    """The fault that an answer stands for that is neither a task nor its state. Never raises."""
    if response.status < 400 or not read_details(response.body):
        fault = bare_fault(response)
        return _told(fault.kind, fault) if response.status >= 400 else fault
    fault = read_body(response.body, response.status)
    return replace(fault, retry_after_s=header_wait_s(response.headers))


def read_body(body: Any, status: int) -> Fault:
    """The error that a body with a ``detail`` and its status stand for."""
    message = sentence(read_details(body))
    if note := read_note(body):
        return replace(note, message=message, status=status)
    kind = kind_by_status(status)
    return _told(kind, Fault(kind, message, charged=Charged.NO, scope=scope_of(kind), status=status))


def _told(kind: FaultKind, fault: Fault) -> Fault:
    """The fault with what is peculiar to this API."""
    if kind is FaultKind.FORBIDDEN:
        return replace(fault, kind=FaultKind.BAD_KEY, scope=Scope.KEY)
    if kind is not FaultKind.RATE_LIMITED:
        return fault
    most = _MOST.search(fault.message)
    return replace(fault, scope=Scope.KEY, limit=ACTIVE_TASKS, limit_value=int(most[1]) if most else None)


def write_error(fault: Fault) -> WireResponse:
    """A fault with its HTTP status."""
    status = _STATUS_OF.get(fault.kind, 500)
    listed = status == 422
    detail = write_details(fault.message, "value_error") if listed else fault.message or fault.kind.value
    body = noted({"detail": detail}, fault, lambda said: read_body(said, status))
    return WireResponse(status, wait_headers(fault.retry_after_s), body=body)
