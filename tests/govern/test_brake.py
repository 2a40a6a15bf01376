import json

import pytest

from cavendish.govern.brake import Brake, News, asked_wait_s, is_closing, news_for, reach
from cavendish.govern.pacing import Pacing
from cavendish.govern.verdict import Closed
from cavendish.model.fault import Fault, FaultKind, Scope

from .parts import waited

K = FaultKind
PACING = Pacing(backoff_s=2.0, backoff_cap_s=60.0, breaker_after=1, breaker_s=10.0)


@pytest.mark.parametrize(
    "kind, scope, reached",
    [
        (K.RATE_LIMITED, Scope.CALL, Scope.MODEL),
        (K.RATE_LIMITED, Scope.KEY, Scope.KEY),
        (K.BAD_KEY, Scope.CALL, Scope.KEY),
        (K.NO_CREDIT, Scope.CALL, Scope.KEY),
        (K.SPEND_LIMIT, Scope.CALL, Scope.KEY),
        (K.NO_QUOTA, Scope.CALL, Scope.MODEL),
        (K.NO_QUOTA, Scope.KEY, Scope.KEY),
        (K.MODEL_NOT_FOUND, Scope.CALL, Scope.MODEL),
        (K.CONNECT, Scope.CALL, Scope.ENDPOINT),
        (K.OVERLOADED, Scope.CALL, Scope.MODEL),
        (K.OVERLOADED, Scope.ENDPOINT, Scope.ENDPOINT),
    ],
)
def test_reach(kind, scope, reached):
    assert reach(Fault(kind, scope=scope)) is reached


@pytest.mark.parametrize(
    "kind, model, key",
    [
        (None, News.WORKS, News.WORKS),
        (K.IMAGE_SAFETY, News.WORKS, News.WORKS),
        (K.RATE_LIMITED, News.WORKS, News.WORKS),
        (K.OVERLOADED, News.FAILS, News.NOTHING),
        (K.CONNECT, News.NOTHING, News.NOTHING),
        (K.NO_QUOTA, News.SHUT, News.NOTHING),
        (K.BAD_KEY, News.NOTHING, News.SHUT),
        (K.TIMEOUT, News.NOTHING, News.NOTHING),
        (K.CANCELLED, News.NOTHING, News.NOTHING),
    ],
)
def test_news(kind, model, key):
    fault = None if kind is None else Fault(kind)
    assert news_for(Scope.MODEL, fault) is model
    assert news_for(Scope.KEY, fault) is key


def test_a_limit_of_zero_is_no_limit_to_wait_for():
    assert is_closing(Fault(K.RATE_LIMITED, limit_value=0))
    assert not is_closing(Fault(K.RATE_LIMITED, limit_value=1))
    assert not is_closing(Fault(K.IMAGE_SAFETY, limit_value=0))


@pytest.mark.parametrize(
    "said, asked", [(None, None), (0.0, 0.0), (41.2, 41.2), (-1.0, None), (float("nan"), None), (float("inf"), None)]
)
def test_asked_wait(said, asked):
    assert asked_wait_s(Fault(K.RATE_LIMITED, retry_after_s=said)) == asked


def test_the_longest_wait_holds():
    brake = Brake(PACING)
    brake.cool(10.0, "first")
    brake.cool(5.0, "second")
    assert (waited(brake.obstacle(0.0)).until_s, waited(brake.obstacle(0.0)).why) == (10.0, "first")
    assert brake.obstacle(10.0) is None


def test_back_off_doubles_once_per_round_trip_and_calms():
    brake, now, waits = Brake(PACING), 0.0, []
    for _ in range(7):
        for _ in range(20):
            brake.back_off(now, now + 1.0, roll=1.0)
        waits.append(waited(brake.obstacle(now + 1.0)).until_s - now - 1.0)
        now = waited(brake.obstacle(now + 1.0)).until_s
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    brake.calm(0.0)
    assert brake.obstacle(now) is None
    brake.went_well("1", now + 1.0)
    brake.back_off(now + 1.0, now + 2.0, roll=1.0)
    assert waited(brake.obstacle(now + 2.0)).until_s == now + 4.0


def test_old_good_news_does_not_calm():
    brake = Brake(PACING)
    brake.back_off(5.0, 10.0, roll=1.0)
    brake.went_well("1", 10.0)
    brake.back_off(12.0, 12.0, roll=1.0)
    assert waited(brake.obstacle(12.0)).until_s == 16.0


def test_a_verdict_comes_before_a_wait_and_the_later_of_two_waits_holds():
    brake = Brake(PACING)
    brake.breaker.failed("1", 0.0, 0.0, roll=1.0)
    brake.cool(3.0, "asked")
    assert waited(brake.obstacle(0.0)).until_s == 10.0
    brake.cool(30.0, "asked")
    assert waited(brake.obstacle(0.0)).until_s == 30.0
    brake.breaker.condemn(Fault(K.BAD_KEY), 0.0)
    assert brake.obstacle(0.0) == Closed(Fault(K.BAD_KEY))


def test_state_round_trip():
    brake = Brake(PACING)
    brake.back_off(0.0, 10.0, roll=1.0)
    brake.cool(40.0, "asked")
    copy = Brake(PACING)
    copy.restore(json.loads(json.dumps(brake.to_state(20.0))), 1020.0)
    assert waited(copy.obstacle(1020.0)).until_s == 1040.0
    copy.back_off(1009.0, 1021.0, roll=1.0)
    assert waited(copy.obstacle(1021.0)).until_s == 1040.0
    copy.back_off(1041.0, 1041.0, roll=1.0)
    assert waited(copy.obstacle(1041.0)).until_s == 1045.0
    fresh = Brake(PACING)
    fresh.restore(Brake(PACING).to_state(0.0), 5.0)
    assert fresh.obstacle(5.0) is None
