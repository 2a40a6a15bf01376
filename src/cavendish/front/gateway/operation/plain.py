"""Plain: answers that no door gives. Both worlds' SDKs read the same object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

GOOGLE_WORDS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def plain_error(
    status: int, message: str, *, wait_s: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An error as JSON. ``wait_s``: when to try again."""
    body = {
        "error": {
            "code": status,
            "message": message,
            "status": GOOGLE_WORDS.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT"),
            "type": "server_error" if status >= 500 else "invalid_request_error",
        }
    }
    told = dict(headers or {})
    if wait_s is not None:
        told["Retry-After"] = str(wait_s)
    return web.Response(body=orjson.dumps(body), status=status, headers=told, content_type="application/json")


def plain_page(value: object, status: int = 200) -> web.Response:
    """A page of JSON."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
