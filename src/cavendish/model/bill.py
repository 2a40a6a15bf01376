"""Bill: what a provider says it charged, line by line, as it was read from its API or from an export of its console."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill.

    ``amount_nusd`` is ``None`` where the line states none; ``step_nusd`` is what it is rounded to. ``id`` is the
    provider's name of the one call that the line is about, empty where it sums up several. ``at`` is the moment in
    seconds since the epoch, where the line has one; ``day`` its day. ``model`` is as the provider writes it, ``""``
    where the line is of all models. ``quantity`` counts pictures or calls, where that is stated. ``place`` says where
    the line stands, for people.
    """

    amount_nusd: int | None
    id: str = ""
    at: float | None = None
    day: date | None = None
    model: str = ""
    quantity: int | None = None
    step_nusd: int = 0
    place: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines from one source.

    ``endpoints`` are those whose calls are on it. ``complete``: all calls of its time are on it, ours or not; else it
    answers only for those that were asked about. ``since`` and ``until`` bound what it covers, in seconds since the
    epoch, where that is known; else its lines do. ``zone`` is the one whose midnight parts its days.
    """

    source: str
    endpoints: tuple[str, ...]
    lines: tuple[BillLine, ...]
    complete: bool = True
    since: float | None = None
    until: float | None = None
    zone: str = "UTC"
