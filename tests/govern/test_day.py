from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.govern import day
from cavendish.govern.day import PACIFIC, DayCount, day_ends

HOUR = 3600.0
ENDS = day_ends(PACIFIC)


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    "moment, end",
    [
        # Winter: UTC-8. Summer: UTC-7.
        ("2026-01-15T20:00", "2026-01-16T08:00"),
        ("2026-01-16T07:59:59", "2026-01-16T08:00"),
        ("2026-01-16T08:00", "2026-01-17T08:00"),
        ("2026-07-15T20:00", "2026-07-16T07:00"),
        # 8 March 2026 has 23 hours, 1 November 2026 has 25.
        ("2026-03-08T08:00", "2026-03-09T07:00"),
        ("2026-11-01T07:00", "2026-11-02T08:00"),
        ("2026-11-02T07:59", "2026-11-02T08:00"),
    ],
)
def test_midnight_pacific(moment, end):
    assert ENDS(at(moment)) == at(end)


def test_another_zone():
    assert day_ends("Asia/Shanghai")(at("2026-05-01T12:00", "Asia/Shanghai")) == at("2026-05-02", "Asia/Shanghai")


@given(st.floats(at("2007-06-01T00:00"), at("2037-06-01T00:00")))
def test_pacific_by_rule_is_pacific_by_table(moment):
    place = ZoneInfo(PACIFIC)
    tomorrow = datetime.fromtimestamp(moment, place).date() + timedelta(days=1)
    assert ENDS(moment) == datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=place).timestamp()


def test_fixed_zones_are_what_the_tables_say():
    for zone, hours in day.FIXED_HOURS.items():
        for month in (1, 7):
            assert datetime(2026, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() == timedelta(hours=hours)


def test_a_zone_with_summer_time_of_its_own():
    assert day_ends("Europe/Berlin")(at("2026-03-29T12:00")) == at("2026-03-30", "Europe/Berlin")


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd"])
def test_an_unknown_zone_is_told(zone):
    with pytest.raises(ValueError, match="no such time zone"):
        day_ends(zone)


NOON = at("2026-02-02T12:00", PACIFIC)


def test_the_limit_of_a_day_and_its_renewal():
    count = DayCount(2, ENDS)
    assert count.left_s(NOON, 1) is None
    count.take(2)
    assert count.left_s(NOON, 1) == pytest.approx(12 * HOUR, abs=0.01)
    assert count.left_s(NOON + 12 * HOUR - 1, 1) == pytest.approx(1.0, abs=0.01)
    assert count.left_s(NOON + 12 * HOUR, 2) is None


def test_give_back_is_of_its_own_day():
    count = DayCount(1, ENDS)
    monday = count.day(NOON)
    count.take(1)
    count.give_back(monday, 1)
    assert count.left_s(NOON, 1) is None
    count.take(1)
    count.day(NOON + 24 * HOUR)
    count.take(1)
    count.give_back(monday, 1)
    assert count.left_s(NOON + 24 * HOUR, 1) is not None


def test_exhausted_without_a_known_limit():
    count = DayCount(None, ENDS)
    assert count.left_s(NOON, 10**6) is None
    count.exhaust()
    assert count.left_s(NOON, 1) == pytest.approx(12 * HOUR, abs=0.01)
    assert count.left_s(NOON + 12 * HOUR, 1) is None


@pytest.mark.parametrize("moment, young", [(0.0, True), (899.0, True), (901.0, False), (12 * HOUR, False)])
def test_young(moment, young):
    midnight = NOON + 12 * HOUR
    count = DayCount(1, ENDS)
    count.day(midnight + moment)
    assert count.is_young(midnight + moment) is young


def spend_up_to_the_limit(count: DayCount, wall: float) -> int:
    taken = 0
    while count.left_s(wall, 1) is None:
        count.take(1)
        taken += 1
    return taken


@pytest.mark.parametrize(
    "walls, taken",
    [
        # A correction over midnight does not give the day twice.
        ([12 * HOUR + 2, 12 * HOUR - 2, 12 * HOUR + 3], [10, 0, 0]),
        # The clock ran three days ahead and came back.
        ([0, 72 * HOUR, 1], [10, 10, 0]),
        # It fell back a week and was put right: the day resumes.
        ([0, -168 * HOUR, 10], [10, 0, 0]),
        # From 1970, as on a machine whose clock lost its battery.
        ([-NOON + 10 * HOUR, 0, 24 * HOUR], [10, 10, 10]),
        ([0, 24 * HOUR, 48 * HOUR], [10, 10, 10]),
    ],
)
def test_clock_jumps_do_not_give_a_day_twice(walls, taken):
    count = DayCount(10, ENDS)
    assert [spend_up_to_the_limit(count, NOON + wall) for wall in walls] == taken


@given(st.lists(st.tuples(st.floats(0, 6 * HOUR), st.integers(1, 3)), max_size=60), st.floats(-11 * HOUR, 0))
def test_never_more_than_the_limit_in_a_day_even_when_the_clock_is_set_back(steps, jump):
    count, wall, by_day = DayCount(5, ENDS), NOON, {}
    true = NOON
    for number, (step, amount) in enumerate(steps):
        wall += step + (jump if number == len(steps) // 2 else 0.0)
        true += step
        if count.left_s(wall, amount) is None:
            count.take(amount)
            by_day[count.day(wall)] = by_day.get(count.day(wall), 0) + amount
    assert all(used <= 5 for used in by_day.values())


def test_state_round_trip():
    count = DayCount(3, ENDS)
    count.day(NOON)
    count.take(2)
    copy = DayCount(3, ENDS)
    copy.restore(count.to_state())
    assert spend_up_to_the_limit(copy, NOON + 1) == 1
    assert spend_up_to_the_limit(copy, NOON + 24 * HOUR) == 3
    count.exhaust()
    copy.restore(count.to_state())
    assert spend_up_to_the_limit(copy, NOON + 1) == 0
