"""Plain: answers that no door gives, as the API has them that the client speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from ..routing import World, world_of

_GOOGLE_S: Final = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_OPENAI_S: Final = {
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
}


def plain_error(
    request: web.Request,
    status: int,
    message: str,
    *,
    wait_s: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An error as JSON. ``wait_s``: when to try again."""
    told = dict(headers or {})
    if wait_s is not None:
        told["Retry-After"] = str(wait_s)
    form = google_error if world_of(request) is World.GOOGLE else openai_error
    return plain_page({"error": form(status, message)}, status, told)


def google_error(status: int, message: str) -> dict[str, Any]:
    """As Google has it."""
    return {
        "code": status,
        "message": message,
        "status": _GOOGLE_S.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT"),
    }


def openai_error(status: int, message: str) -> dict[str, Any]:
    """As OpenAI has it."""
    kind, code = ("server_error",) * 2 if status >= 500 else ("invalid_request_error", "invalid_value")
    return {"message": message, "type": kind, "param": None, "code": _OPENAI_S.get(status, code)}


def plain_page(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A page of JSON."""
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type="application/json")
