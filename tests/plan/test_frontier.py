"""The cheapest plan for each time: by hand for jobs that people have, and against all plans of small ones."""

import itertools
from fractions import Fraction
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavendish.catalog.cards import Latency, Limits
from cavendish.model.money import nusd
from cavendish.plan.frontier import MOST_POINTS, Planner
from cavendish.plan.options import BATCH_S, Call, Lane, Way, at_all, batch_paces, held_by, paces
from cavendish.plan.quota_time import DAY_S, Load, Today

LATENCY = Latency(12.5, 18.0)
FULL, HALF, RELAY = nusd("0.067"), nusd("0.034"), nusd("0.055")


def online(lane, each=FULL, pictures=100, kind=0, per=(1, 1)):
    call = Call(Load(nusd=each), LATENCY, *per)
    return Way(kind, lane.name, each, paces(lane, call, pictures))


def batch(pictures=100, each=HALF, kind=0):
    return Way(kind, "batch", each, batch_paces("batch", pictures))


def lane(name="google", rpm=10, **limits):
    keys, today, spare = limits.pop("keys", 1), limits.pop("today", Today()), limits.pop("concurrency", None)
    return Lane(name, f"{name} money", Limits(requests_per_minute=rpm, **limits), keys, today, spare)


def made(planner, plan):
    return {planner.ways[number].option: count for number, count in plan.counts}


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_a_hundred_at_ten_a_minute():
    """Nine minutes and one latency."""
    plan = Planner((100,), (online(lane()),)).cheapest()
    assert plan is not None
    assert (plan.usual_s, plan.slow_s, plan.cost_nusd) == (9 * 60 + 12.5, 9 * 60 + 18.0, 100 * FULL)


def test_half_price_for_whoever_has_a_day():
    """And in between a picture less by Batch does not help: its time is a day however few there are."""
    planner = Planner((100,), (online(lane()), batch()))
    assert [(plan.cost_nusd, plan.slow_s) for plan in planner.frontier()] == [
        (100 * HALF, BATCH_S),
        (100 * FULL, 9 * 60 + 18.0),
    ]
    assert made(planner, planner.by(BATCH_S)) == {"batch": 100}
    assert made(planner, planner.by(BATCH_S - 1)) == {"google": 100}
    assert planner.by(557.9) is None
    assert planner.within(100 * HALF - 1) is None
    assert made(planner, planner.within(99 * FULL + HALF)) == {"batch": 100}


def test_two_keys_take_turns():
    plan = Planner((100,), (online(lane(keys=2)),)).cheapest()
    assert plan is not None
    assert plan.usual_s == 4 * 60 + 12.5


def test_a_day_s_quota_that_is_partly_used():
    """Of 1,000 a day 950 are gone: fifty now, and fifty after midnight, in two hours."""
    today = Today(7200.0, 950)
    spent = lane(rpm=100, requests_per_day=1000, today=today)
    assert Planner((50,), (online(spent, pictures=50),)).cheapest().usual_s == 12.5
    assert Planner((100,), (online(spent),)).cheapest().usual_s == 7212.5
    relayed = Planner((100,), (online(spent), online(lane("relay", rpm=60), nusd("0.08"))))
    assert made(relayed, relayed.by(600.0)) == {"google": 50, "relay": 50}
    assert made(relayed, relayed.by(7218.0)) == {"google": 100}


def test_a_day_s_quota_across_two_midnights():
    days = lane(rpm=1000, requests_per_day=40, today=Today(3600.0))
    assert Planner((100,), (online(days),)).cheapest().usual_s == 3600.0 + DAY_S + 12.5


