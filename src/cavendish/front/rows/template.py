"""Prompts made out of columns (``"a {animal} in {style}"``), and grids of values for columns."""

from __future__ import annotations

import csv
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...errors import RequestError

MAX_COMBINATIONS = 100_000
"""Of a grid, for each row: beyond it, the columns belong into a file."""


class Piece(NamedTuple):
    """Words as they are, then the value of a column, if any."""

    words: str
    column: str | None


def parse_template(template: str) -> tuple[Piece, ...]:
    """The pieces of a template. ``{{`` and ``}}`` are braces. Raises ``RequestError``."""
    try:
        parts = tuple(string.Formatter().parse(template))
    except ValueError as error:
        raise _broken(template, f"{error}") from error
    for _, column, spec, conversion in parts:
        if column is not None and (not column.strip() or spec or conversion):
            raise _broken(template, "a placeholder is a column's name in braces, and nothing else")
    return tuple(Piece(words, column and column.strip()) for words, column, _, _ in parts)


def _broken(template: str, why: str) -> RequestError:
    return RequestError(
        f"--prompt {template!r}: {why}", field="prompt", hints=("a brace that is meant as one is doubled: {{ or }}",)
    )


def render(pieces: Sequence[tuple[str, int]], values: Sequence[Any]) -> str:
    """The prompt for one row. Index -1: no column. Raises ``ValueError`` holding the index of a missing value."""
    out: list[str] = []
    for words, index in pieces:
        out.append(words)
        if index >= 0:
            value = values[index]
            if value is None:
                raise ValueError(index)
            out.append(value if isinstance(value, str) else str(value))
    return "".join(out)


def parse_grid(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Columns and their values from ``style=watercolor,"pen, ink"``. Raises ``RequestError``."""
    grid: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise RequestError(f"--grid {text!r}: expected COLUMN=VALUE,VALUE,...", field="grid")
        cells = next(csv.reader([rest], skipinitialspace=True), None)
        values = tuple(value.strip() for value in cells or ())
        if not values or "" in values:
            raise RequestError(f"--grid {text!r}: a value is missing", field="grid")
        if len(set(values)) < len(values):
            raise RequestError(f"--grid {text!r}: a value stands there twice", field="grid")
        if name in grid:
            raise RequestError(f"--grid {name} is given twice", field="grid", hints=("put all its values into one",))
        grid[name] = values
    check_grid(grid)
    return grid


def check_grid(grid: Mapping[str, tuple[str, ...]]) -> int:
    """How many combinations the grid has; 1 without one. Raises ``RequestError`` when they are absurdly many."""
    combinations = 1
    for values in grid.values():
        combinations *= len(values)
    if combinations > MAX_COMBINATIONS:
        raise RequestError(f"--grid makes {combinations:,} of each row; at most {MAX_COMBINATIONS:,}", field="grid")
    return combinations
