"""Askers: many requests of one asker are one in the division of a quota, in however many processes it asks."""

import asyncio
import math
from collections import Counter

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost, Grant, Quota, WaitUntil
from cavendish.govern.governors import Place
from cavendish.io.quota.shared import Asker, SharedQuotas
from cavendish.io.quota.table import MIGRATIONS
from cavendish.io.state.database import open_database
from cavendish.sim.dice import SeededDice
from cavendish.sim.loop import VirtualClock, run_virtual

PLACE = Place("google", "k", "m")
TEN = Limits(requests_per_minute=10)
LOOK_S = 5.0


async def one_request(quota: Quota, clock: VirtualClock) -> None:
    """As an engine asks: until it has leave, and not before the moment that it was told."""
    while True:
        answer = await quota.reserve(Cost())
        if isinstance(answer, Grant):
            break
        assert isinstance(answer, WaitUntil)
        await clock.sleep(LOOK_S if math.isinf(answer.at) else max(0.0, answer.at - clock.monotonic()))
    await clock.sleep(1.0)
    await quota.settle(answer, None, 1.0, 0)


async def begun_within(seconds: float, folder, line: list[tuple[int, str]], processes: int = 1) -> Counter[str]:
    """Whose requests began in that time, when these came one after the other, each in one of the processes."""
    clock, begun, tasks = VirtualClock(), Counter[str](), list[asyncio.Task[None]]()
    shared = [
        SharedQuotas(lambda: open_database(folder, "quota", MIGRATIONS, clock), clock, SeededDice(seed))
        for seed in range(processes)
    ]

    async def ask(process: int, name: str) -> None:
        quota = shared[process].quota(PLACE, TEN, asker=Asker(name=name))
        await one_request(quota, clock)
        begun[name] += 1

    for process, name in line:
        tasks.append(asyncio.ensure_future(ask(process, name)))
        await clock.sleep(0.01)
    await clock.sleep(seconds - clock.monotonic())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for quotas in shared:
        await quotas.close()
    return begun


@pytest.mark.parametrize("processes", [1, 2])
def test_who_asks_for_much_keeps_nobody_from_its_share(tmp_path, processes) -> None:
    greedy = [(number % processes, "greedy") for number in range(40)]
    modest = [(processes - 1, "modest")] * 8
    # The greedy one had the first minute's ten, of which 3.7 still count: of the next ten it is to have three.
    begun = run_virtual(begun_within(75.0, tmp_path / "one", [*greedy, *modest], processes))
    assert begun["modest"] >= 6
    # Nor does the division leave any of the quota idle.
    begun = run_virtual(begun_within(122.0, tmp_path / "two", [*greedy, *modest], processes))
    assert (begun["modest"], begun["greedy"] >= 21 - processes) == (8, True)
