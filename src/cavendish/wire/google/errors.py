"""Google's error object, read: ``{"error": {code, status, message, details}}``, of every API that it has.

``charged``: an error status is not billed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from ...model.fault import Charged, Fault, FaultKind, Scope
from ..http_faults import kind_by_status, scope_of
from ..reading import integer, items, mapping, text, word
from .quotas import read_quota
from .statuses import HTTP_OF, http_status

_E = TypeVar("_E", bound=StrEnum)

OUR_DOMAIN: Final = "cavendish"
"""Of an ErrorInfo that tells what the rest of the envelope cannot."""

_BAD_KEY: Final = re.compile(r"api.?key (?:not valid|expired|not found|invalid|was reported as leaked)", re.IGNORECASE)
_LOST_SIGNATURE: Final = re.compile(
    r"missing an? `?thought_?signature|thought_?signature is (?:missing|not valid)", re.IGNORECASE
)
_NO_MODEL: Final = re.compile(
    r"is not found for api version|models?/\S{1,200} (?:is not found|does not exist)", re.IGNORECASE
)
_TOO_LARGE: Final = re.compile(r"payload size exceeds|(?:payload|request|body) (?:is )?too large", re.IGNORECASE)


def read_google_error(error: Any, http: int = 0) -> Fault:
    """Google's error object: of an HTTP answer with that status, of an event, or of an item of a batch (0)."""
    said = text(error, "status").strip().upper()
    status = http if http >= 400 else http_status(integer(error, "code") or 0) or HTTP_OF.get(said, 0) or http
    message, details = text(error, "message"), items(error, "details")
    told = _ours(details)
    fault = told or _fault(status, said, message, details)
    return replace(
        fault,
        message=message,
        reason=fault.reason or _reason(details) or said,
        status=status,
        charged=fault.charged if told or status >= 400 else Charged.UNKNOWN,
    )


def _ours(details: tuple[Any, ...]) -> Fault | None:
    """The fault as another Cavendish wrote it down."""
    for detail in details:
        kind = _one_of(FaultKind, detail, "reason") if text(detail, "domain") == OUR_DOMAIN else None
        if kind:
            data = mapping(detail, "metadata")
            return Fault(
                kind,
                charged=_one_of(Charged, data, "charged") or Charged.NO,
                scope=_one_of(Scope, data, "scope") or scope_of(kind),
                reason=text(data, "reason"),
                limit=text(data, "limit"),
                limit_value=integer(data, "limitValue"),
            )
    return None


def _one_of(words: type[_E], value: Any, name: str) -> _E | None:
    return word(value, name, words)


def _reason(details: tuple[Any, ...]) -> str:
    infos = (detail for detail in details if text(detail, "@type").endswith("ErrorInfo"))
    return next((text(info, "reason") for info in infos if text(info, "domain") != OUR_DOMAIN), "")


def _fault(status: int, said: str, message: str, details: tuple[Any, ...]) -> Fault:
    if _reason(details) in {"API_KEY_INVALID", "API_KEY_EXPIRED"} or _BAD_KEY.search(message):
        return _of(FaultKind.BAD_KEY)
    if _NO_MODEL.search(message):
        return _of(FaultKind.MODEL_NOT_FOUND)
    if status == 429 or said == "RESOURCE_EXHAUSTED":
        return read_quota(message, details)
    if status == 400 and _LOST_SIGNATURE.search(message):
        return _of(FaultKind.LOST_SIGNATURE)
    if status == 400 and said == "FAILED_PRECONDITION":
        return _of(FaultKind.FORBIDDEN)  # the place of the caller, or billing that is not set up
    if status == 400 and _TOO_LARGE.search(message):
        return _of(FaultKind.TOO_LARGE)
    # Without a status it is an error all the same.
    return _of(kind_by_status(status if status >= 400 else 500), message)


def _of(kind: FaultKind, message: str = "") -> Fault:
    about_model = kind is FaultKind.FORBIDDEN and "model" in message.lower()
    return Fault(kind, scope=Scope.MODEL if about_model else scope_of(kind))
