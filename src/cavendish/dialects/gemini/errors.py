"""Errors, read: what an answer that is no answer means.

Google's envelope ``{"error": {code, status, message, details}}``, the relays' one, either of them wrapped in a list
or under status 200, and bodies that are no JSON at all: HTML of a proxy, plain words, nothing.

``charged``: an error status is not billed (docs.apiyi.com on 4xx, 429 and 503; Google likewise), unless the body
shows that somebody between answered with a 5xx: then the model may have worked all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from ...model.call import Call
from ...model.fault import Charged, Fault, FaultKind, Scope
from ...wire.message import WireResponse
from ...wire.reading import integer, items, mapping, member, text, text_of, word
from .quotas import read_quota
from .relay import is_relay_error, read_relay_error
from .statuses import HTTP_OF, http_status, kind_by_status, scope_of
from .stream import events_of
from .waits import read_wait

_E = TypeVar("_E", bound=StrEnum)

OUR_DOMAIN: Final = "cavendish"
"""Of an ErrorInfo that tells what the rest of the envelope cannot."""

MAX_MESSAGE_CHARS: Final = 500
"""Of a body that is no JSON."""

_BAD_KEY: Final = re.compile(r"api.?key (?:not valid|expired|not found|invalid|was reported as leaked)", re.IGNORECASE)
_LOST_SIGNATURE: Final = re.compile(
    r"missing an? `?thought_?signature|thought_?signature is (?:missing|not valid)", re.IGNORECASE
)
_NO_MODEL: Final = re.compile(
    r"is not found for api version|models?/\S{1,200} (?:is not found|does not exist)", re.IGNORECASE
)
_TOO_LARGE: Final = re.compile(r"payload size exceeds|(?:payload|request|body) (?:is )?too large", re.IGNORECASE)
_TITLE: Final = re.compile(r"<title[^>]{0,200}>([^<]{1,300})</title>", re.IGNORECASE)
_TAGS: Final = re.compile(r"<[^<>]{0,1000}>")


def read_error(response: WireResponse, call: Call) -> Fault:
    """The fault that an answer without candidates stands for. Never raises."""
    error = _envelope(response.body)
    if error is None:
        return _bare(response)
    if is_relay_error(error):
        fault = read_relay_error(error, response.status, call)
    else:
        fault = read_google_error(error, response.status)
    wait = read_wait(fault.message, items(error, "details"), response.headers)
    return replace(fault, retry_after_s=wait)


def _envelope(body: Any) -> Mapping[str, Any] | None:
    """The error object, wherever it is."""
    for event in events_of(body):
        if found := mapping(event, "error"):
            return found
        if said := text_of(member(event, "error")):
            return {**event, "message": said}
        for name in ("message", "msg", "detail"):
            if said := text(event, name):
                return {**event, "message": said}
    return None


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


# --- bodies that are no envelope -------------------------------------------------------------------------------------


def _bare(response: WireResponse) -> Fault:
    status = response.status
    if response.cut and status < 400:
        return Fault(FaultKind.CUT, "the line broke before the answer", charged=Charged.UNKNOWN, status=status)
    kind = kind_by_status(status)
    worked = status < 400 or (status >= 500 and status != 503)
    return Fault(
        kind,
        _bare_message(response),
        charged=Charged.UNKNOWN if worked else Charged.NO,
        scope=scope_of(kind),
        retry_after_s=read_wait("", (), response.headers),
        status=status,
    )


def _bare_message(response: WireResponse) -> str:
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
