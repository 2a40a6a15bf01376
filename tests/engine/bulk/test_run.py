"""A bulk run: jobs are asked for once, waited for, landed; nothing is bought twice."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from cavendish.engine.bulk import run as bulk_run
from cavendish.engine.bulk.chunk import is_bulk
from cavendish.engine.bulk.ports import BulkLane, BulkPolicy
from cavendish.engine.bulk.run import BulkEngine, Places
from cavendish.model.attempt import AttemptState
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.job import JobState
from cavendish.sim.loop import run_virtual
from tests.engine.bulk.works import LOST, REFUSED, BulkRig, FakeJobs, Works
from tests.engine.doubles import PRICE

SEVEN = tuple("abcdefg")
BUSY = Fault(FaultKind.RATE_LIMITED, "too many tokens are queued", Charged.NO)


def play(rig):
    return run_virtual(rig.run())


async def killed_after(rig, seconds):
    """The process ends without a word after so long."""
    task = asyncio.ensure_future(rig.bulk().run(rig.slots()))
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_all_slots_are_delivered_in_as_few_jobs_as_may_be():
    rig = BulkRig(prompts=SEVEN)
    end = play(rig)
    assert end.stop is None
    assert [len(lines) for _, lines, _ in rig.works.jobs.values()] == [3, 3, 1]
    assert {p.slot.request.prompt for p in rig.watcher.pictures} == set(SEVEN)
    assert all(p.route.mode == "batch" and p.cost_nusd == PRICE for p in rig.watcher.pictures)
    assert rig.providers[0].calls == [], "nothing goes online"


def test_a_refusal_and_a_missing_line_are_made_again_in_another_job():
    rig = BulkRig(prompts=("a", "b", "c"))
    rig.works.faults = {"a": [REFUSED], "b": [Fault(FaultKind.SERVER_ERROR, "oops")]}
    end = play(rig)
    assert end.stop is None
    assert len(rig.watcher.pictures) == 3
    assert [len(lines) for _, lines, _ in rig.works.jobs.values()] == [3, 2]


def test_a_final_refusal_is_the_outcome():
    rig = BulkRig(prompts=("a", "b"))
    rig.works.faults = {"a": [Fault(FaultKind.PROHIBITED, "no", Charged.YES)]}
    play(rig)
    assert [f.fault.kind for f in rig.watcher.failures] == [FaultKind.PROHIBITED]
    assert [p.slot.request.prompt for p in rig.watcher.pictures] == ["b"]


@pytest.mark.parametrize("made", [True, False])
def test_a_lost_answer_never_makes_a_second_job(made):
    rig = BulkRig(prompts=("a", "b"))
    rig.works.answers = [(LOST, made)]
    play(rig)
    assert rig.works.bought == Counter("ab")
    assert len(rig.works.jobs) == 1
    assert rig.works.lists == 1, "the list was asked before anything was sent again"
    assert len(rig.watcher.pictures) == 2


def test_a_full_queue_is_waited_for():
    rig = BulkRig(prompts=("a",))
    rig.works.answers = [(BUSY, False)] * 30
    assert play(rig).stop is None
    assert rig.works.bought == Counter("a")
    assert rig.watcher.waits
    assert rig.works.lists == 0, "a clear no needs no looking"


@pytest.mark.parametrize("after_s", [0.5, 1.5, 30, 1800, 3700, 5000])
def test_a_killed_run_is_taken_up_and_buys_nothing_twice(after_s):
    rig = BulkRig(prompts=SEVEN, bounds=BulkPolicy(rows=3, jobs=2))

    async def story():
        await killed_after(rig, after_s)
        return await rig.run()

    assert run_virtual(story()).stop is None
    assert rig.works.bought == Counter(SEVEN)
    assert len(rig.works.jobs) == 3
    kept, made = len(rig.watcher.kept), len(rig.watcher.pictures)
    tally = run_virtual(rig.ledger.tally())
    assert (tally.delivered, tally.billed_nusd, tally.in_flight) == (7, 7 * PRICE, 0), (kept, made)


@pytest.mark.parametrize("after_s", [0, 0.5, 100, 1800])
def test_a_run_that_is_given_up_cancels_its_jobs_at_once_and_leaves_the_rest(after_s):
    rig = BulkRig(prompts=("a", "b"), bounds=BulkPolicy(deadline_s=80_000.0, poll_cap_s=3000.0))

    async def story():
        engine = rig.bulk()
        running = asyncio.ensure_future(engine.run(rig.slots()))
        await asyncio.sleep(after_s)
        engine.give_up()
        given_up_at = rig.clock.monotonic()
        end = await running
        assert rig.clock.monotonic() - given_up_at < 60, "nobody waits for the next look"
        assert end.rest is not None
        return [slot async for slot in end.rest]

    rest = run_virtual(story())
    assert [slot.request.prompt for slot in rest] == ["a", "b"]
    assert rig.works.cancelled == set(rig.works.jobs)
    assert not rig.works.bought
    assert run_virtual(rig.ledger.open_attempts()) == []


def test_a_job_of_another_key_is_not_bought_again():
    rig = BulkRig(prompts=("a",))

    async def story():
        await killed_after(rig, 100)
        rig.place = replace(rig.place, jobs=FakeJobs(rig.works, rig.blobs, key="key-2"))
        return await rig.run()

    end = run_virtual(story())
    assert end.stop.kind is FaultKind.BAD_KEY
    assert "key-1" in end.stop.message
    assert len(rig.works.jobs) == 1
    ((attempt, _),) = run_virtual(rig.ledger.open_attempts())
    assert is_bulk(attempt), "it still waits for its key"


def test_several_keys_take_jobs_in_turns_and_fetch_their_own():
    rig = BulkRig(prompts=SEVEN)
    second = Works()
    other = BulkLane(replace(rig.place.lane), FakeJobs(second, rig.blobs, key="key-2"))

    async def story():
        places = Places(lambda _: (rig.place, other), lambda _: (rig.place.lane, other.lane, rig.online))
        for seconds in (100, None):
            engine = BulkEngine(rig.bulk() and rig.parts, places, "run", rig.policy, rig.bounds)
            task = asyncio.ensure_future(engine.run(rig.slots()))
            if seconds:
                await asyncio.sleep(seconds)
                task.cancel()
            (end,) = await asyncio.gather(task, return_exceptions=True)
        return end

    assert run_virtual(story()).stop is None
    assert [len(lines) for _, lines, _ in rig.works.jobs.values()] == [3, 1]
    assert [len(lines) for _, lines, _ in second.jobs.values()] == [3]
    assert rig.works.bought + second.bought == Counter(SEVEN)


def test_what_is_on_the_books_before_a_job_is_asked_for():
    rig = BulkRig(prompts=("a",))
    rig.works.answers = [(LOST, True)]
    run_virtual(killed_after(rig, 1.5))
    ((attempt, slot),) = run_virtual(rig.ledger.open_attempts())
    assert attempt.state is AttemptState.WAITING
    assert attempt.ticket.id == ""
    assert attempt.ticket.data == {"job": f"cavendish-run-{attempt.id}", "key": "key-1"}
    assert slot.request.prompt == "a"


def test_after_the_deadline_the_rest_goes_online():
    rig = BulkRig(prompts=SEVEN, bounds=BulkPolicy(rows=3, jobs=1, deadline_s=4000))
    end = play(rig)
    assert end.stop is None
    assert rig.works.bought == Counter("abc")
    assert rig.works.cancelled == {"batches/2"}
    assert sorted(call.request.prompt for call in rig.providers[0].calls) == list("defg")
    assert Counter(p.route.mode for p in rig.watcher.pictures) == {"batch": 3, "standard": 4}


def test_after_the_deadline_the_rest_is_left_when_only_jobs_are_wanted():
    rig = BulkRig(prompts=("a", "b"), bounds=BulkPolicy(deadline_s=600, only=True))
    end = play(rig)
    assert end.stop.kind is FaultKind.JOB_EXPIRED
    assert end.rest is None
    assert [slot.request.prompt for slot, _ in rig.watcher.left] == ["a", "b"]
    assert rig.providers[0].calls == []
    assert run_virtual(rig.ledger.tally()).billed_nusd == 0


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED])
def test_a_job_that_fails_is_asked_for_once_more_and_then_told(state):
    rig = BulkRig(prompts=("a",))
    rig.works.ends = [state, state]
    play(rig)
    (failure,) = rig.watcher.failures
    assert failure.fault.kind in {FaultKind.JOB_FAILED, FaultKind.JOB_EXPIRED}
    assert (failure.attempts, failure.cost_nusd) == (2, 0)


def test_a_job_that_fails_goes_online_when_it_may():
    rig = BulkRig(prompts=("a",), bounds=BulkPolicy(deadline_s=86_400))
    rig.works.ends = [JobState.FAILED]
    assert play(rig).stop is None
    assert [p.route.mode for p in rig.watcher.pictures] == ["standard"]


def test_a_job_half_done_keeps_its_half():
    rig = BulkRig(prompts=("a", "b", "c"), bounds=BulkPolicy(deadline_s=86_400))
    rig.works.missing = {"b"}
    assert play(rig).stop is None
    assert Counter(p.route.mode for p in rig.watcher.pictures) == {"batch": 2, "standard": 1}


def test_results_that_break_off_are_read_on():
    rig = BulkRig(prompts=("a", "b", "c"))
    cut = Fault(FaultKind.CUT, "the line broke", Charged.NO)
    rig.works.result_faults = [("b", cut), ("c", cut)]
    assert play(rig).stop is None
    assert rig.works.bought == Counter("abc"), "what had landed was not read again"


def test_results_that_cannot_be_read_stay_on_the_books():
    rig = BulkRig(prompts=("a",))
    cut = Fault(FaultKind.CUT, "the line broke", Charged.NO)
    rig.works.result_faults = [("a", cut)] * 12
    assert play(rig).stop.kind is FaultKind.CUT
    assert play(rig).stop is None
    assert rig.works.bought == Counter("a")
    assert len(rig.works.jobs) == 1


def test_a_job_that_is_refused_stops_the_run_with_its_reason():
    rig = BulkRig(prompts=("a", "b", "c", "d"))
    rig.works.answers = [(Fault(FaultKind.NO_QUOTA, "no batches on this tier", Charged.NO), False)]
    end = play(rig)
    assert end.stop.message == "no batches on this tier"
    assert len(rig.watcher.left) >= 3
    assert not rig.watcher.failures


def test_a_job_that_is_refused_goes_online_when_it_may():
    rig = BulkRig(prompts=("a", "b"), bounds=BulkPolicy(deadline_s=86_400))
    rig.works.answers = [(Fault(FaultKind.NO_QUOTA, "no batches on this tier", Charged.NO), False)]
    assert play(rig).stop is None
    assert len(rig.watcher.pictures) == 2


def test_a_cap_is_kept_and_what_fits_is_made():
    rig = BulkRig(prompts=SEVEN, max_cost_nusd=4 * PRICE)
    end = play(rig)
    assert end.stop.kind is FaultKind.BUDGET
    assert sum(rig.works.bought.values()) == 4
    assert len(rig.watcher.left) >= 1


def test_an_interrupted_run_leaves_its_jobs_at_work():
    rig = BulkRig(prompts=("a",))

    async def story():
        engine = rig.bulk()
        task = asyncio.ensure_future(engine.run(rig.slots()))
        await asyncio.sleep(100)
        engine.stop(Fault(FaultKind.CANCELLED, "interrupted"))
        end = await task
        took_s = asyncio.get_running_loop().time()
        return end, took_s, await rig.run()

    end, took_s, resumed = run_virtual(story())
    assert end.stop.kind is FaultKind.CANCELLED
    assert took_s < 110
    assert rig.works.cancelled == set()
    assert resumed.stop is None
    assert len(rig.works.jobs) == 1


def test_a_million_rows_are_not_held():
    read = 0

    def rows(rig):
        nonlocal read
        for slot in rig.slots():
            read += 1
            yield slot

    rig = BulkRig(prompts=[str(i) for i in range(100)], bounds=BulkPolicy(rows=3, jobs=2))
    run_virtual(_a_while(rig, rows(rig)))
    assert read <= 3 * 3 + 1, "two jobs at work and one being filled"


async def _a_while(rig, slots):
    task = asyncio.ensure_future(rig.bulk().run(slots))
    await asyncio.sleep(100)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_job_that_was_asked_for_just_before_a_crash_is_given_time_to_be_listed():
    """Its attempts had been on the books for an hour by then: what counts is when it may have been asked for."""
    rig = BulkRig(prompts=("a",))
    rig.works.answers = [(BUSY, False)] * 12
    rig.works.listed_after_s = 10.0

    async def story():
        task = asyncio.ensure_future(rig.bulk().run(rig.slots()))
        await rig.works.first.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # The answer never came to be on the books.
        ((attempt, _slot),) = await rig.ledger.open_attempts()
        assert attempt.ticket.id == ""
        assert rig.clock.now() - attempt.intent_at > 60
        return await rig.run()

    assert run_virtual(story()).stop is None
    assert rig.works.bought == Counter("a")
    assert len(rig.works.jobs) == 1


def test_a_job_whose_input_took_long_to_upload_is_given_time_to_be_listed():
    rig = BulkRig(prompts=("a",))
    rig.works.answers = [(LOST, True)]
    rig.works.submit_s, rig.works.listed_after_s = 120.0, 10.0
    assert play(rig).stop is None
    assert len(rig.works.jobs) == 1


def test_two_results_of_one_call_are_one():
    rig = BulkRig(prompts=("a", "b"))
    results = rig.place.jobs.results

    async def twice(job, wanted):
        async for result in results(job, wanted):
            yield result
            if isinstance(result.reply, Fault) and wanted(result.key):
                yield result

    rig.place.jobs.results = twice
    rig.works.faults = {"a": [REFUSED]}
    assert play(rig).stop is None
    assert len(rig.watcher.pictures) == 2


def test_a_row_whose_model_is_shut_out_is_not_marked_as_settled():
    """Nobody has begun it, so the next run would not know of it."""
    rig = BulkRig(prompts=("a", "b", "c", "d"), bounds=BulkPolicy(rows=1, jobs=1, deadline_s=1e6))

    async def story():
        engine = rig.bulk()
        engine._places = Places(
            lambda slot: () if slot.row == 1 else (rig.place,), lambda _: (rig.place.lane, rig.online)
        )
        return await engine.run(rig.slots())

    end = run_virtual(story())
    assert end.rest is not None
    assert len(rig.watcher.pictures) == 3
    assert rig.ledger._settled_rows == 1


def test_what_is_made_again_goes_in_jobs_of_no_more_than_may_be():
    rig = BulkRig(prompts=SEVEN)
    rig.works.faults = {prompt: [REFUSED] for prompt in SEVEN}
    assert play(rig).stop is None
    assert max(len(lines) for _, lines, _ in rig.works.jobs.values()) == 3


def test_when_no_route_takes_jobs_any_more_the_input_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(bulk_run, "LEFT_MOST", 5)
    rig = BulkRig(prompts=[f"kite {i}" for i in range(50)], bounds=BulkPolicy(rows=1, jobs=1, deadline_s=1e6))
    rig.works.answers = [(Fault(FaultKind.FORBIDDEN, "no batches for you"), False)]
    read = []

    def slots():
        for slot in rig.slots():
            read.append(slot)
            yield slot

    async def story():
        end = await rig.bulk().run(slots())
        assert len(read) < 15
        assert end.rest is not None
        return [slot.row async for slot in end.rest]

    assert run_virtual(story()) == list(range(50))
