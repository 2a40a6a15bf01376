import json
import math

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost
from cavendish.govern.dimension import Dimension
from cavendish.govern.pacing import Pacing
from cavendish.govern.verdict import Closed, Granted
from cavendish.model.fault import Charged, FaultKind, Scope

from .parts import EXACT, NOON, OPEN_LIMITS, Desk, fault

K = FaultKind
HOUR = 3600.0


# --- each limit ---


@pytest.mark.parametrize(
    "limits, cost, fit, why",
    [
        (Limits(requests_per_minute=3), Cost(), 3, "3 requests per minute"),
        (Limits(requests_per_minute=100, images_per_minute=10), Cost(images=4), 2, "10 images per minute"),
        (Limits(requests_per_minute=100, tokens_per_minute=1000), Cost(tokens=300), 3, "1000 tokens per minute"),
    ],
)
def test_a_minutes_worth_leaves_at_once_and_the_next_after_a_minute(limits, cost, fit, why):
    desk = Desk(limits)
    for _ in range(fit):
        desk.end(desk.go(cost))
    wait = desk.wait(cost)
    assert (wait.until_s, wait.why, wait.needs_settle) == (60.0, why, False)
    desk.until(59.999)
    desk.wait(cost)
    desk.until(60.0)
    desk.go(cost)


def test_a_day():
    desk = Desk(Limits(requests_per_minute=100, requests_per_day=2))
    desk.end(desk.go())
    desk.end(desk.go())
    wait = desk.wait()
    assert wait.until_s == pytest.approx(12 * HOUR, abs=0.01)
    assert wait.why == "the day's quota is used up"
    desk.until(wait.until_s)
    desk.go()


def test_calls_in_flight():
    desk = Desk(Limits(in_flight=2))
    first = desk.go()
    desk.go()
    wait = desk.wait()
    assert wait.needs_settle
    assert wait.why == "2 calls in flight"
    desk.later(7.0)
    desk.end(first)
    desk.go()


def test_spend():
    desk = Desk(Limits(requests_per_minute=100, spend_per_10_minutes_nusd=200))
    dear = Cost(nusd=100)
    first, second = desk.go(dear), desk.go(dear)
    assert desk.wait(dear).needs_settle
    desk.later(20.0)
    desk.end(first, spent_nusd=150)
    desk.end(second, fault(K.IMAGE_OTHER, charged=Charged.NO))
    assert desk.ask(Cost(nusd=51)) == desk.wait(dear)
    wait = desk.wait(dear)
    assert (wait.until_s, wait.needs_settle) == (620.0, False)
    desk.go(Cost(nusd=50))


@pytest.mark.parametrize(
    "ending, counted",
    [
        ({"spent_nusd": 30}, 30),
        ({"spent_nusd": None}, 100),
        ({"fault": fault(K.CUT, charged=Charged.UNKNOWN)}, 100),
        ({"fault": fault(K.CUT, charged=Charged.YES), "spent_nusd": 80}, 80),
        ({"fault": fault(K.NO_IMAGE, charged=Charged.NO)}, 0),
    ],
)
def test_what_is_counted_as_spent(ending, counted):
    desk = Desk(Limits(requests_per_minute=100, spend_per_10_minutes_nusd=100))
    desk.end(desk.go(Cost(nusd=100)), **ending)
    desk.go(Cost(nusd=100 - counted))
    desk.wait(Cost(nusd=1))


def test_all_limits_hold_together_and_the_longest_wait_is_told():
    desk = Desk(Limits(requests_per_minute=1, requests_per_day=1, spend_per_10_minutes_nusd=10))
    desk.end(desk.go(Cost(nusd=10)), spent_nusd=10)
    assert desk.wait(Cost(nusd=10)).until_s == pytest.approx(12 * HOUR, abs=0.01)
    desk = Desk(Limits(requests_per_minute=1, in_flight=1))
    desk.go()
    wait = desk.wait()
    assert (wait.until_s, wait.needs_settle) == (60.0, True)


def test_a_refused_call_still_counts_as_a_start():
    desk = Desk(Limits(requests_per_minute=1))
    desk.fail(K.RATE_LIMITED, retry_after_s=1.0)
    assert desk.wait().until_s == 60.0


def test_cancel_is_as_if_never_granted():
    desk = Desk(Limits(1, 1, 1, 10, 100, 1))
    cost = Cost(1, 1, 10, 100)
    for _ in range(3):
        desk.governor.cancel(desk.go(cost))
        desk.later(1.0)
    desk.go(cost)


