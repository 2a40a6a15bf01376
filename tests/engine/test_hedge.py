"""Hedging: a second call for a slot whose first is slow; paid for beforehand, rare, and never a second slot."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.engine.hedge import REMEMBERED, Hedges, Latencies
from cavendish.engine.policy import Hedge, Policy
from cavendish.engine.ports import Grant, WaitUntil
from cavendish.model.attempt import AttemptState
from cavendish.model.call import Later, Open, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image
from cavendish.model.result import Route
from cavendish.plan.split import Several
from cavendish.sim.loop import run_virtual
from tests.engine.doubles import PRICE, Rig
from tests.engine.test_run import killed_after

K = FaultKind
AFTER = Hedge(after_s=5.0)
NOTHING = Fault(K.NO_IMAGE, "nothing", Charged.YES)


class Slow:
    """An item of a script that takes its time; then it is as the item says."""

    def __init__(self, seconds, item=None):
        self.seconds, self.item = seconds, item


def slow_calls(provider):
    """Let a provider take as long as its script says."""
    plain = provider.call

    async def call(call, attempt_id):
        if provider.script and isinstance(provider.script[0], Slow):
            slow = provider.script.pop(0)
            await asyncio.sleep(slow.seconds)
            if slow.item is not None:
                provider.script.insert(0, slow.item)
        return await plain(call, attempt_id)

    provider.call = call


def rig_of(*scripts, hedge=AFTER, same_route=True, **options):
    """Two lanes, of one route unless told otherwise. Their providers never draw the same."""
    policy = Policy(hedge=hedge, concurrency=options.pop("concurrency", 256))
    rig = Rig(*scripts, policy=policy, **options)
    for provider in rig.providers:
        provider.drawn = rig.providers[0].drawn
        slow_calls(provider)
    if same_route:
        rig.lanes = [replace(lane, route=rig.lanes[0].route, key=f"k{i}") for i, lane in enumerate(rig.lanes)]
    return rig


def attempts_of(rig):
    return sorted(rig.ledger._attempts.values(), key=lambda attempt: attempt.number)


def tally(rig):
    return asyncio.run(rig.ledger.tally())


def calls(rig):
    return [len(provider.calls) for provider in rig.providers]


def test_a_slow_call_gets_a_second_by_another_key_and_the_first_picture_wins():
    rig = rig_of([Slow(60.0)], ())
    assert run_virtual(rig.run()).stop is None
    (picture,) = rig.watcher.pictures
    assert calls(rig) == [1, 1] or calls(rig) == [0, 1]
    first, hedge = attempts_of(rig)
    assert (first.hedge, first.key, hedge.hedge, hedge.key) == (False, "k0", True, "k1")
    assert hedge.state is AttemptState.SETTLED
    assert picture.attempts == 2
    assert tally(rig).delivered == 1


def test_a_quick_call_gets_none():
    rig = rig_of((), (), n=20)
    run_virtual(rig.run())
    assert not any(attempt.hedge for attempt in attempts_of(rig))


def test_without_the_wish_nothing_is_hedged():
    rig = rig_of([Slow(60.0)], (), hedge=None)
    run_virtual(rig.run())
    assert len(attempts_of(rig)) == 1


def test_what_comes_second_is_billed_and_kept_beside_the_picture():
    """The first call is answered a moment after the hedge: within the time that is still waited."""
    rig = rig_of([Slow(8.0)], ())
    run_virtual(rig.run())
    first, hedge = attempts_of(rig)
    assert [first.charged, hedge.charged] == [Charged.YES, Charged.YES]
    assert tally(rig).billed_nusd == 2 * PRICE
    standing = asyncio.run(rig.ledger.standing(first.slot_id))
    (extra,) = standing.outcome.extras
    assert isinstance(extra, Image)
    assert extra.blob.ref in rig.blobs.files
    assert extra.blob.sha256 != standing.outcome.blob.sha256
    assert standing.outcome.cost_nusd == 2 * PRICE
    assert len(rig.watcher.ended) == 1


def test_what_does_not_come_is_given_up_and_counts_as_possibly_billed():
    rig = rig_of([Slow(3600.0)], ())

    async def timed():
        await rig.run()
        return rig.clock.monotonic()

    assert run_virtual(timed()) < 30.0
    first, _ = attempts_of(rig)
    assert (first.state, first.charged) == (AttemptState.UNKNOWN, Charged.UNKNOWN)
    assert tally(rig).unknown_nusd == PRICE
    assert tally(rig).in_flight == 0


@pytest.mark.parametrize("late", [NOTHING, Fault(K.BAD_KEY, "revoked"), Fault(K.TIMEOUT, charged=Charged.UNKNOWN)])
def test_a_fault_that_comes_second_changes_nothing_but_the_bill(late):
    rig = rig_of([Slow(8.0, late)], ())
    assert run_virtual(rig.run()).stop is None
    first, _ = attempts_of(rig)
    assert first.fault.kind is late.kind
    assert len(rig.watcher.pictures) == 1
    assert [closing.key for closing in rig.watcher.lost] == (["key 1 of 2"] if late.kind is K.BAD_KEY else [])


def test_a_fault_that_comes_first_leaves_the_slot_to_the_other_call():
    rig = rig_of([Slow(8.0)], [NOTHING])
    run_virtual(rig.run())
    assert len(rig.watcher.pictures) == 1
    assert [attempt.hedge for attempt in attempts_of(rig)] == [False, True]
    assert sum(isinstance(call, Open) for provider in rig.providers for call in provider.calls) == 2


def test_when_both_fail_the_slot_is_tried_again_and_hedged_no_more():
    rig = rig_of([Slow(8.0, NOTHING), Slow(40.0)], [NOTHING, Slow(40.0)])
    run_virtual(rig.run())
    assert len(rig.watcher.pictures) == 1
    assert [attempt.hedge for attempt in attempts_of(rig)] == [False, True, False]


def test_another_route_stands_in_where_there_is_no_other_key():
    rig = rig_of([Slow(60.0)], (), same_route=False)
    run_virtual(rig.run())
    (picture,) = rig.watcher.pictures
    assert picture.route.endpoint == "e1"


def test_the_same_key_does_when_there_is_nothing_else():
    rig = rig_of([Slow(60.0)])
    run_virtual(rig.run())
    assert [attempt.hedge for attempt in attempts_of(rig)] == [False, True]


def test_no_money_no_hedge():
    rig = rig_of([Slow(60.0)], (), max_cost_nusd=PRICE)
    assert run_virtual(rig.run()).stop is None
    assert len(attempts_of(rig)) == 1


def test_no_quota_no_hedge_until_there_is_some():
    rig = rig_of([Slow(60.0)], ())
    granted = Grant("first")
    rig.quotas[0].answers = [granted, *[WaitUntil(1e9, "full")] * 50]
    rig.quotas[1].answers = [WaitUntil(20.0, "full")] * 2
    run_virtual(rig.run())
    first, hedge = attempts_of(rig)
    assert hedge.intent_at - first.intent_at == pytest.approx(15.0)


def test_few_calls_are_hedged():
    rig = rig_of([Slow(30.0) for _ in range(300)], n=60, concurrency=32)
    run_virtual(rig.run())
    hedged = [attempt for attempt in attempts_of(rig) if attempt.hedge]
    assert 1 <= len(hedged) <= 6
    assert len({attempt.slot_id for attempt in hedged}) == len(hedged)
    assert len(rig.watcher.pictures) == 60


def test_calls_for_several_are_not_hedged():
    rig = rig_of([Slow(60.0)], n=4, several=Several(4))
    run_virtual(rig.run())
    assert not any(attempt.hedge for attempt in attempts_of(rig))


# --- crashes ----------------------------------------------------------------------------------------------------------


def test_after_a_crash_with_both_open_both_are_unknown_and_the_slot_is_made_again():
    rig = rig_of([Slow(60.0)], [Slow(60.0)])
    run_virtual(killed_after(rig, 10.0))
    assert tally(rig).in_flight == 2
    run_virtual(rig.run())
    assert tally(rig).unknown_attempts == 2
    assert tally(rig).delivered == 1
    assert [attempt.hedge for attempt in attempts_of(rig)] == [False, True, False]


class Crash(BaseException):
    pass


@pytest.mark.parametrize("settled", [0, 1])
def test_after_a_crash_what_arrived_of_both_is_one_picture_and_one_beside_it(settled):
    """Killed when both replies were durable and none, or only the hedge's, was on the books."""
    rig = rig_of([Slow(7.0)], ())
    plain, left = rig.ledger.settle_all, [settled]

    async def settle_all(receipts):
        if not left[0]:
            await asyncio.sleep(3600)
        left[0] -= 1
        await plain(receipts)

    rig.ledger.settle_all = settle_all
    run_virtual(killed_after(rig, 12.0))
    rig.ledger.settle_all = plain
    assert tally(rig).in_flight == 2 - settled
    run_virtual(rig.run())
    assert (tally(rig).delivered, tally(rig).in_flight, tally(rig).unknown_attempts) == (1, 0, 0)
    assert tally(rig).billed_nusd == 2 * PRICE
    standing = asyncio.run(rig.ledger.standing(attempts_of(rig)[0].slot_id))
    assert len(standing.outcome.extras) == 1
    assert len(rig.watcher.kept) == 1


