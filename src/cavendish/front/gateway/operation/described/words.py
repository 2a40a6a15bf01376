"""Words: the small vocabulary in which operations and JSON Schemas are written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
WORDS: Final[Schema] = {"type": "string", "minLength": 1}
TRUTH: Final[Schema] = {"type": "boolean"}
WHOLE: Final[Schema] = {"type": "integer"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER: Final[Schema] = {"type": "number"}
OBJECT: Final[Schema] = {"type": "object"}
ANYTHING: Final[Schema] = {}
STREAM: Final[Schema] = {"description": "server-sent events, one after the other"}
BYTES: Final[Schema] = {"type": "string", "contentMediaType": "application/octet-stream"}

_WHOLE_AS_TEXT: Final = r"^[0-9]{1,3}$"
_NUMBER_AS_TEXT: Final = r"^[0-9]{1,6}(\.[0-9]{1,6})?$"
MOST_BITS: Final = 2**63 - 1


def ref(name: str) -> Schema:
    """A schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(schema: Schema) -> Schema:
    """A list of it."""
    return {"type": "array", "items": schema}


def either(*schemas: Schema) -> Schema:
    """One of them, or several at once."""
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def one_of(*words: Any) -> Schema:
    """One of these values."""
    return {"enum": list(words)}


def or_none(schema: Schema) -> Schema:
    """It, or ``null``, which counts as missing."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return either(schema, {"type": "null"})


def whole(least: int = -MOST_BITS, most: int = MOST_BITS) -> Schema:
    """A whole number, which some clients send as its digits."""
    return either({"type": "integer", "minimum": least, "maximum": most}, {"type": "string", "pattern": _WHOLE_AS_TEXT})


def number() -> Schema:
    """A number, which some clients send as its digits."""
    return either(NUMBER, {"type": "string", "pattern": _NUMBER_AS_TEXT})


def truth() -> Schema:
    """A truth value, or its word."""
    return either(TRUTH, {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$"})


def thing(
    required: str = "",
    further: Mapping[str, Schema] | None = None,
    *,
    closed: bool = False,
    about: str = "",
    **members: Schema,
) -> Schema:
    """An object. ``closed``: a member of another name is refused."""
    return {
        "type": "object",
        "properties": {**members, **(further or {})},
        **({"required": required.split()} if required else {}),
        **({"additionalProperties": False} if closed else {}),
        **({"description": about} if about else {}),
    }


def asked(
    required: str = "", further: Mapping[str, Schema] | None = None, *, closed: bool = False, **members: Schema
) -> Schema:
    """An object that a client sends: what is ``null`` counts as missing, but for what is required."""
    needed = required.split()
    said = {**members, **(further or {})}
    loose = {name: schema if name in needed else or_none(schema) for name, schema in said.items()}
    return thing(required, loose, closed=closed)


@dataclass(frozen=True, slots=True)
class Answer:
    """One good answer: its content by type, and the names of its headers."""

    about: str
    content: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """What is done by a method on a path.

    ``body`` is what is sent, by type; ``query`` and ``headers`` name parameters, ``answers`` are by status. ``errors``
    are the statuses that it may fail with beside those that any may.
    """

    about: str
    tag: str
    answers: Mapping[int, Answer]
    body: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    optional: bool = False
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    keyless: bool = False


JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
EVENTS: Final = "text/event-stream"
RAW: Final = "application/octet-stream"


def page(schema: Schema, about: str = "done", *headers: str) -> Mapping[int, Answer]:
    """A page of JSON under 200."""
    return {200: Answer(about, {JSON: schema}, headers)}
