"""Jobs under the caps that all runs share: what is at work is set aside, in this process and in the next."""

import asyncio
from collections import Counter
from dataclasses import replace

from cavendish.engine.bulk.ports import BulkPolicy
from cavendish.io.spend.account import Account
from cavendish.io.spend.book import SpendBook
from cavendish.io.spend.calendar import UTC_CALENDAR, Period
from cavendish.io.spend.caps import Cap
from cavendish.io.spend.ledger import BookedLedger
from cavendish.io.spend.sums import Sum, key_of, sum_of
from cavendish.model.fault import FaultKind
from cavendish.sim.loop import run_virtual
from tests.engine.bulk.works import BulkRig
from tests.engine.doubles import PRICE
from tests.io.spend.books import MemoryDatabase, entry

SEVEN = tuple("abcdefg")


class CappedRig(BulkRig):
    """A bulk rig whose runs are in a book with one cap."""

    def __init__(self, pictures, **options):
        super().__init__(**options)
        self.cap = Cap(Period.DAY, pictures * PRICE)
        self.database = MemoryDatabase(self.clock)
        self.book = SpendBook(self.database, UTC_CALENDAR, [self.cap])

    def bulk(self, run_id="run"):
        engine = super().bulk(run_id)
        engine._parts = replace(engine._parts, ledger=BookedLedger(self.ledger, self.account), caps=self.account)
        engine._carrier._flight._parts = engine._parts
        return engine

    def open_attempts(self):
        return [self.ledger._attempts[attempt_id] for attempt_id in self.ledger._live.values()]

    async def run(self, after_s=None):
        """One process; killed after so many seconds."""
        self.account = Account(self.book, entry(), self.clock)
        sums = {}
        for attempt in self.ledger._attempts.values():
            key = key_of(attempt, UTC_CALENDAR)
            sums[key] = sums.get(key, Sum()).plus(sum_of(attempt, None))
        await self.account.open(sums, self.open_attempts())
        task = asyncio.ensure_future(self.bulk().run(self.slots()))
        if after_s is None:
            end = await task
            await self.account.close(self.open_attempts())
            return end
        await asyncio.sleep(after_s)
        task.cancel()
        beating = self.account._beating
        assert beating is not None
        beating.cancel()
        await asyncio.gather(task, beating, return_exceptions=True)
        return None

    async def state(self):
        (state,) = await self.book.states(self.clock.now())
        return state.spent_nusd // PRICE, state.held_nusd // PRICE


def test_jobs_stop_at_a_cap_and_name_it():
    rig = CappedRig(4, prompts=SEVEN)

    async def story():
        return await rig.run(), await rig.state()

    end, state = run_virtual(story())
    assert (end.stop.kind, end.stop.limit) == (FaultKind.BUDGET, "max_cost_per_day")
    assert rig.works.bought.total() == 4
    assert state == (4, 0)


def test_what_a_job_holds_is_held_while_it_is_at_work():
    rig = CappedRig(10, prompts=SEVEN)

    async def story():
        running = asyncio.ensure_future(rig.run())
        await asyncio.sleep(60)
        meanwhile = await rig.state()
        await running
        return meanwhile, await rig.state()

    (spent, held), after = run_virtual(story())
    assert (spent, held >= 7) == (0, True)
    assert after == (7, 0)


def test_a_killed_run_takes_its_jobs_up_without_needing_room_for_them_twice():
    rig = CappedRig(7, prompts=SEVEN, bounds=BulkPolicy(rows=3, jobs=2))

    async def story():
        await rig.run(after_s=100)
        _, held = await rig.state()
        return held, await rig.run(), await rig.state()

    held, end, state = run_virtual(story())
    assert held >= 6
    assert end.stop is None
    assert rig.works.bought == Counter(SEVEN)
    assert state == (7, 0)
