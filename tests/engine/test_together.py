"""Two engines at one run: a part as jobs, a part by single calls; one budget, nothing lost and nothing bought twice."""

import asyncio
from dataclasses import replace

import pytest

from cavendish.engine.bulk.chunk import is_bulk
from cavendish.engine.bulk.ports import BulkPolicy
from cavendish.engine.bulk.run import BulkEngine, Places
from cavendish.engine.flight import Parts
from cavendish.engine.run import Engine
from cavendish.engine.together import Pair, shared
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.sim.loop import run_virtual
from tests.engine.bulk.works import BulkRig
from tests.engine.doubles import PRICE, Watcher
from tests.worlds.mortal import Fate, Killed, MortalBlobs

TEN = tuple("abcdefghij")
GOES_ONLINE = BulkPolicy(rows=3, deadline_s=7200.0)


class PairRig(BulkRig):
    """A rig of both engines: the first ``jobs`` prompts go as jobs, the others by single calls."""

    def __init__(self, *, jobs=6, **options):
        super().__init__(**{"prompts": TEN, "bounds": GOES_ONLINE, **options})
        self.first = jobs
        self.starts = []

    def half(self, *, jobs):
        return [slot for slot in self.slots() if (slot.row < self.first) is jobs]

    async def pair(self, ledger=None, blobs=None):
        self.watcher = Watcher()
        whole = Parts(ledger or self.ledger, blobs or self.blobs, self.clock, self.dice, self.watcher)
        for_jobs, for_calls = await shared(whole, self.max_cost_nusd)
        places = Places(lambda _: (self.place,), lambda _: (self.place.lane, self.online))
        bulk = BulkEngine(for_jobs, places, "run", self.policy, self.bounds, self.max_cost_nusd)
        calls = Engine(for_calls, lambda _: (self.online,), self.policy, self.max_cost_nusd)
        return Pair(bulk, calls, for_jobs.common)

    async def run(self, **parts):
        pair = await self.pair(**parts)
        return await pair.run(self.half(jobs=True), self.half(jobs=False))

    async def routes(self):
        """By which mode each prompt was drawn."""
        return {p.slot.request.prompt: p.route.mode for p in self.ledger._outcomes.values()}


def test_both_halves_go_on_at_the_same_time():
    rig = PairRig()

    async def play():
        going = asyncio.ensure_future(rig.run())
        await asyncio.sleep(600)
        drawn = {p.slot.request.prompt for p in rig.watcher.pictures}
        end = await going
        return drawn, end, await rig.routes()

    drawn, end, routes = run_virtual(play())
    assert drawn == set("ghij"), "the single calls do not wait for the jobs"
    assert end.stop is None
    assert routes == dict.fromkeys("abcdef", "batch") | dict.fromkeys("ghij", "standard")


def test_what_no_job_made_joins_the_single_calls():
    rig = PairRig()
    rig.works.takes_s = 100_000.0
    end = run_virtual(rig.run())
    assert end.stop is None
    assert len(rig.watcher.pictures) == len(TEN)
    assert {p.route.mode for p in rig.watcher.pictures} == {"standard"}


PATIENT = BulkPolicy(rows=3, deadline_s=1e6)
MISS = Fault(FaultKind.IMAGE_OTHER, "nothing was drawn", Charged.NO)


@pytest.mark.parametrize(
    "wish, cap, expected",
    [
        pytest.param(True, None, "standard", id="no cap"),
        pytest.param(True, 4 * PRICE, "standard", id="room for it"),
        pytest.param(False, None, "batch", id="a run that is not by a plan"),
    ],
)
def test_what_a_job_missed_goes_online(wish, cap, expected):
    rig = PairRig(prompts=("a", "b", "c"), jobs=3, max_cost_nusd=cap, bounds=replace(PATIENT, misses_online=wish))
    rig.works.faults["b"] = [MISS]
    assert run_virtual(rig.run()).stop is None
    assert run_virtual(rig.routes())["b"] == expected
    assert len(rig.works.jobs) == (2 if expected == "batch" else 1)


def dear_rig(names, cap, misses, set_aside=1.0):
    """A single call costs two, a line of a job one, for which ``set_aside`` is reserved."""
    rig = PairRig(prompts=names, jobs=len(names), bounds=replace(PATIENT, misses_online=True))
    rig.max_cost_nusd = round(cap * PRICE)
    rig.online = rig.lanes[0] = replace(rig.online, pricing=Times(rig.online.pricing, 2, 2))
    lane = rig.place.lane
    rig.place = replace(rig.place, lane=replace(lane, pricing=Times(lane.pricing, 1, set_aside)))
    rig.works.faults.update({name: [MISS] for name in misses})
    return rig


class Times:
    """``Pricing`` at so many times the price, of which so many times is set aside."""

    def __init__(self, pricing, price, bound):
        self._pricing, self._price, self._bound = pricing, price, bound

    def estimate(self, slot):
        return self._price * self._pricing.estimate(slot)

    def bound(self, slot):
        return round(self._bound * self._pricing.estimate(slot))

    def __getattr__(self, name):
        return getattr(self._pricing, name)


