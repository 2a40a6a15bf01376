"""Errors, written: a fault as Google's envelope.

Where the envelope alone would read as another fault (a spent budget, a line that broke upstream, a wait for the whole
key), an ErrorInfo of the domain ``cavendish`` says what it was; other clients pass such a detail over.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ...model.fault import Charged, Fault, FaultKind
from ..message import WireResponse
from .errors import OUR_DOMAIN, read_google_error
from .quotas import write_quota
from .statuses import HTTP_OF, NATURAL, WORD_OF
from .waits import write_wait

_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
_TOLD: Final = ("kind", "charged", "scope", "limit", "limit_value")
_KEY_REASONS: Final = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
_UNKNOWN_NAME: Final = re.compile(r"Unknown name \".{1,200}?\"(?: at '([^'\n]{1,500})')?: Cannot find field\.")


def write_error(fault: Fault, model: str = "") -> WireResponse:
    """A fault with its HTTP status. ``model`` is what the call asked for, for the details of a quota."""
    error = error_object(fault, model)
    return WireResponse(error["code"], body={"error": error})


def error_object(fault: Fault, model: str = "") -> dict[str, Any]:
    """The ``error`` member alone, as an event of a stream has it, too."""
    status = _status(fault)
    error: dict[str, Any] = {
        "code": status,
        "message": fault.message or fault.kind.value.replace("_", " "),
        "status": _word(fault, status),
    }
    details = _details(fault, status, model)
    if details:
        error["details"] = details
    if not _is_told(fault, error):
        error["details"] = [*details, _our_info(fault)]
    return error


def _status(fault: Fault) -> int:
    natural = NATURAL.get(fault.kind, (500,))
    return fault.status if fault.status in natural else natural[0]


def _word(fault: Fault, status: int) -> str:
    if HTTP_OF.get(fault.reason) == status:
        return fault.reason
    if fault.kind is FaultKind.FORBIDDEN and status == 400:
        return "FAILED_PRECONDITION"
    return WORD_OF[status]


def _details(fault: Fault, status: int, model: str) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = []
    if fault.kind is FaultKind.BAD_KEY and status == 400:
        details += _bad_key(fault)
    if status == 429:
        details += write_quota(fault, model)
    if fault.kind is FaultKind.INVALID_REQUEST and (violations := _violations(fault.message)):
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    if fault.retry_after_s is not None:
        details.append(write_wait(fault.retry_after_s))
    return details


def _bad_key(fault: Fault) -> list[dict[str, Any]]:
    info: dict[str, Any] = {
        "@type": _INFO,
        "reason": fault.reason if fault.reason in _KEY_REASONS else "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    sentence = {
        "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
        "locale": "en-US",
        "message": fault.message,
    }
    return [info, sentence]


def _violations(message: str) -> list[dict[str, str]]:
    return [
        {**({"field": match[1]} if match[1] else {}), "description": line}
        for line in message.splitlines()
        if (match := _UNKNOWN_NAME.search(line))
    ]


def _is_told(fault: Fault, error: dict[str, Any]) -> bool:
    """Whether the envelope reads as the fault that it was made of."""
    read = read_google_error(error, error["code"])
    same_reason = not fault.reason or read.reason == fault.reason
    return same_reason and all(getattr(read, name) == getattr(fault, name) for name in _TOLD)


def _our_info(fault: Fault) -> dict[str, Any]:
    told = {
        "charged": "" if fault.charged is Charged.NO else fault.charged.value,
        "scope": fault.scope.value,
        "reason": fault.reason,
        "limit": fault.limit,
        "limitValue": "" if fault.limit_value is None else str(fault.limit_value),
    }
    metadata = {name: value for name, value in told.items() if value}
    return {"@type": _INFO, "reason": fault.kind.value.upper(), "domain": OUR_DOMAIN, "metadata": metadata}
