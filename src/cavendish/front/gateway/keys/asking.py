"""Asking: a wish for a new key or for figures of use, read from what a person or a program said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from ....errors import RequestError
from ....io.desk.keys import KeyEntry, KeyRules, Role, fresh_id
from ....io.desk.period import Per
from ....io.desk.use import BY, EVER, UseQuestion
from ....model.money import NUSD_PER_USD
from ... import said

DAY_S: Final = 86_400.0
UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY_S, "w": 7 * DAY_S}
_LENGTH: Final = re.compile(r"(\d{1,6})([smhdw])")
LONGEST_S: Final = 36_500 * DAY_S
"""A century: what is longer means for ever, and calendars end."""

MAX_RATE: Final = 1_000_000
MOST_NUSD: Final = 1_000_000_000 * NUSD_PER_USD
"""A billion dollars: sums of such amounts are within what a database can hold."""
WORDS: Final = ("models", "routes")
FIELDS: Final = frozenset({"name", "role", "budget", "per", "rpm", "ipm", "expires", "max_price", "max_n", *WORDS})


def key_of_wish(wish: Mapping[str, Any], now: float, endpoints: Sequence[str]) -> KeyEntry:
    """The key that is wished for; without a name it is called by its id. Raises ``RequestError``."""
    unknown = sorted(wish.keys() - FIELDS)
    if unknown:
        raise RequestError(f"a key has no {unknown[0]}", field=unknown[0], allowed=sorted(FIELDS))
    key_id = fresh_id()
    name = said.text("name", key_id if wish.get("name") is None else wish["name"]).strip()
    # What is empty was not said; what is 0 was, and is wrong.
    wish = {field: value for field, value in wish.items() if value not in (None, "", (), [])}
    expires = wish.get("expires")
    role = _one_of("role", wish.get("role", Role.USER), Role)
    return KeyEntry(
        id=key_id,
        name=name,
        role=Role(role),
        rules=_rules(wish, endpoints),
        created_at=now,
        expires_at=None if expires is None else now + seconds("expires", expires),
    )


def _rules(wish: Mapping[str, Any], endpoints: Sequence[str]) -> KeyRules:
    models, routes = (_words(name, wish.get(name, ())) for name in WORDS)
    for route in routes:
        if route not in endpoints:
            raise RequestError(f"no endpoint is named {route!r}", field="routes", allowed=endpoints)
    budget = _money("budget", wish.get("budget"))
    if wish.get("per") is not None and budget is None:
        raise RequestError("--per says what a budget is for: name a budget, too", field="per")
    return KeyRules(
        budget_nusd=budget,
        per=Per(_one_of("per", wish.get("per", Per.TOTAL), Per)),
        rpm=_count("rpm", wish.get("rpm")),
        ipm=_count("ipm", wish.get("ipm")),
        models=models,
        routes=routes,
        max_price_nusd=_money("max_price", wish.get("max_price")),
        max_n=_count("max_n", wish.get("max_n")),
    )


def seconds(field: str, words: object) -> float:
    """A stretch of time: ``90d``, ``12h``, ``30m``. Raises ``RequestError``."""
    match = _LENGTH.fullmatch(str(words).strip())
    if match is None or not int(match[1]):
        raise RequestError(f"{field} is a time such as 90d, 12h or 30m, not {words!r}", field=field)
    return min(int(match[1]) * UNITS_S[match[2]], LONGEST_S)


def question_of(wish: Mapping[str, Any], key: str) -> UseQuestion:
    """Which use is asked for. ``key`` is the id of the key that it is of, empty for all. Raises ``RequestError``."""
    by = _words("by", wish.get("by") or "day")
    for name in by:
        _one_of("by", name, BY)
    days = {name: _day(name, wish.get(name)) for name in ("since", "until")}
    model = said.text("model", wish.get("model") or "")
    if not model.isprintable():
        raise RequestError("model is the name of a model", field="model")
    return UseQuestion(by, key, model, days["since"], days["until"] or EVER)


def _one_of(field: str, value: object, allowed: Any) -> str:
    names = tuple(str(name) for name in allowed)
    if str(value) not in names:
        raise RequestError(f"{field} is one of {', '.join(names)}, not {value}", field=field, allowed=names)
    return str(value)


def _words(field: str, value: object) -> tuple[str, ...]:
    """Words, as a list or divided by commas."""
    listed = tuple(value.split(",")) if isinstance(value, str) else said.words(field, value)
    return tuple(stripped for word in listed if (stripped := word.strip()))


def _money(field: str, value: object) -> int | None:
    if value is None:
        return None
    amount = said.money(field, value)
    if amount == 0 or amount > MOST_NUSD:
        raise RequestError(f"{field} is an amount of dollars above 0, not {value!r}", field=field)
    return amount


def _count(field: str, value: object) -> int | None:
    if value is None:
        return None
    return said.whole(field, value, 1, MAX_RATE)


def _day(field: str, value: object) -> str:
    if not value:
        return ""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise RequestError(f"{field} is a day such as 2026-11-01, not {value!r}", field=field) from None
