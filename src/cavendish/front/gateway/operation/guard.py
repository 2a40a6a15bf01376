"""Guard: what happens to each request before and after its door: a name, a limit, a line in the journal."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from aiohttp import web

from ....errors import InputError
from ....io.state.port import StateError
from ....wire.blobs import SpillError
from ..jobs.desk import Desk
from ..passage import Passage, begin, passage
from ..traces import span_of
from .journal import Journal, worked
from .numbers import Numbers
from .plain import plain_error

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Answered whatever else is going on."""

_NAME: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_EXPOSED: Final = ", ".join(
    (
        *("x-request-id", "x-cavendish-job", "x-cavendish-cost", "x-cavendish-notices", "x-cavendish-replayed"),
        *("x-cavendish-missing", "x-cavendish-missing-why", "location", "retry-after", "retry-after-ms"),
        *(f"x-ratelimit-{which}-requests" for which in ("limit", "remaining", "reset")),
    )
)
_ALLOWED_METHODS: Final = "GET, POST, DELETE, PUT, PATCH, HEAD"
_PREFLIGHT_S: Final = "600"


@dataclass(frozen=True, slots=True)
class GuardRules:
    """``at_once``: requests that may be at work at the same time. ``origins``: pages that may ask, ``*`` for any."""

    at_once: int = 1000
    origins: tuple[str, ...] = ()


class Guard:
    """Stands before all doors."""

    def __init__(self, rules: GuardRules, desk: Desk, journal: Journal | None) -> None:
        self.numbers = Numbers()
        self.busy = 0
        self._rules = rules
        self._desk = desk
        self._journal = journal

    async def pass_on(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through, or refuse it; either way it is counted and noted."""
        name = request.headers.get("x-request-id", "")
        named = bool(_NAME.fullmatch(name))
        passing = begin(Passage(name if named else uuid4().hex, named))
        if request.path in PROBES:
            return await handler(request)
        began, at = time.monotonic(), self._desk.clock.now()
        response: web.StreamResponse | None = None
        self.busy += 1
        try:
            with span_of(request) as told:
                response = await self._answered(request, handler)
                told.update({"http.response.status_code": response.status, **_attributes(passing)})
            return response
        finally:
            self.busy -= 1
            self._note(request, passing, response, at, time.monotonic() - began)

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if (refused := self._refused(request)) is not None:
            return refused
        try:
            return await handler(request)
        except web.HTTPException as error:
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            return plain_error(request, error.status, error.reason or "refused", headers=allow)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            if passage().begun:
                raise  # the line breaks, which is all that a client can be told by now
            return self._crashed(request, error)

    def _crashed(self, request: web.Request, error: Exception) -> web.Response:
        if isinstance(error, StateError):
            return plain_error(request, 503, "the gateway's books cannot be reached just now", wait_s=2)
        if isinstance(error, InputError):
            return plain_error(request, 400, error.message)
        if isinstance(error, SpillError):
            return plain_error(request, 400, f"the body cannot be read: {error}")
        self.numbers.count("cavendish_crashes_total", kind=type(error).__name__)
        _log.error("a request failed", exc_info=error)
        return plain_error(request, 500, "something is wrong in the gateway; its log says more")

    def _refused(self, request: web.Request) -> web.Response | None:
        if self._is_preflight(request):
            return web.Response(status=204)
        if self._desk.closing:
            return plain_error(
                request, 503, "the gateway is about to end; ask again", wait_s=2, headers={"Connection": "close"}
            )
        if self.busy > self._rules.at_once:
            self.numbers.count("cavendish_turned_away_total")
            return plain_error(request, 503, f"{self._rules.at_once} requests are at work here already", wait_s=1)
        return None

    def _note(
        self,
        request: web.Request,
        passing: Passage,
        response: web.StreamResponse | None,
        at: float,
        seconds: float,
    ) -> None:
        status = response.status if response is not None else 499
        did = worked(passing)
        door = str(did.get("door", "other"))
        self.numbers.count("cavendish_requests_total", door=door, status=str(status))
        self.numbers.took(seconds, door=door)
        if "pictures" in did:
            self.numbers.count("cavendish_pictures_total", did["pictures"], door=door)
            self.numbers.count("cavendish_pictures_missing_total", did["n"] - did["pictures"], door=door)
            self.numbers.count("cavendish_cost_usd_total", did["cost_usd"], door=door)
        if self._journal is not None:
            self._journal.note(request, passing, response, at, seconds)

    # --- headers ------------------------------------------------------------------------------------------------------

    async def tell(self, request: web.Request, response: web.StreamResponse) -> None:
        """What every answer's head says: the client's own name for the request, and who may read it in a browser."""
        passing = passage()
        passing.begun = True
        if passing.named:
            response.headers["x-request-id"] = passing.id
        response.headers.setdefault("x-content-type-options", "nosniff")
        response.headers["Server"] = "cavendish"  # and not which versions of what
        if not request.content.is_eof():
            # What is left of the body is not waited for: the client's next request is to take another line.
            response.force_close()
            response.headers["Connection"] = "close"
        origin = request.headers.get("Origin", "")
        if not self._may_ask(origin):
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        response.headers.add("Vary", "Origin")
        if self._is_preflight(request):
            response.headers["Access-Control-Allow-Methods"] = _ALLOWED_METHODS
            response.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "")
            response.headers["Access-Control-Max-Age"] = _PREFLIGHT_S

    def _may_ask(self, origin: str) -> bool:
        return bool(origin) and ("*" in self._rules.origins or origin in self._rules.origins)

    def _is_preflight(self, request: web.Request) -> bool:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return asks and self._may_ask(request.headers.get("Origin", ""))


def _attributes(passing: Passage) -> dict[str, str | int | float]:
    """Of a request's work, what a span says."""
    known = ("door", "job", "model", "n", "pictures", "cost_usd")
    return {f"cavendish.{name}": value for name, value in worked(passing).items() if name in known}
