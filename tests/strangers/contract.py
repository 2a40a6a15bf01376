"""Google's own machine-readable document of Vertex AI, and what a JSON value has that the document has not."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

import pybase64

DOCUMENT = "aiplatform.v1beta1.json"
PREFIX = "GoogleCloudAiplatformV1beta1"

_INTEGERS = {"int32": range(-(2**31), 2**31), "uint32": range(2**32)}
_LONG = re.compile(r"-?\d{1,19}")


@cache
def document() -> Mapping[str, Any]:
    """The whole document, as the package of Google's API client ships it."""
    folder = resources.files("googleapiclient") / "discovery_cache" / "documents"
    return json.loads((folder / DOCUMENT).read_text("utf-8"))


def problems(value: Any, schema: str) -> list[str]:
    """What stands in the value and not in the schema of that name: members, JSON types, words of enumerations."""
    name = PREFIX + schema
    return list(_problems(value, {"$ref": name if name in document()["schemas"] else schema}, "$"))


def members(schema: str, shape: Any) -> Iterator[str]:
    """The places of all members of a schema, as deep as a shape of ours looks into them."""
    return _places({"$ref": PREFIX + schema}, shape, "$")


def _places(schema: Mapping[str, Any], shape: Any, at: str) -> Iterator[str]:
    if schema.get("type") == "array":
        schema, at = schema["items"], f"{at}[]"
    known = document()["schemas"][schema["$ref"]].get("properties", {}) if "$ref" in schema else {}
    for name, inner in known.items() if shape.members else ():
        yield f"{at}.{name}"
        if name in shape.members:
            yield from _places(inner, shape.members[name], f"{at}.{name}")


def _problems(value: Any, shape: Mapping[str, Any], at: str) -> Iterator[str]:
    if "$ref" in shape:
        shape = document()["schemas"][shape["$ref"]]
    match shape["type"]:
        case "any":
            return
        case "object":
            yield from _members(value, shape, at)
        case "array" if isinstance(value, list):
            for i, entry in enumerate(value):
                yield from _problems(entry, shape["items"], f"{at}[{i}]")
        case _ if not _fits(value, shape):
            yield f"{at}: {json.dumps(value)[:80]} is no {shape.get('format') or shape['type']}"
        case _ if "enum" in shape and value not in shape["enum"]:
            yield f"{at}: {value} is not a word of the enumeration"


def _members(value: Any, shape: Mapping[str, Any], at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {json.dumps(value)[:80]} is no object"
        return
    known, others = shape.get("properties", {}), shape.get("additionalProperties")
    for name, entry in value.items():
        inner = known.get(name, others)
        if inner is None:
            yield f"{at}.{name}: no such member"
        else:
            yield from _problems(entry, inner, f"{at}.{name}")


def _fits(value: Any, shape: Mapping[str, Any]) -> bool:
    match shape["type"], shape.get("format"):
        case "boolean", _:
            return isinstance(value, bool)
        case "integer", kind:
            return isinstance(value, int) and not isinstance(value, bool) and value in _INTEGERS[kind or "int32"]
        case "number", _:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string", "int64":
            return isinstance(value, str) and _LONG.fullmatch(value) is not None
        case "string", "byte":
            return isinstance(value, str) and _is_base64(value)
        case "string", _:
            return isinstance(value, str)
        case _:
            return False


def _is_base64(words: str) -> bool:
    try:
        pybase64.b64decode(words.translate(str.maketrans("-_", "+/")) + "=" * (-len(words) % 4), validate=True)
    except ValueError:
        return False
    return True
