"""Gate: who comes in. Every request passes it before its door sees it."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from ....errors import ConfigError
from ....io.desk.keys import KeyBooks
from ....model.fault import Fault, FaultKind
from ....wire.google import write_error as write_google_error
from ....wire.openai_error import write_error as write_openai_error
from ..routing import Route, World, answers_as, key_of
from ..wants import ANYBODY
from .keeper import Keeper
from .refusal import BAD_KEY, NO_KEY

CALLER: Final = web.RequestKey("caller", str)

FROM_ELSEWHERE: Final = Fault(
    FaultKind.FORBIDDEN,
    "a gateway without keys answers only to programs on its own machine, asked as localhost; "
    "cavendish keys create makes a key",
    status=403,
)
"""A page in a browser may ask on behalf of its user: by its own name made to lead here, or with its origin told."""


class Gate:
    """``alone``: the gateway can be reached from its own machine only, so that it may do without keys.

    ``origins`` are pages that were named and may ask like programs of this machine; ``*`` names none.
    """

    def __init__(self, keeper: Keeper, *, alone: bool, origins: Collection[str] = ()) -> None:
        self._keeper = keeper
        self._alone = alone
        self._origins = origins

    async def caller(self, request: web.Request, route: Route) -> str | web.Response:
        """Who asks; else the refusal, as the API that the request speaks has it."""
        found = await self._found(request)
        if isinstance(found, Fault):
            return _refusal(request, route, found)
        request[CALLER] = found
        return found

    async def _found(self, request: web.Request) -> str | Fault:
        key = key_of(request)
        if self._alone and not await self._keeper.asks_for_keys():
            return ANYBODY if is_from_here(request, self._origins) else FROM_ELSEWHERE
        if not key:
            return NO_KEY
        entry = await self._keeper.whose(key)
        return BAD_KEY if entry is None else entry.id

    async def tell(self, request: web.Request, response: web.StreamResponse) -> None:
        """Say with each answer how the key's requests of this minute stand, as OpenAI does."""
        meter = self._keeper.meter(request.get(CALLER, ANYBODY))
        if meter is not None:
            response.headers["x-ratelimit-limit-requests"] = str(meter.limit)
            response.headers["x-ratelimit-remaining-requests"] = str(meter.left)
            response.headers["x-ratelimit-reset-requests"] = f"{meter.reset_s:.3f}s"


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, to itself."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_from_here(request: web.Request, named: Collection[str]) -> bool:
    """Whether a request asks for this machine by its own name, and comes from no page of another but those named."""
    origin = request.headers.get("Origin", "")
    return _is_here(f"//{request.host}") and (not origin or origin in named or _is_here(origin))


def _is_here(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


async def must_be_guarded(keys: KeyBooks, host: str, now: float) -> None:
    """Beyond the own machine nobody is served without a key. Raises ``ConfigError``."""
    if not is_loopback(host) and not await keys.any_live(now):
        raise ConfigError(
            f"{host} can be reached from other machines, and there is no key to tell who may ask",
            hints=("cavendish keys create NAME makes one", "--host 127.0.0.1 serves this machine alone, without keys"),
        )


def _refusal(request: web.Request, route: Route, fault: Fault) -> web.Response:
    write = write_google_error if answers_as(route, request) is World.GOOGLE else write_openai_error
    written = write(fault)
    headers = {"WWW-Authenticate": "Bearer"} if written.status == web.HTTPUnauthorized.status_code else {}
    return web.Response(
        body=orjson.dumps(written.body), status=written.status, headers=headers, content_type="application/json"
    )
