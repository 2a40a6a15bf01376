"""One call for several slots: dealt in order, refilled, billed to the last nano-dollar, and never bought twice."""

import asyncio
from dataclasses import replace

import pytest

from cavendish.engine.ports import OutOfSpace
from cavendish.model.call import Fetch, Later, Open, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image
from cavendish.plan.split import Several
from cavendish.sim.loop import run_virtual
from tests.engine.doubles import PRICE, Gives, Rig, tiny_png

TEN = Several(10)
SAFETY = Fault(FaultKind.IMAGE_SAFETY, "blocked", Charged.NO)


def played(*scripts, several=TEN, **rig):
    rig = Rig(*scripts, several=several, **rig)
    end = run_virtual(rig.run())
    return rig, end


def asked(rig):
    return [call.request.n for call in rig.provider.calls if isinstance(call, Open)]


def attempts_of(rig):
    return list(rig.ledger._attempts.values())


def tally_of(rig):
    return asyncio.run(rig.ledger.tally())


def test_a_row_goes_in_one_call_and_each_slot_has_its_picture():
    rig, end = played(n=4)
    assert end.stop is None
    assert asked(rig) == [4]
    assert [p.slot.ordinal for p in rig.watcher.pictures] == [0, 1, 2, 3]
    assert len({p.blob.sha256 for p in rig.watcher.pictures}) == 4
    attempts = attempts_of(rig)
    assert {a.shared for a in attempts} == {attempts[0].id}
    assert [a.place for a in attempts] == [0, 1, 2, 3]
    assert [p.attempts for p in rig.watcher.pictures] == [1] * 4
    assert rig.watcher.started == 4
    assert rig.blobs._records == {}


@pytest.mark.parametrize("several, n, calls", [(TEN, 11, [6, 5]), (Several(3), 7, [3, 2, 2]), (Several(1), 3, [1] * 3)])
def test_no_call_is_asked_for_more_than_it_may_be(several, n, calls):
    rig, _ = played(several=several, n=n)
    assert asked(rig) == calls
    assert len(rig.watcher.pictures) == n


def test_rows_of_one_form_share_and_others_do_not():
    rig, _ = played(n=2, prompts=("a", "b"))
    assert asked(rig) == [2, 2]
    assert [call.request.prompt for call in rig.provider.calls] == ["a", "b"]


def test_single_slots_stay_what_they_were():
    rig, _ = played(n=1, prompts=("a", "b"))
    assert asked(rig) == [1, 1]
    assert {a.shared for a in attempts_of(rig)} == {""}


def test_fewer_than_asked_are_refilled_for_the_reason_that_the_reply_has():
    rig, _ = played([Gives(2, shortfall=(SAFETY,))], n=4)
    assert asked(rig) == [4, 2]
    assert len(rig.watcher.pictures) == 4
    faults = [a.fault.kind for a in attempts_of(rig) if a.fault]
    assert faults == [FaultKind.IMAGE_SAFETY, FaultKind.NO_IMAGE]
    assert [p.attempts for p in rig.watcher.pictures] == [1, 1, 2, 2]


def test_a_refusal_that_stays_fails_its_slots_alone():
    rig, end = played([Gives(2, shortfall=(SAFETY, SAFETY)), SAFETY, SAFETY, SAFETY], n=4)
    assert end.stop is None
    assert asked(rig) == [4, 2, 1, 1]
    assert len(rig.watcher.pictures) == 2
    assert [f.fault.kind for f in rig.watcher.failures] == [FaultKind.IMAGE_SAFETY] * 2


def test_one_picture_that_is_withheld_does_not_cost_the_others_theirs():
    """OpenAI refuses all ten for one of them: each is asked for alone then, and only that one stays out."""
    rig, end = played([SAFETY, Gives(1), SAFETY, Gives(1), Gives(1), SAFETY], n=4)
    assert end.stop is None
    assert asked(rig) == [4, 1, 1, 1, 1, 1]
    assert len(rig.watcher.pictures) == 3
    assert [f.fault.kind for f in rig.watcher.failures] == [FaultKind.IMAGE_SAFETY]


@pytest.mark.parametrize("all_final", [True, False])
def test_more_than_asked_are_kept_beside_the_last_and_not_delivered(all_final):
    rig, _ = played([Gives(2, more=2, all_final=all_final)], n=2)
    first, last = rig.watcher.pictures
    assert first.extras == ()
    extras = [part.blob.ref for part in last.extras if isinstance(part, Image)]
    assert len(extras) == 2
    assert set(extras) < set(rig.blobs.files)
    assert len(rig.blobs.files) == 4


