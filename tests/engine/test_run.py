"""The run: N slots, N outcomes; every attempt on the books; nothing bought twice."""

import asyncio

import pytest

from cavendish.engine.policy import Policy
from cavendish.engine.ports import OutOfSpace, Shut, WaitUntil
from cavendish.model.attempt import AttemptState
from cavendish.model.call import Fetch, Later, Open, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.result import Failure, Picture
from cavendish.sim.loop import run_virtual
from tests.engine.doubles import PICTURE, PRICE, Rig, tiny_png

NO_IMAGE = Fault(FaultKind.NO_IMAGE, charged=Charged.YES)
PROHIBITED = Fault(FaultKind.PROHIBITED)
BAD_KEY = Fault(FaultKind.BAD_KEY)


def test_n_pictures_fly_together():
    rig = Rig(n=4)
    end = run_virtual(rig.run())
    assert end.stop is None
    assert len(rig.watcher.pictures) == 4
    assert rig.provider.most_in_flight == 4
    assert len({p.blob.sha256 for p in rig.watcher.pictures}) == 4
    assert [c.request.n for c in rig.provider.calls] == [1, 1, 1, 1]


def test_empties_are_refilled_until_n_and_their_bill_is_shown():
    rig = Rig([NO_IMAGE, PICTURE, NO_IMAGE], n=2, policy=Policy(concurrency=1))
    run_virtual(rig.run())
    assert len(rig.watcher.pictures) == 2
    assert sorted(p.attempts for p in rig.watcher.pictures) == [1, 3] or sorted(
        p.attempts for p in rig.watcher.pictures
    ) == [2, 2]
    tally = asyncio.run(rig.ledger.tally())
    assert (tally.attempts, tally.billed_nusd) == (4, 4 * PRICE)
    assert sum(p.cost_nusd for p in rig.watcher.pictures) == 4 * PRICE


def test_a_policy_refusal_is_not_bought_again():
    rig = Rig([PROHIBITED], n=3, policy=Policy(concurrency=1))
    run_virtual(rig.run())
    assert len(rig.provider.calls) == 3
    assert [f.fault.kind for f in rig.watcher.failures] == [FaultKind.PROHIBITED]
    assert len(rig.watcher.pictures) == 2


def test_the_bound_holds_and_the_shortfall_is_told():
    rig = Rig([NO_IMAGE] * 50, n=1)
    run_virtual(rig.run())
    (failure,) = rig.watcher.failures
    assert (failure.attempts, failure.cost_nusd, len(rig.provider.calls)) == (5, 5 * PRICE, 5)


def test_exact_duplicates_are_refilled():
    same = tiny_png(8, 8, b"same")
    rig = Rig([same, same], n=2, policy=Policy(concurrency=1))
    run_virtual(rig.run())
    assert len(rig.watcher.pictures) == 2
    assert len({p.blob.sha256 for p in rig.watcher.pictures}) == 2
    assert len(rig.provider.calls) == 3


def test_bytes_that_are_no_picture_are_told_and_refilled():
    rig = Rig([b"this is no picture"], n=1)
    run_virtual(rig.run())
    assert len(rig.watcher.pictures) == 1
    assert len(rig.provider.calls) == 2


def test_the_same_run_again_buys_nothing():
    rig = Rig(n=4)
    run_virtual(rig.run())
    run_virtual(rig.run())
    assert len(rig.provider.calls) == 4
    assert len(rig.watcher.kept) == 4


def test_a_changed_row_buys_that_row_alone():
    rig = Rig(prompts=("a", "b", "c"))
    run_virtual(rig.run())
    rig.prompts = ("a", "B", "c")
    run_virtual(rig.run())
    assert len(rig.provider.calls) == 4
    assert [p.slot.request.prompt for p in rig.watcher.pictures] == ["B"]


def test_a_resumed_run_tries_what_was_bad_luck_but_not_what_was_refused():
    rig = Rig(prompts=("unlucky", "forbidden"))
    rig.provider.by_prompt = {"unlucky": [NO_IMAGE] * 5, "forbidden": [PROHIBITED]}
    run_virtual(rig.run())
    assert len(rig.watcher.failures) == 2
    run_virtual(rig.run())
    assert len(rig.provider.calls) == 7
    assert [p.slot.request.prompt for p in rig.watcher.pictures] == ["unlucky"]
    assert [f.slot.request.prompt for f in rig.watcher.kept] == ["forbidden"]


def test_a_bad_key_stops_the_lane_and_every_slot_is_accounted_for():
    rig = Rig([BAD_KEY] * 9, n=5, policy=Policy(concurrency=1))
    end = run_virtual(rig.run())
    assert end.stop == BAD_KEY
    assert len(rig.provider.calls) == 1
    assert len(rig.watcher.left) == 5


