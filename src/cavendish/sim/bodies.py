"""Bodies that no dialect writes: a relay's own errors, and what broken servers in between send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from types import MappingProxyType

from ..model.fault import Fault, FaultKind
from ..wire.message import Headers, WireResponse
from .faults import Mishap

_JSON = Headers((("Content-Type", "application/json; charset=UTF-8"),))
_HTML = Headers((("Content-Type", "text/html; charset=utf-8"),))

BROKEN = {
    Mishap.HTML_502: WireResponse(
        502, _HTML, raw=b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    ),
    Mishap.EMPTY_200: WireResponse(200, _JSON, raw=b""),
    Mishap.NOT_JSON: WireResponse(200, _JSON, raw=b'{"candidates": [{"content": {"role": "model", "parts": [oops'),
    Mishap.NO_CANDIDATES: WireResponse(200, _JSON, body={}),
}
"""What comes with each, whoever the provider is."""

_RELAY_CODES = {
    FaultKind.BAD_KEY: (401, "invalid_api_key"),
    FaultKind.FORBIDDEN: (403, "access_denied"),
    FaultKind.NO_CREDIT: (403, "insufficient_user_quota"),
    FaultKind.NO_QUOTA: (403, "insufficient_user_quota"),
    FaultKind.MODEL_NOT_FOUND: (503, "model_not_found"),
    FaultKind.RATE_LIMITED: (429, "rate_limit_exceeded"),
    FaultKind.DAY_QUOTA: (429, "rate_limit_exceeded"),
    FaultKind.SPEND_LIMIT: (429, "rate_limit_exceeded"),
    FaultKind.INVALID_REQUEST: (400, "invalid_request"),
    FaultKind.LOST_SIGNATURE: (400, "invalid_request"),
}
"""Status and code by kind; all else is the upstream's status inside ``param``, with an empty message."""


def relay_error(fault: Fault, number: int) -> WireResponse:
    """A fault with an error status as relays of the one-api family word it."""
    status, code = _RELAY_CODES.get(fault.kind, (fault.status, "bad_response_status_code"))
    passed_on = code == "bad_response_status_code"
    error = {
        "message": "" if passed_on else f"{fault.message} (request id: sim-{number})",
        "localized_message": "" if passed_on else "Simulated error of a relay",
        "type": "shell_api_error",
        "param": str(fault.status) if passed_on else "",
        "code": code,
    }
    return WireResponse(status, Headers((*_JSON.items, ("x-request-id", f"sim-{number}"))), body={"error": error})


def openrouter_error(fault: Fault, _number: int) -> WireResponse:
    """An error as OpenRouter words it: the code is the HTTP status itself."""
    status = _OPENROUTER_STATUS.get(fault.kind, fault.status if fault.status >= 400 else 500)
    error = {"code": status, "message": fault.message, "metadata": {"provider_name": "Simulated"}}
    wait = (("Retry-After", str(ceil(fault.retry_after_s))),) if fault.retry_after_s is not None else ()
    return WireResponse(status, Headers((*_JSON.items, *wait)), body={"error": error})


_OPENROUTER_STATUS = {
    FaultKind.BAD_KEY: 401,
    FaultKind.NO_CREDIT: 402,
    FaultKind.FORBIDDEN: 403,
    FaultKind.MODEL_NOT_FOUND: 404,
    FaultKind.OVERLOADED: 529,
}


def never_fits(model: str, limit: int, asked: int) -> WireResponse:
    """OpenAI's answer to a call that asks for more pictures than a whole minute has: no wait helps."""
    message = (
        f"Rate limit reached for {model} in organization org-simulated on input-images per min: Limit {limit}, "
        f"Used 0, Requested {asked}."
    )
    error = {"message": message, "type": "input-images", "param": None, "code": "rate_limit_exceeded"}
    return WireResponse(429, _JSON, body={"error": error})


OWN_ERRORS: Mapping[str, Callable[[Fault, int], WireResponse]] = MappingProxyType(
    {"relay": relay_error, "openrouter": openrouter_error}
)
"""Errors of families whose dialect does not write them as they do."""
