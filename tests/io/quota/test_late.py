"""A call counts from the moment at which it left, which on a busy machine is later than the one at which it might."""

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost, Grant, Quota, WaitUntil
from cavendish.govern.governors import Place
from cavendish.io.quota.local import LocalQuotas
from cavendish.io.quota.shared import SharedQuotas
from cavendish.io.quota.table import MIGRATIONS
from cavendish.io.state.database import open_database
from cavendish.sim.dice import SeededDice
from cavendish.sim.loop import VirtualClock, run_virtual
from tests.govern.parts import Desk

PLACE = Place("google", "k", "m")
TWO = Limits(requests_per_minute=2, images_per_minute=100)
MINUTE_S = 60.4
"""With the guard."""


async def granted(quota: Quota) -> Grant:
    answer = await quota.reserve(Cost())
    assert isinstance(answer, Grant), answer
    return answer


async def waits_until(quota: Quota) -> float:
    answer = await quota.reserve(Cost())
    assert isinstance(answer, WaitUntil), answer
    return answer.at


async def play(quota: Quota, clock: VirtualClock) -> list[float]:
    """Two calls are granted at 0, and leave after 3 and 5 s, to come back 10 s later: when the next ones may leave."""
    first, second = await granted(quota), await granted(quota)
    await clock.sleep(13.0)
    await quota.settle(first, None, 10.0, 0)
    await clock.sleep(2.0)
    await quota.settle(second, None, 10.0, 0)
    await clock.sleep(5.0)
    moments = [await waits_until(quota)]
    await clock.sleep(moments[0] - clock.monotonic())
    await quota.settle(await granted(quota), None, 0.0, 0)
    return [*moments, await waits_until(quota)]


def test_in_one_process():
    async def main():
        clock = VirtualClock()
        return await play(LocalQuotas(clock, SeededDice(1)).quota(PLACE, TWO), clock)

    assert run_virtual(main()) == pytest.approx([3.0 + MINUTE_S, 5.0 + MINUTE_S], abs=0.01)


def test_through_a_database(tmp_path):
    async def main():
        clock = VirtualClock()
        quotas = SharedQuotas(lambda: open_database(tmp_path, "quota", MIGRATIONS, clock), clock, SeededDice(1))
        try:
            return await play(quotas.quota(PLACE, TWO), clock)
        finally:
            await quotas.close()

    assert run_virtual(main()) == pytest.approx([3.0 + MINUTE_S, 5.0 + MINUTE_S], abs=0.01)


def test_a_call_never_counts_from_before_it_was_granted():
    desk = Desk(TWO)
    desk.later(5.0)
    grant = desk.go()
    desk.go()
    desk.governor.late(grant, 1.0)
    desk.governor.late("nobody's", 30.0)
    assert desk.wait().until_s == 65.0
    desk.governor.late(grant, 20.0)
    assert desk.wait().until_s == 65.0, "the other one is the first to fall out"
    desk.until(65.0)
    desk.go()
    assert desk.wait().until_s == 80.0


def test_what_left_late_and_never_came_back_is_given_up_as_any_other():
    desk = Desk(TWO)
    grant = desk.go()
    desk.later(4.0)
    desk.governor.late(grant, 4.0)
    desk.governor.cancel(grant)
    desk.go()
    desk.go()