def test_unknown_grants_are_tolerated_but_their_money_counts():
    desk = Desk(Limits(requests_per_minute=100, spend_per_10_minutes_nusd=100))
    desk.governor.cancel("nobody's")
    desk.end("nobody's", fault(K.BAD_KEY))
    desk.end("nobody's", spent_nusd=60)
    grant = desk.go(Cost(nusd=40))
    desk.wait(Cost(nusd=1))
    desk.end(grant, spent_nusd=0)
    desk.end(grant, spent_nusd=0)
    desk.go(Cost(nusd=40))


def test_lost_calls_free_their_place_and_count_as_spent():
    desk = Desk(Limits(in_flight=1, spend_per_10_minutes_nusd=100), Pacing(lease_s=600.0))
    desk.go(Cost(nusd=70))
    desk.later(599.0)
    desk.wait(Cost(nusd=10))
    desk.later(1.0)
    desk.go(Cost(nusd=30))
    assert desk.wait(Cost(nusd=1)).needs_settle


def test_wall_clock_jumps_do_not_touch_the_windows():
    desk = Desk(Limits(requests_per_minute=2))
    desk.go()
    desk.wall += 10 * 24 * HOUR
    desk.go()
    desk.wall -= 30 * 24 * HOUR
    assert desk.wait().until_s == 60.0


def test_monotonic_moments_that_come_in_out_of_order_do_no_harm():
    desk = Desk(Limits(requests_per_minute=1))
    desk.until(10.0)
    desk.go()
    desk.until(9.0)
    assert desk.wait().until_s == 70.0


# --- what a 429 teaches ---


@pytest.mark.parametrize("seconds", [0.5, 41.2, 6776.0])
def test_the_providers_wait_is_obeyed_to_the_second(seconds):
    desk = Desk()
    desk.later(100.0)
    desk.fail(K.RATE_LIMITED, retry_after_s=seconds)
    assert desk.wait().until_s == 100.0 + seconds
    desk.until(100.0 + seconds)
    desk.go()


def test_a_later_shorter_wait_does_not_shorten():
    desk = Desk()
    first, second = desk.go(), desk.go()
    desk.end(first, fault(K.RATE_LIMITED, retry_after_s=30.0))
    desk.end(second, fault(K.RATE_LIMITED, retry_after_s=3.0))
    assert desk.wait().until_s == 30.0


def test_without_a_hint_it_backs_off_and_shrinks_a_known_limit_a_little():
    desk = Desk(Limits(requests_per_minute=20))
    burst = [desk.go() for _ in range(20)]
    desk.later(1.0)
    for grant in burst:
        desk.end(grant, fault(K.RATE_LIMITED))
    assert desk.governor.limit(Dimension.REQUESTS) == 19
    desk.until(60.0)
    for _ in range(19):
        desk.end(desk.go())
    assert desk.governor.limit(Dimension.REQUESTS) == 20


def test_a_hint_is_enough_for_a_known_limit():
    desk = Desk(Limits(requests_per_minute=20))
    desk.fail(K.RATE_LIMITED, retry_after_s=5.0)
    assert desk.governor.limit(Dimension.REQUESTS) == 20


def test_the_limit_that_a_429_names_is_learned_and_forgotten_after_a_day():
    desk = Desk(Limits(requests_per_minute=100))
    desk.fail(K.RATE_LIMITED, retry_after_s=1.0, limit="GenerateRequestsPerMinutePerProjectPerModel", limit_value=20)
    assert desk.governor.limit(Dimension.REQUESTS) == 20
    desk.later(24 * HOUR)
    desk.go()
    assert desk.governor.limit(Dimension.REQUESTS) == 100


def test_a_limit_learned_later_counts_what_left_before():
    desk = Desk(Limits())
    for _ in range(3):
        desk.end(desk.go(Cost(tokens=100)))
    desk.fail(K.RATE_LIMITED, retry_after_s=1.0, limit="InputTokensPerMinute", limit_value=300)
    desk.until(1.0)
    assert desk.wait(Cost(tokens=1)).until_s == 60.0


