"""Worlds in which several processes use one key. Times are virtual; the database is a real one."""

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost, Grant, Shut
from cavendish.govern.fairness import Priority
from cavendish.io.quota.table import MIGRATIONS
from cavendish.io.state.database import StateError, open_database
from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.sim.loop import WALL_START, VirtualClock, run_virtual

from .quota import PLACE, machine, per_minute

K = FaultKind


def play(folder, script, **how):
    """Let a script act on processes that share this folder; what the provider saw."""

    async def acted():
        async with machine(folder, **how) as at:
            await script(at)
            return at.upstream

    return run_virtual(acted())


# --- all of the quota, and never more ---------------------------------------------------------------------------------


def test_eight_processes_use_all_of_sixty_a_minute_and_never_more(tmp_path):
    async def script(at):
        for number in range(8):
            at.process().run(limits=per_minute(60), latency_s=7.0 + number)
        await at.processes[0].clock.sleep(1200.0)

    seen = play(tmp_path, script)
    assert seen.busiest() <= 60
    assert len(seen.starts) >= 0.99 * 1200


@pytest.mark.parametrize("processes, limit", [(8, 2), (3, 10), (4, 200)])
def test_few_or_many_calls_for_each_process(tmp_path, processes, limit):
    async def script(at):
        for _ in range(processes):
            at.process().run(limits=per_minute(limit))
        await at.processes[0].clock.sleep(600.0)

    seen = play(tmp_path, script)
    assert seen.busiest() <= limit
    assert len(seen.starts) >= 0.99 * limit * 10


def test_images_tokens_and_calls_at_once_together(tmp_path):
    limits = Limits(images_per_minute=40, tokens_per_minute=3000, in_flight=6)

    async def script(at):
        for images, tokens in ((1, 10), (4, 300), (2, 100)):
            at.process().run(limits=limits, latency_s=4.0, cost=Cost(1, images, tokens, 0))
        await at.processes[0].clock.sleep(900.0)

    seen = play(tmp_path, script)
    assert seen.busiest() <= 40
    assert seen.most_in_flight == 6
    # Whoever asks for four pictures at a time is not passed over for want of four free places.
    assert min(seen.count().values()) > 0.2 * sum(seen.count().values()) / 4


def test_a_limit_of_calls_at_once_is_shared(tmp_path):
    async def script(at):
        for _ in range(3):
            at.process().run(limits=Limits(in_flight=6), latency_s=10.0)
        await at.processes[0].clock.sleep(100.0)

    seen = play(tmp_path, script)
    assert seen.most_in_flight == 6
    assert len(seen.starts) >= 0.95 * 6 * 10


# --- clocks -----------------------------------------------------------------------------------------------------------


def test_wall_clocks_that_jump_change_nothing(tmp_path):
    async def script(at):
        for jumps in ((), ((100.0, 7200.0),), ((50.0, -86_400.0), (300.0, 40.0))):
            at.process(jumps=jumps).run(limits=per_minute(30))
        at.process(wall_start=WALL_START + 5e6).run(limits=per_minute(30))
        await at.processes[0].clock.sleep(600.0)

    seen = play(tmp_path, script)
    assert seen.busiest() <= 30
    assert len(seen.starts) >= 0.99 * 300


class ServerClock(VirtualClock):
    """A server whose clock stands elsewhere than those of the machines that ask it."""

    def monotonic(self) -> float:
        return super().monotonic() + 1_795_000_000.0


def test_the_store_has_a_clock_of_its_own(tmp_path):
    async def script(at):
        for _ in range(3):
            at.process(opening=lambda: open_database(tmp_path, "quota", MIGRATIONS, ServerClock())).run(
                limits=per_minute(12)
            )
        await at.processes[0].clock.sleep(600.0)

    seen = play(tmp_path, script)
    assert seen.busiest() <= 12
    assert len(seen.starts) >= 0.99 * 120


