"""DayCount: a quota that is renewed at midnight of somebody else's zone.

Pacific time and zones without summer time are worked out here, so that no table has to be read or be there at all:
Windows has none. Any other zone is looked up in the system's tables when its ``day_ends`` is made.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..model.request import JsonValue

DayEnds = Callable[[float], float]
"""From a moment (seconds since the epoch) to the end of the quota's day that it lies in."""

PACIFIC = "America/Los_Angeles"

FIXED_HOURS = {"UTC": 0, "Asia/Shanghai": 8, "Asia/Singapore": 8, "Asia/Tokyo": 9}

HOUR_S = 3600.0
DAY = timedelta(days=1)
SUNDAY = 7

LONGEST_DAY_S = 25 * HOUR_S
STEP_BACK_S = 12 * HOUR_S

ROUNDING_S = 0.001
"""Seconds since the epoch are a quarter of a microsecond apart as floats: a wait must not end just before midnight."""

RENEWAL_S = 900.0
"""For so long after midnight a refusal may still be about the day before: clocks differ, and resets take their time."""


def day_ends(zone: str) -> DayEnds:
    """Midnights of a zone; days of 23 and 25 hours come out as they are.

    Raises ``ValueError`` when the zone is not known. May read a table of the system, so not for an event loop.
    """
    if zone == PACIFIC:
        return _pacific_day_ends
    place = _place(zone)

    def ends(wall_s: float) -> float:
        tomorrow = datetime.fromtimestamp(wall_s, place).date() + DAY
        return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=place).timestamp()

    return ends


def _place(zone: str) -> tzinfo:
    if zone in FIXED_HOURS:
        return timezone(timedelta(hours=FIXED_HOURS[zone]))
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no such time zone: {zone} (systems without zone tables need the package tzdata)") from error


def _pacific_day_ends(wall_s: float) -> float:
    # By standard time the date is right but for the hour before midnight in summer.
    today = datetime.fromtimestamp(wall_s - 8 * HOUR_S, UTC).date()
    end = _pacific_midnight(today + DAY)
    return end if wall_s < end else _pacific_midnight(today + 2 * DAY)


def _pacific_midnight(day: date) -> float:
    """The first moment of a day, by the rule in force since 2007 (Energy Policy Act of 2005, section 110).

    Summer time lasts from the second Sunday of March to the first of November, two in the morning.
    """
    summer = _sunday_from(date(day.year, 3, 8)) < day <= _sunday_from(date(day.year, 11, 1))
    hours = 7 if summer else 8
    return datetime(day.year, day.month, day.day, hours, tzinfo=UTC).timestamp()


def _sunday_from(day: date) -> date:
    return day + timedelta(days=SUNDAY - day.isoweekday())


class DayCount:
    """Requests of the current day against a limit (``None``: not known).

    The wall clock may jump. A step back of up to half a day past midnight is a correction: the day stays. A longer one
    says that the clock had run ahead, so what was counted since belongs to the day it fell back to. Coming back to a
    day that was counted before resumes its count. So no jump gives a day's quota twice.
    """

    __slots__ = ("_end_s", "_ends", "_exhausted", "_past", "limit", "used")

    def __init__(self, limit: int | None, ends: DayEnds) -> None:
        self.limit = limit
        self.used = 0
        self._ends = ends
        self._end_s = 0.0
        self._past: tuple[float, int] = (0.0, 0)
        self._exhausted = False

    def day(self, wall_s: float) -> float:
        """Which day it is, told by its end (seconds since the epoch)."""
        if wall_s >= self._end_s or wall_s < self._end_s - LONGEST_DAY_S - STEP_BACK_S:
            self._turn(self._ends(wall_s))
        return self._end_s

    def left_s(self, wall_s: float, amount: int) -> float | None:
        """Seconds until the day ends when it has no room for so much, else ``None``."""
        end = self.day(wall_s)
        if not self._exhausted and (self.limit is None or self.used + min(amount, self.limit) <= self.limit):
            return None
        return end - wall_s + ROUNDING_S

    def take(self, amount: int) -> None:
        """Count so many requests to the current day."""
        self.used += amount

    def give_back(self, day: float, amount: int) -> None:
        """Undo a ``take`` of that day."""
        if day == self._end_s:
            self.used -= amount

    def exhaust(self) -> None:
        """The provider says that there is nothing left today."""
        self._exhausted = True

    def forget(self) -> None:
        """What the provider said of today is not believed any more."""
        self._exhausted = False

    def is_young(self, wall_s: float) -> bool:
        """Whether midnight was so lately that a refusal may be about the day before."""
        return self._ends(wall_s - RENEWAL_S) < self._end_s

    def _turn(self, end_s: float) -> None:
        past_end, past_used = self._past
        left = (self._end_s, self.used)
        if end_s > self._end_s:
            self.used = max(self.used, past_used) if end_s == past_end else 0
        elif end_s == past_end:
            self.used += past_used
        self._past, self._end_s, self._exhausted = left, end_s, False

    def to_state(self) -> JsonValue:
        """As JSON values; moments as seconds since the epoch."""
        return {"end": self._end_s, "used": self.used, "past": list(self._past), "exhausted": self._exhausted}

    def restore(self, state: JsonValue) -> None:
        """Take over what ``to_state`` gave."""
        self._end_s, self.used, self._exhausted = state["end"], state["used"], state["exhausted"]
        self._past = (state["past"][0], state["past"][1])
