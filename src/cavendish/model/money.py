"""Money as whole nano-dollars, so that sums over a million pictures are exact to the cent.

Every price in the catalog (0.067 a picture, 0.18 per million tokens) is a whole number of nano-dollars.
Fields that hold such a number end in ``_nusd``.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

NUSD_PER_USD = 1_000_000_000
TOKENS_PER_PRICE_UNIT = 1_000_000


def nusd(amount: str | float | Decimal) -> int:
    """Dollars as nano-dollars, rounded half up: ``nusd("0.067") == 67_000_000``.

    Raises ``ValueError`` when the amount is not a finite number.
    """
    try:
        value = Decimal(str(amount))
        if not value.is_finite():
            raise ValueError
        return int((value * NUSD_PER_USD).to_integral_value(rounding=ROUND_HALF_UP))
    except (InvalidOperation, ValueError) as error:
        message = f"not an amount of dollars: {amount!r}"
        raise ValueError(message) from error


def dollars(amount_nusd: int, places: int = 4) -> str:
    """Nano-dollars as text for people: ``dollars(67_000_000) == "$0.0670"``."""
    value = Decimal(amount_nusd) / NUSD_PER_USD
    return f"${value:,.{places}f}"


def as_float(amount_nusd: int) -> float:
    """Nano-dollars as a float of dollars, for JSON output."""
    return amount_nusd / NUSD_PER_USD


def for_tokens(tokens: int, per_million_nusd: int) -> int:
    """The price of so many tokens at a price per million, in nano-dollars, rounded half up."""
    return (tokens * per_million_nusd + TOKENS_PER_PRICE_UNIT // 2) // TOKENS_PER_PRICE_UNIT
