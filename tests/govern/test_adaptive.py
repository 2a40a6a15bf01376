import math

import pytest

from cavendish.govern.adaptive import Adaptive, LatencyWatch


def test_ramping_doubles_per_round():
    found = Adaptive(4, 64, ramping=True)
    for expected in (8, 16, 32, 64, 64):
        for _ in range(int(found.limit)):
            found.grow()
        assert found.limit == expected


def test_a_burst_that_fails_together_shrinks_once():
    found = Adaptive(100, 1000, ramping=True)
    assert found.shrink(left_at_s=0.0, now_s=1.0, keep=0.7, seen=100)
    for late in range(50):
        assert not found.shrink(left_at_s=0.5, now_s=1.0 + late / 100, keep=0.7, seen=100)
    assert found.limit == 70
    assert found.shrink(left_at_s=1.1, now_s=2.0, keep=0.5, seen=100)
    assert found.limit == 35


def test_shrinks_from_what_was_in_use():
    found = Adaptive(1000, 1000)
    found.shrink(0.0, 1.0, 0.7, seen=10)
    assert found.limit == 7


def test_never_below_the_floor():
    found = Adaptive(2, 10)
    for now in range(10):
        found.shrink(now, now + 0.5, 0.5, seen=0)
    assert found.limit == 1


@pytest.mark.parametrize("limit, rounds", [(10, 1), (60, 2), (1000, 2)])
def test_a_known_limit_is_reached_again_in_two_rounds(limit, rounds):
    pace = Adaptive(limit, limit)
    pace.shrink(0.0, 0.0, 0.9, seen=limit)
    assert pace.limit == limit * 9 // 10
    for _ in range(limit * rounds):
        pace.grow()
    assert pace.limit == limit
    pace.grow()
    assert pace.value == limit


def test_beyond_its_peak_it_grows_ever_faster():
    found = Adaptive(60, 10_000)
    found.shrink(0.0, 1.0, 0.5, seen=5)
    rounds = []
    while found.value < 500:
        for _ in range(int(found.limit)):
            found.grow()
        rounds.append(found.limit)
    assert len(rounds) < 15


def test_without_a_limit_there_is_nothing_to_grow():
    pace = Adaptive(math.inf, math.inf)
    pace.grow()
    assert pace.limit == math.inf
    pace.shrink(0.0, 1.0, 0.9, seen=20)
    assert pace.limit == 18


def test_state_round_trip_under_the_same_ceiling():
    found = Adaptive(100, 1000, ramping=True)
    found.shrink(5.0, 10.0, 0.7, seen=100)
    copy = Adaptive(4, 1000)
    copy.restore(found.to_state(20.0), 520.0)
    assert copy.limit == 70
    assert not copy.shrink(509.0, 521.0, 0.7, seen=70)
    raised = Adaptive(2000, 2000)
    raised.restore(found.to_state(20.0), 20.0)
    assert raised.limit == 2000
    never = Adaptive(math.inf, math.inf)
    never.restore(Adaptive(math.inf, math.inf).to_state(0.0), 0.0)
    assert never.limit == math.inf


def test_latency_that_doubles_and_stays_is_seen_then_becomes_the_usual():
    watch = LatencyWatch()
    assert not any(watch.inflated(10.0 + i % 3) for i in range(100))
    seen = [watch.inflated(40.0) for _ in range(400)]
    assert any(seen[:10])
    assert not any(seen[-10:])


def test_one_slow_call_is_chance():
    watch = LatencyWatch()
    latencies = ([10.0] * 30 + [40.0]) * 5
    assert not any(watch.inflated(latency) for latency in latencies)
