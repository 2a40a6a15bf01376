"""Given: rows that are handed in from Python instead of a file, as the JSONL that such a file would be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import orjson

from ..errors import BatchInputError
from .keeping import GIVEN_NAME


def as_lines(rows: Iterable[Any]) -> bytes:
    """One line for each row: a prompt, or a mapping of columns. Raises ``BatchInputError`` naming what is neither."""
    return b"".join(_line(number, row) for number, row in enumerate(rows, 1))


def _line(number: int, row: Any) -> bytes:
    columns = {"prompt": row} if isinstance(row, str) else row
    try:
        if not isinstance(columns, Mapping):
            raise TypeError(f"a {type(row).__name__} is neither a prompt nor a dict of columns")
        return orjson.dumps(dict(cast("Mapping[Any, Any]", columns)), default=_plain) + b"\n"
    except (TypeError, orjson.JSONEncodeError) as error:
        raise BatchInputError(f"{GIVEN_NAME}, line {number}: {error}", path=GIVEN_NAME, line=number) from error


def _plain(value: object) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    raise TypeError
