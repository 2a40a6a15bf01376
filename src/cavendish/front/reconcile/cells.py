"""Cells: amounts, counts and moments as exports write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation

from ...model.money import nusd

_DOLLARS = frozenset({"$", "us$", "usd", "us dollar", "us dollars"})
_SIGNS = {"€": "EUR", "£": "GBP", "¥": "JPY or CNY", "₹": "INR", "₩": "KRW", "元": "CNY"}
_CODE = re.compile(r"\b([A-Z]{3})\b")
_PLAIN = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(,\d{3})+)?(\.\d*)?(e[+-]?\d{1,3})?", re.IGNORECASE)
MOST_DOLLARS = 10**9
_DAY_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%m/%d/%Y", "%d %b %Y", "%b %d, %Y")
_PICTURES = ("image", "picture", "request", "call", "count")
MIDNIGHT = time(0)
EARLIEST_S = 946_684_800
"""The year 2000: a smaller number is no time since the epoch."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount in nano-dollars, and how many decimal places it was written with."""

    nusd: int
    places: int


def currency_of(text: str, *, bare: bool = False) -> str:
    """The currency that a text names, empty for dollars of the United States and for none.

    ``bare``: the text is nothing but a currency.
    """
    word = text.strip()
    if not word or word.lower() in _DOLLARS:
        return ""
    if bare:
        return word
    if sign := next((code for sign, code in _SIGNS.items() if sign in word), ""):
        return sign
    codes = [code for code in _CODE.findall(word) if code not in {"USD", "SKU", "API"}]
    return codes[0] if codes else ""


def read_amount(text: str, *, commas: bool = True) -> Amount:
    """``$1,234.56``, ``0.067 USD`` or ``(0.10)``, which is negative. Raises ``ValueError``.

    Without ``commas`` there must be none: where cells are parted by semicolons they may stand for points.
    """
    if "," in text and not commas:
        raise ValueError(f"a comma that may be a decimal point: {text!r}")
    bare = re.sub(r"(?i)us\$|usd|\$|\s", "", text)
    negative = bare.startswith("(") and bare.endswith(")")
    bare = bare.strip("()")
    if not _PLAIN.fullmatch(bare):
        raise ValueError(f"no amount of dollars: {text!r}")
    try:
        value = Decimal(bare.replace(",", ""))
    except InvalidOperation:
        raise ValueError(f"no amount of dollars: {text!r}") from None
    if abs(value) > MOST_DOLLARS:
        raise ValueError(f"more than a bill can be: {text!r}")
    exponent = value.as_tuple().exponent
    return Amount(nusd(-value if negative else value), max(0, -exponent) if isinstance(exponent, int) else 0)


def read_quantity(text: str, unit: str = "") -> int | None:
    """A count of pictures or calls; ``None`` where there is none, or it counts something else."""
    if not text or (unit and not any(word in unit for word in _PICTURES)):
        return None
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    whole = value.is_finite() and value == value.to_integral_value() and 0 <= value <= MOST_DOLLARS
    return int(value) if whole else None


def moment(text: str) -> tuple[date | None, float | None]:
    """A day, or a moment in seconds since the epoch where there is a time of day. Raises ``ValueError``.

    A time without an offset is taken for UTC, as consoles write it. Midnight to the second stands for the whole day.
    """
    if not text:
        raise ValueError("there is no date")
    for form in _DAY_FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date(), None
        except ValueError:
            continue
    if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
        seconds = float(text) / (1000 if float(text) > EARLIEST_S * 100 else 1)
        return None, seconds
    try:
        found = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:
        raise ValueError(f"no date: {text!r}") from None
    if found.time() == MIDNIGHT:
        return found.date(), None
    return None, (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