@pytest.mark.parametrize(
    "cap, misses, online",
    [
        pytest.param(3.5, "b", "", id="no room for it"),
        pytest.param(4.0, "b", "b", id="just room for it"),
        pytest.param(4.0, "bc", "b", id="room for one, and for the other by a job"),
        pytest.param(4.5, "abc", "a", id="those by a job have their room"),
    ],
)
def test_a_miss_that_has_no_room_online_takes_a_further_job(cap, misses, online):
    rig = dear_rig(("a", "b", "c"), cap, misses)
    assert run_virtual(rig.run()).stop is None
    routes = run_virtual(rig.routes())
    assert "".join(sorted(name for name, mode in routes.items() if mode == "standard")) == online
    assert len(routes) == 3


def test_a_miss_waits_for_the_money_that_other_jobs_leave():
    """When the first job ends 1.75 are left beside the second, and 2.5 when that has ended."""
    rig = dear_rig(TEN[:6], 7.5, "b", set_aside=1.25)
    rig.works.slower = {"batches/2": 600.0}
    assert run_virtual(rig.run()).stop is None
    assert run_virtual(rig.routes())["b"] == "standard"
    assert len(rig.works.jobs) == 2


def test_one_budget_holds_for_both():
    rig = PairRig(max_cost_nusd=7 * PRICE)
    end = run_virtual(rig.run())
    assert end.stop is not None
    assert end.stop.kind is FaultKind.BUDGET
    tally = asyncio.run(rig.ledger.tally())
    assert tally.billed_nusd <= 7 * PRICE
    assert tally.delivered == 7


def test_the_rest_of_jobs_goes_online_only_within_the_budget():
    rig = PairRig(max_cost_nusd=4 * PRICE + PRICE // 2, jobs=10, prompts=TEN[:4])
    rig.works.takes_s = 100_000.0
    rig.works.faults = {}
    dear = replace(rig.online, pricing=type(rig.pricing)(2 * PRICE))
    rig.online = dear
    end = run_virtual(rig.run())
    assert end.stop is not None
    assert end.stop.kind is FaultKind.BUDGET
    assert asyncio.run(rig.ledger.tally()).delivered == 2, "two at the double price"


def test_who_waits_for_money_of_the_other_half_is_woken():
    """The jobs hold all the money; what a refused line gives back, the single calls may spend."""
    rig = PairRig(max_cost_nusd=7 * PRICE, jobs=6, prompts=TEN[:8])
    rig.works.faults = {"a": [Fault(FaultKind.PROHIBITED, "no", Charged.NO)]}
    end = run_virtual(rig.run())
    assert end.stop is None
    assert len(rig.watcher.pictures) == 7
    assert len(rig.watcher.failures) == 1


def test_stopped_both_stop_and_both_go_on_later():
    rig = PairRig()

    async def play():
        pair = await rig.pair()
        going = asyncio.ensure_future(pair.run(rig.half(jobs=True), rig.half(jobs=False)))
        await asyncio.sleep(100)
        pair.stop(Fault(FaultKind.CANCELLED, "interrupted"))
        first = await going
        return first, await rig.run(), await rig.routes()

    first, second, routes = run_virtual(play())
    assert first.stop is not None
    assert first.stop.kind is FaultKind.CANCELLED
    assert second.stop is None
    assert routes == dict.fromkeys("abcdef", "batch") | dict.fromkeys("ghij", "standard")
    assert rig.works.bought.total() == 6


def test_a_half_that_breaks_ends_the_other_and_says_so():
    rig = PairRig()

    def broken(_slot):
        raise ZeroDivisionError

    async def play():
        pair = await rig.pair()
        pair.calls = Engine(pair.calls._parts, broken, rig.policy)
        await pair.run(rig.half(jobs=True), rig.half(jobs=False))

    with pytest.raises(ZeroDivisionError):
        run_virtual(play())
    assert len(asyncio.run(rig.ledger.open_attempts())) in {0, 6}, "jobs that were taken are found again"


@pytest.mark.parametrize("jobs", [0, 10])
def test_one_half_may_have_nothing_to_do(jobs):
    rig = PairRig(jobs=jobs)
    assert run_virtual(rig.run()).stop is None
    assert len(rig.watcher.pictures) == len(TEN)


MOMENTS = 400


def test_a_process_that_dies_at_any_moment_keeps_routes_and_bound():
    died = 0
    for due in range(1, MOMENTS):
        fate, rig = Fate(due), PairRig(max_cost_nusd=14 * PRICE)
        rig.ledger = MemoryLedger(fate.tick)
        killed = run_virtual(_lives(rig, fate))
        if not killed:
            break
        died += 1
    assert died > 40
    assert died < MOMENTS - 1


async def _lives(rig, fate):
    """One life that ends at its moment, and one that goes on; true when the first was killed."""
    mortal = MortalBlobs(rig.blobs, fate, set())
    online = rig.providers[0]
    online.blobs, rig.place.jobs.blobs = mortal, mortal
    killed = False
    try:
        await rig.run(blobs=mortal)
    except Killed:
        killed = True
    fate._due, fate.alive = 0, True
    online.blobs, rig.place.jobs.blobs = rig.blobs, rig.blobs
    end = await rig.run()
    assert end.stop is None
    assert await rig.routes() == dict.fromkeys("abcdef", "batch") | dict.fromkeys("ghij", "standard")
    tally = await rig.ledger.tally()
    assert tally.billed_nusd + tally.unknown_nusd <= 14 * PRICE
    asked_for = sorted(line.request.prompt for _, lines, _ in rig.works.jobs.values() for line in lines)
    assert asked_for == list("abcdef"), "no job is asked for twice"
    assert not [attempt for attempt, _ in await rig.ledger.open_attempts() if is_bulk(attempt)]
    return killed
