"""The virtual loop: time jumps, order holds, and a program that cannot go on is told where it stands."""

import asyncio

import pytest

from cavendish.sim.loop import Deadlock, Livelock, VirtualClock, run_virtual


def test_a_year_passes_at_once():
    async def main():
        clock = VirtualClock(wall_start=1000.0)
        await clock.sleep(365 * 86_400)
        return clock.monotonic(), clock.now()

    assert run_virtual(main()) == (365 * 86_400, 365 * 86_400 + 1000.0)


def test_timers_fire_in_order_and_on_time():
    async def main():
        seen = []

        async def after(seconds, name):
            await asyncio.sleep(seconds)
            seen.append((name, asyncio.get_running_loop().time()))

        await asyncio.gather(after(3, "c"), after(1, "a"), after(2, "b"), after(2, "b2"))
        return seen

    assert run_virtual(main()) == [("a", 1), ("b", 2), ("b2", 2), ("c", 3)]


def test_timeouts_work():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(10)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 5


def test_deadlock_names_the_tasks_and_their_places():
    async def wait_for_godot():
        await asyncio.get_running_loop().create_future()

    async def main():
        await asyncio.create_task(wait_for_godot(), name="vladimir")

    with pytest.raises(Deadlock, match=r"(?s)nothing is ready.*vladimir: .*wait_for_godot"):
        run_virtual(main())


def test_livelock_is_found(monkeypatch):
    monkeypatch.setattr("cavendish.sim.loop.MAX_TURNS_WITHOUT_TIME", 1000)

    async def main():
        loop = asyncio.get_running_loop()

        def again():
            loop.call_soon(again)

        again()
        await loop.create_future()

    with pytest.raises(Livelock):
        run_virtual(main())


def test_waiting_for_ever_is_found():
    async def main():
        await asyncio.sleep(1e12)

    with pytest.raises(Livelock):
        run_virtual(main())


def test_work_for_threads_is_done_on_the_spot():
    def divide(a, b):
        return a / b

    async def main():
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divide, 1, 0)
        return await asyncio.to_thread(divide, 6, 3)

    assert run_virtual(main()) == 2


def test_the_wall_clock_may_jump_and_the_other_does_not():
    async def main():
        clock = VirtualClock(wall_start=0.0, jumps=((10.0, -3600.0), (20.0, 60.0)))
        seen = []
        for _ in range(3):
            seen.append((clock.monotonic(), clock.now()))
            await clock.sleep(10)
        return seen

    assert run_virtual(main()) == [(0, 0), (10, -3590), (20, -3520)]


def test_tasks_left_over_are_cancelled_at_the_end():
    ended = []

    async def background():
        try:
            await asyncio.sleep(100)
        finally:
            ended.append(asyncio.get_running_loop().time())

    async def main():
        task = asyncio.create_task(background())
        await asyncio.sleep(1)
        return task

    run_virtual(main())
    assert ended == [1]