def test_words_go_with_the_picture_that_follows_them():
    rig, _ = played([Gives(2, words=1)], n=2)
    assert [p.text for p in rig.watcher.pictures] == ["words 0", "words 1"]
    assert [p.place for p in rig.watcher.pictures] == [1, 1]


def test_the_same_picture_twice_in_a_reply_is_refilled():
    rig, _ = played([Gives(3, same=tiny_png(8, 8, b"same"))], n=3)
    assert asked(rig) == [3, 2]
    assert len({p.blob.sha256 for p in rig.watcher.pictures}) == 3
    assert [a.fault.kind for a in attempts_of(rig) if a.fault] == [FaultKind.DUPLICATE] * 2


def test_the_cost_is_divided_to_the_last_nano_dollar():
    rig, _ = played([Gives(3, cost=100)], n=3)
    assert sorted(p.cost_nusd for p in rig.watcher.pictures) == [33, 33, 34]
    assert tally_of(rig).billed_nusd == 100
    assert sum(p.usage.cost_nusd or 0 for p in rig.watcher.pictures) == 100
    assert sum(p.usage.images for p in rig.watcher.pictures) == 3


def test_what_was_not_charged_bears_no_part_of_the_bill():
    rig, _ = played([Gives(2, shortfall=(SAFETY,), cost=101), Gives(1, cost=7)], n=3)
    assert tally_of(rig).billed_nusd == 108
    assert sorted(p.cost_nusd for p in rig.watcher.pictures) == [7, 50, 51]


@pytest.mark.parametrize("counted, cost, charged", [(2, None, "no"), (3, None, "unknown"), (3, 90, "no")])
def test_whether_a_refused_picture_was_billed_the_count_or_the_bill_may_tell(counted, cost, charged):
    """Where three are counted and two came, the third may have been billed, unless the bill says what all cost."""
    black = Fault(FaultKind.IMAGE_SAFETY, charged=Charged.UNKNOWN)
    rig = Rig([Gives(2, shortfall=(black,), cost=cost)], several=TEN, n=3)
    reply = rig.provider.reply

    async def counting(*arguments):
        done = await reply(*arguments)
        return replace(done, usage=replace(done.usage, images=counted)) if done.shortfall else done

    rig.provider.reply = counting
    run_virtual(rig.run())
    refused = next(a for a in attempts_of(rig) if a.fault)
    assert refused.charged.value == charged
    assert refused.cost_nusd == (None if charged == "unknown" else 0)


@pytest.mark.parametrize(
    "charged, billed, unknown", [(Charged.YES, 30, 0), (Charged.NO, 0, 0), (Charged.UNKNOWN, 0, 3)]
)
def test_a_fault_of_the_whole_call_is_everyones(charged, billed, unknown):
    rig = Rig([Fault(FaultKind.MAX_TOKENS, charged=charged)], several=TEN, n=3, price=10)
    run_virtual(rig.run())
    first = attempts_of(rig)[:3]
    assert [a.charged for a in first] == [charged] * 3
    assert sum(a.cost_nusd or 0 for a in first) == billed
    assert sum(a.estimate_nusd or 0 for a in first if a.cost_nusd is None) == 10 * unknown
    assert len(rig.watcher.pictures) == 3


def test_the_quota_is_asked_once_for_all_pictures():
    rig = Rig(several=TEN, n=3)
    seen = []
    reserve = rig.quotas[0].reserve

    async def noted(cost, wanted):
        seen.append((cost.requests, cost.images, cost.nusd))
        return await reserve(cost, wanted)

    rig.quotas[0].reserve = noted
    run_virtual(rig.run())
    assert seen == [(1, 3, 3 * PRICE)]


def test_a_cap_makes_calls_smaller_before_it_stops_the_run():
    rig, end = played(n=5, max_cost_nusd=3 * PRICE, several=Several(10))
    assert asked(rig)[0] == 3
    assert end.stop is not None
    assert end.stop.kind is FaultKind.BUDGET
    assert len(rig.watcher.pictures) == 3


@pytest.mark.parametrize("kind", [FaultKind.INVALID_REQUEST, FaultKind.TOO_LARGE])
def test_a_host_that_takes_no_several_is_asked_for_one(kind):
    rig, end = played([Fault(kind, "n must be 1")], n=3)
    assert asked(rig) == [3, 1, 1, 1]
    assert end.stop is None
    assert len(rig.watcher.pictures) == 3


