"""Keys of one route: they share its work, nobody waits while one of them is free, and a dead one leaves alone."""

import asyncio
import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.cards import Limits
from cavendish.engine.pool import Pool, Pools, Turn
from cavendish.engine.ports import Closing, Cost, Grant, Shut, WaitUntil
from cavendish.govern.governors import Place
from cavendish.io.quota.local import LocalQuotas
from cavendish.model.fault import Fault, FaultKind, Scope
from cavendish.sim.loop import run_virtual
from tests.engine.doubles import OpenQuota, Rig

K = FaultKind
REVOKED = Fault(K.BAD_KEY, "revoked", scope=Scope.KEY)


def rig_of(*limits, n=1, scripts=None, **options):
    """A rig whose lanes are keys of one route, each with a quota of its own, as real keys have."""
    rig = Rig(*(scripts or ((),) * len(limits)), n=n, **options)
    places = [Place("e0", f"k{i}", "m") for i in range(len(limits))]
    rig.lanes = [
        replace(lane, route=rig.lanes[0].route, key=place.key) for lane, place in zip(rig.lanes, places, strict=True)
    ]
    for provider in rig.providers:
        # No two of them draw the same picture.
        provider.drawn = rig.providers[0].drawn

    async def run(plain=rig.run):
        quotas = LocalQuotas(rig.clock, rig.dice)
        rig.lanes = [
            replace(lane, quota=quotas.quota(place, limit))
            for lane, place, limit in zip(rig.lanes, places, limits, strict=True)
        ]
        return await plain()

    rig.run = run
    return rig


def calls(rig):
    return [len(provider.calls) for provider in rig.providers]


def asked(pool, now=0.0, **more):
    return asyncio.run(pool.reserve(Turn(Cost(), now, **more)))


def pool_of(*answers, tell=lambda closing: None):
    rig = Rig(*((),) * len(answers))
    lanes = tuple(replace(lane, route=rig.lanes[0].route) for lane in rig.lanes)
    for quota, script in zip(rig.quotas, answers, strict=True):
        quota.answers = list(script)
    return Pool(lanes, tell)


def went(pool) -> int:
    """Which key a call left with."""
    found = asked(pool)
    assert isinstance(found, tuple)
    return pool.lanes.index(found[0])


# --- the pool ---------------------------------------------------------------------------------------------------------


