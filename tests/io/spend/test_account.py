"""An account: money set aside for all runs, spent once, given back; and what is left of it when a process dies."""

import asyncio

import pytest

from cavendish.engine.ports import Shut, WaitUntil
from cavendish.io.spend.account import AHEAD, PATIENCE_S
from cavendish.io.spend.book import DEAD_S, OLD_S
from cavendish.io.spend.calendar import Period
from cavendish.io.spend.caps import Cap
from cavendish.io.spend.sums import Key, Sum, sum_of
from cavendish.model.fault import Charged, FaultKind, Scope
from cavendish.sim.loop import WALL_START, VirtualClock, run_virtual
from tests.io.spend.books import account, book_at, entry, intent, receipt

DAY = "2026-11-20"
A_DAY = Cap(Period.DAY, 100)


async def opened(book, clock, name="r", sums=(), attempts=()):
    one = account(book, clock, name)
    await one.open(dict(sums), attempts)
    return one


def virtual(play):
    """Run a test's coroutine function on a virtual clock."""

    def test():
        run_virtual(play())

    test.__name__, test.__doc__ = play.__name__, play.__doc__
    return test


async def state_of(book, clock):
    (state,) = await book.states(clock.now())
    return state.spent_nusd, state.held_nusd


@virtual
async def test_a_price_is_set_aside_until_its_receipt():
    clock = VirtualClock()
    async with book_at(clock, [A_DAY]) as book:
        one = await opened(book, clock)
        attempt = intent(clock.now())
        assert await one.ask("google", 10, 10) == 10
        assert (await state_of(book, clock))[1] >= 10
        one.book(receipt(attempt, 7), None)
        one.release("google", 10)
        await one.close(())
        assert await state_of(book, clock) == (7, 0)


@virtual
async def test_what_is_not_billed_is_given_back():
    clock = VirtualClock()
    async with book_at(clock, [A_DAY]) as book:
        one = await opened(book, clock)
        for _ in range(30):
            attempt = intent(clock.now())
            assert await one.ask("google", 10, 10) == 10
            one.book(receipt(attempt, 0, Charged.NO), None)
            one.release("google", 10)
        await one.close(())
        assert await state_of(book, clock) == (0, 0)


@virtual
async def test_a_run_that_would_pass_the_cap_is_told_which_and_how_much_and_until_when():
    clock = VirtualClock()
    cap = Cap(Period.MONTH, 25, "google")
    async with book_at(clock, [cap, A_DAY]) as book:
        one = await opened(book, clock)
        for _ in range(2):
            assert await one.ask("google", 10, 10) == 10
            one.book(receipt(intent(clock.now())), None)
            one.release("google", 10)
        answer = await one.ask("google", 10, 10)
        assert isinstance(answer, Shut)
        assert answer.fault.kind is FaultKind.BUDGET
        assert answer.fault.scope is Scope.ENDPOINT
        assert answer.fault.limit == "endpoints.google.max_cost_per_month"
        assert "a month for google" in answer.fault.message
        assert "renewed at 2026-12-01 00:00 UTC" in answer.fault.message
        assert WALL_START + answer.fault.retry_after_s == pytest.approx(UTC_DECEMBER)
        assert await one.ask("openai", 10, 10) == 10
        await one.close(())


UTC_DECEMBER = 1_796_083_200.0


@virtual
async def test_who_is_before_the_cap_waits_for_what_is_in_flight():
    clock = VirtualClock()
    async with book_at(clock, [Cap(Period.DAY, 15)]) as book:
        one, other = await opened(book, clock, "one"), await opened(book, clock, "other")
        assert await one.ask("google", 10, 10) == 10
        assert isinstance(await other.ask("google", 10, 10), WaitUntil)
        one.book(receipt(intent(clock.now()), 5), None)
        one.release("google", 10)
        await clock.sleep(11)  # until the book has heard of it, and of no further wish
        assert await other.ask("google", 10, 10) == 10
        await one.close(())
        await other.close(())


