"""Description: the gateway's paths as an OpenAPI document, made of the table of its routes and of what each takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from ..routing import Route, World, is_google_s
from .described import google, openai, own
from .described.parts import (
    ALWAYS,
    BESIDE,
    ERRORS,
    EVERYWHERE,
    GOOGLE_ERROR,
    HEADERS,
    OPENAI_ERROR,
    QUERIES,
    SECURITY,
    TOLD,
    WITH_HEADERS,
)
from .described.words import FORM, JSON, Answer, Operation, Schema, either, ref

_HOLE: Final = re.compile(
    r"\(\?P<(?P<name>\w+)>(?:\[[^\]]*\]|\.|\\w)(?:\+|\*|\{[\d,]+\})\)|(?:\[[^\]]*\]|\.|\\w)(?:\+|\*|\{[\d,]+\})"
)
_VERSION: Final = re.compile(r"/(?:(upload/)|download/)?(?:v1beta1|v1beta|v1alpha|v1)/(.+)")
_SHARED: Final = re.compile("/v1/(?:models|files|batches)(?:/|$)")
"""Where both APIs are: who asks in Google's way for what only OpenAI's has is told so in Google's words."""

_NAME: Final[Schema] = {"type": "string", "pattern": r"^[A-Za-z0-9_-]{1,80}$"}
_MODEL: Final[Schema] = {"type": "string", "pattern": r"^[A-Za-z0-9._-]{1,100}$", "examples": ["nano-banana-2"]}
_ABOUT: Final = """Google's and OpenAI's APIs for images, with any model behind both, and this gateway's own paths.

A key may come in three ways, whatever the path: as `x-goog-api-key`, as `?key=`, or as a bearer's. Where both APIs have
the same path, Google's answers to a key that comes in Google's ways, and OpenAI's to all others.
"""


def description(routes: Sequence[Route], max_n: int = 100) -> dict[str, Any]:
    """The document: every path with its methods. ``max_n``: so many pictures at most for one request."""
    paths: dict[str, dict[str, Any]] = {}
    for path, methods in _gathered(routes).items():
        paths[path] = {method.lower(): _operation(path, method, told) for method, told in sorted(methods.items())}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cavendish gateway", "version": version("cavendish"), "description": _ABOUT},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(_schemas(max_n).items())),
            "securitySchemes": dict(SECURITY),
            "headers": {name: {"schema": schema, "description": about} for name, (schema, about) in TOLD.items()},
            "responses": {_error_name(world, status): _error(world, status) for world in World for status in _STATUSES},
        },
        "security": [{}, *({name: []} for name in SECURITY)],
    }


def _schemas(max_n: int) -> Mapping[str, Schema]:
    shared = {"Beside": BESIDE, "GoogleError": GOOGLE_ERROR, "OpenaiError": OPENAI_ERROR}
    return {**shared, **google.SCHEMAS, **openai.schemas(max_n), **own.schemas(max_n)}


# --- which operations there are ---------------------------------------------------------------------------------------

Worlds = dict[World, Operation]
"""What is done under one method of one path, in each of the worlds that have it."""


def _gathered(routes: Sequence[Route]) -> dict[str, dict[str, Worlds]]:
    found: dict[str, dict[str, Worlds]] = {}
    for route in routes:
        for path in paths_of(route.path.pattern):
            for method in route.methods:
                world, told = operation_of(route, method, path)
                found.setdefault(path, {}).setdefault(method, {}).setdefault(world, told)
    for path, told in own.PAGES.items():
        found[path] = {"GET": {World.OPENAI: told}, "HEAD": {World.OPENAI: told}}
    return found


def operation_of(route: Route, method: str, path: str) -> tuple[World, Operation]:
    """Whose API answers, and what is done; of what no table knows, that something is."""
    world = route.world or (World.GOOGLE if is_google_s(path) else World.OPENAI)
    match = _VERSION.fullmatch(path)
    rest = f"{match[1] or ''}{match[2]}" if match else path.lstrip("/")
    tables = (google.OPERATIONS,) if world is World.GOOGLE else (openai.OPERATIONS, own.OPERATIONS)
    key = ("GET" if method == "HEAD" else method, rest)
    return world, next((table[key] for table in tables if key in table), UNTOLD)


UNTOLD: Final = Operation("Not described", "Other", {200: Answer("done")}, {JSON: {}}, optional=True)


# --- one of them ------------------------------------------------------------------------------------------------------


def _operation(path: str, method: str, worlds: Worlds) -> dict[str, Any]:
    told = list(worlds.values())
    body = {kind: schema for one in told for kind, schema in one.body.items()}
    return {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "summary": " or: ".join(dict.fromkeys(one.about for one in told)),
        "tags": list(dict.fromkeys(one.tag for one in told)),
        "parameters": [*_in_path(path), *_in_query(told), *_in_head(told)],
        **({"requestBody": _body(body, required=not any(one.optional for one in told))} if body else {}),
        "responses": _responses(path, worlds, bodiless=method == "HEAD"),
        **({"security": []} if all(one.keyless for one in told) else {}),
    }


