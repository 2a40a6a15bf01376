"""Quota windows, against worked examples and against a plain count."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.sim.quota import (
    Breach,
    DayWindow,
    FixedWindow,
    KeyQuota,
    Load,
    QuotaPlan,
    Quotas,
    SlidingWindow,
    TokenBucket,
    next_midnight,
)

PACIFIC = "America/Los_Angeles"


def test_fixed_window_opens_at_its_multiple():
    window = FixedWindow(2, 60.0)
    for at in (50.0, 59.0):
        assert window.wait_s(at, 1) == 0
        window.take(at, 1)
    assert window.wait_s(59.5, 1) == 0.5
    assert window.wait_s(60.0, 1) == 0


def test_sliding_window_frees_a_place_a_period_after_it_was_taken():
    window = SlidingWindow(2, 60.0)
    window.take(0.0, 1)
    window.take(20.0, 1)
    assert window.wait_s(30.0, 1) == 30.0
    assert window.wait_s(30.0, 2) == 50.0
    assert window.wait_s(60.0, 1) == 0
    assert window.used(60.0) == 1


def test_token_bucket_fills_evenly():
    window = TokenBucket(60, 60.0)
    window.take(0.0, 60)
    assert window.wait_s(0.0, 1) == pytest.approx(1.0)
    assert window.wait_s(10.0, 10) == 0
    assert window.wait_s(10.0, 15) == pytest.approx(5.0)
    assert window.wait_s(1000.0, 60) == 0
    assert window.used(1000.0) == 0


@pytest.mark.parametrize("make", [FixedWindow, SlidingWindow, TokenBucket])
def test_more_than_the_limit_passes_when_all_is_free(make):
    window = make(10, 60.0)
    assert window.wait_s(0.0, 500) == 0


steps = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 3)), max_size=40)


@given(steps, st.integers(3, 8))
def test_sliding_window_never_lets_more_than_its_limit_into_any_period(gaps, limit):
    window, now, taken = SlidingWindow(limit, 60.0), 0.0, []
    for gap, amount in gaps:
        now += gap
        if window.wait_s(now, amount) == 0:
            window.take(now, amount)
            taken.append((now, amount))
    for at, _ in taken:
        assert sum(n for when, n in taken if at <= when < at + 60.0) <= limit


@given(steps, st.integers(3, 8), st.sampled_from([FixedWindow, SlidingWindow, TokenBucket]))
def test_a_wait_is_exact(gaps, limit, make):
    """Just before the wait is over there is no room; when it is over there is."""
    window, now = make(limit, 60.0), 0.0
    for gap, amount in gaps:
        now += gap
        wait = window.wait_s(now, amount)
        if wait > 0.01:
            assert window.wait_s(now + wait - 0.01, amount) > 0
        assert window.wait_s(now + wait + 1e-6, amount) == 0
        now += wait + 1e-6
        window.take(now, amount)


@pytest.mark.parametrize(
    "moment, hours",
    [("2026-11-20T12:00", 12.0), ("2026-03-08T00:00", 23.0), ("2026-11-01T00:00", 25.0)],
)
def test_a_day_ends_at_midnight_pacific_whatever_its_length(moment, hours):
    zone = ZoneInfo(PACIFIC)
    wall = datetime.fromisoformat(moment).replace(tzinfo=zone).timestamp()
    assert next_midnight(wall, zone) - wall == hours * 3600


def test_day_window():
    wall = datetime(2026, 11, 20, 7, 30, tzinfo=UTC).timestamp()  # half an hour before midnight Pacific
    window = DayWindow(1, ZoneInfo(PACIFIC))
    window.take(wall, 1)
    assert window.wait_s(wall, 1) == 1800.0
    assert window.wait_s(wall + 1800.0, 1) == 0


def test_every_broken_limit_is_named_longest_wait_first():
    plan = QuotaPlan(requests_per_minute=1, images_per_minute=5, requests_per_day=1)
    quota = KeyQuota(plan, None, ZoneInfo(PACIFIC))
    wall = datetime(2026, 11, 20, 7, 30, tzinfo=UTC).timestamp()
    quota.take(Load(), 0.0, wall)
    assert quota.breaches(Load(), 10.0, wall + 10) == (Breach("day", 1, 1790.0, 1), Breach("requests", 1, 50.0, 1))
    assert quota.state(10.0, wall + 10) == {"requests": (1, 1), "images": (1, 5), "day": (1, 1)}


def test_tokens_count():
    quota = KeyQuota(QuotaPlan(tokens_per_minute=1000), None, ZoneInfo(PACIFIC))
    quota.take(Load(tokens=900), 0.0, 0.0)
    assert quota.breaches(Load(tokens=200), 1.0, 1.0) == (Breach("tokens", 1000, 59.0, 900),)


def test_models_of_a_key_count_apart_but_spend_together():
    quotas = Quotas(QuotaPlan(requests_per_minute=1, spend_per_10_minutes_nusd=100))
    one, other = quotas.of("k", "a"), quotas.of("k", "b")
    one.take(Load(), 0.0, 0.0)
    assert not other.breaches(Load(), 0.0, 0.0)
    one.spend(100, 0.0)
    assert [b.measure for b in other.breaches(Load(), 60.0, 60.0)] == ["nusd"]
    assert other.breaches(Load(), 60.0, 60.0)[0].wait_s == 540.0
    assert not quotas.of("another key", "a").breaches(Load(), 0.0, 0.0)
    assert {(key, model) for key, model, _ in quotas.known()} == {("k", "a"), ("k", "b"), ("another key", "a")}
