"""Days: runs that last for days, at providers that count by the minute and by their own calendar.

Several runs, keys and tiers at once, on one virtual clock; clocks that are set, machines that sleep. What came in is
noted at the provider's door, so that nobody's own count has to be believed.
"""

import asyncio
import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cavendish.catalog.cards import Latency, Limits
from cavendish.engine.flight import Parts
from cavendish.engine.policy import Policy
from cavendish.engine.ports import Lane
from cavendish.engine.run import Engine
from cavendish.govern.governors import Place
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.io.quota.local import LocalQuotas
from cavendish.model.call import Open
from cavendish.model.request import ImageRequest
from cavendish.model.result import Route
from cavendish.plan.expand import Ordinals, Wish, for_slot, slots
from cavendish.sim.dice import SeededDice
from cavendish.sim.loop import VirtualClock, run_virtual
from cavendish.sim.profile import Profile, Quirks
from cavendish.sim.provider import SimProvider
from cavendish.sim.quota import Algorithm, QuotaPlan
from cavendish.sim.shelves import MemoryShelf
from cavendish.sim.world import WorldOptions, WorldProvider
from tests.engine.doubles import Watcher
from tests.worlds.layout import THINKING
from tests.worlds.tollgate import promise

HOUR_S, DAY_S, MINUTE_S = 3600.0, 86_400.0, 60.0
ROUNDING_S = 1e-6
"""Seconds since the epoch are a quarter of this apart as floats."""

PACIFIC = ZoneInfo("America/Los_Angeles")
LATENCY_S, NETWORK_S = 2.0, 0.3


def at(*moment: int) -> float:
    """Seconds since the epoch of a moment in UTC."""
    return datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[arg-type]


SPRING = at(2027, 3, 13, 20, 0)
"""Noon of the day before the one that has 23 hours in Los Angeles."""
AUTUMN = at(2026, 10, 31, 19, 0)
"""Noon of the day before the one that has 25."""
PLAIN = at(2026, 11, 20, 20, 0)
"""Noon of a day like any other."""


@dataclass(frozen=True)
class Tier:
    """One key: what it is called, and what holds for it."""

    key: str
    rpm: int | None = None
    per_day: int | None = None
    algorithm: Algorithm = "sliding_window"

    @property
    def limits(self) -> Limits:
        return Limits(requests_per_minute=self.rpm, requests_per_day=self.per_day)


@dataclass(frozen=True)
class Job:
    """One run: so many pictures with one of the keys, begun after so many seconds."""

    tier: int
    pictures: int
    after_s: float = 0.0


@dataclass(frozen=True)
class Times:
    """All clocks. ``jumps`` are those of the client's wall clock: (its monotonic seconds, seconds added).

    ``naps``: at this monotonic second of the client, so much time passes that its monotonic clock does not count.
    """

    start: float = PLAIN
    jumps: tuple[tuple[float, float], ...] = ()
    naps: tuple[tuple[float, float], ...] = ()

    def true_s(self, client_s: float) -> float:
        """What the provider's monotonic clock says when the client's says this."""
        return client_s + sum(nap for when, nap in self.naps if when <= client_s)

    def awake(self, true_s: float) -> float:
        """This moment, or the end of the nap that it lies in."""
        for when, nap in sorted(self.naps):
            asleep_at = self.true_s(when) - nap
            if asleep_at <= true_s < asleep_at + nap:
                return asleep_at + nap
        return true_s

    @property
    def client(self) -> VirtualClock:
        """Its wall clock knows what it slept through, its monotonic one does not."""
        return VirtualClock(self.start, (*self.naps, *self.jumps))

    @property
    def provider(self) -> "TrueClock":
        return TrueClock(self)


class TrueClock(VirtualClock):
    """The provider's: no nap of the client is missing in it."""

    def __init__(self, times: Times) -> None:
        super().__init__(times.start)
        self._times = times

    def monotonic(self) -> float:
        return self._times.true_s(super().monotonic())

    def now(self) -> float:
        return self._times.start + self.monotonic()


@dataclass(frozen=True)
class Arrival:
    """One call at the provider's door, by the provider's clocks."""

    at_s: float
    wall: float

    @property
    def day(self) -> date:
        return datetime.fromtimestamp(self.wall, PACIFIC).date()


class Door(WorldProvider):
    """A provider that notes what comes in, let in or not."""

    def __init__(self, *parts, **named) -> None:
        super().__init__(*parts, **named)
        self.arrivals: list[Arrival] = []

    def _hear(self, trip):
        self.arrivals.append(Arrival(self._clock.monotonic(), self._clock.now()))
        return super()._hear(trip)


