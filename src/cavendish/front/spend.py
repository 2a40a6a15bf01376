"""Spend: what all runs spent, by day, model, endpoint or run, and what is left of each cap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ..errors import RequestError
from ..io.blobs.claim import INNER, held
from ..io.spend.book import BookedSum, RunEntry, SpendBook
from ..io.spend.calendar import Calendar
from ..io.spend.caps import CapState
from ..io.spend.sums import ListPrice, Sum
from ..model.money import as_float
from .spending import entry_of, sums_of

BY = ("day", "model", "endpoint", "run")
OTHERWISE = "(not known)"
"""Stands for the model of what a run held whose ledger is gone."""


@dataclass(frozen=True, slots=True)
class SpendLine:
    """A line of the report. ``run`` is set when it is about one."""

    name: str
    sum: Sum
    run: RunEntry | None = None

    def to_json(self) -> dict[str, Any]:
        """For programs: dollars."""
        about = {} if self.run is None else {"id": self.run.id, "title": self.run.title, "begun": self.run.begun}
        return {"name": self.name, **about, **_amounts(self.sum)}


@dataclass(frozen=True, slots=True)
class SpendReport:
    """What was spent from a day on (empty: ever). ``simulated`` runs are known, and cost nothing."""

    by: str
    since: str
    lines: tuple[SpendLine, ...]
    caps: tuple[CapState, ...]
    simulated: int = 0

    @property
    def total(self) -> Sum:
        """All lines together."""
        return _total(line.sum for line in self.lines)

    def to_json(self, calendar: Calendar) -> dict[str, Any]:
        """For programs: dollars, and moments as people write them."""
        return {
            "by": self.by,
            "since": self.since or None,
            "lines": [line.to_json() for line in self.lines],
            "total": _amounts(self.total),
            "caps": [_cap(state, calendar) for state in self.caps],
            "simulated_runs": self.simulated,
        }


async def report(book: SpendBook, by: str, since: str, wall_s: float) -> SpendReport:
    """Sum the book up. Raises ``StateError``."""
    runs = {run.id: run for run in await book.runs()}
    name_of: Mapping[str, Callable[[BookedSum], str]] = {
        "day": lambda line: line.key.day,
        "model": lambda line: line.key.model or OTHERWISE,
        "endpoint": lambda line: line.key.endpoint,
        "run": lambda line: line.run,
    }
    sums: dict[str, Sum] = {}
    for line in await book.lines(since):
        name = name_of[by](line)
        sums[name] = sums.get(name, Sum()).plus(line.sum)
    lines = tuple(_line(name, part, runs.get(name) if by == "run" else None) for name, part in sums.items())
    simulated = sum(run.simulated for run in runs.values())
    return SpendReport(by, since, _sorted(lines, by), tuple(await book.states(wall_s)), simulated)


def _line(name: str, part: Sum, run: RunEntry | None) -> SpendLine:
    return SpendLine(run.folder if run else name, part, run)


def _sorted(lines: Sequence[SpendLine], by: str) -> tuple[SpendLine, ...]:
    """Days and runs in their order, the rest by what it cost."""
    if by == "day":
        return tuple(sorted(lines, key=lambda line: line.name))
    if by == "run":
        return tuple(sorted(lines, key=lambda line: (line.run.begun if line.run else 0.0, line.name)))
    return tuple(sorted(lines, key=lambda line: (-line.sum.spent_nusd, line.name)))


def since_of(words: str | None, calendar: Calendar, wall_s: float) -> str:
    """A day (``2026-11-01``), or so many days back (``7d``). Raises ``RequestError``."""
    if not words:
        return ""
    said = words.strip().lower()
    if said.endswith("d") and said[:-1].isdigit():
        days = min(int(said[:-1]), 36_500)
        return (date.fromisoformat(calendar.day(wall_s)) - timedelta(days=days)).isoformat()
    try:
        return date.fromisoformat(said).isoformat()
    except ValueError:
        message = f"--since takes a day such as 2026-11-01, or a number of days such as 7d, not {words!r}"
        raise RequestError(message, field="since") from None


async def add_folder(book: SpendBook, root: Path, prices: ListPrice) -> RunEntry:
    """Take a run folder into the book as its ledger has it now; adding it again changes nothing.

    Raises ``FolderError`` when it is no run folder, or a process works on it, and ``StateError``.
    """

    def read() -> tuple[RunEntry, Any]:
        run = replace(entry_of(root), owner="")
        with held(root / INNER, "lock"):
            return run, {} if run.simulated else sums_of(root, book.calendar, prices)

    run, sums = await asyncio.to_thread(read)
    await book.add(run, sums)
    return run


def _amounts(part: Sum) -> dict[str, Any]:
    return {
        "attempts": part.attempts,
        "pictures": part.pictures,
        "billed": as_float(part.billed_nusd),
        "unknown": as_float(part.unknown_nusd),
        "saved": None if part.saved_nusd is None else as_float(part.saved_nusd),
    }


def _cap(state: CapState, calendar: Calendar) -> dict[str, Any]:
    return {
        "setting": state.cap.setting,
        "cap": as_float(state.cap.nusd),
        "spent": as_float(state.spent_nusd),
        "set_aside": as_float(state.held_nusd),
        "left": as_float(state.left_nusd),
        "renewed": calendar.told(state.ends_at),
    }


def _total(parts: Iterable[Sum]) -> Sum:
    total = Sum()
    for part in parts:
        total = total.plus(part)
    return total
