"""Turned away: requests that no door sees: nowhere to go, or not to be read."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..doors.door import STRICT
from ..doors.streams import KEEP_ALIVE
from ..jobs.waiting import MAX_WAIT
from ..routing import Route, meant
from ..transit.arriving import PACKINGS, packing_of
from .plain import plain_error

MAX_PATH: Final = 200
"""Of a path so many characters are told again."""


def nowhere(request: web.Request, methods: frozenset[str], routes: Sequence[Route]) -> web.Response:
    """No such path, or not with this method."""
    said = f"{request.method} {request.path[:MAX_PATH]} is not served here"
    if methods:
        allowed = ", ".join(sorted(methods))
        return plain_error(request, 405, f"{said}: it takes {allowed}", headers={"Allow": allowed})
    there = meant(routes, request.method, request.path)
    return plain_error(request, 404, f"{said}; did you mean {there[:MAX_PATH]}?" if there else said)


def unreadable(request: web.Request) -> web.Response | None:
    """Why a request cannot be read, as its head tells; ``None`` when it can."""
    for name, value in request.headers.items():
        if not value.isascii() and not _is_text(value):
            return plain_error(request, 400, f"the header {name} is no UTF-8 text")
    for name, read in _WISHES.items():
        if (said := request.headers.get(name, "").strip()) and not read(said):
            return plain_error(request, 400, f"the header {name} cannot be {said[:MAX_PATH]!a}")
    packing = packing_of(request)
    if packing and packing not in PACKINGS:
        message = f"Content-Encoding {packing[:MAX_PATH]} is not taken: {' or '.join(PACKINGS)} is, or none"
        return plain_error(request, 415, message, headers={"Accept-Encoding": ", ".join(PACKINGS)})
    return None


def _is_number(said: str) -> bool:
    try:
        return math.isfinite(float(said))
    except ValueError:
        return False


_WISHES: Final[Mapping[str, Callable[[str], bool]]] = {
    STRICT: lambda said: said.lower() in {"1", "true", "yes", "0", "false", "no"},
    MAX_WAIT: _is_number,
    KEEP_ALIVE: _is_number,
}
"""Headers of ours, of which a word that says nothing is taken for a mistake: its client believes that it was heard."""


def _is_text(value: str) -> bool:
    """Whether all of it was UTF-8: other bytes stand in a header's value as halves of surrogate pairs."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class _WithoutHeads(logging.Filter):
    """Of bytes that are no HTTP the server's own log repeats the first line, and with it a key in its query."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.msg, record.args = f"a request is no HTTP: {type(error).__name__}", None
            record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
        return True


def without_heads() -> logging.Logger:
    """The logger for a server that clients send bytes to."""
    logger = logging.getLogger("cavendish.front.gateway.server")
    if not logger.filters:
        logger.addFilter(_WithoutHeads())
    return logger
