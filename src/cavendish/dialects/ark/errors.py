"""Ark's errors, both ways: ``{"error": {"code", "message", "param", "type"}}``, of a call or of one picture.

Failed pictures are not billed, and neither is a call that ended with Ark's own error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...model.fault import Charged, Fault, FaultKind
from ...wire.fault_note import noted, read_note
from ...wire.http_faults import bare_fault, header_wait_s, kind_by_status, scope_of, wait_headers
from ...wire.message import WireResponse
from ...wire.reading import mapping, member, text, text_of
from .codes import CODE_OF, TYPE_OF, meaning_of


def read_error(response: WireResponse, error: Mapping[str, Any] | None = None) -> Fault:
    """The fault that an answer without pictures stands for. Never raises."""
    found = error or error_in(response.body)
    if not found:
        return bare_fault(response)
    return replace(read_object(found, response.status), retry_after_s=header_wait_s(response.headers))


def error_in(body: Any) -> Mapping[str, Any]:
    """The error object of a body, an empty one when there is none."""
    if found := mapping(body, "error"):
        return found
    said = text_of(member(body, "error")) or text(body, "message")
    return {"message": said, "code": text(body, "code")} if said else {}


def read_object(error: Mapping[str, Any], status: int) -> Fault:
    """An error object, of a call or of one picture in an answer of that status."""
    code = text(error, "code").strip()
    told = read_note(error) or _by_code(code, status)
    reason = told.reason or code or text(error, "type")
    return replace(told, message=text(error, "message"), reason=reason, status=status)


def _by_code(code: str, status: int) -> Fault:
    meaning = meaning_of(code)
    if meaning is None:
        kind = kind_by_status(status if status >= 400 else 500)
        return Fault(kind, charged=Charged.NO, scope=scope_of(kind))
    # Each of these codes is the name of a limit, and says what it counts.
    limit = code if meaning.kind is FaultKind.RATE_LIMITED else ""
    return Fault(meaning.kind, charged=Charged.NO, scope=meaning.scope, limit=limit)


def write_error(fault: Fault) -> WireResponse:
    """A fault with its HTTP status."""
    error, status = error_object(fault)
    return WireResponse(status, wait_headers(fault.retry_after_s), body={"error": error})


def error_object(fault: Fault) -> tuple[dict[str, Any], int]:
    """The error object, and the HTTP status that goes with it when it is all of the answer."""
    code = _code(fault)
    meaning = meaning_of(code)
    status = meaning.status if meaning else 500
    error = {
        "code": code,
        "message": fault.message,
        "param": "",
        "type": TYPE_OF.get(status, "InternalServerError"),
    }
    return noted(error, fault, lambda said: read_object(said, status)), status


def _code(fault: Fault) -> str:
    said = meaning_of(fault.reason)
    if said and said.kind is fault.kind:
        return fault.reason
    return CODE_OF.get(fault.kind, "InternalServiceError")
