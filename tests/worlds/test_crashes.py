"""Crashes: a process that dies at each of its durable operations in turn, and is begun again."""

import asyncio
from dataclasses import replace

import pytest

from cavendish.sim.loop import run_virtual
from tests.worlds.folder import FolderWorld
from tests.worlds.layout import Layout, Life, draw
from tests.worlds.mortal import Fate
from tests.worlds.tollgate import Broken
from tests.worlds.world import World

pytestmark = pytest.mark.worlds

MOST_MOMENTS = 2_000
"""No process of these tests has so many; one that does goes round in circles."""


def busy(seed: int) -> Layout:
    """A world with few slots and the troubles of its seed."""
    drawn = draw(seed)
    rows = tuple((prompt, min(n, 3), size, fixed) for prompt, n, size, fixed in drawn.rows[:3])
    return replace(drawn, rows=rows, keys=("good",), wire_model="thinker", keeps_quota=False)


def moments_of(layout: Layout) -> int:
    """How many moments the first life has when nobody kills it."""
    world = World(replace(layout, lives=(Life(),)))

    async def first_life():
        await world.live(Life())
        return world.fate.moments

    return run_virtual(first_life())


@pytest.mark.parametrize("seed", [1, 5, 17, 26])
def test_a_process_that_dies_at_any_moment_loses_nothing(seed):
    layout = busy(seed)
    moments = moments_of(layout)
    assert 10 < moments < MOST_MOMENTS
    for moment in range(1, moments + 1):
        world = World(replace(layout, lives=(Life("crash", at_op=moment),)))
        try:
            run_virtual(world.play())
        except Broken as error:
            error.add_note(f"seed {seed}, killed in its moment {moment}")
            raise
        assert world.lives >= 2


@pytest.mark.parametrize("seed", [5, 17])
def test_a_process_that_dies_again_while_it_recovers_loses_nothing(seed):
    layout = busy(seed)
    for moment in range(3, moments_of(layout), 11):
        for again in (1, 2, 3, 4, 6, 9):
            lives = (Life("crash", at_op=moment), Life("crash", at_op=again))
            run_virtual(World(replace(layout, lives=lives)).play())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
async def test_on_disk_every_system_call_may_be_the_last(tmp_path, step):
    """The real store and the real ledger: killed before and after each call that must last, until none is left."""
    for moment in range(1, MOST_MOMENTS, step):
        world = await asyncio.to_thread(FolderWorld, tmp_path / str(moment))
        died = await world.live(Fate(moment)) is None
        end = await world.live()
        assert end is not None
        assert end.stop is None
        await asyncio.to_thread(world.check, lost_at_most=world.policy.concurrency if died else 0)
        if not died:
            assert moment > 60
            return
    pytest.fail("it never came to its end")


async def test_on_disk_a_recovery_may_die_too(tmp_path):
    for moment in range(5, 60, 9):
        world = await asyncio.to_thread(FolderWorld, tmp_path / str(moment))
        deaths = 0
        for again in (moment, 1, 2, 3, 5, 8, 13):
            deaths += await world.live(Fate(again)) is None
        end = await world.live()
        assert end is not None
        assert deaths > 3
        await asyncio.to_thread(world.check, lost_at_most=deaths * world.policy.concurrency)
