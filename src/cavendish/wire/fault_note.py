"""A fault in our own words, as a member beside a provider's error that cannot say all of it.

From one Cavendish to the next: a gateway's client reads the very fault. Other clients pass the member over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from ..model.fault import Charged, Fault, FaultKind, Scope
from ..model.usage import NOTHING_USED, Usage
from .http_faults import scope_of
from .reading import count, integer, mapping, text, word

MEMBER: Final = "cavendish"
"""The name of the member."""

_TOLD: Final = ("kind", "charged", "scope", "limit", "limit_value", "text", "usage")


def noted(error: Mapping[str, Any], fault: Fault, read: Callable[[Mapping[str, Any]], Fault]) -> dict[str, Any]:
    """The error object, with the note where it would be read as another fault than it was made of."""
    again = read(error)
    same = all(getattr(again, name) == getattr(fault, name) for name in _TOLD)
    if same and (again.reason == fault.reason or not fault.reason):
        return dict(error)
    return {**error, MEMBER: _note(fault)}


def _note(fault: Fault) -> dict[str, Any]:
    used = {name: value for name, value in asdict(fault.usage).items() if value}
    said = {
        "kind": fault.kind.value,
        "charged": fault.charged.value,
        "scope": fault.scope.value,
        "reason": fault.reason,
        "limit": fault.limit,
        "limitValue": fault.limit_value,
        "text": fault.text,
        "usage": used,
    }
    return {name: value for name, value in said.items() if value not in ("", None, {})}


def read_note(error: Any) -> Fault | None:
    """The fault of the note beside an error, without message and status; ``None`` when there is none. Never raises."""
    note = mapping(error, MEMBER)
    kind = word(note, "kind", FaultKind)
    if kind is None:
        return None
    return Fault(
        kind,
        charged=word(note, "charged", Charged) or Charged.UNKNOWN,
        scope=word(note, "scope", Scope) or scope_of(kind),
        reason=text(note, "reason"),
        limit=text(note, "limit"),
        limit_value=integer(note, "limitValue"),
        text=text(note, "text"),
        usage=_usage(mapping(note, "usage")),
    )


def _usage(used: Mapping[str, Any]) -> Usage:
    if not used:
        return NOTHING_USED
    counts = {f.name: count(used, f.name) for f in fields(Usage) if f.name != "cost_nusd"}
    return Usage(**counts, cost_nusd=integer(used, "cost_nusd"))