def _in_path(path: str) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", path):
        schema = _MODEL if name == "model" else _NAME
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(told: Iterable[Operation]) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys(name for one in told for name in one.query):
        schema, about = QUERIES[name]
        yield {"name": name, "in": "query", "schema": schema, "description": about}


def _in_head(told: Iterable[Operation]) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys(name for one in told for name in one.headers):
        schema, about = HEADERS[name]
        yield {"name": name, "in": "header", "schema": schema, "description": about}


def _body(body: Mapping[str, Schema], *, required: bool) -> dict[str, Any]:
    content: dict[str, Any] = {kind: {"schema": schema} for kind, schema in body.items()}
    if FORM in content:
        content[FORM]["encoding"] = {name: {"contentType": "image/png, image/jpeg, image/webp"} for name in ("mask",)}
    return {"required": required, "content": content}


# --- answers ----------------------------------------------------------------------------------------------------------


def _responses(path: str, worlds: Worlds, *, bodiless: bool) -> dict[str, Any]:
    answers: dict[str, list[Answer]] = {}
    failing: dict[str, list[World]] = {}
    if _SHARED.match(path) and not is_google_s(path):
        failing = {_status(status): list(World) for status in (*EVERYWHERE, 404, 405, None)}
    for world, told in worlds.items():
        for status, answer in told.answers.items():
            answers.setdefault(str(status), []).append(answer)
        for status in (*EVERYWHERE, *told.errors, None):
            if world not in failing.setdefault(_status(status), []):
                failing[_status(status)].append(world)
    said = {status: _answer(several, bodiless=bodiless) for status, several in answers.items()}
    for status, of in failing.items():
        if bodiless:
            said.setdefault(status, {"description": ERRORS.get(int(status[0]) * 100, "an error")})
        else:
            said.setdefault(status, _failed(status, of))
    return dict(sorted(said.items()))


def _answer(several: Sequence[Answer], *, bodiless: bool) -> dict[str, Any]:
    content: dict[str, list[Schema]] = {}
    for answer in several:
        for kind, schema in answer.content.items():
            content.setdefault(kind, []).append(schema)
    shown = {kind: {"schema": either(*schemas)} for kind, schemas in content.items()}
    names = dict.fromkeys((*ALWAYS, *(name for answer in several for name in answer.headers)))
    return {
        "description": " or: ".join(dict.fromkeys(answer.about for answer in several)),
        "headers": _headers(names),
        **({"content": shown} if shown and not bodiless else {}),
    }


def _failed(status: str, of: Sequence[World]) -> dict[str, Any]:
    if len(of) == 1:
        return {"$ref": f"#/components/responses/{_error_name(of[0], status)}"}
    either_one = either(*(ref(f"{world.title()}Error") for world in of))
    return {**_error(of[0], status), "content": {JSON: {"schema": either_one}}}


_STATUSES: Final = ("5XX", *map(str, ERRORS))


def _status(status: int | None) -> str:
    return "5XX" if status is None else str(status)


def _error_name(world: World, status: str) -> str:
    return f"{world.title()}{status}"


def _error(world: World, status: str) -> dict[str, Any]:
    number = int(status) if status.isdigit() else 0
    return {
        "description": ERRORS.get(number, "something is wrong, here or at the provider"),
        "headers": _headers((*ALWAYS, *WITH_HEADERS.get(number, ("Retry-After", "retry-after-ms")))),
        "content": {JSON: {"schema": ref(f"{world.title()}Error")}},
    }


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


# --- paths ------------------------------------------------------------------------------------------------------------


def paths_of(pattern: str) -> list[str]:
    """The paths that a route's pattern stands for, one for each choice in it; what varies freely is a parameter."""
    names: list[str] = []

    def hole(found: re.Match[str]) -> str:
        name = found["name"] or "part"
        names.append(name)
        count = names.count(name)
        return f"\0{name if count == 1 else f'{name}{count}'}\1"

    plain = _HOLE.sub(hole, pattern).replace("\\", "")
    return [path.replace("\0", "{").replace("\1", "}") for path in dict.fromkeys(_chosen(plain))]


def _chosen(pattern: str) -> Iterator[str]:
    """Every way through the groups of a pattern."""
    found = re.search(r"\((?:\?:|\?P<\w+>)?([^()]*)\)(\??)", pattern)  # an innermost one
    if found is None:
        yield pattern
        return
    choices = [*found[1].split("|"), *([""] if found[2] else [])]
    for choice in choices:
        yield from _chosen(pattern[: found.start()] + choice + pattern[found.end() :])
