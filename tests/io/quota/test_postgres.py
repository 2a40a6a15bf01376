"""The shared quota on a real PostgreSQL, as machines use it that have nothing else in common."""

import asyncio

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost, Grant, WaitUntil
from cavendish.govern.governors import Place
from cavendish.io.clock import SystemClock
from cavendish.io.dice import SystemDice
from cavendish.io.quota.shared import SharedQuotas
from cavendish.io.quota.table import MIGRATIONS
from cavendish.io.state.database import open_database
from tests.postgres import PASSWORD, postgres_server, postgres_url  # noqa: F401

PLACE = Place("google", "f1", "flash")


class Abroad(SystemClock):
    """A machine whose clocks stand elsewhere."""

    def __init__(self, ahead_s: float) -> None:
        self.ahead_s = ahead_s

    def now(self) -> float:
        return super().now() + 3600.0 * self.ahead_s

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


def quotas(url, clock=None):
    clock = clock or SystemClock()
    return SharedQuotas(lambda: open_database(url, "quota", MIGRATIONS, clock), clock, SystemDice())


async def later(lane):
    await asyncio.sleep(0.1)
    return await lane.reserve(Cost())


async def test_eight_machines_share_what_there_is_and_no_more(postgres_url):  # noqa: F811
    clocks = [Abroad(1000.0 * number) for number in range(8)]
    machines = [quotas(postgres_url, clock) for clock in clocks]
    lanes = [machine.quota(PLACE, Limits(requests_per_minute=60)) for machine in machines]

    async def greedy(lane, clock):
        got = []
        while isinstance(answer := await lane.reserve(Cost(), 10), Grant):
            got.append(answer)
        return got, answer, clock.monotonic()

    ends = await asyncio.gather(*(greedy(lane, clock) for lane, clock in zip(lanes, clocks, strict=True)))
    assert sum(len(got) for got, _, _ in ends) == 60
    assert all(isinstance(answer, WaitUntil) for _, answer, _ in ends)
    # Each is told by its own clock: a minute ahead at the most, and not a thousand seconds.
    assert all(abs(answer.at - told_at) < 500.0 for _, answer, told_at in ends)
    for machine in machines:
        await machine.close()


async def test_what_one_machine_ended_is_free_for_the_others(postgres_url):  # noqa: F811
    one, other = quotas(postgres_url), quotas(postgres_url)
    limits = Limits(in_flight=1)
    first = one.quota(PLACE, limits)
    grant = await first.reserve(Cost())
    assert isinstance(grant, Grant)
    second = other.quota(PLACE, limits)
    assert isinstance(await second.reserve(Cost()), WaitUntil)
    await one.close()
    answers = [await later(second) for _ in range(30)]
    assert any(isinstance(answer, Grant) for answer in answers)
    await other.close()


async def test_a_server_that_goes_away_is_told_of_without_its_password(postgres_server):  # noqa: F811
    machine = quotas(postgres_server.url("nowhere"))
    assert isinstance(await machine.quota(PLACE, Limits()).reserve(Cost()), Grant)
    told = machine.notices
    assert [notice.code for notice in told] == ["quota_not_shared"]
    assert PASSWORD not in told[0].text
    await machine.close()


async def test_a_server_that_starts_anew_makes_nobody_forget(postgres_server):  # noqa: F811
    machine = quotas(postgres_server.create())
    lane = machine.quota(PLACE, Limits(requests_per_minute=2))
    assert isinstance(await lane.reserve(Cost()), Grant)
    await asyncio.to_thread(postgres_server.restart)
    assert isinstance(await lane.reserve(Cost()), Grant)
    assert isinstance(await lane.reserve(Cost()), WaitUntil)
    await machine.close()
