"""Said: values that a user gave, taken for what they should be, or refused in words before anything is done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import index
from typing import Any, SupportsIndex, cast

from ..errors import RequestError
from ..model.money import nusd


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """A whole number within bounds."""
    bounds = "" if least is None else f" from {least:,} to {most:,}" if most is not None else f" of at least {least:,}"
    # Whatever counts, numpy's integers too.
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise _wrong(name, f"a whole number{bounds}", value)
    count = index(value)
    if (least is not None and count < least) or (most is not None and count > most):
        raise _wrong(name, f"a whole number{bounds}", value)
    return count


def number(name: str, value: Any) -> float:
    """Any finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(name, "a number", value)
    return value


def seconds(name: str, value: Any, most: float, *, zero: bool = False) -> float:
    """A time of at most so many seconds, above zero unless ``zero`` is a time as well."""
    what = f"a number of seconds{'' if zero else ' above 0'}, and at most {most:,.0f}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or not (value or zero):
        raise _wrong(name, what, value)
    return value


def money(name: str, value: Any) -> int:
    """Dollars, as nano-dollars."""
    try:
        amount = -1 if isinstance(value, bool) else nusd(value)
    except ValueError:
        amount = -1
    if amount < 0:
        raise _wrong(name, "an amount of dollars, such as 5 or 0.50", value)
    return amount


def text(name: str, value: Any) -> str:
    """Words."""
    if not isinstance(value, str):
        raise _wrong(name, "text", value)
    return value


def words(name: str, value: Any) -> tuple[str, ...]:
    """A list of words."""
    given = tuple(cast("Sequence[Any]", value)) if isinstance(value, list | tuple) else (None,)
    if not all(isinstance(word, str) for word in given):
        raise _wrong(name, "a list of words", value)
    return cast("tuple[str, ...]", given)


def truth(name: str, value: Any) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise _wrong(name, "True or False", value)
    return value


def table(name: str, value: Any) -> Mapping[str, Any]:
    """Values by name."""
    if not isinstance(value, Mapping):
        raise _wrong(name, "a dict", value)
    return cast("Mapping[str, Any]", value)


def _wrong(name: str, wanted: str, value: Any) -> RequestError:
    shown = repr(value)
    return RequestError(
        f"{name} must be {wanted}, got {shown if len(shown) <= 80 else type(value).__name__}", field=name
    )
