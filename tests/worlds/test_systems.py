"""A world for every system: exactly N or a refusal that stands, true books, and nothing bought twice after a crash."""

from dataclasses import replace

import pytest

from cavendish.dialects.by_name import DIALECTS
from cavendish.engine.policy import Policy
from cavendish.sim.loop import run_virtual
from tests.worlds.layout import Life
from tests.worlds.systems import NAMES, drawn
from tests.worlds.tollgate import Broken
from tests.worlds.world import World

pytestmark = pytest.mark.worlds

USUAL = 6
MORE = 100


def play(name, seed):
    world = World(drawn(name, seed))
    try:
        run_virtual(world.play())
    except Exception as error:
        raise Broken(f"world {seed} at {name}, life {world.lives}: {error}") from error
    return world


PRICED = tuple(name for name in NAMES if name not in {"openrouter", "openrouter-images", "local"})
"""Where the catalog knows prices, and the books can be held against the simulator's."""


@pytest.mark.parametrize("name", PRICED)
def test_a_world(name):
    for seed in range(USUAL):
        play(name, seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PRICED)
def test_more_worlds(name):
    for seed in range(USUAL, MORE):
        play(name, seed)


def test_every_dialect_is_played():
    assert {drawn(name, 0).spoken.dialect.name for name in PRICED} == set(DIALECTS)


def test_groups_and_jobs_are_met():
    worlds = [play(name, seed) for name in ("byteplus", "fal", "google-imagen") for seed in range(6)]
    attempts = [attempt for world in worlds for attempt in world.ledger._attempts.values()]
    assert any(attempt.shared for attempt in attempts)
    assert any(attempt.ticket for attempt in attempts)
    assert any(attempt.shared and attempt.ticket for attempt in attempts)


def busy(name, seed):
    """A few rows of several pictures each, with whatever goes wrong at a system; the first life is killed."""
    layout = drawn(name, seed)
    rows = tuple((f"kite {i}", n, None, None) for i, n in enumerate((3, 1, 4)))
    spoken = replace(layout.spoken, several=replace(layout.spoken.several, serial=False))
    quick = Policy(concurrency=2)
    return replace(layout, rows=rows, spoken=spoken, policy=quick, jumps=(), keeps_quota=False)


def moments_of(layout):
    world = World(replace(layout, lives=(Life(),)))

    async def first_life():
        await world.live(Life())
        return world.fate.moments

    return run_virtual(first_life())


@pytest.mark.parametrize("name, seed", [("byteplus", 3), ("fal", 1), ("google-imagen", 0), ("bfl", 2)])
def test_a_process_that_dies_at_any_moment_of_a_group_or_a_job_loses_nothing(name, seed):
    layout = busy(name, seed)
    moments = moments_of(layout)
    assert moments > 10
    for moment in range(1, moments + 1):
        world = World(replace(layout, lives=(Life("crash", at_op=moment), Life("crash", at_op=moment % 7 + 1))))
        try:
            run_virtual(world.play())
        except Broken as error:
            error.add_note(f"{name}, seed {seed}, killed in its moment {moment}")
            raise
