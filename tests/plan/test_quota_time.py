"""When a job will be done: by hand, and against a brute-force clock."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.cards import Limits
from cavendish.model.money import nusd
from cavendish.plan.quota_time import DAY_S, Finish, Load, Starts, Today, finish_time

BY_HAND = [
    # pictures, limits, latency, seconds, what decides
    (0, Limits(requests_per_minute=10), 12.5, 0.0, ""),
    (1, Limits(), 12.5, 12.5, ""),
    (1000, Limits(), 12.5, 12.5, ""),
    (10, Limits(requests_per_minute=10), 12.5, 12.5, ""),
    (11, Limits(requests_per_minute=10), 12.5, 72.5, "requests_per_minute"),
    (100, Limits(requests_per_minute=10), 12.5, 9 * 60 + 12.5, "requests_per_minute"),
    (100, Limits(requests_per_minute=60), 12.5, 60 + 12.5, "requests_per_minute"),
    (100, Limits(requests_per_minute=60, images_per_minute=10), 12.5, 552.5, "images_per_minute"),
    (7, Limits(in_flight=2), 10.0, 40.0, "in_flight"),
    (20, Limits(in_flight=5, requests_per_minute=10), 100.0, 400.0, "in_flight"),
    # Ten at once, then the in-flight places come free before the minute is over.
    (20, Limits(in_flight=10, requests_per_minute=10), 10.0, 70.0, "requests_per_minute"),
    (2500, Limits(requests_per_minute=1000, requests_per_day=1000), 5.0, 2 * DAY_S + 5.0, "requests_per_day"),
    (1001, Limits(requests_per_day=1000), 5.0, DAY_S + 5.0, "requests_per_day"),
]


@pytest.mark.parametrize("pictures,limits,latency_s,seconds,why", BY_HAND)
def test_by_hand(pictures, limits, latency_s, seconds, why):
    assert finish_time(pictures, limits, latency_s) == Finish(seconds, why)


def test_spend_in_ten_minutes():
    """$10 in ten minutes are 149 pictures at $0.067: the 150th waits until the first is ten minutes old."""
    limits, load = Limits(spend_per_10_minutes_nusd=nusd(10)), Load(nusd=nusd("0.067"))
    assert finish_time(149, limits, 12.5, load) == Finish(12.5)
    assert finish_time(150, limits, 12.5, load) == Finish(612.5, "spend_per_10_minutes")
    assert finish_time(1000, limits, 12.5, load) == Finish(6 * 600 + 12.5, "spend_per_10_minutes")
    assert finish_time(1000, limits, 12.5) == Finish(12.5)


def test_spend_and_requests_together():
    """149 pictures at 100 a minute take two bursts; the 150th waits for the money of the first, not the second."""
    limits = Limits(requests_per_minute=100, spend_per_10_minutes_nusd=nusd(10))
    load = Load(nusd=nusd("0.067"))
    assert finish_time(149, limits, 10.0, load).seconds == 70.0
    assert finish_time(150, limits, 10.0, load).seconds == 610.0
    assert finish_time(249, limits, 10.0, load).seconds == 610.0
    assert finish_time(250, limits, 10.0, load).seconds == 670.0


def test_tokens_per_minute():
    limits, load = Limits(tokens_per_minute=100_000), Load(tokens=1_200)
    assert finish_time(83, limits, 10.0, load) == Finish(10.0)
    assert finish_time(84, limits, 10.0, load) == Finish(70.0, "tokens_per_minute")


def test_the_day_ends_when_it_ends():
    limits = Limits(requests_per_day=100)
    assert finish_time(100, limits, 5.0, today=Today(600.0)) == Finish(5.0)
    assert finish_time(101, limits, 5.0, today=Today(600.0)).seconds == 605.0
    assert finish_time(201, limits, 5.0, today=Today(600.0)).seconds == 600.0 + DAY_S + 5.0


def test_a_job_that_runs_past_midnight_has_the_new_day_from_there_on():
    """One at 0 s, fifteen from 60 s on, and the seventeenth when the day after begins."""
    limits = Limits(images_per_minute=1, requests_per_day=15)
    assert finish_time(16, limits, 1.0, today=Today(60.0)) == Finish(15 * 60 + 1.0, "images_per_minute")
    assert finish_time(17, limits, 1.0, today=Today(60.0)).seconds == 60 + DAY_S + 1.0


def test_days_on_which_nothing_starts_lend_nothing():
    """Three calls that last three days and 90 s: when they end, that day still has room for two and no more."""
    limits = Limits(requests_per_minute=1, in_flight=3, requests_per_day=2)
    latency_s = 3 * DAY_S + 90
    assert finish_time(5, limits, latency_s, today=Today(90.0)).seconds == 3 * DAY_S + 150 + latency_s
    assert finish_time(6, limits, latency_s, today=Today(90.0)).seconds == 4 * DAY_S + 90 + latency_s


def test_one_picture_that_is_more_than_a_limit_allows_is_never_done():
    limits = Limits(spend_per_10_minutes_nusd=nusd("0.01"))
    assert finish_time(1, limits, 5.0, Load(nusd=nusd("0.067"))) == Finish(inf, "spend_per_10_minutes")


def test_a_day_of_which_something_is_used():
    """Of 250 a day 200 are gone: 50 now, 250 after midnight, the rest a day later."""
    limits, today = Limits(requests_per_day=250), Today(ends_in_s=7200.0, used=200)
    assert finish_time(50, limits, 5.0, today=today) == Finish(5.0)
    assert finish_time(51, limits, 5.0, today=today) == Finish(7205.0, "requests_per_day")
    assert finish_time(300, limits, 5.0, today=today).seconds == 7205.0
    assert finish_time(301, limits, 5.0, today=today).seconds == 7200.0 + DAY_S + 5.0
    assert finish_time(1, limits, 5.0, today=Today(7200.0, used=251)).seconds == 7205.0


def test_pictures_of_one_call():
    """Four pictures a call count four times where pictures are counted, and once where requests are."""
    limits, load = Limits(requests_per_minute=10, images_per_minute=10), Load(pictures=4)
    assert finish_time(2, limits, 5.0, load) == Finish(5.0)
    assert finish_time(3, limits, 5.0, load) == Finish(65.0, "images_per_minute")


def test_no_call_a_day():
    assert finish_time(1, Limits(requests_per_day=0), 5.0) == Finish(inf, "requests_per_day")


def test_when_calls_start():
    starts = Starts.of(25, Limits(requests_per_minute=10), 5.0, Load(), Today())
    assert [starts.by(at) for at in (-1.0, 0.0, 59.9, 60.0, 1e9)] == [0, 10, 10, 20, 25]
    assert [starts.of_call(number) for number in (1, 10, 11, 25, 26)] == [0.0, 0.0, 60.0, 120.0, inf]


def test_a_million_pictures_go_by_bursts():
    assert finish_time(1_000_000, Limits(requests_per_minute=5_000), 12.5).seconds == 199 * 60 + 12.5


def brute_force(pictures, limits, latency_s, load, until_new_day_s):
    """Start each call at the first moment at which every window has room; room comes when a start leaves a window."""
    starts, now = [], 0
    while len(starts) < pictures:
        if now < until_new_day_s:
            today = len(starts)
        else:
            day = int((now - until_new_day_s) // DAY_S)
            today = sum(start >= until_new_day_s + day * DAY_S for start in starts)
        minute = sum(start > now - 60 for start in starts)
        room = (
            (limits.requests_per_minute, minute + 1),
            (limits.images_per_minute, minute + 1),
            (limits.tokens_per_minute, (minute + 1) * load.tokens),
            (limits.spend_per_10_minutes_nusd, (sum(start > now - 600 for start in starts) + 1) * load.nusd),
            (limits.in_flight, sum(start > now - latency_s for start in starts) + 1),
            (limits.requests_per_day, today + 1),
        )
        if all(limit is None or wanted <= limit for limit, wanted in room):
            starts.append(now)
        else:
            leaving = (start + period for start in starts for period in (60, 600, latency_s))
            days = (until_new_day_s + day * DAY_S for day in range(pictures))
            now = min(moment for moment in (*leaving, *days) if moment > now)
    return starts[-1] + latency_s


def some(least, most):
    return st.none() | st.integers(least, most)


LIMITS = st.builds(
    Limits,
    requests_per_minute=some(1, 12),
    images_per_minute=some(1, 12),
    tokens_per_minute=some(5, 40),
    spend_per_10_minutes_nusd=some(5, 60),
    in_flight=some(1, 8),
    requests_per_day=some(15, 40),
)


@given(st.integers(1, 30), LIMITS, st.integers(1, 90), st.integers(0, 5), st.integers(0, 5), st.integers(60, 900))
def test_as_early_as_a_clock_would_find(pictures, limits, latency_s, tokens, money, until_new_day_s):
    load = Load(tokens, money)
    found = finish_time(pictures, limits, latency_s, load, today=Today(until_new_day_s))
    assert found.seconds == brute_force(pictures, limits, latency_s, load, until_new_day_s)
    assert bool(found.bound_by) == (found.seconds > latency_s)
