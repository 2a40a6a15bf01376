"""Calendar: the days and months that caps are for, by the clocks on the wall of one zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

BORDER_S = 2.0
"""So long before midnight no money is set aside: a call that was let in belongs to the day that it leaves on."""


class Period(StrEnum):
    """What a cap is for."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Calendar:
    """``zone`` is ``None`` for the zone that this machine is set to. Days are written as ``2026-11-21``."""

    zone: tzinfo | None = None

    def day(self, wall_s: float) -> str:
        """The day that a moment (seconds since the epoch) lies in."""
        return self._at(wall_s).date().isoformat()

    def first(self, period: Period, wall_s: float) -> str:
        """The first day of the period that a moment lies in."""
        today = self._at(wall_s).date()
        return (today if period is Period.DAY else today.replace(day=1)).isoformat()

    def ends(self, period: Period, wall_s: float) -> float:
        """The moment at which the next such period begins."""
        today = self._at(wall_s).date()
        if period is Period.DAY:
            return self._midnight(today + timedelta(days=1))
        return self._midnight((today.replace(day=1) + timedelta(days=32)).replace(day=1))

    def told(self, wall_s: float) -> str:
        """A moment for people: ``2026-12-01 00:00 UTC``."""
        at = self._at(wall_s)
        return f"{at:%Y-%m-%d %H:%M} {at.tzname() or ''}".rstrip()

    def began(self, day: str) -> float:
        """The moment at which a day begins."""
        return self._midnight(date.fromisoformat(day))

    def _at(self, wall_s: float) -> datetime:
        at = datetime.fromtimestamp(wall_s, UTC)
        return at.astimezone(self.zone)

    def _midnight(self, day: date) -> float:
        """The first moment of a day. Where clocks are put forward at midnight, there is none: then the next."""
        naive = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - of the machine's zone when there is none
        at = (naive if self.zone is None else naive.replace(tzinfo=self.zone)).timestamp()
        # An hour that is not there is read as the one before: it still belongs to the day that ended.
        while self.day(at) < day.isoformat():
            at += 900.0
        return at


UTC_CALENDAR = Calendar(UTC)
