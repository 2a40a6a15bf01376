"""Sound: whether a body holds nothing but what can be written down and sent on: Unicode text and finite numbers.

JSON can spell more than that: half of a surrogate pair, numbers of any length, and, as Python reads it, NaN. A client
that sends such a thing is told where it stands, before anything is bought.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, Final, cast

from ....wire.message import Form

MAX_DEPTH: Final = 100
"""Levels of a body. The deepest that any client sends, a schema among its tools, has some twenty."""

MAX_PLACE: Final = 120
"""Of a place in a body so many characters are told."""

_BITS: Final = 63


def _set_aside(_value: object) -> None:
    """Pictures stand for themselves."""


_SUSPECT: Final = re.compile(r"\\u0000|\d{19}")
_WRITER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, default=_set_aside)


def flaw_of(body: Any) -> str | None:
    """What is wrong with a body, and where; ``None`` when it is sound."""
    if isinstance(body, Form):
        words = ({field.name: field.value} for field in body.fields if isinstance(field.value, str))
        return next((flaw for one in words for flaw in _flaws(one)), None)
    return None if _is_plain(body) else next((flaw for flaw in _flaws(body)), None)


def _is_plain(body: Any) -> bool:
    """Whether a look at all of it at once finds nothing to look into: the usual case, told at the speed of C."""
    try:
        written = _WRITER.encode(body)
        written.encode()
    except (ValueError, RecursionError):
        return False
    return not _SUSPECT.search(written) and written.count("[") + written.count("{") < MAX_DEPTH


def _flaws(body: Any) -> Iterable[str]:
    """All that is wrong. Not recursive: JSON may be as deep as the parser allows."""
    todo: list[tuple[str, int, Any]] = [("", 0, body)]
    while todo:
        place, depth, value = todo.pop()
        if flaw := _flaw(value) or ("it is nested too deeply" if depth > MAX_DEPTH else ""):
            yield f"Invalid value at {_shown(place)}: {flaw}."
            return
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            todo += [(f"{place}.{name}" if place else name, depth + 1, entry) for name, entry in members.items()]
            todo += [(f"{place}.{name}" if place else name, depth + 1, name) for name in members]
        elif isinstance(value, list):
            entries = cast("list[Any]", value)
            todo += [(f"{place}[{number}]", depth + 1, entry) for number, entry in enumerate(entries)]


def _flaw(value: Any) -> str:
    if isinstance(value, str):
        return _flaw_of_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "the number is not finite"
    if isinstance(value, int) and not -(1 << _BITS) <= value < 1 << _BITS:
        return "the number is beyond 64 bits"
    return ""


def _flaw_of_text(words: str) -> str:
    if "\0" in words:
        return "the text holds a NUL character"
    try:
        words.encode()
    except UnicodeEncodeError as error:
        return f"character {error.start + 1} of the text is half of a surrogate pair"
    return ""


def _shown(place: str) -> str:
    shown = place.encode("ascii", "backslashreplace").decode().replace("\0", "\\0")
    return f"'{shown if len(shown) <= MAX_PLACE else f'{shown[:MAX_PLACE]}...'}'" if shown else "the top"