def test_keys_are_asked_in_turns():
    pool = pool_of((), (), ())
    assert [went(pool) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_a_key_that_is_at_its_limit_is_passed_over():
    pool = pool_of([WaitUntil(30.0, "full")] * 2, ())
    assert [went(pool) for _ in range(2)] == [1, 1]


@pytest.mark.parametrize(
    "waits, soonest",
    [
        ((30.0, 20.0, 40.0), 20.0),
        ((float("inf"), 20.0), float("inf")),  # a call in flight ends within seconds
        ((float("inf"), 2.0), 2.0),
    ],
)
def test_when_none_may_go_the_earliest_is_waited_for(waits, soonest):
    pool = pool_of(*([WaitUntil(at, "full")] for at in waits))
    assert asked(pool).at == soonest


def test_a_route_fails_when_all_of_its_keys_wait_for_that():
    failing = WaitUntil(5.0, "down", failing=True)
    assert asked(pool_of([failing], [replace(failing, at=9.0)])).failing
    assert not asked(pool_of([failing], [WaitUntil(9.0, "full")])).failing


def test_a_dead_key_is_told_once_by_a_name_that_is_safe_and_asked_no_more():
    told: list[Closing] = []
    pool = pool_of((), [Shut(REVOKED)], (), tell=told.append)
    assert [went(pool) for _ in range(4)] == [0, 2, 0, 2]
    (closing,) = told
    assert (closing.key, closing.fault, closing.keys_left) == ("key 2 of 3", REVOKED, 2)
    pool.shut(pool.lanes[1], REVOKED)
    assert len(told) == 1
    assert pool.closed is None


def test_a_pool_is_closed_when_its_last_key_is():
    other = Fault(K.NO_CREDIT, "empty")
    pool = pool_of([Shut(REVOKED)], [Shut(other)])
    assert asked(pool) == Shut(other)
    assert pool.closed == other


def test_a_route_without_a_second_key_has_no_other_to_ask():
    pool = pool_of(())
    assert asked(pool, lanes=()) is None


def test_what_stands_ready_is_divided_among_the_keys():
    seen = []

    class Noting(OpenQuota):
        async def reserve(self, cost, wanted=1):
            seen.append(wanted)
            return WaitUntil(1.0, "full")

    rig = Rig((), (), ())
    pool = Pool(tuple(replace(lane, quota=Noting()) for lane in rig.lanes), lambda closing: None)
    asked(pool, wanted=7)
    assert seen == [3, 3, 3]


def test_lanes_of_one_route_are_one_pool_whatever_their_order():
    rig = Rig((), (), ())
    a, b = rig.lanes[0], replace(rig.lanes[1], route=rig.lanes[0].route)
    pools = Pools(lambda closing: None)
    first = pools.of([a, rig.lanes[2], b])
    assert [pool.lanes for pool in first] == [(a, b), (rig.lanes[2],)]
    assert pools.of([b, a])[0] is first[0]
    assert pools.holding(b) is first[0]
    assert pools.holding(replace(b)) is None


# --- the pool at work -------------------------------------------------------------------------------------------------


def test_a_slot_leaves_with_whichever_key_is_free_first():
    """Ten a minute and two a minute: forty pictures take what twelve a minute take, not what two halves would."""
    rig = rig_of(Limits(requests_per_minute=10), Limits(requests_per_minute=2), n=40)
    began = rig.clock.monotonic

    async def timed():
        at = began()
        await rig.run()
        return began() - at

    seconds = run_virtual(timed())
    assert len(rig.watcher.pictures) == 40
    assert calls(rig) == [32, 8]
    assert seconds < 3 * 60 + 10


@given(
    limits=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    n=st.integers(1, 60),
)
def test_no_key_is_idle_while_a_slot_waits(limits, n):
    """After each whole minute, every key has started as many calls as it may, or all slots are gone."""
    rig = rig_of(*(Limits(requests_per_minute=limit) for limit in limits), n=n, latency_s=0.01)
    starts = [[] for _ in limits]
    for provider, begun in zip(rig.providers, starts, strict=True):
        provider.call = noted(provider.call, begun, rig.clock)
    run_virtual(rig.run())
    assert len(rig.watcher.pictures) == n
    for minute in itertools.count(1):
        sent = [sum(at < 60.3 * minute for at in begun) for begun in starts]
        if sum(sent) == n:
            break
        assert sent == [limit * minute for limit in limits]


def noted(call, begun, clock):
    async def noting(*arguments):
        begun.append(clock.monotonic())
        return await call(*arguments)

    return noting


def test_keys_without_limits_share_evenly():
    rig = rig_of(Limits(), Limits(), Limits(), n=30)
    run_virtual(rig.run())
    assert calls(rig) == [10, 10, 10]


@pytest.mark.parametrize("kind", [K.BAD_KEY, K.FORBIDDEN, K.NO_CREDIT, K.NO_QUOTA])
def test_a_dead_key_leaves_and_the_run_goes_on_with_the_rest(kind):
    fault = Fault(kind, "no more", scope=Scope.KEY)
    rig = rig_of(Limits(), Limits(), n=12, scripts=([fault] * 50, ()))
    assert run_virtual(rig.run()).stop is None
    assert len(rig.watcher.pictures) == 12
    ((name, why, left),) = [(c.key, c.fault.kind, c.keys_left) for c in rig.watcher.lost]
    assert (name, why, left) == ("key 1 of 2", kind, 1)


def test_a_limit_of_zero_closes_its_key_alone():
    zero = Fault(K.RATE_LIMITED, "limit: 0", scope=Scope.KEY, limit_value=0)
    rig = rig_of(Limits(), Limits(), n=6, scripts=([zero] * 50, ()))
    assert run_virtual(rig.run()).stop is None
    assert [closing.key for closing in rig.watcher.lost] == ["key 1 of 2"]


def test_when_all_keys_are_dead_the_run_stops_with_the_reason():
    rig = rig_of(Limits(), Limits(), n=4, scripts=([REVOKED] * 9, [REVOKED] * 9))
    stop = run_virtual(rig.run()).stop
    assert stop is not None
    assert stop == REVOKED
    assert Counter(closing.key for closing in rig.watcher.lost) == {"key 1 of 2": 1, "key 2 of 2": 1}
    assert len(rig.watcher.left) == 4


def test_a_key_whose_day_is_used_up_rests_while_the_others_go_on():
    rig = rig_of(Limits(requests_per_day=3), Limits(requests_per_minute=10), n=33)
    assert run_virtual(rig.run()).stop is None
    assert calls(rig) == [3, 30]
    assert rig.watcher.lost == []


def test_a_grant_of_a_key_is_settled_with_that_key():
    rig = Rig((), (), prompts=tuple("abcdefgh"))
    rig.lanes = [replace(lane, route=rig.lanes[0].route) for lane in rig.lanes]
    run_virtual(rig.run())
    assert [len(quota.settled) for quota in rig.quotas] == [4, 4]
    assert isinstance(asyncio.run(rig.quotas[0].reserve(Cost())), Grant)