@virtual
async def test_what_one_has_in_reserve_comes_back_when_it_asks_no_more():
    clock = VirtualClock()
    async with book_at(clock, [Cap(Period.DAY, 1000)]) as book:
        one = await opened(book, clock, "one")
        assert await one.ask("google", 10, 10) == 10
        assert await state_of(book, clock) == (0, 10 + min(AHEAD * 10, 990 // 8))
        await clock.sleep(11)
        assert await state_of(book, clock) == (0, 10)
        await one.close(())


@virtual
async def test_what_is_being_given_back_is_not_given_out_meanwhile():
    clock = VirtualClock()
    async with book_at(clock, [Cap(Period.DAY, 1000)], takes_s=0.5) as book:
        one = await opened(book, clock)
        assert await one.ask("google", 10, 10) == 10
        while one._purses["google", DAY].free_nusd:
            await clock.sleep(0.1)
        # The book is being told; until it has answered, what was in reserve is nobody's.
        assert await one.ask("google", 10, 10) == 10
        assert (await state_of(book, clock))[1] >= 20
        await one.close(())


@virtual
async def test_a_call_that_is_alone_may_go_with_what_is_left():
    clock = VirtualClock()
    async with book_at(clock, [Cap(Period.DAY, 30)]) as book:
        one = await opened(book, clock)
        assert await one.ask("google", 20, 10) == 20
        # Not beside another call: that might come out dearer than expected.
        assert isinstance(await one.ask("google", 20, 10), WaitUntil)
        one.book(receipt(intent(clock.now()), 16), None)
        one.release("google", 20)
        assert await one.ask("google", 20, 10) == 14
        one.book(receipt(intent(clock.now()), 11), None)
        one.release("google", 14)
        assert isinstance(await one.ask("google", 20, 10), Shut)
        await one.close(())
        assert await state_of(book, clock) == (27, 0)


@virtual
async def test_carried_calls_are_set_aside_like_others():
    clock = VirtualClock()
    async with book_at(clock, [A_DAY]) as book:
        job = intent(clock.now(), 60)
        one = await opened(
            book, clock, sums={Key(DAY, "google", "m", "standard"): dead_sum(job)}.items(), attempts=[job]
        )
        one.carry([job])
        assert await one.ask("google", 30, 30) == 30
        one.book(receipt(job, 60), None)
        one.release("google", 60)
        assert isinstance(await one.ask("google", 20, 20), WaitUntil)
        spent, held = await state_of(book, clock)
        assert (spent, held) == (60, 30)
        await one.close(())


@virtual
async def test_two_that_wait_for_what_the_other_has_in_reserve_do_not_wait_for_ever():
    clock = VirtualClock()
    async with book_at(clock, [Cap(Period.DAY, 100)]) as book:
        runs = [await opened(book, clock, name) for name in "abcd"]

        async def spend(one, count):
            bought = 0
            while bought < count:
                answer = await one.ask("google", 5, 5)
                if isinstance(answer, WaitUntil):
                    await clock.sleep(answer.at - clock.monotonic())
                elif isinstance(answer, int):
                    attempt = intent(clock.now())
                    await clock.sleep(3)
                    one.book(receipt(attempt, 5), None)
                    one.release("google", 5)
                    bought += 1
                else:
                    break
            return bought

        assert sum(await asyncio.gather(*(spend(one, 9) for one in runs))) == 20
        for one in runs:
            await one.close(())
        assert await state_of(book, clock) == (100, 0)


@virtual
async def test_a_process_that_died_holds_what_it_had_set_aside_and_nobody_waits_for_it():
    clock = VirtualClock()
    async with book_at(clock, [Cap(Period.DAY, 15)]) as book:
        dead, other = await opened(book, clock, "dead"), await opened(book, clock, "other")
        assert await dead.ask("google", 10, 10) == 10
        dead._beating.cancel()
        assert isinstance(await other.ask("google", 10, 10), WaitUntil)
        await clock.sleep(DEAD_S + 1)
        assert isinstance(await other.ask("google", 10, 10), Shut)
        assert await other.ask("google", 5, 5) == 5
        assert [run.id for run in await book.dead()] == ["dead"]
        await other.close(())


@virtual
async def test_a_run_that_is_taken_up_again_is_what_its_ledger_says():
    clock = VirtualClock()
    async with book_at(clock, [A_DAY]) as book:
        dead = await opened(book, clock)
        assert await dead.ask("google", 10, 10) == 10
        dead._beating.cancel()
        lost, kept = intent(clock.now()), intent(clock.now(), 20)
        sums = {Key(DAY, "google", "m", "standard"): dead_sum(lost, kept)}
        again = await opened(book, clock, sums=sums.items(), attempts=[lost, kept])
        assert await state_of(book, clock) == (30, 0)
        again.carry([kept])  # its job is still at work
        again.book(receipt(lost, None, Charged.UNKNOWN), None)
        assert await again.ask("google", 10, 10) == 10
        spent, held = await state_of(book, clock)
        assert spent == 10
        assert held >= 30
        again.book(receipt(kept, 15), None)
        again.release("google", 20)
        again.release("google", 10)
        await again.close(())
        assert await state_of(book, clock) == (25, 0)


def dead_sum(*attempts):
    total = Sum()
    for attempt in attempts:
        total = total.plus(sum_of(attempt, None))
    return total


@virtual
async def test_what_a_run_without_a_folder_held_is_written_off_after_a_day():
    clock = VirtualClock()
    async with book_at(clock, [A_DAY]) as book:
        dead = await opened(book, clock, "dead")
        assert await dead.ask("google", 10, 10) == 10
        _, held = await state_of(book, clock)
        dead._beating.cancel()
        await clock.sleep(DEAD_S + 1)
        (run,) = await book.dead()
        assert not await book.write_off(run)
        await clock.sleep(OLD_S)
        assert await book.write_off(run)
        lines = await book.lines()
        assert [(line.key.day, line.sum.unknown_nusd) for line in lines] == [(DAY, held)]
        assert await book.dead() == []


@virtual
async def test_no_call_is_let_in_just_before_midnight():
    clock = VirtualClock(WALL_START - WALL_START % 86_400 + 86_400 - 1)
    async with book_at(clock, [Cap(Period.DAY, 10)]) as book:
        one = await opened(book, clock)
        answer = await one.ask("google", 10, 10)
        assert isinstance(answer, WaitUntil)
        await clock.sleep(answer.at - clock.monotonic())
        assert await one.ask("google", 10, 10) == 10
        attempt = intent(clock.now())
        one.book(receipt(attempt), None)
        one.release("google", 10)
        await clock.sleep(86_400 - 60)
        assert isinstance(await one.ask("google", 10, 10), Shut)
        await clock.sleep(60)
        assert await one.ask("google", 10, 10) == 10
        await one.close(())


@virtual
async def test_a_run_with_nothing_in_flight_does_not_wait_for_others_for_ever():
    clock = VirtualClock()
    async with book_at(clock, [Cap(Period.DAY, 15)]) as book:
        batch, other = await opened(book, clock, "batch"), await opened(book, clock, "other")
        assert await batch.ask("google", 10, 10) == 10
        assert isinstance(await other.ask("google", 10, 10), WaitUntil)
        await clock.sleep(PATIENCE_S + 1)
        assert isinstance(await other.ask("google", 10, 10), Shut)
        await batch.close(())
        await other.close(())


@virtual
async def test_settling_twice_counts_once():
    clock = VirtualClock()
    async with book_at(clock, [A_DAY]) as book:
        sums = {Key(DAY, "google", "m", "standard"): dead_sum(receipt(intent(clock.now()), 7))}
        for _ in range(3):
            one = await opened(book, clock, sums=sums.items())
            await one.close(())
            await book.add(entry(), sums)
        assert await state_of(book, clock) == (7, 0)