def test_a_host_that_takes_nothing_at_all_is_not_asked_for_ever():
    rig = Rig([Fault(FaultKind.INVALID_REQUEST, "no")] * 20, several=TEN, n=3)
    run_virtual(rig.run())
    assert asked(rig) == [3, 1, 1, 1]
    assert len(rig.watcher.failures) == 3


def test_a_call_that_a_minute_can_never_hold_is_made_smaller():
    limit = Fault(FaultKind.RATE_LIMITED, limit="images per minute", limit_value=2)
    rig, _ = played([limit], n=4)
    assert asked(rig) == [4, 2, 2]


# --- crashes ----------------------------------------------------------------------------------------------------------


class Crash(BaseException):
    pass


async def crash(*_):
    raise Crash


def crashed_at(rig, name):
    """A first life that ends in this method of the ledger, and the second one."""
    method = getattr(rig.ledger, name)
    setattr(rig.ledger, name, crash)
    with pytest.raises(Crash):
        run_virtual(rig.run())
    setattr(rig.ledger, name, method)
    return run_virtual(rig.run())


def test_a_reply_that_arrived_before_the_crash_is_adopted_whole():
    rig = Rig(several=TEN, n=4)
    assert crashed_at(rig, "settle_all").stop is None
    assert asked(rig) == [4]
    assert [o.slot.ordinal for o in rig.watcher.kept] == [0, 1, 2, 3]
    assert tally_of(rig).delivered == 4
    assert len(rig.blobs.files) == 4


def test_a_reply_that_was_short_is_adopted_and_topped_up():
    rig = Rig([Gives(3, shortfall=(SAFETY,))], several=TEN, n=4)
    crashed_at(rig, "settle_all")
    assert asked(rig) == [4, 1]
    assert tally_of(rig).delivered == 4


def test_an_open_job_is_asked_for_again():
    rig = Rig([Later(Ticket("job"), 5.0)], several=TEN, n=4)
    rig.provider.script.append(Crash())
    with pytest.raises(Crash):
        run_virtual(rig.run())
    assert run_virtual(rig.run()).stop is None
    assert [type(call) for call in rig.provider.calls] == [Open, Poll, Poll]
    assert tally_of(rig).delivered == 4
    assert {a.ticket.id for a in attempts_of(rig)} == {"job"}


def test_pictures_that_were_named_are_fetched_by_the_next_life():
    rig = Rig([Gives(3, uri="https://x/"), Crash()], several=TEN, n=3)
    with pytest.raises(Crash):
        run_virtual(rig.run())
    assert run_virtual(rig.run()).stop is None
    assert [type(call) for call in rig.provider.calls] == [Open, Fetch, Fetch, Fetch, Fetch]
    assert tally_of(rig).delivered == 3
    assert len(attempts_of(rig)) == 3


def test_one_picture_that_cannot_be_fetched_is_one_fault():
    gone = Fault(FaultKind.MALFORMED, "gone")
    rig, _ = played([Gives(3, uri="https://x/", cost=90), gone], n=3)
    assert len(rig.watcher.pictures) == 3
    assert asked(rig) == [3, 1]
    lost = next(a for a in attempts_of(rig) if a.fault)
    assert (lost.fault.kind, lost.charged, lost.cost_nusd) == (FaultKind.MALFORMED, Charged.YES, 30)


def test_a_call_whose_fate_is_unknown_is_unknown_for_each_slot():
    rig = Rig([Crash()], several=TEN, n=3)
    with pytest.raises(Crash):
        run_virtual(rig.run())
    run_virtual(rig.run())
    assert asked(rig) == [3, 3]
    assert tally_of(rig).unknown_attempts == 3
    assert tally_of(rig).unknown_nusd == 3 * PRICE


def test_a_full_disk_leaves_all_of_a_call_s_slots_to_be_resumed():
    rig = Rig([OutOfSpace("full")], several=TEN, n=3)
    end = run_virtual(rig.run())
    assert end.stop is not None
    assert end.stop.kind is FaultKind.DISK_FULL
    assert len(rig.watcher.left) == 3
    run_virtual(rig.run())
    assert len(rig.watcher.pictures) == 3


def test_an_interrupted_call_gives_everything_back():
    rig = Rig(several=TEN, n=3)

    async def interrupted():
        engine = rig.engine()
        task = asyncio.ensure_future(engine.run(rig.slots()))
        await asyncio.sleep(0.5)
        engine.abort()
        await task
        return engine

    engine = run_virtual(interrupted())
    assert rig.quotas[0].settled == [(FaultKind.CANCELLED, 3 * PRICE)]
    assert (engine.budget.reserved_nusd, engine.budget.spent_nusd) == (0, 3 * PRICE)
    assert len(rig.watcher.left) == 3