def test_the_day_is_shared_too(tmp_path):
    async def script(at):
        # Five to midnight in Los Angeles.
        midnight = 1_795_248_000.0
        for _ in range(3):
            at.process(wall_start=midnight - 300.0).run(
                limits=Limits(requests_per_minute=600, requests_per_day=50), latency_s=1.0
            )
        await at.processes[0].clock.sleep(290.0)
        assert len(at.upstream.starts) == 50
        await at.processes[0].clock.sleep(90.0)

    seen = play(tmp_path, script)
    assert len(seen.starts) == 100


# --- fairness and priorities ------------------------------------------------------------------------------------------


def test_who_comes_later_gets_as_much_as_the_first(tmp_path):
    async def script(at):
        first, second = at.process("first"), at.process("second")
        first.run(limits=per_minute(60))
        await first.clock.sleep(300.0)
        second.run(limits=per_minute(60))
        await first.clock.sleep(900.0)

    seen = play(tmp_path, script)
    assert seen.count(until=300.0) == {"first": 300}
    shares = seen.count(since=420.0)
    assert shares["first"] == pytest.approx(shares["second"], rel=0.1)
    assert seen.busiest() <= 60


def test_what_one_does_not_want_the_others_have(tmp_path):
    async def script(at):
        modest, one, other = at.process("modest"), at.process("one"), at.process("other")
        one.run(limits=per_minute(60))
        other.run(limits=per_minute(60))
        for _ in range(8):
            await one.clock.sleep(100.0)
            begun = one.clock.monotonic()
            # Less than its share of twenty: it has it all as soon as the minute is over.
            await modest.run(6, limits=per_minute(60), latency_s=1.0)
            assert one.clock.monotonic() - begun < 63.0

    seen = play(tmp_path, script)
    shares = seen.count()
    assert shares["modest"] == 48
    assert shares["one"] == pytest.approx(shares["other"], rel=0.1)
    assert shares.total() >= 0.98 * max(start.at for start in seen.starts)


def test_runs_of_one_process_share_as_runs_of_several_do(tmp_path):
    async def script(at):
        process = at.process()
        process.run(limits=per_minute(60), name="first")
        process.run(limits=per_minute(60), name="second")
        await process.clock.sleep(600.0)

    shares = play(tmp_path, script).count(since=120.0)
    assert shares["first"] == pytest.approx(shares["second"], rel=0.1)


def test_a_person_goes_before_any_batch(tmp_path):
    async def script(at):
        for _ in range(3):
            at.process("batch").run(limits=per_minute(60))
        person = at.process("person")
        await person.clock.sleep(200.0)
        begun = person.clock.monotonic()
        person.run(20, limits=per_minute(60), latency_s=3.0, priority=Priority.INTERACTIVE)
        await person.clock.sleep(120.0)
        mine = [start.at for start in at.upstream.starts if start.run == "person"]
        others = [start.at for start in at.upstream.starts if begun < start.at < mine[-1] and start.run == "batch"]
        assert len(mine) == 20
        # The batches had asked before her for what was free by then.
        assert len(others) <= 1

    assert play(tmp_path, script).busiest() <= 60


# --- what one learned, all know ---------------------------------------------------------------------------------------


def test_all_heed_what_one_was_told(tmp_path):
    async def script(at):
        for _ in range(4):
            at.process().run(limits=per_minute(600), latency_s=2.0, concurrency=2)
        at.upstream.faults[40] = Fault(K.RATE_LIMITED, "slow down", Charged.NO, Scope.MODEL, retry_after_s=33.0)
        await at.processes[0].clock.sleep(200.0)

    seen = play(tmp_path, script)
    refused_at = seen.starts[40].at + 0.1
    after = [start.at for start in seen.starts if start.at > refused_at]
    assert min(after) == pytest.approx(refused_at + 33.0, abs=0.5)