def test_a_shut_lane_hands_its_slots_to_the_next():
    rig = Rig([BAD_KEY], (), n=3, policy=Policy(concurrency=1))
    rig.quotas[0].answers = []
    end = run_virtual(rig.run())
    assert end.stop is None
    assert {p.route.endpoint for p in rig.watcher.pictures} <= {"e0", "e1"}
    assert len(rig.watcher.pictures) == 3


def test_a_quota_that_is_shut_hands_the_slots_on_without_a_call():
    rig = Rig((), (), n=2)
    rig.quotas[0].answers = [Shut(BAD_KEY)]
    assert run_virtual(rig.run()).stop is None
    assert rig.providers[0].calls == []
    assert len(rig.providers[1].calls) == 2


def test_waits_exactly_as_long_as_the_quota_says():
    rig = Rig(n=1)
    rig.quotas[0].answers = [WaitUntil(30.0, "10 requests a minute")]

    async def timed():
        await rig.run()
        return rig.clock.monotonic()

    assert run_virtual(timed()) == pytest.approx(31.0)
    assert rig.watcher.waits == [("10 requests a minute", 30.0)]


def test_a_wait_that_is_too_long_stops_the_run_resumably():
    rig = Rig(n=2, policy=Policy(max_wait_s=60))
    rig.quotas[0].answers = [WaitUntil(9000.0, "250 requests a day")]
    end = run_virtual(rig.run())
    assert end.stop is not None
    assert (end.stop.kind, end.stop.retry_after_s) == (FaultKind.DAY_QUOTA, 9000.0)
    assert len(rig.watcher.left) == 2
    assert run_virtual(rig.run()).stop is None
    assert len(rig.watcher.pictures) == 2


def test_the_cap_is_never_passed_and_what_came_is_kept():
    rig = Rig(n=10, max_cost_nusd=PRICE * 4 + 5)
    end = run_virtual(rig.run())
    assert end.stop is not None
    assert end.stop.kind is FaultKind.BUDGET
    assert len(rig.watcher.pictures) == 4
    assert len(rig.watcher.left) == 6
    assert len(rig.provider.calls) == 4


def test_the_cap_counts_what_earlier_runs_spent():
    rig = Rig(n=10, max_cost_nusd=PRICE * 4)
    run_virtual(rig.run())
    end = run_virtual(rig.run())
    assert end.stop is not None
    assert len(rig.provider.calls) == 4


def test_money_set_aside_comes_back_when_a_call_was_not_billed():
    rig = Rig([Fault(FaultKind.SERVER_ERROR)] * 3, n=2, max_cost_nusd=PRICE * 2)
    assert run_virtual(rig.run()).stop is None
    assert len(rig.watcher.pictures) == 2


def test_a_full_disk_stops_cleanly_and_resumes():
    rig = Rig([PICTURE, OutOfSpace("full")], n=3, policy=Policy(concurrency=1))
    end = run_virtual(rig.run())
    assert end.stop is not None
    assert end.stop.kind is FaultKind.DISK_FULL
    assert len(rig.watcher.pictures) == 1
    assert run_virtual(rig.run()).stop is None
    assert len(rig.watcher.pictures) == 2
    tally = asyncio.run(rig.ledger.tally())
    assert (tally.delivered, tally.unknown_attempts) == (3, 1)


def test_stop_finishes_what_is_in_flight():
    rig = Rig(n=6, policy=Policy(concurrency=2))

    async def interrupted():
        engine = rig.engine()
        task = asyncio.ensure_future(engine.run(rig.slots()))
        await asyncio.sleep(1.5)
        engine.stop(Fault(FaultKind.CANCELLED))
        return await task

    assert run_virtual(interrupted()).stop.kind is FaultKind.CANCELLED
    assert len(rig.watcher.pictures) == len(rig.provider.calls) == 4
    assert len(rig.watcher.left) == 2


def test_abort_leaves_what_was_in_flight_as_unknown():
    rig = Rig(n=2)

    async def aborted():
        engine = rig.engine()
        task = asyncio.ensure_future(engine.run(rig.slots()))
        await asyncio.sleep(0.5)
        engine.abort()
        return await task

    assert run_virtual(aborted()).stop.kind is FaultKind.CANCELLED
    assert len(rig.watcher.left) == 2
    assert run_virtual(rig.run()).stop is None
    tally = asyncio.run(rig.ledger.tally())
    assert (tally.delivered, tally.unknown_attempts, tally.unknown_nusd) == (2, 2, 2 * PRICE)


