"""Days: the limits of minutes and days are kept and used up, over midnights, summer time and clocks that are wrong."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from cavendish.engine import run
from cavendish.govern.day import DayCount
from cavendish.govern.window import SlidingWindow
from cavendish.plan.quota_time import Today, finish_time
from tests.worlds.days import (
    AUTUMN,
    DAY_S,
    HOUR_S,
    LATENCY_S,
    PLAIN,
    SPRING,
    Calendar,
    Job,
    Tier,
    Times,
    ideal_s,
    midnight_after,
)

pytestmark = pytest.mark.worlds

TIERS = (
    Tier("slow", rpm=2, per_day=9),
    Tier("usual", rpm=10, per_day=35, algorithm="fixed_window"),
    Tier("bucket", rpm=10, per_day=35, algorithm="token_bucket"),
    Tier("quick", rpm=60, per_day=150),
    Tier("minutes", rpm=10),
    Tier("days", per_day=20),
)
SEEDS = range(8)
HOURS = (-11 * HOUR_S, -3 * HOUR_S, -HOUR_S, 0.0, HOUR_S, 3 * HOUR_S, 11 * HOUR_S)


def drawn(seed: int) -> Calendar:
    """One to three tiers, each with one to three runs that begin at different times; some days' worth of work."""
    dice = random.Random(seed)
    chosen = dice.sample(TIERS, dice.randint(1, 3))
    jobs: list[Job] = []
    for number, tier in enumerate(chosen):
        work = round((tier.per_day or 12 * (tier.rpm or 1)) * dice.uniform(0.3, 3.4))
        begins = [dice.choice([0.0, 0.0, 30.0, 5 * HOUR_S]) for _ in range(dice.randint(1, 3))]
        jobs += [Job(number, max(1, work // 2), after_s) for after_s in begins]
    start = dice.choice([PLAIN, SPRING, AUTUMN]) + dice.choice([0.0, 11.5 * HOUR_S, 11.99 * HOUR_S, 14 * HOUR_S])
    return Calendar(chosen, jobs, Times(start + dice.random()))


def again(calendar: Calendar, **changed) -> Calendar:
    """The same runs with other clocks."""
    tiers = [account.tier for account in calendar.accounts]
    return Calendar(tiers, calendar.jobs, replace(calendar.times, **changed))


def assert_kept(calendar: Calendar) -> None:
    """By our own count of what came to the door no limit was passed, and the provider had nothing to refuse."""
    for account in calendar.accounts:
        tier = account.tier
        assert not account.refused, tier
        assert tier.rpm is None or account.fullest_minute <= tier.rpm, tier
        assert tier.per_day is None or max(account.by_day.values()) <= tier.per_day, tier


@pytest.mark.parametrize("seed", SEEDS)
def test_limits_are_kept_and_used_up_over_the_borders_of_days(seed):
    calendar = drawn(seed).play()
    assert_kept(calendar)
    assert calendar.ideal_s - 0.01 <= calendar.took_s <= 1.01 * calendar.ideal_s + 1.0


def test_the_calendars_meet_what_they_are_for():
    """Midnights, days of 23 and 25 hours, several tiers, and several runs of one key."""
    calendars = [drawn(seed) for seed in SEEDS]
    lengths = set()
    for calendar in calendars:
        end = calendar.times.start + calendar.ideal_s
        midnights = [midnight_after(calendar.times.start - DAY_S)]
        while midnights[-1] < end:
            midnights.append(midnight_after(midnights[-1]))
        lengths |= {round((after - before) / HOUR_S) for before, after in pairwise(midnights)}
    assert lengths >= {23, 24, 25}
    assert any(len(calendar.accounts) == 3 for calendar in calendars)
    assert sum(calendar.ideal_s > DAY_S for calendar in calendars) >= 2
    assert any(len({job.tier for job in calendar.jobs}) < len(calendar.jobs) for calendar in calendars)


@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.key)
def test_it_takes_as_long_as_the_arithmetic_says(tier):
    """On days of 24 hours, which is what the arithmetic knows of."""
    pictures = 3 * (tier.per_day or 40)
    calendar = Calendar([tier], [Job(0, pictures)]).play()
    assert_kept(calendar)
    finish = finish_time(pictures, tier.limits, LATENCY_S, today=Today(midnight_after(PLAIN) - PLAIN))
    assert finish.seconds == pytest.approx(ideal_s(tier, [0.0] * pictures, Times()))
    assert calendar.took_s == pytest.approx(finish.seconds, rel=0.01, abs=1.0)


# --- clocks that are wrong --------------------------------------------------------------------------------------------


def offsets(dice: random.Random) -> list[tuple[float, float]]:
    """From when on the wall clock is wrong by how much, in the first day and a half."""
    moments = sorted(dice.uniform(0.0, 1.5 * DAY_S) for _ in range(dice.randint(1, 4)))
    return [(moment, dice.choice(HOURS)) for moment in moments]


def jumps_of(wrong: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    steps = pairwise([(0.0, 0.0), *wrong])
    return tuple((moment, now - before) for (_, before), (moment, now) in steps)


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 24))])
def test_a_wall_clock_that_is_set_while_runs_go_on(seed):
    """No minute is overfilled. Who knocks too early at a day is told how long, obeys, and loses nothing by it."""
    wrong = offsets(random.Random(seed))
    calendar = again(drawn(seed), jumps=jumps_of(wrong)).play()
    for account in calendar.accounts:
        tier = account.tier
        assert account.refused["rate_limited"] == 0
        assert tier.rpm is None or account.fullest_minute <= tier.rpm
        knocks = account.refused["day_quota"]
        assert knocks <= (tier.rpm or tier.per_day or 0) * (1 + len(wrong)), "a burst each time that the clock was set"
    late_s = max(0.0, *(-by for _, by in wrong))
    assert calendar.ideal_s - 0.01 <= calendar.took_s <= 1.01 * calendar.ideal_s + late_s + 120.0