def test_a_limit_that_a_provider_named_holds_for_the_next_run(tmp_path):
    fault = Fault(K.RATE_LIMITED, charged=Charged.NO, retry_after_s=1.0, limit="requests per minute", limit_value=5)

    async def first(at):
        at.upstream.faults[0] = fault
        at.process().run(1, limits=per_minute(60))
        await at.processes[0].clock.sleep(70.0)

    async def second(at):
        at.process().run(limits=per_minute(60))
        await at.processes[0].clock.sleep(400.0)

    play(tmp_path, first)
    assert play(tmp_path, second).busiest() == 5


def test_the_next_run_counts_what_the_last_one_started(tmp_path):
    async def script(at):
        first = at.process()
        await first.run(10, limits=per_minute(10), latency_s=1.0)
        await first.quotas.close()
        second = at.process()
        second.run(5, limits=per_minute(10), latency_s=1.0)
        await second.clock.sleep(120.0)

    seen = play(tmp_path, script)
    assert len(seen.starts) == 15
    assert seen.busiest() == 10


def test_a_bad_key_is_looked_at_again_by_the_next_run(tmp_path):
    bad = Fault(K.NO_CREDIT, "top up", Charged.NO, Scope.KEY)

    async def script(at):
        at.upstream.faults[0] = bad
        first = at.process()
        first.run(5, limits=per_minute(60), concurrency=1)
        await first.clock.sleep(20.0)
        second = at.process()
        second.run(5, limits=per_minute(60), latency_s=1.0)
        await second.clock.sleep(20.0)
        assert [fault for _, fault in first.shut] == [bad]
        assert not second.shut

    assert len(play(tmp_path, script).starts) == 6


# --- the end of a process ---------------------------------------------------------------------------------------------


def test_what_a_dead_process_held_comes_back(tmp_path):
    async def script(at):
        doomed, other = at.process("doomed"), at.process("other")
        doomed.run(limits=Limits(in_flight=4), latency_s=50.0)
        await doomed.clock.sleep(25.0)
        other.run(limits=Limits(in_flight=4), latency_s=5.0)
        await doomed.clock.sleep(5.0)
        assert at.upstream.count() == {"doomed": 4}
        await doomed.kill()
        await other.clock.sleep(70.0)
        assert at.upstream.count()["other"] >= 4

    play(tmp_path, script)


def test_starts_of_a_dead_process_count(tmp_path):
    async def script(at):
        doomed = at.process("doomed")
        doomed.run(limits=per_minute(20), latency_s=90.0)
        await doomed.clock.sleep(0.01)
        await doomed.kill()
        at.process("other").run(limits=per_minute(20))
        await doomed.clock.sleep(300.0)

    seen = play(tmp_path, script)
    assert seen.busiest() <= 20
    assert seen.count()["other"] >= 0.98 * 80


def test_a_process_that_is_cancelled_gives_back_what_it_did_not_use(tmp_path):
    async def script(at):
        first, second = at.process("first"), at.process("second")
        quota = first.quotas.quota(PLACE, per_minute(10))
        # It has leave for ten, and uses one.
        assert isinstance(await quota.reserve(Cost(), 10), Grant)
        await first.clock.sleep(0.5)
        second.run(9, limits=per_minute(10))
        await first.clock.sleep(1.0)

    assert play(tmp_path, script).count() == {"second": 9}


# --- a database that fails --------------------------------------------------------------------------------------------


def test_without_a_database_each_goes_on_by_itself_and_says_so_once(tmp_path):
    async def broken():
        raise StateError("quota.sqlite3: no room")

    async def script(at):
        process = at.process(opening=broken)
        process.run(limits=per_minute(10))
        await process.clock.sleep(100.0)
        assert [(notice.code, notice.text) for notice in process.told] == [
            ("quota_not_shared", "the quota is not shared with other processes: quota.sqlite3: no room")
        ]

    seen = play(tmp_path, script)
    assert (len(seen.starts), seen.busiest()) == (20, 10)


