"""Description: the gateway's paths as an OpenAPI document, made from the table of its routes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, Final

from ..routing import Route

_HOLE: Final = re.compile(
    r"\(\?P<(?P<name>\w+)>(?:\[[^\]]*\]|\.|\\w)(?:\+|\*|\{[\d,]+\})\)|(?:\[[^\]]*\]|\.|\\w)(?:\+|\*|\{[\d,]+\})"
)
_ERROR: Final = {
    "description": "an error, in the form of the API that the path belongs to",
    "content": {"application/json": {"schema": {"type": "object", "required": ["error"]}}},
}
_BODY: Final = {"content": {"application/json": {"schema": {"type": "object"}}}}
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


def description(routes: Sequence[Route]) -> dict[str, Any]:
    """The document: every path with its methods."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for path in paths_of(route.path.pattern):
            for method in route.methods:
                paths.setdefault(path, {}).setdefault(method.lower(), _operation(path, method))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cavendish gateway",
            "version": version("cavendish"),
            "description": "Google's and OpenAI's APIs for images, with any model behind both. Bodies are theirs.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "google": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
            }
        },
        "security": [{}, {"bearer": []}, {"google": []}],
    }


def _operation(path: str, method: str) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    told: dict[str, Any] = {"responses": {"2XX": {"description": "done, or taken"}, "default": _ERROR}}
    if names:
        told["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in names
        ]
    if method not in _BODILESS:
        told["requestBody"] = _BODY
    return told


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