def test_a_job_is_polled_and_its_ticket_is_on_the_books_meanwhile():
    ticket = Ticket("job-1", "https://x/1")
    rig = Rig([Later(ticket, 5.0), Later(ticket, 5.0), PICTURE], n=1)
    run_virtual(rig.run())
    assert [type(c) for c in rig.provider.calls] == [Open, Poll, Poll]
    assert len(rig.watcher.pictures) == 1


def test_a_job_that_outlives_a_crash_is_not_opened_again():
    ticket = Ticket("job-1")
    rig = Rig([Later(ticket, 1000.0)], n=1)

    async def killed():
        task = asyncio.ensure_future(rig.run())
        await asyncio.sleep(10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtual(killed())
    ((attempt, _slot),) = asyncio.run(rig.ledger.open_attempts())
    assert (attempt.state, attempt.ticket) == (AttemptState.WAITING, ticket)
    run_virtual(rig.run())
    assert [type(c) for c in rig.provider.calls] == [Open, Poll]
    assert len(rig.watcher.pictures) == 1


def test_a_picture_that_arrived_before_the_crash_is_adopted():
    rig = Rig(n=2)

    class Crash(BaseException):
        pass

    async def no_receipt(receipts):
        raise Crash

    settle, rig.ledger.settle_all = rig.ledger.settle_all, no_receipt
    with pytest.raises(Crash):
        run_virtual(rig.run())
    rig.ledger.settle_all = settle
    run_virtual(rig.run())
    assert len(rig.provider.calls) == 2
    assert len(rig.watcher.kept) == 2
    assert asyncio.run(rig.ledger.tally()).delivered == 2


def test_an_error_in_a_part_is_raised_and_the_books_stay_true():
    rig = Rig([PICTURE, RuntimeError("bug")], n=3, policy=Policy(concurrency=1))
    with pytest.raises(RuntimeError, match="bug"):
        run_virtual(rig.run())
    tally = asyncio.run(rig.ledger.tally())
    assert (tally.delivered, tally.in_flight) == (1, 1)


def test_concurrency_is_bounded():
    rig = Rig(n=20, policy=Policy(concurrency=3))
    run_virtual(rig.run())
    assert rig.provider.most_in_flight == 3
    assert len(rig.watcher.pictures) == 20


def test_input_is_read_only_as_far_as_needed():
    rig = Rig(prompts=tuple(f"p{i}" for i in range(500)), policy=Policy(concurrency=2))
    read = 0

    def counted():
        nonlocal read
        for slot in Rig.slots(rig):
            read += 1
            yield slot

    async def watched():
        engine = rig.engine()
        task = asyncio.ensure_future(engine.run(counted()))
        await asyncio.sleep(0.5)
        ahead = read
        engine.stop(Fault(FaultKind.CANCELLED))
        await task
        return ahead

    assert run_virtual(watched()) <= 5


def test_back_off_between_overloads():
    rig = Rig([Fault(FaultKind.OVERLOADED)] * 3, n=1, latency_s=0.0)

    async def timed():
        await rig.run()
        return rig.clock.monotonic()

    assert 0.5 + 1 + 2 <= run_virtual(timed()) <= 1 + 2 + 4
    assert rig.quotas[0].settled[0] == (FaultKind.OVERLOADED, 0)


def test_an_unknown_price_is_told_not_taken_for_zero():
    rig = Rig(n=1, price=None)
    run_virtual(rig.run())
    (picture,) = rig.watcher.pictures
    assert isinstance(picture, Picture)
    assert not picture.cost_known
    assert asyncio.run(rig.ledger.tally()).unpriced_attempts == 1


def test_outcomes_and_slots_are_as_many():
    rig = Rig([NO_IMAGE, PROHIBITED, Fault(FaultKind.TIMEOUT, charged=Charged.UNKNOWN)] * 4, n=3, prompts=tuple("abcd"))
    run_virtual(rig.run())
    assert len(rig.watcher.pictures) + len(rig.watcher.failures) == 12
    assert all(isinstance(o, Picture | Failure) for o in rig.watcher.ended)


def test_no_fetch_without_a_url():
    rig = Rig(n=1)
    run_virtual(rig.run())
    assert not any(isinstance(c, Fetch) for c in rig.provider.calls)


def test_a_lane_that_would_wait_too_long_does_not_stop_the_slots_of_others():
    rig = Rig((), (), prompts=("a", "b"), policy=Policy(max_wait_s=60.0))
    rig.quotas[0].answers = [WaitUntil(500.0, "requests a day")] * 9
    rig.quotas[1].answers = [WaitUntil(30.0, "requests a minute")]

    async def both():
        engine = rig.engine()
        engine._lanes_for = lambda slot: rig.lanes[:1] if slot.request.prompt == "a" else rig.lanes[1:]
        return await engine.run(rig.slots())

    end = run_virtual(both())
    assert end.stop is not None
    assert end.stop.kind is FaultKind.RATE_LIMITED
    assert [p.slot.request.prompt for p in rig.watcher.pictures] == ["b"]
    assert [slot.request.prompt for slot, _ in rig.watcher.left] == ["a"]


def test_the_rows_before_a_job_of_an_earlier_process_are_not_marked_as_settled():
    """Only the third row had left; the mark must not pass the first two, which nobody has read yet."""
    rig = Rig([Later(Ticket("job"), 50.0), RuntimeError("gone")], prompts=("a", "b", "c"))

    async def only_the_third(engine):
        return await engine.run(slot for slot in rig.slots() if slot.row == 2)

    with pytest.raises(RuntimeError):
        run_virtual(only_the_third(rig.engine()))

    async def resumed():
        task = asyncio.ensure_future(rig.engine().run(never()))
        await asyncio.sleep(5.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def never():
        await asyncio.sleep(1000)
        for slot in rig.slots():
            yield slot

    run_virtual(resumed())
    assert rig.ledger._settled_rows == 0


def test_a_job_that_ends_before_its_row_is_read_is_told_once():
    rig = Rig([Later(Ticket("job"), 5.0), RuntimeError("gone")], prompts=("a", "b"))
    with pytest.raises(RuntimeError):
        run_virtual(rig.run())

    async def late():
        await asyncio.sleep(100)
        for slot in rig.slots():
            yield slot

    async def resumed():
        return await rig.engine().run(late())

    assert run_virtual(resumed()).stop is None
    told = [o.slot.row for o in (*rig.watcher.ended, *rig.watcher.kept)]
    assert sorted(told) == [0, 1]


def test_a_full_disk_while_a_job_of_an_earlier_process_is_fetched_holds_no_money_back():
    rig = Rig([Later(Ticket("job"), 5.0), RuntimeError("gone"), OutOfSpace("full")], max_cost_nusd=PRICE * 2)
    with pytest.raises(RuntimeError):
        run_virtual(rig.run())
    engine = rig.engine()

    async def resumed():
        return await engine.run(rig.slots())

    end = run_virtual(resumed())
    assert end.stop is not None
    assert end.stop.kind is FaultKind.DISK_FULL
    assert engine.budget.reserved_nusd == 0


async def killed_after(rig, seconds):
    """The process ends without a word after so long."""
    task = asyncio.ensure_future(rig.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_what_was_spent_before_a_crash_is_in_the_price_of_a_picture_that_a_job_ends_with():
    rig = Rig([Fault(FaultKind.TEXT_ONLY, "no", Charged.YES), Later(Ticket("job"), 1000.0)], n=1)
    run_virtual(killed_after(rig, 10.0))
    run_virtual(rig.run())
    (picture,) = rig.watcher.pictures
    assert (picture.cost_nusd, picture.cost_known, picture.attempts) == (2 * PRICE, True, 2)


def test_a_job_of_an_earlier_process_counts_once_against_the_cap():
    rig = Rig([Later(Ticket("job"), 1000.0)], prompts=("a", "b"), policy=Policy(concurrency=1), max_cost_nusd=2 * PRICE)
    run_virtual(killed_after(rig, 10.0))
    assert run_virtual(rig.run()).stop is None
    assert len(rig.watcher.pictures) == 2


def test_the_price_of_a_picture_is_a_lower_bound_when_a_bill_is_not_known():
    rig = Rig([Fault(FaultKind.TIMEOUT, "lost", Charged.UNKNOWN)], n=1)
    run_virtual(rig.run())
    (picture,) = rig.watcher.pictures
    assert (picture.cost_nusd, picture.cost_known) == (PRICE, False)


def test_a_job_of_a_route_that_is_not_open_is_neither_asked_for_elsewhere_nor_bought_again():
    rig = Rig([Later(Ticket("job"), 1000.0)], (), prompts=("a", "b"), policy=Policy(concurrency=1))
    first, second = rig.lanes
    rig.lanes = [first]
    run_virtual(killed_after(rig, 10.0))
    rig.lanes = [second]
    end = run_virtual(rig.run())
    assert end.stop.kind is FaultKind.BAD_KEY
    assert "e0" in end.stop.message
    assert rig.providers[1].calls == []
    rig.lanes = [second, first]
    assert run_virtual(rig.run()).stop is None
    assert len(rig.watcher.pictures) == 2
    assert [type(call) for call in rig.providers[0].calls] == [Open, Poll]