@pytest.mark.parametrize("ahead_s", [60.0, HOUR_S, 11 * HOUR_S])
def test_a_clock_that_is_ahead_does_not_cost_a_day(ahead_s):
    """The calls that came too early are not calls of the day that began without us."""
    calendar = Calendar([Tier("days", per_day=5)], [Job(0, 12)], Times(PLAIN, jumps=((0.0, ahead_s),))).play()
    assert calendar.took_s == pytest.approx(calendar.ideal_s, abs=200.0)
    assert calendar.accounts[0].refused["day_quota"] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_machine_that_sleeps_now_and_then(seed):
    """It goes on as soon as it wakes, whatever it was waiting for: nobody waits for a midnight that is over."""
    dice = random.Random(seed)
    lengths = (1.0, 50.0, HOUR_S, 7 * HOUR_S)
    naps = tuple((dice.uniform(0.0, 1.5 * DAY_S), dice.choice(lengths)) for _ in range(dice.randint(1, 4)))
    calendar = again(drawn(seed), naps=naps).play()
    assert_kept(calendar)
    assert calendar.ideal_s - 0.01 <= calendar.took_s <= 1.01 * calendar.ideal_s + 121.0 * (1 + len(naps))


def test_a_midnight_that_is_slept_through_is_not_waited_for():
    calendar = Calendar([Tier("days", per_day=5)], [Job(0, 10)], Times(PLAIN, naps=((HOUR_S, 20 * HOUR_S),))).play()
    assert calendar.took_s == pytest.approx(21 * HOUR_S, abs=65.0)


# --- what these tests would notice ------------------------------------------------------------------------------------


def _minutes_of(seconds: float):
    def breaks(monkeypatch):
        init = SlidingWindow.__init__

        def broken(self, limit, period_s, guard_s=0.0):
            init(self, limit, seconds, guard_s)

        monkeypatch.setattr(SlidingWindow, "__init__", broken)

    return breaks


def _days_without_end(monkeypatch):
    monkeypatch.setattr(DayCount, "left_s", lambda self, wall_s, amount: None)


def _summer_all_year(monkeypatch):
    def midnight(day: date) -> float:
        return datetime(day.year, day.month, day.day, 7, tzinfo=UTC).timestamp()

    monkeypatch.setattr("cavendish.govern.day._pacific_midnight", midnight)


BREAKS = {
    "minutes of 50 seconds": _minutes_of(50.0),
    "minutes of 61 seconds": _minutes_of(61.0),
    "days without end": _days_without_end,
    "summer all year": _summer_all_year,
}


def all_seeds() -> None:
    for seed in SEEDS:
        test_limits_are_kept_and_used_up_over_the_borders_of_days(seed)


@pytest.mark.parametrize("breaks", BREAKS)
def test_what_goes_wrong_is_noticed(monkeypatch, breaks):
    BREAKS[breaks](monkeypatch)
    with pytest.raises(AssertionError):
        all_seeds()


def test_a_wait_that_is_slept_through_would_be_noticed(monkeypatch):
    monkeypatch.setattr(run, "LOOK_AGAIN_S", DAY_S)
    with pytest.raises(AssertionError):
        test_a_midnight_that_is_slept_through_is_not_waited_for()
