"""Routing: which door a request goes to. Google's and OpenAI's paths share one root, and three of them are the same."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aiohttp import web

Handler = Callable[[web.Request, re.Match[str], str], Awaitable[web.StreamResponse]]
"""Answers a request: given the match of its path, and who asks."""


class World(StrEnum):
    """Whose API a client speaks."""

    GOOGLE = "google"
    OPENAI = "openai"


@dataclass(frozen=True, slots=True)
class Route:
    """One path: its methods, and the world it is in where both have it (``None``: only one does).

    ``keyless``: its addresses carry their own leave, or nothing there is anybody's.
    """

    methods: tuple[str, ...]
    path: re.Pattern[str]
    handler: Handler
    world: World | None = None
    keyless: bool = False


_GOOGLE_S_OWN: Final = re.compile(
    r"/(?:v1beta\d?|v1alpha|upload|download)/.*|/v1/(?:models|tunedModels)/[^/]+:\w+|/v1/[^/]+/.*:\w+"
)

# Google's JavaScript SDK names a file by its whole address, and so may any user of the SDKs.
_BY_ADDRESS: Final = re.compile(r"(?<=/files/)https?:/{1,2}[^/]{1,255}/\S{0,40}?files/(?=[^/]+$)")

_OPENAI_S_OWN: Final = re.compile(r"/v1/(?:images|chat|responses|jobs|keys|usage|pictures)(?:/.*)?")


def world_of(request: web.Request) -> World:
    """Whose API a request speaks: as its path tells, else by how the key is sent."""
    if is_google_s(request.path):
        return World.GOOGLE
    headers: Mapping[str, str] = request.headers
    google_key = "x-goog-api-key" in headers or "x-goog-api-client" in headers or "key" in request.query
    return World.GOOGLE if google_key and not _OPENAI_S_OWN.fullmatch(request.path) else World.OPENAI


def is_google_s(path: str) -> bool:
    """Whether a path is in Google's API alone."""
    return _GOOGLE_S_OWN.fullmatch(path) is not None


def answers_as(route: Route, request: web.Request) -> World:
    """Whose API answers on a route, however the key was sent."""
    return route.world or (World.GOOGLE if is_google_s(request.path) else World.OPENAI)


def key_of(request: web.Request) -> str:
    """The key, however it came: in Google's header, in the query, or as a bearer's."""
    headers = request.headers
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return headers.get("x-goog-api-key", "") or request.query.get("key", "") or bearer


def found(routes: Sequence[Route], request: web.Request) -> tuple[Route, re.Match[str]] | frozenset[str]:
    """The route of a request; else the methods that its path takes, none when there is no such path."""
    methods: set[str] = set()
    world = world_of(request)
    path = _BY_ADDRESS.sub("", request.path, count=1)
    for route in routes:
        match = route.path.fullmatch(path)
        if match is None or route.world not in {None, world}:
            continue
        if request.method in route.methods:
            return route, match
        methods.update(route.methods)
    return frozenset(methods)


def meant(routes: Sequence[Route], method: str, path: str) -> str:
    """The path that was probably meant by one that leads nowhere, empty when there is none.

    A base URL is easily given with a slash too many, without its version, or with one where the SDK adds its own.
    """
    clean = re.sub(r"/{2,}", "/", f"/{path}").rstrip("/")
    others = (clean, f"/v1{clean}", clean.removeprefix("/v1"), clean.removeprefix("/v1beta"), clean.lower())
    there = [route.path for route in routes if method in route.methods]
    return next((other for other in others if other != path and any(p.fullmatch(other) for p in there)), "")