def test_a_job_and_its_hedge_survive_a_crash_together():
    rig = rig_of([Later(Ticket("job"), 100.0)], [Later(Ticket("hedge"), 300.0)])
    run_virtual(killed_after(rig, 10.0))
    assert tally(rig).in_flight == 2
    run_virtual(rig.run())
    assert [type(call) for provider in rig.providers for call in provider.calls] == [Open, Poll, Open, Poll]
    assert tally(rig).delivered == 1
    assert tally(rig).billed_nusd == 2 * PRICE


# --- when a call is slow ----------------------------------------------------------------------------------------------

ROUTE = Route("e0", "m", "wire-m")
(SLOT,) = Rig().slots()


def test_the_tail_is_learned_from_the_calls_before():
    hedges = Hedges(Hedge(quantile=0.9, samples=10))
    for second in range(1, 11):
        assert hedges.after_s(ROUTE, SLOT) is None
        hedges.took(ROUTE, SLOT, float(second))
    assert hedges.after_s(ROUTE, SLOT) == 9.0
    assert hedges.after_s(Route("e1", "m", "wire-m"), SLOT) is None


@pytest.mark.parametrize("calls, hedges", [(1, 1), (10, 1), (20, 2), (100, 10)])
def test_a_share_of_the_calls_may_be_hedged(calls, hedges):
    rule = Hedges(Hedge(after_s=1.0))
    for _ in range(calls):
        rule.left()
    sent = 0
    while rule.may:
        rule.hedged()
        sent += 1
    assert sent == hedges


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=REMEMBERED + 50), st.floats(0.01, 1))
def test_a_quantile_is_one_of_the_latest_and_so_many_took_no_longer(taken, share):
    latencies = Latencies()
    for seconds in taken:
        latencies.add(seconds)
    latest = taken[-REMEMBERED:]
    found = latencies.quantile(share)
    assert found in latest
    assert sum(seconds <= found for seconds in latest) >= share * len(latest) - 1e-6