class Failing:
    """A database that works for a while."""

    def __init__(self, database, transactions):
        self.database, self.left = database, transactions
        self.address = database.address

    async def transact(self, work, *, lock=""):
        self.left -= 1
        if self.left < 0:
            raise StateError("gone")
        return await self.database.transact(work, lock=lock)

    async def close(self):
        await self.database.close()


@pytest.mark.parametrize("transactions", [1, 2, 3, 8, 20])
def test_a_database_that_fails_later_does_not_make_it_forget(tmp_path, transactions):
    async def script(at):
        async def opening():
            return Failing(await open_database(tmp_path, "quota", MIGRATIONS, VirtualClock()), transactions)

        process = at.process(opening=opening)
        process.run(limits=per_minute(10))
        await process.clock.sleep(300.0)
        assert [notice.code for notice in process.told] == ["quota_not_shared"]

    seen = play(tmp_path, script)
    assert seen.busiest() <= 10
    assert len(seen.starts) >= 0.95 * 50


def test_a_database_that_works_again_is_shared_again(tmp_path):
    async def script(at):
        async def opening():
            if at.processes[0].clock.monotonic() < 100.0:
                raise StateError("not yet")
            return await open_database(tmp_path, "quota", MIGRATIONS, VirtualClock())

        for _ in range(3):
            at.process(opening=opening).run(limits=per_minute(10))
        await at.processes[0].clock.sleep(600.0)

    seen = play(tmp_path, script)
    # Each by itself at first, then all together.
    assert sum(start.at < 60.0 for start in seen.starts) == 30
    assert sum(300.0 <= start.at < 600.0 for start in seen.starts) <= 50
    assert sum(300.0 <= start.at < 600.0 for start in seen.starts) >= 45


async def _spoil(folder, sql):
    database = await open_database(folder, "quota", MIGRATIONS, VirtualClock())
    await database.transact(lambda link: link.run(sql))
    await database.close()


@pytest.mark.parametrize(
    "spoiled", ["state = 'no JSON'", "state = '{}'", "state = '[1]'", "state = replace(state, '\"used\"', '\"x\"')"]
)
def test_what_cannot_be_read_is_begun_anew(tmp_path, spoiled):
    async def script(at):
        first = at.process()
        await first.run(3, limits=per_minute(10), latency_s=1.0)
        await first.quotas.close()
        await _spoil(tmp_path, f"UPDATE known SET {spoiled} WHERE model <> ''")
        second = at.process()
        await second.run(10, limits=per_minute(10), latency_s=1.0)
        assert [notice.code for notice in second.told] == ["quota_begun_anew"]

    assert len(play(tmp_path, script).starts) == 13


def test_what_a_later_version_wrote_is_left_alone(tmp_path):
    async def script(at):
        first = at.process()
        await first.run(3, limits=per_minute(10), latency_s=1.0)
        await first.quotas.close()
        await _spoil(tmp_path, "UPDATE known SET form = 99")
        second = at.process()
        await second.run(1, limits=per_minute(10), latency_s=1.0)
        assert [notice.code for notice in second.told] == ["quota_not_shared"]

    play(tmp_path, script)


def test_a_verdict_is_one_for_all_at_once(tmp_path):
    async def script(at):
        at.upstream.faults[0] = Fault(K.BAD_KEY, "", Charged.NO, Scope.KEY)
        one, other = (process.quotas.quota(PLACE, per_minute(60)) for process in (at.process(), at.process()))
        grant = await one.reserve(Cost())
        assert isinstance(await other.reserve(Cost()), Grant)
        await one.settle(grant, at.upstream.faults[0], 0.1, 0)
        await at.processes[0].clock.sleep(0.01)
        assert await other.reserve(Cost()) == Shut(at.upstream.faults[0])

    play(tmp_path, script)
