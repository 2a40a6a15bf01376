"""Bodies that no dialect writes: a relay's own errors, and what broken servers in between send."""

from __future__ import annotations

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
