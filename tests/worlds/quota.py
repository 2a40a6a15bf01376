"""Processes that share a quota on a virtual clock: each with its own wall clock, one database file between them."""

import asyncio
import math
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost, Grant, Shut, WaitUntil
from cavendish.govern.fairness import Priority
from cavendish.govern.governors import Place
from cavendish.govern.pacing import DEFAULT_PACING
from cavendish.io.quota.shared import Asker, SharedQuotas
from cavendish.io.quota.table import MIGRATIONS
from cavendish.io.state.database import open_database
from cavendish.sim.dice import SeededDice
from cavendish.sim.loop import WALL_START, VirtualClock

PLACE = Place("google", "f1", "flash")
ONE = Cost()
RECHECK_S = 5.0
"""What the engine does about a wait without an end."""


@dataclass(frozen=True)
class Start:
    at: float
    run: str
    images: int = 1


@dataclass
class Upstream:
    """What the provider sees: who started when; and what it answers, by the number of the call."""

    starts: list[Start] = field(default_factory=list)
    faults: dict[int, object] = field(default_factory=dict)
    in_flight: int = 0
    most_in_flight: int = 0

    def busiest(self, span_s: float = 60.0) -> int:
        """The most images in any half-open stretch of so long."""
        times = sorted((start.at, start.images) for start in self.starts)
        most = first = held = 0
        for at, images in times:
            held += images
            while times[first][0] + span_s <= at:
                held -= times[first][1]
                first += 1
            most = max(most, held)
        return most

    def count(self, until: float = math.inf, since: float = 0.0) -> Counter:
        return Counter(start.run for start in self.starts if since <= start.at < until)


@dataclass
class Process:
    """A process that asks for one picture after another, as the engine does, with up to ``concurrency`` in flight."""

    name: str
    quotas: SharedQuotas
    clock: VirtualClock
    upstream: Upstream
    told: list = field(default_factory=list)
    tasks: set = field(default_factory=set)
    shut: list = field(default_factory=list)

    def run(self, calls=10**6, *, limits, latency_s=5.0, priority=Priority.BATCH, **how):
        quota = self.quotas.quota(PLACE, limits, asker=Asker(priority, self.told.extend))
        task = asyncio.ensure_future(self._run(quota, calls, latency_s, **how))
        self.tasks.add(task)
        return task

    async def _run(self, quota, calls, latency_s, concurrency=200, name="", cost=ONE):
        flights, wake = set(), asyncio.Event()
        while calls > 0:
            if len(flights) >= concurrency:
                wake.clear()
                await wake.wait()
                continue
            answer = await quota.reserve(cost, min(calls, concurrency - len(flights)))
            if isinstance(answer, Shut):
                self.shut.append((self.clock.monotonic(), answer.fault))
                return
            if isinstance(answer, WaitUntil):
                seconds = answer.at - self.clock.monotonic()
                wake.clear()
                try:
                    async with asyncio.timeout(RECHECK_S if seconds == math.inf else max(0.0, seconds)):
                        await wake.wait()
                except TimeoutError:
                    pass
                continue
            assert isinstance(answer, Grant)
            calls -= 1
            flight = asyncio.ensure_future(self._fly(quota, answer, latency_s, name or self.name, cost.images))
            flights.add(flight)
            self.tasks.add(flight)
            flight.add_done_callback(lambda done: (flights.discard(done), wake.set()))
        await asyncio.gather(*flights)

    async def _fly(self, quota, grant, latency_s, name, images):
        up = self.upstream
        number = len(up.starts)
        up.starts.append(Start(self.clock.monotonic(), name, images))
        up.in_flight += 1
        up.most_in_flight = max(up.most_in_flight, up.in_flight)
        try:
            await self.clock.sleep(0.1 if number in up.faults else latency_s)
        finally:
            up.in_flight -= 1
        await quota.settle(grant, up.faults.get(number), latency_s, 0)

    async def kill(self):
        """It is no more, and said nothing."""
        tasks = {*self.tasks, *self.quotas._tasks, self.quotas._heart} - {None}
        for branch in self.quotas._branches.values():
            if branch.timer is not None:
                branch.timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.quotas._database is not None:
            await self.quotas._database.close()
        self.quotas._database = None

    async def end(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.quotas.close()


class Machine:
    """One database file, and the processes that share it."""

    def __init__(self, folder, *, seed=0, pacing=DEFAULT_PACING):
        self.folder, self.seed, self.pacing = folder, seed, pacing
        self.upstream = Upstream()
        self.processes = []

    def process(self, name="", jumps=(), wall_start=WALL_START, opening=None):
        clock = VirtualClock(wall_start, jumps)
        quotas = SharedQuotas(
            opening or (lambda: open_database(self.folder, "quota", MIGRATIONS, clock)),
            clock,
            SeededDice(self.seed, f"process {len(self.processes)}"),
            self.pacing,
        )
        process = Process(name or str(len(self.processes)), quotas, clock, self.upstream)
        self.processes.append(process)
        return process


@asynccontextmanager
async def machine(folder, **how):
    made = Machine(folder, **how)
    try:
        yield made
    finally:
        for process in made.processes:
            await process.end()


def per_minute(limit):
    return Limits(requests_per_minute=limit)