def test_the_cheap_way_as_long_as_there_is_time_and_the_dear_for_the_rest():
    """By 138 s the relay has had three bursts of ten at $0.055, and Google makes the other seventy."""
    planner = Planner((100,), (online(lane(rpm=60)), online(lane("relay", rpm=10), RELAY)))
    plan = planner.by(138.0)
    assert made(planner, plan) == {"google": 70, "relay": 30}
    assert plan.cost_nusd == 70 * FULL + 30 * RELAY
    assert made(planner, planner.by(18.0 + 540.0)) == {"relay": 100}
    assert made(planner, planner.by(78.0)) == {"google": 80, "relay": 20}
    assert planner.by(77.9) is None


def test_models_of_one_key_share_its_money():
    """$10 in ten minutes pay for 149 pictures at $0.067, whichever model draws them."""
    money = {"spend_per_10_minutes_nusd": nusd(10)}
    first = Lane("google/a", "google", Limits(requests_per_minute=100, **money))
    second = Lane("google/b", "google", Limits(requests_per_minute=100, **money))
    planner = Planner((200,), (online(first, pictures=200), online(second, pictures=200)))
    assert planner.by(599.0) is None
    assert planner.by(618.0) is not None
    apart = Lane("google/b", "other", Limits(requests_per_minute=100, **money))
    assert Planner((200,), (online(first, pictures=200), online(apart, pictures=200))).by(78.0) is not None


def test_places_of_a_run_are_shared():
    one, other = lane(rpm=1000, concurrency=4), lane("relay", rpm=1000, concurrency=4)
    planner = Planner((8,), (online(one, pictures=8), online(other, pictures=8)))
    assert planner.by(18.0) is None
    assert planner.by(30.5).usual_s == 25.0


def test_two_sizes_in_one_key():
    """Each a half of the time: ten a minute, whatever their size."""
    key = lane()
    kinds = (50, 50)
    most = at_all(kinds)
    planner = Planner(kinds, (online(key, FULL, most), online(key, nusd("0.151"), most, kind=1)))
    assert planner.cheapest().usual_s == 9 * 60 + 12.5


def test_several_pictures_of_a_call():
    """Rows of five in calls of three and two: ten calls are 25 pictures."""
    plan = Planner((100,), (online(lane(), per=(2, 5)),)).cheapest()
    assert plan.usual_s == 3 * 60 + 12.5


def test_a_way_whose_limits_are_not_known_keeps_no_deadline():
    unknown = Lane("relay", "relay money", Limits())
    planner = Planner((100,), (online(lane()), online(unknown, RELAY)))
    assert planner.cheapest().slow_s == inf
    assert made(planner, planner.by(1e9)) == {"google": 100}
    assert planner.fastest().slow_s == 558.0
    assert [plan.slow_s for plan in planner.frontier()] == [inf, 558.0]
    alone = Planner((100,), (online(unknown, RELAY),))
    assert alone.end_s(((0, 100),), slow=False, supposing=True) == 12.5
    assert alone.by(1e9) is None
    assert alone.fastest() is None
    assert alone.within(100 * RELAY) == alone.cheapest()


def test_what_a_lane_waits_for():
    call = Call(Load(nusd=FULL), LATENCY)
    assert held_by(lane(), call, 10) == ""
    assert held_by(lane(keys=2), call, 21) == "requests_per_minute"
    assert held_by(lane(rpm=100, concurrency=2, keys=2), call, 10) == "in_flight"
    assert held_by(lane(), call, 0) == ""


def test_nothing_to_make_and_nobody_to_make_it():
    nothing = Planner((0,), (batch(),))
    assert (nothing.cheapest().cost_nusd, nothing.cheapest().slow_s) == (0, 0.0)
    assert Planner((), ()).cheapest().counts == ()
    assert Planner((1,), ()).cheapest() is None
    assert Planner((1,), ()).frontier() == ()
    assert Planner((1, 1), (batch(1),)).cheapest() is None


