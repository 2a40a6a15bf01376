"""Worlds of several keys and routes: pools, failover and hedges under all the troubles that one key meets.

Each is a world as in ``test_worlds`` with other keys: some good, some dead, of one route or of several, and sometimes
with a second call for what is slow.
"""

from collections import Counter
from dataclasses import replace

import pytest

from cavendish.engine.flight import Flight
from cavendish.engine.policy import Hedge
from cavendish.sim.loop import run_virtual
from tests.worlds.layout import GOOD_KEY, Drawing, Layout, Life, draw
from tests.worlds.tollgate import Broken
from tests.worlds.world import World, play

SEEDS, CHUNK = 400, 40
OTHER_DICE = 1_000_000
"""So that keys are drawn by throws of their own."""

DEAD = ("bad", "noquota", "expired")


def with_keys(seed: int) -> Layout:
    """The world of this seed with two to four keys of one to three routes."""
    base, by = draw(seed), Drawing(seed + OTHER_DICE)
    count = by.dice.between(2, 4)
    names = [f"good-{i}" if by.maybe(0.75) else by.one(DEAD) for i in range(1, count)]
    groups = sorted(by.dice.between(0, 2) for _ in range(count)) if by.maybe(0.6) else [0] * count
    hedge = by.one((None, Hedge(after_s=2.0, share=0.5), Hedge(after_s=15.0), Hedge(quantile=0.5, samples=2)))
    policy = replace(base.policy, hedge=hedge, failover_s=by.one((5.0, 90.0)))
    return replace(base, keys=(GOOD_KEY, *names), groups=tuple(groups), policy=policy)


@pytest.mark.worlds
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_a_world_of_several_keys(first):
    for seed in range(first, first + CHUNK):
        history = play(seed, with_keys)
        if seed % CHUNK == 0:
            assert play(seed, with_keys) == history, f"world {seed} is not the same twice"


def test_all_is_met():
    """What is drawn reaches what it was made to reach."""
    seen = Counter()
    for seed in range(60):
        world = World(with_keys(seed))
        run_virtual(world.play())
        attempts = world.ledger._attempts.values()
        pictures = [outcome for outcome in world.ledger._outcomes.values() if hasattr(outcome, "route")]
        seen["hedges"] += sum(attempt.hedge for attempt in attempts)
        seen["keys"] += len({attempt.key for attempt in attempts}) > 1
        seen["routes"] += len({str(picture.route) for picture in pictures}) > 1
        seen["lost keys"] += bool(world.watcher.lost)
    assert min(seen[what] for what in ("hedges", "keys", "routes", "lost keys")) >= 5, seen


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_a_key_that_is_lost_is_told_once(seed):
    world = World(replace(with_keys(seed), lives=()))
    told = Counter()

    async def lived():
        world.heal()
        await world.live(Life())
        told.update((str(closing.route), closing.key) for closing in world.watcher.lost)

    run_virtual(lived())
    assert all(count == 1 for count in told.values()), told


def all_of(seeds):
    for seed in seeds:
        play(seed, with_keys)


def test_the_worlds_notice_when_a_hedge_is_forgotten(monkeypatch):
    """The promise about hedges can be broken: an engine that drops what came second is found out."""

    async def dropped(self, lane, work, landing):
        self._money(lane, landing.reserved_nusd, 0)
        await self._parts.blobs.forget(landing.attempts[0].call_id)

    monkeypatch.setattr(Flight, "_land_beside", dropped)
    with pytest.raises(Broken):
        all_of(range(200))