def test_an_unknown_pace_is_taken_from_the_last_minute():
    desk = Desk(Limits())
    assert desk.governor.limit(Dimension.REQUESTS) == math.inf
    for _ in range(19):
        desk.end(desk.go())
    desk.fail(K.RATE_LIMITED)
    assert desk.governor.limit(Dimension.REQUESTS) == 19


def test_a_429_in_a_quiet_moment_does_not_make_one_call_a_minute_the_limit():
    desk = Desk(Limits(), Pacing(first_in_flight=4))
    desk.fail(K.RATE_LIMITED)
    assert desk.governor.limit(Dimension.REQUESTS) == 3
    for _ in range(10):
        desk.until(desk.wait().until_s)
        desk.fail(K.RATE_LIMITED)
    assert desk.governor.limit(Dimension.REQUESTS) < 3


def test_unknown_concurrency_shrinks_once_for_a_burst():
    desk = Desk(Limits(), Pacing(first_in_flight=10))
    burst = [desk.go() for _ in range(10)]
    desk.wait()
    for number, grant in enumerate(burst):
        desk.later(0.1 * number)
        desk.end(grant, fault(K.OVERLOADED))
    assert desk.governor.limit(Dimension.IN_FLIGHT) == 8


def test_a_stated_concurrency_is_learned():
    desk = Desk()
    desk.fail(K.RATE_LIMITED, retry_after_s=0.0, limit="concurrent tasks", limit_value=2)
    assert desk.governor.limit(Dimension.IN_FLIGHT) == 2


# --- a day's refusal ---


def test_day_quota_without_a_wait_lasts_until_midnight():
    desk = Desk()
    desk.fail(K.DAY_QUOTA)
    assert desk.wait().until_s == pytest.approx(12 * HOUR, abs=0.01)
    desk.wall += 12 * HOUR
    desk.go()


def test_day_quota_of_the_whole_key():
    desk = Desk()
    desk.fail(K.DAY_QUOTA, scope=Scope.KEY)
    assert desk.wait().until_s == pytest.approx(12 * HOUR, abs=0.01)


def test_day_quota_with_a_wait_is_believed_once():
    desk = Desk()
    first, late = desk.go(), desk.go()
    desk.end(first, fault(K.DAY_QUOTA, retry_after_s=40.0))
    desk.end(late, fault(K.DAY_QUOTA, retry_after_s=41.0))
    assert desk.wait().until_s == 41.0
    desk.until(41.0)
    desk.fail(K.DAY_QUOTA, retry_after_s=40.0)
    assert desk.wait().until_s == pytest.approx(12 * HOUR, abs=0.01)


def test_a_success_after_the_wait_shows_that_it_was_right():
    desk = Desk()
    for _ in range(3):
        desk.fail(K.DAY_QUOTA, retry_after_s=40.0)
        desk.later(40.0)
        desk.end(desk.go())


def test_a_success_from_before_the_refusal_does_not():
    desk = Desk()
    early = desk.go()
    desk.later(1.0)
    desk.fail(K.DAY_QUOTA, retry_after_s=40.0)
    desk.end(early)
    desk.later(40.0)
    desk.fail(K.DAY_QUOTA, retry_after_s=40.0)
    assert desk.wait().until_s == pytest.approx(12 * HOUR, abs=0.01)


def test_just_after_midnight_a_refusal_may_be_about_yesterday():
    desk = Desk(wall=NOON + 12 * HOUR + 5.0)
    desk.fail(K.DAY_QUOTA)
    assert desk.wait().until_s == 60.0


def test_yesterdays_call_does_not_close_today():
    desk = Desk(wall=NOON + 12 * HOUR - 5.0)
    yesterday = desk.go()
    desk.later(HOUR)
    desk.end(yesterday, fault(K.DAY_QUOTA))
    desk.go()


# --- money ---


def test_spend_limit_waits_for_our_oldest_spend():
    desk = Desk(Limits(requests_per_minute=100, spend_per_10_minutes_nusd=10**9))
    desk.end(desk.go(), spent_nusd=5)
    desk.later(200.0)
    desk.fail(K.SPEND_LIMIT)
    assert desk.wait().until_s == 600.0


@pytest.mark.parametrize("fields, until", [({}, 30.0), ({"retry_after_s": 7.0}, 7.0)])
def test_spend_limit_when_we_spent_nothing(fields, until):
    desk = Desk()
    desk.fail(K.SPEND_LIMIT, **fields)
    assert desk.wait().until_s == until


# --- failing and closing ---