def test_a_frontier_of_many_times_is_shown_in_few():
    """A thousand by the minute: each minute less moves ten pictures to the dear way."""
    planner = Planner((1000,), (online(lane("relay"), RELAY, 1000), online(lane(rpm=100), FULL, 1000)))
    plans = planner.frontier()
    assert 10 < len(plans) <= MOST_POINTS + 1
    assert plans[0] == planner.cheapest()
    assert plans[-1] == planner.fastest()
    assert falling(plans)


# --- laws -------------------------------------------------------------------------------------------------------------


def falling(plans):
    return all(a.slow_s > b.slow_s and a.cost_nusd < b.cost_nusd for a, b in pairwise(plans))


LANES = st.builds(
    lambda name, rpm, day, used, keys: lane(name, rpm, requests_per_day=day, keys=keys, today=Today(90.0, used)),
    st.sampled_from(["google", "relay"]),
    st.integers(1, 3),
    st.none() | st.integers(1, 4),
    st.integers(0, 2),
    st.integers(1, 2),
)
COUNTS = st.lists(st.integers(0, 4), min_size=1, max_size=2)


@st.composite
def planners(draw):
    counts = draw(COUNTS)
    keys = {found.name: found for found in draw(st.lists(LANES, min_size=1, max_size=2))}
    ways = [
        online(key, draw(st.integers(1, 9)), at_all(counts), kind)
        for kind in range(len(counts))
        for key in keys.values()
    ]
    return Planner(counts, ways)


def every_plan(planner):
    """All ways to share the pictures out, with their cost and their end."""
    for counts in itertools.product(*(range(planner.counts[way.kind] + 1) for way in planner.ways)):
        made = [0] * len(planner.counts)
        for count, way in zip(counts, planner.ways, strict=True):
            made[way.kind] += count
        if made == list(planner.counts):
            parts = tuple((number, count) for number, count in enumerate(counts) if count)
            cost = sum(count * planner.ways[number].each_nusd for number, count in parts)
            yield cost, planner.end_s(parts, slow=True)


@settings(deadline=None, max_examples=60)
@given(planners())
def test_the_frontier_is_that_of_all_plans(planner):
    every = list(every_plan(planner))
    ends = {end_s for _, end_s in every if end_s < inf}
    cheapest = {end_s: min(cost for cost, other_s in every if other_s <= end_s) for end_s in ends}
    wanted = [
        (cost, end_s) for end_s, cost in cheapest.items() if all(c > cost for e, c in cheapest.items() if e < end_s)
    ]
    found = planner.frontier()
    assert sorted((plan.cost_nusd, plan.slow_s) for plan in found) == sorted(wanted)
    assert falling(found)
    for plan in found:
        assert plan.at_least_nusd == plan.cost_nusd
        assert planner.by(plan.slow_s) == plan
        assert planner.within(plan.cost_nusd) == plan


@given(planners(), st.integers(1, 4))
def test_a_share_of_a_pool_is_what_its_pace_says(planner, count):
    for way in planner.ways:
        for pace in way.paces.values():
            end_s = pace.done_s(count)
            if end_s < inf:
                assert pace.by(end_s) >= count
                assert pace.by(end_s - 0.001) < count


@pytest.mark.parametrize("count", [1, 3, 7, 20])
def test_of_one_kind_the_whole_pool_is_its_own(count):
    pace = paces(lane(rpm=3), Call(Load(), LATENCY), 20)["google"]
    assert Fraction(count, pace.by(pace.done_s(count))) <= 1


@pytest.mark.parametrize(
    "pictures, within_s",
    [(1, BATCH_S), (10, BATCH_S), (11, 2 * BATCH_S), (20, 2 * BATCH_S), (25, 3 * BATCH_S)],
)
def test_more_than_all_jobs_take_at_once_takes_a_further_round(pictures, within_s):
    by_jobs = Way(0, "batch", 5, batch_paces("batch", pictures, BATCH_S, 10))
    plan = Planner((pictures,), (by_jobs,)).cheapest()
    assert plan is not None
    assert plan.slow_s == within_s
