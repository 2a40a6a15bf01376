"""Columns: which columns of an export hold what, found by the names that consoles give them.

Names are compared without case, units and punctuation. Those of Google Cloud's cost table and billing export, AI
Studio, OpenAI's costs and OpenRouter's activity are from their exports as users show them (2026-11, unverified); any
other export has its columns named by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...errors import BatchInputError, RequestError

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "date": (
        "date",
        "day",
        "usage date",
        "usage start date",
        "usage start time",
        "start time iso",
        "start time",
        "created at",
        "timestamp",
        "time",
        "at",
        "bucket",
    ),
    "amount": (
        "amount",
        "amount value",
        "unrounded cost",
        "cost total",
        "total cost",
        "cost",
        "usage cost",
        "subtotal",
        "price",
        "total",
        "billed",
        "spend",
    ),
    "currency": ("currency", "amount currency", "cost currency"),
    "id": ("request id", "generation id", "call id", "task id", "id"),
    "model": (
        "model",
        "model permaslug",
        "sku description",
        "sku",
        "endpoint id",
        "line item",
        "model name",
        "product",
    ),
    "quantity": ("images", "pictures", "num images", "requests", "num model requests", "calls", "quantity"),
}
"""What each column may be called, the likeliest first."""

NEEDED = ("amount",)
NOT_A_QUANTITY = "unit"
"""A column beside ``quantity`` that says of what: tokens are no pictures."""


def simple(name: str) -> str:
    """A column's name in small letters without units in brackets and without punctuation."""
    bare = re.sub(r"\([^)]*\)", " ", name.lower())
    return " ".join(re.sub(r"[^\w]+|_", " ", bare).split())


def find_columns(header: Sequence[str], said: Mapping[str, str]) -> dict[str, int]:
    """Where each kind of column stands. What the user said goes first. Raises ``RequestError`` for a name not there."""
    names = [simple(name) for name in header]
    places: dict[str, int] = {}
    for kind, known in COLUMNS.items():
        if kind in said:
            places[kind] = _said(said[kind], header, names, kind)
        elif (found := next((names.index(name) for name in known if name in names), None)) is not None:
            places[kind] = found
    return places


def _said(name: str, header: Sequence[str], names: Sequence[str], kind: str) -> int:
    if name in header:
        return header.index(name)
    if simple(name) in names:
        return names.index(simple(name))
    raise RequestError(
        f"the export has no column {name!r} for the {kind}",
        field="columns",
        allowed=tuple(header),
        hints=(f"its columns: {', '.join(header)}",),
    )


def is_header(cells: Sequence[str], said: Mapping[str, str]) -> bool:
    """Whether a line is the head of the table: there may be lines of an address or an invoice number before it."""
    names = {simple(cell) for cell in cells}
    wanted = [{simple(said[kind])} if kind in said else set(COLUMNS[kind]) for kind in NEEDED]
    return len(names) > 1 and all(names & any_of for any_of in wanted)


def read_columns(text: str | None) -> dict[str, str]:
    """``date=Usage Date,amount=Cost ($)`` as a mapping. Raises ``RequestError``."""
    said: dict[str, str] = {}
    for part in (text or "").split(",") if text else ():
        kind, equals, name = part.partition("=")
        if not equals or kind.strip() not in COLUMNS or not name.strip():
            known = ", ".join(COLUMNS)
            raise RequestError(
                f"--columns: {part.strip()!r} is not KIND=COLUMN",
                field="columns",
                allowed=tuple(COLUMNS),
                hints=(f"kinds: {known}", "such as: --columns date=Day,amount=Cost"),
            )
        said[kind.strip()] = name.strip()
    return said


def no_header(path: str, said: Mapping[str, str]) -> BatchInputError:
    """The error for a file in which no head of a table was found."""
    named = " with ".join(repr(said[kind]) for kind in NEEDED if kind in said)
    return BatchInputError(
        f"no line is the head of a table{f' {named}' if named else ': none names an amount'}",
        path=path,
        hints=("say which columns are meant: --columns date=...,amount=...",),
    )