@dataclass
class Account:
    """One key with its provider; all runs of the key share it."""

    tier: Tier
    sim: SimProvider
    arrivals: list[Arrival] = field(default_factory=list)

    @property
    def refused(self) -> Counter[str]:
        return sum((account.refused for account in self.sim.books.accounts.values()), Counter())

    @property
    def fullest_minute(self) -> int:
        """The most arrivals within any minute."""
        moments = sorted(arrival.at_s for arrival in self.arrivals)
        return max((n + 1 - bisect.bisect_right(moments, at - MINUTE_S) for n, at in enumerate(moments)), default=0)

    @property
    def by_day(self) -> Counter[date]:
        return Counter(arrival.day for arrival in self.arrivals)


class Calendar:
    """Tiers, jobs and clocks, played to their end."""

    def __init__(self, tiers: Sequence[Tier], jobs: Sequence[Job], times: Times | None = None) -> None:
        self.times = times or Times()
        self.jobs = jobs
        self.clock = self.times.client
        self.quotas = LocalQuotas(self.clock, SeededDice(1))
        self.shelf = MemoryShelf()
        self.accounts = [Account(tier, self._sim(tier)) for tier in tiers]
        self.ended_s: list[float] = []
        """True seconds at the end of each run."""

    @property
    def took_s(self) -> float:
        """True seconds until all runs were done."""
        return max(self.ended_s)

    @property
    def ideal_s(self) -> float:
        """The least that they could take."""
        longest = 0.0
        for number, account in enumerate(self.accounts):
            jobs = [job for job in self.jobs if job.tier == number]
            asked = sorted(self.times.true_s(job.after_s) for job in jobs for _ in range(job.pictures))
            longest = max(longest, ideal_s(account.tier, asked, self.times))
        return longest

    def _sim(self, tier: Tier) -> SimProvider:
        plan = QuotaPlan(algorithm=tier.algorithm, requests_per_minute=tier.rpm, requests_per_day=tier.per_day)
        latency, quirks = {"any": Latency(LATENCY_S, LATENCY_S)}, Quirks(network_s=NETWORK_S)
        profile = Profile(tier.key, quota=plan, latency=latency, quirks=quirks)
        return SimProvider(profile, THINKING.menu, self.shelf, mode="tiny")

    def play(self) -> "Calendar":
        async def main() -> None:
            await asyncio.gather(*(self._run(number, job) for number, job in enumerate(self.jobs)))

        run_virtual(main())
        return self

    async def _run(self, number: int, job: Job) -> None:
        await self.clock.sleep(job.after_s)
        account, blobs, ledger = self.accounts[job.tier], MemoryBlobs(), MemoryLedger()
        options = WorldOptions(account.tier.key)
        door = Door(account.sim, self.shelf, THINKING.dialect, self.times.provider, blobs, options)
        lane = self._lane(account.tier, door)
        parts = Parts(ledger, blobs, self.clock, SeededDice(number), Watcher())
        policy = Policy(concurrency=200, max_wait_s=30 * DAY_S)
        wishes = [Wish(0, "row 0", ImageRequest.of(f"kite {number}", THINKING.model, n=job.pictures))]
        end = await Engine(parts, lambda _slot: (lane,), policy).run(slots(wishes, Ordinals()))
        promise(end.stop is None, f"stopped: {end.stop}")
        tally = await ledger.tally()
        promise(tally.delivered == job.pictures, f"{tally.delivered} of {job.pictures}")
        promise(tally.billed_nusd == door.billed_nusd, f"{tally.billed_nusd} on the books, {door.billed_nusd} billed")
        account.arrivals += door.arrivals
        self.ended_s.append(self.times.true_s(self.clock.monotonic()))

    def _lane(self, tier: Tier, door: Door) -> Lane:
        return Lane(
            route=Route(f"test-{tier.key}", THINKING.model, THINKING.wire_model),
            provider=door,
            quota=self.quotas.quota(Place("test", tier.key, THINKING.model), tier.limits),
            pricing=THINKING.prices,
            make_call=lambda slot, attempt: Open(for_slot(slot, THINKING.wire_model, attempt)),
            notices=lambda _slot: (),
            input_tokens=lambda slot: 1 + len(slot.request.prompt) // 4,
        )


def midnight_after(wall: float) -> float:
    """By the tables of the system, which the governor does not use for Pacific time."""
    tomorrow = datetime.fromtimestamp(wall, PACIFIC).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=PACIFIC).timestamp()


def ideal_s(tier: Tier, asked_s: Sequence[float], times: Times) -> float:
    """True seconds until the last picture is there when each call leaves as early as the tier allows: one by one.

    ``asked_s``: when each picture was asked for, ascending. Nobody can call while the machine sleeps.
    """
    starts: list[float] = []
    today: Counter[float] = Counter()
    for moment in asked_s:
        now = max(moment, starts[-1] if starts else 0.0)
        if tier.rpm and len(starts) >= tier.rpm:
            now = max(now, starts[-tier.rpm] + MINUTE_S)
        end = midnight_after(times.start + now)
        if tier.per_day and today[end] >= tier.per_day:
            now = end - times.start
        now = times.awake(now)
        starts.append(now)
        today[midnight_after(times.start + now + ROUNDING_S)] += 1
    return starts[-1] + LATENCY_S
