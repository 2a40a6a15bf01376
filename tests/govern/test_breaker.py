import json
from dataclasses import replace

import pytest

from cavendish.govern.breaker import Breaker, BreakerState
from cavendish.govern.pacing import Pacing
from cavendish.govern.verdict import Closed, Wait
from cavendish.model.fault import Fault, FaultKind

from .parts import waited

PACING = Pacing(breaker_after=3, breaker_s=2.0, breaker_cap_s=16.0, recheck_closed_s=300.0)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(PACING)
    for _ in range(3):
        breaker.failed("1", now, now, roll=1.0)
    return breaker


def test_opens_after_failures_in_a_row():
    breaker = Breaker(PACING)
    for name in ("failed", "failed", "answered", "failed", "failed"):
        breaker.answered("1") if name == "answered" else breaker.failed("1", 0.0, 0.0, 1.0)
        assert breaker.obstacle(0.0) is None
    breaker.failed("1", 0.0, 0.0, 1.0)
    obstacle = breaker.obstacle(0.0)
    assert isinstance(obstacle, Wait)
    assert obstacle.until_s == 2.0
    assert not obstacle.needs_settle


def test_the_dice_decide_the_second_half_of_the_wait():
    breaker = Breaker(PACING)
    for _ in range(3):
        breaker.failed("1", 0.0, 0.0, roll=0.0)
    assert waited(breaker.obstacle(0.5)).until_s == 1.0


def test_one_probe_at_a_time():
    breaker = opened()
    assert breaker.state(1.9) is BreakerState.OPEN
    assert breaker.state(2.0) is BreakerState.HALF_OPEN
    assert breaker.obstacle(2.0) is None
    breaker.granted("probe")
    assert waited(breaker.obstacle(2.0)).needs_settle
    breaker.answered("an older call")
    assert breaker.state(2.0) is BreakerState.PROBING
    breaker.answered("probe")
    assert breaker.state(2.0) is BreakerState.CLOSED


def test_waits_double_up_to_the_cap():
    breaker, now, waits = opened(), 0.0, []
    for _ in range(6):
        until = waited(breaker.obstacle(now)).until_s
        waits.append(until - now)
        now = until
        breaker.granted("probe")
        breaker.failed("probe", now, now, roll=1.0)
    assert waits == [2.0, 4.0, 8.0, 16.0, 16.0, 16.0]


def test_a_probe_that_never_left_is_replaced():
    breaker = opened()
    breaker.granted("probe")
    breaker.released("another")
    assert breaker.state(2.0) is BreakerState.PROBING
    breaker.released("probe")
    assert breaker.state(2.0) is BreakerState.HALF_OPEN


def test_calls_that_left_before_it_opened_tell_nothing_new():
    breaker = opened(now=10.0)
    for _ in range(50):
        breaker.failed("old", 5.0, 11.0, roll=1.0)
    assert waited(breaker.obstacle(11.0)).until_s == 12.0
    breaker.granted("probe")
    breaker.answered("probe")
    for _ in range(50):
        breaker.failed("old", 5.0, 13.0, roll=1.0)
    assert breaker.obstacle(13.0) is None


def test_a_verdict_closes_until_one_call_may_look_again():
    fault = Fault(FaultKind.NO_CREDIT, "no money")
    breaker = Breaker(PACING)
    breaker.condemn(fault, 0.0)
    assert breaker.obstacle(299.0) == Closed(fault)
    assert breaker.obstacle(300.0) is None
    breaker.granted("probe")
    assert waited(breaker.obstacle(300.0)).needs_settle
    breaker.condemn(fault, 301.0)
    assert breaker.obstacle(600.0) == Closed(fault)
    breaker.granted("second probe")
    breaker.answered("second probe")
    assert breaker.obstacle(601.0) is None


@pytest.mark.parametrize("condemned", [False, True])
def test_state_round_trip(condemned):
    breaker = opened()
    if condemned:
        breaker.condemn(Fault(FaultKind.BAD_KEY, "no such key", status=401), 0.0)
    copy = Breaker(PACING)
    copy.restore(json.loads(json.dumps(breaker.to_state(1.0))), 1001.0)
    for after in (1.0, 299.0, 300.0):
        mine, theirs = breaker.obstacle(after), copy.obstacle(after + 1000.0)
        if isinstance(mine, Wait):
            assert theirs == replace(mine, until_s=mine.until_s + 1000.0)
        else:
            assert theirs == mine


def test_a_probe_of_somebody_who_is_gone_is_sent_again():
    breaker = opened()
    breaker.granted("a/flash/1")
    copy = Breaker(PACING)
    copy.restore(json.loads(json.dumps(breaker.to_state(2.0))), 2.0)
    assert copy.state(2.0) is BreakerState.PROBING
    copy.abandon(lambda probe: probe == "b/flash/2")
    assert copy.state(2.0) is BreakerState.PROBING
    copy.abandon(lambda probe: probe == "a/flash/1")
    assert copy.state(2.0) is not BreakerState.PROBING


@pytest.mark.parametrize("after, state", [(4.9, BreakerState.OPEN), (5.0, BreakerState.HALF_OPEN)])
def test_somebody_new_looks_again_at_a_verdict_but_not_at_once(after, state):
    breaker = Breaker(PACING)
    breaker.condemn(Fault(FaultKind.BAD_KEY), 0.0)
    breaker.reconsider(after)
    assert breaker.state(after) is state


def test_somebody_new_waits_as_all_do_for_a_provider_that_fails():
    breaker = opened()
    until = breaker.obstacle(0.0)
    breaker.reconsider(0.0)
    assert breaker.obstacle(0.0) == until


def test_state_of_failures_not_yet_enough():
    breaker = Breaker(PACING)
    breaker.failed("1", 0.0, 0.0, 1.0)
    breaker.failed("1", 0.0, 0.0, 1.0)
    copy = Breaker(PACING)
    copy.restore(breaker.to_state(0.0), 0.0)
    copy.failed("1", 0.0, 0.0, 1.0)
    assert copy.state(0.0) is BreakerState.OPEN