@pytest.mark.parametrize("kind", [K.BAD_KEY, K.FORBIDDEN, K.NO_CREDIT, K.NO_QUOTA, K.MODEL_NOT_FOUND])
def test_what_waiting_cannot_mend_closes_with_its_fault(kind):
    desk = Desk()
    desk.fail(kind, message="because")
    assert desk.ask() == Closed(fault(kind, message="because"))
    desk.later(299.0)
    assert isinstance(desk.ask(), Closed)
    desk.later(1.0)
    probe = desk.go()
    # What it brings is not known yet.
    assert desk.wait().needs_settle
    desk.end(probe)
    desk.go()


def test_a_limit_of_zero_closes():
    desk = Desk()
    desk.fail(K.RATE_LIMITED, limit_value=0)
    assert isinstance(desk.ask(), Closed)


@pytest.mark.parametrize("kind", [K.OVERLOADED, K.SERVER_ERROR, K.CONNECT])
def test_a_failing_provider_is_left_alone_then_probed(kind):
    desk = Desk(pacing=Pacing(breaker_after=3, breaker_s=8.0))
    for _ in range(3):
        desk.fail(kind)
    wait = desk.wait()
    assert (wait.until_s, wait.needs_settle) == (8.0, False)
    desk.until(8.0)
    probe = desk.go()
    assert desk.wait().needs_settle
    desk.governor.cancel(probe)
    desk.end(desk.go(), fault(K.IMAGE_SAFETY))
    desk.end(desk.go())
    desk.end(desk.go())


def test_overloaded_with_a_wait():
    desk = Desk()
    desk.fail(K.OVERLOADED, retry_after_s=12.0)
    assert desk.wait().until_s == 12.0


@pytest.mark.parametrize("kind", [K.INVALID_REQUEST, K.PROMPT_BLOCKED, K.IMAGE_SAFETY, K.NO_IMAGE, K.TIMEOUT, K.CUT])
def test_other_faults_hold_nobody_back(kind):
    desk = Desk()
    for _ in range(20):
        desk.fail(kind, retry_after_s=100.0)
    desk.go()


# --- state ---


@pytest.mark.parametrize("gone", [True, False])
def test_state_survives_json_and_another_clock(gone):
    limits = Limits(5, 50, 20, 1000, 500, 3)
    desk, cost = Desk(limits), Cost(1, 2, 100, 60)
    desk.until(500.0)
    desk.end(desk.go(cost), spent_nusd=60)
    held = desk.go(cost)
    desk.fail(K.RATE_LIMITED, limit="requests per minute", limit_value=4, retry_after_s=9.0)
    desk.later(1.0)
    state = json.loads(json.dumps(desk.governor.to_state(desk.now)))

    other = Desk(limits)
    other.until(7000.0)
    other.purse.restore(json.loads(json.dumps(desk.purse.to_state(desk.now))), 7000.0 - 2.0)
    other.governor.restore(state, 7000.0 - 2.0)
    if gone:
        other.governor.abandon(lambda _holder: True, 6998.0)
        assert not other.governor.holders
    assert other.governor.limit(Dimension.REQUESTS) == 4
    assert other.wait(cost).until_s == 7006.0
    other.until(7006.0)
    again = other.go(cost)
    assert again != held
    assert other.wait(cost).until_s == pytest.approx(7057.0)
    if not gone:
        other.end(held, spent_nusd=60)
    # Whether it came back or not, it may have been billed.
    spent = 120
    other.until(7100.0)
    other.end(again, spent_nusd=0)
    other.go(Cost(nusd=500 - spent))
    other.wait(Cost(nusd=1))


def test_restored_grants_hold_their_places():
    desk = Desk(Limits(in_flight=1))
    held = desk.go(Cost(nusd=5))
    other = Desk(Limits(in_flight=1))
    other.governor.restore(desk.governor.to_state(0.0), 0.0)
    assert other.wait().needs_settle
    other.end(held)
    other.go()


def test_nothing_known_is_nothing_to_wait_for():
    desk = Desk(Limits(), EXACT)
    other = Desk(Limits(), EXACT)
    other.governor.restore(desk.governor.to_state(0.0), 0.0)
    assert isinstance(other.ask(), Granted)
    assert Desk(OPEN_LIMITS).governor.limit(Dimension.SPEND) == math.inf
    assert Desk(OPEN_LIMITS).governor.limit(Dimension.DAY) == math.inf
