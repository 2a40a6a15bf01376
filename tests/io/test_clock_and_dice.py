"""The real clock and dice keep what their ports promise."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cavendish.engine.ports import Clock, Dice
from cavendish.io.clock import SystemClock
from cavendish.io.dice import SystemDice


async def test_the_clock_is_the_machine_s():
    clock: Clock = SystemClock()
    before, stood = time.time(), clock.monotonic()
    assert before <= clock.now() <= time.time()
    await clock.sleep(-1)
    assert clock.monotonic() >= stood


async def test_a_wait_ends_when_it_is_cancelled():
    task = asyncio.create_task(SystemClock().sleep(3600))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_uniform_numbers_are_below_one():
    dice: Dice = SystemDice()
    numbers = [dice.uniform() for _ in range(1000)]
    assert all(0 <= number < 1 for number in numbers)
    assert len(set(numbers)) > 990


def test_ids_sort_by_birth_within_a_millisecond_and_when_the_clock_is_set_back():
    times = iter([1e9] * 500 + [1e9 - 3600] * 500 + [1e9 + 1] * 500)
    dice = SystemDice(lambda: next(times))
    ids = [dice.fresh_id() for _ in range(1500)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1500
    assert {len(id_) for id_ in ids} == {26}


def test_ids_of_two_processes_differ_and_sort_by_time():
    early, late = SystemDice(lambda: 1e9), SystemDice(lambda: 1e9 + 0.002)
    ids = [early.fresh_id() for _ in range(100)] + [SystemDice(lambda: 1e9).fresh_id() for _ in range(100)]
    assert len(set(ids)) == 200
    assert max(ids) < late.fresh_id()


def test_ids_of_threads_differ():
    dice = SystemDice()
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _: dice.fresh_id(), range(2000)))
    assert len(set(ids)) == 2000
