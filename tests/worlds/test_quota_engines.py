"""The real engine in several processes that share one quota, on a virtual clock."""

import asyncio
from dataclasses import replace

from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.sim.loop import run_virtual
from tests.engine.doubles import PICTURE, Rig

from .quota import PLACE, Start, machine, per_minute

SLOW_DOWN = Fault(FaultKind.RATE_LIMITED, "slow down", Charged.NO, Scope.MODEL, retry_after_s=40.0)


class Seen:
    """A provider at whose door somebody notes who came when."""

    def __init__(self, provider, process):
        self.provider, self.process = provider, process

    async def call(self, call, attempt_id):
        self.process.upstream.starts.append(Start(self.process.clock.monotonic(), self.process.name))
        return await self.provider.call(call, attempt_id)


def rig(process, script=(), **how):
    made = Rig(script, latency_s=3.0, **how)
    quota = process.quotas.quota(PLACE, per_minute(20))
    made.lanes = [replace(made.lanes[0], quota=quota, provider=Seen(made.provider, process))]
    return made


def test_runs_of_several_processes_are_all_done_as_soon_as_the_quota_allows(tmp_path):
    async def play():
        async with machine(tmp_path) as at:
            rigs = [rig(at.process(), n=10, prompts=("a", "b", "c", "d")) for _ in range(4)]
            ends = await asyncio.gather(*(each.run() for each in rigs))
            assert all(end.stop is None for end in ends)
            assert all(len(each.watcher.pictures) == 40 for each in rigs)
            return at.upstream

    seen = run_virtual(play())
    assert seen.busiest() <= 20
    # 160 calls are eight minutes' worth, of which the first leaves at once.
    assert len(seen.starts) == 160
    assert max(start.at for start in seen.starts) < 7 * 60.4 + 5.0


def test_a_run_that_is_stopped_keeps_nothing_from_the_others(tmp_path):
    async def play():
        async with machine(tmp_path) as at:
            stopped, other = rig(at.process(), n=50), rig(at.process(), n=30)
            engine = stopped.engine()
            first = asyncio.ensure_future(engine.run(stopped.slots()))
            second = asyncio.ensure_future(other.run())
            await at.processes[0].clock.sleep(70.0)
            engine.stop(Fault(FaultKind.CANCELLED, "enough"))
            await first
            before = at.upstream.count()
            assert (await second).stop is None
            assert at.upstream.count()[at.processes[0].name] == before[at.processes[0].name]
            return at.upstream

    seen = run_virtual(play())
    assert seen.busiest() <= 20
    # Twenty and twenty between them, then twenty a minute for the one.
    assert max(start.at for start in seen.starts) < 3 * 60.4 + 5.0


def test_a_429_of_one_run_is_obeyed_by_all(tmp_path):
    async def play():
        async with machine(tmp_path) as at:
            told, other = rig(at.process(), (PICTURE, SLOW_DOWN), n=2), rig(at.process(), n=30)
            await asyncio.gather(told.run(), other.run())
            return at.upstream

    starts = [start.at for start in run_virtual(play()).starts]
    assert not [at for at in starts if 3.1 < at < 43.0]
    assert [at for at in starts if at >= 43.0]
