"""Who goes on with what an earlier process left: the key that it was opened with, at the price of its route."""

import asyncio
from dataclasses import replace

import pytest

from cavendish.engine.heir import BookedPrice, heir, pricer
from cavendish.model.attempt import Attempt, AttemptState
from cavendish.model.call import Later, Open, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.result import Route
from cavendish.model.usage import Usage
from cavendish.sim.loop import run_virtual
from tests.engine.doubles import PRICE, FlatPrice, Rig
from tests.engine.test_run import killed_after

LONG = Later(Ticket("job"), 1000.0)


def of_one_route(rig, *keys):
    """The rig's lanes as the keys of one route."""
    rig.lanes = [replace(lane, route=rig.lanes[0].route, key=key) for lane, key in zip(rig.lanes, keys, strict=True)]
    return rig.lanes


def attempts_of(rig):
    return list(rig.ledger._attempts.values())


def test_an_attempt_says_with_which_key_it_left_and_what_the_provider_calls_it(monkeypatch):
    rig = Rig([Later(Ticket("job"), 5.0)])
    of_one_route(rig, "k1")
    ids = iter(["req-open", "req-poll"])
    call = rig.provider.call

    async def named(*arguments):
        return replace(await call(*arguments), request_id=next(ids))

    monkeypatch.setattr(rig.provider, "call", named)
    run_virtual(rig.run())
    (attempt,) = attempts_of(rig)
    assert (attempt.key, attempt.request_id) == ("k1", "req-open")


def test_a_job_is_asked_for_with_the_key_that_opened_it_wherever_that_stands_by_now():
    rig = Rig([LONG], ())
    first, second = of_one_route(rig, "k1", "k2")
    rig.lanes = [first]
    run_virtual(killed_after(rig, 10.0))
    rig.lanes = [second, first]
    assert run_virtual(rig.run()).stop is None
    assert [type(call) for call in rig.providers[0].calls] == [Open, Poll]
    assert rig.providers[1].calls == []


def test_a_job_of_a_key_that_is_not_set_is_left_and_its_slot_not_bought_again():
    rig = Rig([LONG], ())
    first, second = of_one_route(rig, "k1", "k2")
    rig.lanes = [first]
    run_virtual(killed_after(rig, 10.0))
    rig.lanes = [second]
    stop = run_virtual(rig.run()).stop
    assert stop is not None
    assert stop.kind is FaultKind.BAD_KEY
    assert "k1" in stop.message
    assert rig.providers[1].calls == []
    assert [attempt.state for attempt in attempts_of(rig)] == [AttemptState.WAITING]


def test_what_arrived_by_a_route_that_is_gone_costs_what_the_books_say(monkeypatch):
    """Not what the same picture would have cost by a route of this run."""

    class Crash(BaseException):
        pass

    async def no_receipt(_receipts):
        raise Crash

    rig = Rig((), ())
    gone, dear = rig.lanes[0], replace(rig.lanes[1], pricing=FlatPrice(PRICE * 100))
    rig.lanes = [gone]
    with monkeypatch.context() as patched:
        patched.setattr(rig.ledger, "settle_all", no_receipt)
        with pytest.raises(Crash):
            run_virtual(rig.run())
    rig.lanes = [dear]
    run_virtual(rig.run())
    (picture,) = rig.watcher.kept
    assert (picture.route, picture.cost_nusd) == (gone.route, PRICE)
    assert asyncio.run(rig.ledger.tally()).billed_nusd == PRICE


def left(route: Route, key="k1") -> Attempt:
    return Attempt("a", "f.0", 1, route, AttemptState.INTENT, PRICE, 0.0, key=key)


def test_a_key_that_is_not_known_on_either_side_forbids_nothing():
    rig = Rig()
    (lane,) = of_one_route(rig, "")
    assert heir([lane], [left(lane.route)]) is lane
    assert heir([replace(lane, key="k2")], [left(lane.route, "")]) is not None
    assert heir([replace(lane, key="k2")], [left(lane.route)]) is None


def test_a_model_that_was_renamed_is_still_asked_for_there_at_the_price_of_the_books():
    rig = Rig()
    (lane,) = of_one_route(rig, "k1")
    old = left(replace(lane.route, wire_model="wire-old"))
    found = heir([lane], [old])
    assert found is not None
    assert (found.provider, found.route) == (lane.provider, old.route)
    assert found.pricing.estimate(next(iter(rig.slots()))) == PRICE


def test_the_same_key_prices_before_another_of_its_route():
    rig = Rig((), ())
    first, second = of_one_route(rig, "k1", "k2")
    assert pricer([first, second], [left(first.route, "k2")]) is second
    assert pricer([first, second], [left(first.route, "k9")]) is first


@pytest.mark.parametrize(
    "reply, usage, cost",
    [
        (Fault(FaultKind.OVERLOADED, charged=Charged.NO), Usage(), 0),
        (Fault(FaultKind.TIMEOUT, charged=Charged.UNKNOWN), Usage(), None),
        (Fault(FaultKind.NO_IMAGE, charged=Charged.YES), Usage(), PRICE),
        (Fault(FaultKind.NO_IMAGE, charged=Charged.YES), Usage(cost_nusd=7), 7),
    ],
)
def test_the_price_on_the_books_is_for_what_was_charged(reply, usage, cost):
    slot = next(iter(Rig().slots()))
    assert BookedPrice(PRICE).cost(slot, usage, reply) == cost
    assert BookedPrice(PRICE).charged(reply) is reply
