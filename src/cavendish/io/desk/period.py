"""Period: the stretch of time that a key's budget is for, by the calendar of its gateway."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum

from ..spend.calendar import Calendar, Period


class Per(StrEnum):
    """What a budget is for. A week begins on Monday; ``TOTAL`` never ends."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


def first_day(calendar: Calendar, per: Per, wall_s: float) -> str:
    """The first day of the stretch that a moment lies in; empty where there is none."""
    match per:
        case Per.TOTAL:
            return ""
        case Per.WEEK:
            return _monday(calendar, wall_s).isoformat()
        case _:
            return calendar.first(Period(per.value), wall_s)


def ends_at(calendar: Calendar, per: Per, wall_s: float) -> float | None:
    """The moment at which the next one begins (seconds since the epoch); ``None`` for never."""
    match per:
        case Per.TOTAL:
            return None
        case Per.WEEK:
            return calendar.began((_monday(calendar, wall_s) + timedelta(days=7)).isoformat())
        case _:
            return calendar.ends(Period(per.value), wall_s)


def _monday(calendar: Calendar, wall_s: float) -> date:
    today = date.fromisoformat(calendar.day(wall_s))
    return today - timedelta(days=today.weekday())
