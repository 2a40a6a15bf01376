"""Shown: keys and their use for people and programs. What is shown of a key opens nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ....io.desk.allowance import Spent
from ....io.desk.keys import KeyEntry
from ....io.desk.use import Use, UseQuestion, total
from ....model.money import as_float
from ..wants import ANYBODY

COUNTED: Final = ("requests", "pictures", "failed", "cost", "unknown")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would take a cell that begins so for a formula."""


def key_object(entry: KeyEntry, now: float, spent: Spent | None = None) -> dict[str, Any]:
    """A key, without anything that opens a door."""
    rules = entry.rules
    return {
        "object": "key",
        "id": entry.id,
        "name": entry.name,
        "key": f"{entry.shown}…" if entry.shown else "",
        "role": str(entry.role),
        "state": entry.state(now),
        "created": _moment(entry.created_at),
        "expires": _moment(entry.expires_at),
        "revoked": _moment(entry.revoked_at),
        "budget": _money(rules.budget_nusd),
        "per": str(rules.per) if rules.budget_nusd is not None else None,
        "rpm": rules.rpm,
        "ipm": rules.ipm,
        "models": list(rules.models),
        "routes": list(rules.routes),
        "max_price": _money(rules.max_price_nusd),
        "max_n": rules.max_n,
        **({} if spent is None else spent_object(spent)),
    }


def spent_object(spent: Spent) -> dict[str, Any]:
    """How a budget stands: ``held`` is set aside for requests at work."""
    return {"spent": _money(spent.spent_nusd), "held": _money(spent.held_nusd), "renewed": _moment(spent.ends_at)}


def use_object(lines: Sequence[Use], question: UseQuestion, names: Mapping[str, str]) -> dict[str, Any]:
    """Figures of use. Money in dollars; ``unknown`` is what calls of unknown fate may have cost."""
    data = [_line(line, question, names) for line in lines]
    whole = _line(total(list(lines)), UseQuestion(by=()), names)
    return {"object": "usage", "by": list(question.by), "data": data, "total": whole}


def use_csv(lines: Iterable[Use], question: UseQuestion, names: Mapping[str, str]) -> str:
    """The same as a table for spreadsheets."""
    written = io.StringIO()
    columns = [*_columns(question), *COUNTED]
    table = csv.DictWriter(written, columns, lineterminator="\r\n")
    table.writeheader()
    for line in lines:
        cells = _line(line, question, names)
        table.writerow({name: _safe(cells[name]) for name in columns})
    return written.getvalue()


def names_of_keys(entries: Iterable[KeyEntry]) -> dict[str, str]:
    """What people call each key."""
    return {ANYBODY: "(no key)", **{entry.id: entry.name for entry in entries}}


def _columns(question: UseQuestion) -> list[str]:
    return [name for by in question.by for name in (("key", "key_id") if by == "key" else (by,))]


def _line(line: Use, question: UseQuestion, names: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {name: getattr(line, name) for name in question.by}
    if "key" in told:
        told |= {"key": names.get(line.key, line.key), "key_id": line.key}
    counts = {"requests": line.requests, "pictures": line.pictures, "failed": line.failed}
    return {**told, **counts, "cost": as_float(line.billed_nusd), "unknown": as_float(line.unknown_nusd)}


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _money(amount_nusd: int | None) -> float | None:
    return None if amount_nusd is None else as_float(amount_nusd)


def _moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
