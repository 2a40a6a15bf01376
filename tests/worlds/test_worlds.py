"""Thousands of seeded worlds: nothing lost, nothing bought twice, the books true, and every slot comes to its end.

Each world is the real engine, governor and books against the simulator, on a virtual clock; what goes wrong in it, and
when its process is stopped or killed, is drawn from its seed.
"""

import os

import pytest

from cavendish.io.quota.local import LocalQuota
from cavendish.model.fault import FaultKind
from cavendish.sim.faults import Mishap
from tests.worlds.layout import draw
from tests.worlds.tollgate import Broken
from tests.worlds.world import play

pytestmark = pytest.mark.worlds

CHUNK = 50
USUAL = 2_000
MORE = int(os.environ.get("CAVENDISH_WORLDS", "20000"))
"""How many the slow test plays; read now, since no test sees the settings of whoever runs it."""

SAME_EVERY = 10
"""One world in so many is played twice."""


def chunks(first: int, count: int, size: int) -> tuple[range, ...]:
    return tuple(range(at, min(at + size, first + count)) for at in range(first, first + count, size))


CHUNKS = {
    "test_a_world": chunks(0, USUAL, CHUNK),
    "test_more_worlds": chunks(USUAL, MORE, 10 * CHUNK),
}


def test_a_world(seeds):
    for seed in seeds:
        history = play(seed)
        if seed % SAME_EVERY == 0:
            assert play(seed) == history, f"world {seed} is not the same twice"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_more_worlds(seeds):
    for seed in seeds:
        play(seed)


# --- the worlds themselves --------------------------------------------------------------------------------------------


def test_all_troubles_are_met():
    """What is drawn reaches everything that it was made to reach."""
    layouts = [draw(seed) for seed in range(USUAL)]
    faults = {mishap for layout in layouts for mishap in layout.profile.faults}
    assert set(Mishap) - faults == {Mishap.GIGANTIC, Mishap.BIG_SIGNATURE}
    assert {layout.profile.quota.algorithm for layout in layouts} == {"fixed_window", "sliding_window", "token_bucket"}
    lives = [life for layout in layouts for life in layout.lives]
    assert {life.ending for life in lives} == {"whole", "stop", "abort", "cancel", "crash"}
    assert sum(layout.profile.quota.requests_per_day is not None for layout in layouts) > 100
    assert sum(layout.cap_nusd is not None for layout in layouts) > 100
    assert sum(bool(layout.jumps) for layout in layouts) > 100
    assert sum(len(layout.keys) == 2 for layout in layouts) > 100
    assert sum(layout.wire_model != "thinker" for layout in layouts) > 20


def test_what_breaks_a_promise_is_told_with_its_seed(monkeypatch):
    async def forget(self, receipts):
        """A ledger that loses receipts."""

    monkeypatch.setattr("cavendish.io.ledger.memory.MemoryLedger.settle_all", forget)
    with pytest.raises(Broken, match=r"world 7, life \d+: .*\n.*--world-seed=7"):
        play(7)


def _spend_without_asking(monkeypatch):
    monkeypatch.setattr("cavendish.engine.budget.Budget.reserve", lambda self, price: None)
    monkeypatch.setattr("cavendish.engine.budget.Budget.settle", lambda self, reserved, cost: None)


def _buy_what_was_delivered(monkeypatch):
    async def standing(self, slot_id):
        return None

    monkeypatch.setattr("cavendish.io.ledger.memory.MemoryLedger.standing", standing)


def _lose_what_arrived(monkeypatch):
    async def recorded(self):
        return {}

    monkeypatch.setattr("cavendish.io.blobs.memory.MemoryBlobs.recorded", recorded)


def _never_wait(monkeypatch):
    monkeypatch.setattr("cavendish.govern.brake.Brake.cool", lambda self, until_s, why: None)
    monkeypatch.setattr("cavendish.govern.day.DayCount.left_s", lambda self, wall_s, amount: None)
    monkeypatch.setattr("cavendish.govern.window.SlidingWindow.earliest", lambda self, now_s, amount: now_s)


def _keep_the_grants_of_the_cancelled(monkeypatch):
    settle = LocalQuota.settle

    async def forgetful(self, grant, fault, latency_s, spent_nusd):
        if fault is None or fault.kind is not FaultKind.CANCELLED:
            await settle(self, grant, fault, latency_s, spent_nusd)

    monkeypatch.setattr(LocalQuota, "settle", forgetful)


def _take_twins(monkeypatch):
    monkeypatch.setattr("cavendish.engine.twins.Twins.add", lambda self, slot_id, sha256: True)


def _mark_too_early(monkeypatch):
    def settled(self, *, all_read):
        self.mark = self._newest + 1
        return self.mark

    monkeypatch.setattr("cavendish.engine.rows.Rows.settled", settled)


MUTANTS = [
    _spend_without_asking,
    _buy_what_was_delivered,
    _lose_what_arrived,
    _never_wait,
    _keep_the_grants_of_the_cancelled,
    _take_twins,
    _mark_too_early,
]


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__.strip("_"))
def test_the_worlds_find_it(mutate, monkeypatch):
    """A promise broken on purpose is found within the usual seeds: the laws can fail."""
    mutate(monkeypatch)
    for seed in range(300):
        try:
            play(seed)
        except Broken:
            return
    pytest.fail("300 worlds did not notice")
