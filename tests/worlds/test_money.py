"""Caps of days and months over several runs: never passed, whatever dies when; and the books agree with the bills."""

import pytest

from cavendish.model.fault import FaultKind
from cavendish.sim.loop import run_virtual
from tests.worlds.money_world import MoneyWorld

pytestmark = pytest.mark.worlds

CHUNKS = {
    "test_no_cap_is_ever_passed": [range(start, start + 10) for start in range(0, 40, 10)],
}


def test_no_cap_is_ever_passed(seeds):
    for seed in seeds:
        world = MoneyWorld(seed)
        try:
            run_virtual(world.play())
        except AssertionError as error:
            error.add_note(f"money world {seed}")
            raise


def test_worlds_do_meet_their_caps():
    stops = 0
    for seed in range(5):
        world = MoneyWorld(seed)
        run_virtual(world.play(crashes=0))
        stops += world.stops[FaultKind.BUDGET]
    assert stops > 5


@pytest.mark.parametrize("seed", [2, 3])
def test_a_process_may_die_at_every_moment(seed):
    """One run dies at each of its moments in turn, while the others go on."""
    for moment in range(1, 61, 6):
        world = MoneyWorld(seed)
        run_virtual(dying(world, moment))


async def dying(world, moment):
    await world.runs[0].live(due=moment)
    await world.play(crashes=1)
