"""A flight gives its grant and its money back however it ends."""

import asyncio
from dataclasses import replace

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.policy import Policy
from cavendish.engine.ports import OutOfSpace
from cavendish.govern.governors import Place
from cavendish.io.quota.local import LocalQuotas
from cavendish.model.fault import Fault, FaultKind
from cavendish.sim.loop import run_virtual
from tests.engine.doubles import PRICE, Rig

CANCELLED = (FaultKind.CANCELLED, PRICE)


async def interrupted(rig, how, after_s=0.5):
    """Begins a run, does something to it while calls are in flight, and waits for its end."""
    engine = rig.engine()
    task = asyncio.ensure_future(engine.run(rig.slots()))
    if after_s:
        await asyncio.sleep(after_s)
    how(engine, task)
    await asyncio.gather(task, return_exceptions=True)
    return engine


def abort(engine, task):
    engine.abort()


def cancel(engine, task):
    task.cancel()


@pytest.mark.parametrize("how", [abort, cancel])
def test_a_call_that_is_cancelled_gives_its_grant_back_and_counts_as_bought(how):
    rig = Rig(n=3)
    engine = run_virtual(interrupted(rig, how))
    assert rig.quotas[0].settled == [CANCELLED] * 3
    assert (engine.budget.reserved_nusd, engine.budget.spent_nusd) == (0, 3 * PRICE)
    assert rig.provider.in_flight == 0, "nothing goes on behind the back of a run that was cancelled"
    assert len(rig.watcher.left) == 3


@pytest.mark.parametrize("how", [abort, cancel])
@pytest.mark.parametrize("turns", range(12))
def test_whatever_the_moment_every_grant_comes_back(how, turns):
    """In the first turns of the loop flights are launched, take their first step, write their intent."""
    rig = Rig(n=3, policy=Policy(concurrency=2))

    async def at_that_turn():
        engine = rig.engine()
        task = asyncio.ensure_future(engine.run(rig.slots()))
        for _ in range(turns):
            await asyncio.sleep(0)
        how(engine, task)
        await asyncio.gather(task, return_exceptions=True)
        return engine

    engine = run_virtual(at_that_turn())
    granted = next(rig.quotas[0].counter)
    assert rig.quotas[0].cancelled + len(rig.quotas[0].settled) == granted
    assert engine.budget.reserved_nusd == 0
    assert len(rig.quotas[0].settled) == len(rig.provider.calls)


def test_after_a_stop_not_even_a_call_that_has_leave_goes_out(monkeypatch):
    rig = Rig(n=2)
    seen = []

    async def stopped():
        engine = rig.engine()
        launch = engine._launch

        def stop_at_once(*arguments):
            launch(*arguments)
            engine.stop(Fault(FaultKind.CANCELLED))

        monkeypatch.setattr(engine, "_launch", stop_at_once)
        seen.append(await engine.run(rig.slots()))
        return engine

    engine = run_virtual(stopped())
    assert seen[0].stop.kind is FaultKind.CANCELLED
    assert rig.provider.calls == []
    assert rig.quotas[0].cancelled == next(rig.quotas[0].counter) > 0
    assert engine.budget.reserved_nusd == 0
    assert len(rig.watcher.left) == 2


def test_after_a_stop_a_lane_that_shuts_sends_nobody_to_the_next():
    rig = Rig([Fault(FaultKind.BAD_KEY)], (), n=1)
    run_virtual(interrupted(rig, lambda engine, _: engine.stop(Fault(FaultKind.CANCELLED))))
    assert [len(provider.calls) for provider in rig.providers] == [1, 0]
    assert len(rig.watcher.left) == 1


def test_a_part_that_breaks_takes_no_grant_with_it():
    rig = Rig([RuntimeError("bug")], n=3)
    with pytest.raises(RuntimeError, match="bug"):
        run_virtual(rig.run())
    assert rig.quotas[0].cancelled + len(rig.quotas[0].settled) == next(rig.quotas[0].counter)


@pytest.mark.parametrize("error", [OutOfSpace("full"), RuntimeError("bug"), None])
def test_an_intent_that_is_not_written_costs_nothing(error):
    rig = Rig(n=1)

    async def refuse(entries):
        if error:
            raise error
        await asyncio.sleep(10)

    rig.ledger.intend_all = refuse
    engine = run_virtual(interrupted(rig, abort))
    assert rig.quotas[0].cancelled == 1
    assert (engine.budget.reserved_nusd, engine.budget.spent_nusd) == (0, 0)
    assert rig.provider.calls == []


def test_an_aborted_run_leaves_the_places_in_flight_to_the_next():
    """Runs of one process share a quota: a limit of two in flight must not be used up by calls that were given up."""
    rig = Rig(n=2)

    async def twice():
        quotas = LocalQuotas(rig.clock, rig.dice)
        quota = quotas.quota(Place("e0", "key", "m"), Limits(in_flight=2))
        rig.lanes = [replace(rig.lanes[0], quota=quota)]
        await interrupted(rig, abort)
        began = rig.clock.monotonic()
        assert (await rig.run()).stop is None
        return rig.clock.monotonic() - began

    assert run_virtual(twice()) == pytest.approx(1.0)
    assert len(rig.watcher.pictures) == 2
