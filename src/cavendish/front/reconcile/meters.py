"""Meters: readings of what an account has spent in all, kept so that the next one tells what was spent between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...engine.ports import Clock
from ...io.http.usage import Reading
from ...io.state.database import Link, open_database
from ...model.bill import Bill, BillLine

NAME = "meters"
MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE readings (
        meter TEXT NOT NULL,
        at REAL NOT NULL,
        spent_nusd INTEGER NOT NULL,
        PRIMARY KEY (meter, at)
    ) STRICT;
    """,
)
STEP_NUSD = 1_000
"""What is left of an amount that was a float on the way: a thousandth of a thousandth of a dollar."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A reading of an earlier day."""

    at: float
    spent_nusd: int


async def note(address: Path | str, meter: str, reading: Reading, clock: Clock) -> tuple[Noted | None, float]:
    """Write a reading down; gives the one before it, and when this one was made. Raises ``StateError``."""
    database = await open_database(address, NAME, MIGRATIONS, clock)

    def work(link: Link) -> tuple[Noted | None, float]:
        now = link.wall_s()
        found = link.run(
            "SELECT at, spent_nusd FROM readings WHERE meter = :meter ORDER BY at DESC LIMIT 1", meter=meter
        )
        before = Noted(*found[0]) if found else None
        if before is None or now > before.at:
            link.run(
                "INSERT INTO readings (meter, at, spent_nusd) VALUES (:meter, :at, :spent)",
                meter=meter,
                at=now,
                spent=reading.spent_nusd,
            )
        return before, now

    try:
        return await database.transact(work, lock=NAME)
    finally:
        await database.close()


def between(before: Noted, reading: Reading, now: float) -> Bill | None:
    """What was spent between two readings as a bill, ``None`` when the later one shows less: money was paid in."""
    spent = reading.spent_nusd - before.spent_nusd
    if spent < 0:
        return None
    line = BillLine(spent, step_nusd=STEP_NUSD, place="the difference of two readings")
    return Bill(reading.source, reading.endpoints, (line,), since=before.at, until=now)
