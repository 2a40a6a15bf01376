"""Days and months of caps, at midnights of a zone: days of 23 and 25 hours, and one whose midnight is not there."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.io.spend.calendar import UTC_CALENDAR, Calendar, Period

ZONES = ("UTC", "America/New_York", "America/Los_Angeles", "Asia/Kathmandu", "America/Santiago", "Pacific/Apia")


def at(words: str, zone: str) -> float:
    return datetime.fromisoformat(words).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    "zone, moment, day, ends",
    [
        ("UTC", "2026-11-21 23:59:59", "2026-11-21", "2026-11-22 00:00"),
        ("America/New_York", "2026-11-01 12:00", "2026-11-01", "2026-11-02 00:00"),
        ("America/New_York", "2026-03-08 01:30", "2026-03-08", "2026-03-09 00:00"),
        # Chile puts its clocks forward at midnight: the day begins at one.
        ("America/Santiago", "2026-09-05 23:00", "2026-09-05", "2026-09-06 01:00"),
    ],
)
def test_the_end_of_a_day(zone, moment, day, ends):
    calendar, now_s = Calendar(ZoneInfo(zone)), at(moment, zone)
    assert calendar.day(now_s) == day
    assert calendar.first(Period.DAY, now_s) == day
    assert calendar.ends(Period.DAY, now_s) == at(ends, zone)


@pytest.mark.parametrize("day, hours", [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-02", 24)])
def test_a_day_may_have_an_hour_more_or_less(day, hours):
    calendar = Calendar(ZoneInfo("America/New_York"))
    began = at(day, "America/New_York")
    assert calendar.ends(Period.DAY, began) - began == hours * 3600


@pytest.mark.parametrize(
    "moment, first, ends",
    [
        ("2026-11-21 10:00", "2026-11-01", "2026-12-01"),
        ("2026-12-31 23:59", "2026-12-01", "2027-01-01"),
        ("2027-01-31 00:00", "2027-01-01", "2027-02-01"),
        ("2028-02-29 12:00", "2028-02-01", "2028-03-01"),
    ],
)
def test_months(moment, first, ends):
    assert UTC_CALENDAR.first(Period.MONTH, at(moment, "UTC")) == first
    assert UTC_CALENDAR.ends(Period.MONTH, at(moment, "UTC")) == at(ends, "UTC")


@given(wall_s=st.floats(0, 4e9), zone=st.sampled_from(ZONES), period=st.sampled_from(Period))
def test_a_period_ends_where_the_next_begins(wall_s, zone, period):
    calendar = Calendar(ZoneInfo(zone))
    end = calendar.ends(period, wall_s)
    assert wall_s < end
    assert calendar.first(period, end - 0.001) == calendar.first(period, wall_s)
    assert calendar.first(period, end) == calendar.day(end) > calendar.day(wall_s)


def test_without_a_zone_it_is_the_machines(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        now_s = datetime(2026, 11, 21, 20, tzinfo=UTC).timestamp()
        assert Calendar().day(now_s) == "2026-11-22"
        assert Calendar().ends(Period.DAY, now_s) == at("2026-11-23", "Asia/Tokyo")
        assert Calendar().told(now_s) == "2026-11-22 05:00 JST"
    finally:
        monkeypatch.undo()
        time.tzset()
