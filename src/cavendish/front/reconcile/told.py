"""Told: accounts as a table and sentences for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...model.money import as_float, dollars
from .difference import Account

HEAD = ("BILL", "CALLS", "OURS", "THEIRS", "DIFFERENCE", "EXPLAINED", "UNEXPLAINED")


def signed(amount_nusd: int) -> str:
    """An amount with its sign: ``+$0.0670``; nothing is ``$0.0000``."""
    sign = "-" if amount_nusd < 0 else "+" if amount_nusd else ""
    return sign + dollars(abs(amount_nusd))


def rows(accounts: Sequence[Account]) -> list[tuple[str, ...]]:
    """The table: a row for each bill, and the sums when there are several."""
    found = [_row(account.source, (account,)) for account in accounts]
    return found if len(found) < 2 else [*found, _row("all", accounts)]


def _row(name: str, accounts: Sequence[Account]) -> tuple[str, ...]:
    return (
        name,
        f"{sum(account.calls for account in accounts):,}",
        dollars(sum(account.ours_nusd for account in accounts)),
        dollars(sum(account.theirs_nusd for account in accounts)),
        signed(sum(account.difference_nusd for account in accounts)),
        signed(sum(account.explained_nusd for account in accounts)),
        signed(sum(account.unexplained_nusd for account in accounts)),
    )


def sentences(accounts: Iterable[Account]) -> list[tuple[str, str, str]]:
    """Each difference: its class, its amount, and why."""
    return [
        (part.kind.value, signed(part.amount_nusd), part.text) for account in accounts for part in account.differences
    ]


def to_json(accounts: Iterable[Account]) -> list[dict[str, Any]]:
    """For programs: dollars as floats, and exactly in nano-dollars."""
    return [
        {
            "source": account.source,
            "calls": account.calls,
            "ours": as_float(account.ours_nusd),
            "theirs": as_float(account.theirs_nusd),
            "difference": as_float(account.difference_nusd),
            "difference_nusd": account.difference_nusd,
            "explained_nusd": account.explained_nusd,
            "unexplained_nusd": account.unexplained_nusd,
            "is_explained": account.is_explained,
            "left_out": list(account.left_out),
            "differences": [
                {
                    "class": part.kind.value,
                    "amount_nusd": part.amount_nusd,
                    "calls": part.calls,
                    "settles": sum(len(verdict.costs_nusd) for verdict in part.verdicts),
                    "text": part.text,
                }
                for part in account.differences
            ],
        }
        for account in accounts
    ]
