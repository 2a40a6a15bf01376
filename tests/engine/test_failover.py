"""Routes in the order that the user gave: the next one stands in while the first fails or is used up, no longer."""

from collections import Counter
from dataclasses import replace

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.policy import Policy
from cavendish.engine.ports import Detour, WaitUntil
from cavendish.govern.dimension import Dimension
from cavendish.govern.governors import Place
from cavendish.io.quota.local import LocalQuotas
from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.sim.loop import run_virtual
from tests.engine.doubles import PICTURE, PRICE, FlatPrice, Rig

K = FaultKind
LONG, SHORT = 600.0, 60.0
DOWN = Fault(K.OVERLOADED, "overloaded", status=503)


def rig_of(*scripts, first=(), n=1, prices=(), **options):
    """Two routes, ``e0`` and ``e1``; ``first`` is what the quota of the first one answers, one by one."""
    rig = Rig(*(scripts or ((), ())), prompts=tuple(f"p{i}" for i in range(n)), **options)
    rig.quotas[0].answers = list(first)
    for index, price in enumerate(prices):
        rig.lanes[index] = replace(rig.lanes[index], pricing=FlatPrice(price))
    return rig


def by_route(rig):
    return Counter(picture.route.endpoint for picture in rig.watcher.pictures)


def test_a_slot_that_would_wait_long_goes_by_the_next_route_and_the_report_says_so():
    rig = rig_of(first=[WaitUntil(LONG, "the day's quota is used up")] * 3, n=3)
    end = run_virtual(rig.run())
    assert by_route(rig) == {"e1": 3}
    assert end.detours == (Detour("e1/m", "e0/m: the day's quota is used up", 3),)


def test_what_merely_keeps_the_pace_waits_for_its_route():
    rig = rig_of(first=[WaitUntil(SHORT, "10 requests per minute")])
    end = run_virtual(rig.run())
    assert by_route(rig) == {"e0": 1}
    assert end.detours == ()
    assert rig.watcher.waits == [("10 requests per minute", SHORT)]


def test_a_route_that_fails_is_left_at_once():
    rig = rig_of(first=[WaitUntil(2.0, "the provider failed several times in a row", failing=True)])
    run_virtual(rig.run())
    assert by_route(rig) == {"e1": 1}


def test_how_long_is_long_is_the_policy_s():
    rig = rig_of(first=[WaitUntil(SHORT, "slow")], policy=Policy(failover_s=10.0))
    run_virtual(rig.run())
    assert by_route(rig) == {"e1": 1}


def test_new_slots_take_the_first_route_again_when_it_recovers():
    rig = rig_of(first=[WaitUntil(LONG, "used up")] * 2, n=5)
    run_virtual(rig.run())
    assert by_route(rig) == {"e0": 3, "e1": 2}


def test_when_all_routes_wait_the_earliest_is_waited_for():
    rig = rig_of(first=[WaitUntil(LONG, "used up")] * 2)
    rig.quotas[1].answers = [WaitUntil(LONG / 2, "used up here too")]
    run_virtual(rig.run())
    assert by_route(rig) == {"e1": 1}
    assert rig.watcher.waits[0] == ("used up here too", LONG / 2)


def test_never_to_a_route_that_is_not_among_those_given():
    rig = rig_of(first=[WaitUntil(LONG, "used up")] * 12)
    rig.lanes = rig.lanes[:1]
    run_virtual(rig.run())
    assert by_route(rig) == {"e0": 1}
    assert rig.providers[1].calls == []


def test_a_dearer_route_stands_in_only_when_the_cap_has_room_for_it():
    rig = rig_of(first=[WaitUntil(SHORT * 3, "used up")] * 4, prices=(PRICE, PRICE * 100), max_cost_nusd=PRICE * 10)
    end = run_virtual(rig.run())
    assert end.stop is None
    assert by_route(rig) == {"e0": 1}


def test_the_cap_holds_for_the_dearer_route():
    rig = rig_of(
        first=[WaitUntil(LONG, "used up")] * 60,
        n=10,
        prices=(PRICE, PRICE * 4),
        max_cost_nusd=PRICE * 20,
        latency_s=5.0,
    )
    run_virtual(rig.run())
    found = by_route(rig)
    assert found["e1"] * 4 + found["e0"] <= 20
    assert found["e1"] >= 3


def test_a_route_whose_keys_are_dead_hands_all_over_and_says_why():
    gone = Fault(K.NO_CREDIT, "no credit left", scope=Scope.KEY)
    rig = rig_of([gone], (), n=4, policy=Policy(concurrency=1))
    end = run_virtual(rig.run())
    assert end.stop is None
    assert by_route(rig) == {"e1": 4}
    assert end.detours == (Detour("e1/m", "e0/m: no credit left", 4),)
    assert [closing.fault for closing in end.closings] == [gone]


def test_a_slot_that_was_handed_on_for_good_says_so_too():
    rig = rig_of([DOWN] * 3, (), policy=Policy(refills={K.OVERLOADED: 2}))
    end = run_virtual(rig.run())
    assert by_route(rig) == {"e1": 1}
    assert end.detours == (Detour("e1/m", "e0/m: overloaded", 1),)


def test_a_stand_in_that_fails_leaves_the_slot_to_its_own_route():
    refused = Fault(K.NO_IMAGE, "nothing", Charged.NO)
    rig = rig_of((), [refused, PICTURE], first=[WaitUntil(LONG, "used up")])
    run_virtual(rig.run())
    assert by_route(rig) == {"e0": 1}


# --- with real governors: an overload is no limit ---------------------------------------------------------------------


def governed(rig, *limits):
    """The rig with a real quota for each route."""

    async def run(plain=rig.run):
        rig.governors = LocalQuotas(rig.clock, rig.dice)
        places = [Place(lane.route.endpoint, "k", "m") for lane in rig.lanes]
        rig.lanes = [
            replace(lane, quota=rig.governors.quota(place, limit))
            for lane, place, limit in zip(rig.lanes, places, limits, strict=True)
        ]
        return await plain()

    rig.run = run
    return rig


@pytest.mark.parametrize("trouble", [DOWN, Fault(K.SERVER_ERROR, "broken", status=500), Fault(K.CONNECT, "no line")])
def test_an_outage_sends_slots_round_and_they_come_back(trouble):
    """The first route fails for its first eight calls; with its breaker open the others go by the second at once."""
    rig = governed(rig_of([trouble] * 8, (), n=200, policy=Policy(concurrency=8), latency_s=2.0), Limits(), Limits())
    end = run_virtual(rig.run())
    assert end.stop is None
    found = by_route(rig)
    assert found.total() == 200
    assert found["e1"] > 10
    assert rig.providers[0].script == []
    assert found["e0"] > 10, "it was taken again when it was well again"
    assert sum(detour.pictures for detour in end.detours) == found["e1"]
    assert all(detour.why.startswith("e0/m: ") for detour in end.detours)


def test_an_overload_shrinks_what_is_in_flight_and_not_the_rate():
    rig = rig_of([DOWN] * 4, n=30)
    rig = governed(rig, Limits(requests_per_minute=30))
    run_virtual(rig.run())
    governor = rig.lanes[0].quota._governor
    assert governor.limit(Dimension.REQUESTS) == 30
    assert governor.limit(Dimension.IN_FLIGHT) < 30
    assert len(rig.watcher.pictures) == 30
