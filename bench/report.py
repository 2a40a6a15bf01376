"""Report: tables on the screen, and in RESULTS.md between the marks of each benchmark."""

from __future__ import annotations

import math
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
PEERS = ("aiohttp", "async-batch-llm", "google-genai")


@dataclass(frozen=True)
class Budget:
    """A promise of the design: what was found, and whether that keeps it."""

    promise: str
    found: str
    met: bool

    def __str__(self) -> str:
        return f"{'met' if self.met else '**missed**'}: {self.promise}; found {self.found}"


@dataclass(frozen=True)
class Table:
    """What one benchmark found. ``figures`` are the numbers behind the rows, by peer."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: Mapping[str, Mapping[str, float]]
    budgets: Sequence[Budget] = field(default=())

    def to_markdown(self) -> str:
        lines = [
            f"**{self.title}**",
            "",
            f"| {' | '.join(self.columns)} |",
            f"|---{'|--:' * (len(self.columns) - 1)}|",
            *(f"| {' | '.join(row)} |" for row in self.rows),
        ]
        return "\n".join([*lines, "", *(f"- {budget}" for budget in self.budgets)]).strip() + "\n"


def ratio(figure: float, base: float) -> str:
    """How many times the base, in words."""
    return f"{figure / base:.2f}×" if base else "–"


def ratio_of(figure: float, base: float) -> float:
    """How many times the base; infinite when there is none."""
    return figure / base if base else math.inf


def mb(figures: Mapping[str, float]) -> str:
    """Peak memory, where it is known."""
    peak = figures["peak_mb"]
    return "–" if math.isnan(peak) else f"{peak:.0f}"


def machine() -> str:
    """What it ran on and with; nothing that names the machine."""
    found = [f"{name} {_version(name)}" for name in PEERS if _version(name)]
    python = f"Python {platform.python_version()}"
    return ", ".join((f"{datetime.now(UTC).date()}", f"{os.cpu_count()} cores", python, sys.platform, *found))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def record(name: str, tables: Sequence[Table], command: str) -> None:
    """Put the tables in their place in RESULTS.md; the words around the marks stay."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    if begin not in text:
        text = f"{text.rstrip()}\n\n## {name}\n\n{begin}\n{end}\n"
    body = "\n".join(table.to_markdown() for table in tables)
    place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    fresh = f"{begin}\n`{command}`; {machine()}\n\n{body}{end}"
    RESULTS.write_text(place.sub(lambda _: fresh, text), encoding="utf-8")
