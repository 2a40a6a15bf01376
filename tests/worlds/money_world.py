"""MoneyWorld: several runs over one book of spending, each in processes that die, against a till that adds up bills.

The till knows what was really billed, and when: after each bill it looks whether a cap was passed. From one seed.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from cavendish.engine.flight import Parts
from cavendish.engine.policy import Policy
from cavendish.engine.ports import Answer, Lane
from cavendish.engine.run import Engine
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.io.spend.account import Account
from cavendish.io.spend.book import RunEntry, SpendBook
from cavendish.io.spend.calendar import Calendar, Period
from cavendish.io.spend.caps import Cap
from cavendish.io.spend.ledger import BookedLedger
from cavendish.io.spend.sums import Sum, key_of, sum_of
from cavendish.model.call import Done, Later, Open, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, ImageRequest
from cavendish.model.result import Picture, Route
from cavendish.model.usage import Usage
from cavendish.plan.expand import Ordinals, Wish, for_slot, slots
from cavendish.sim.dice import SeededDice
from cavendish.sim.loop import VirtualClock
from tests.engine.doubles import FlatPrice, OpenQuota, Watcher, store, tiny_png
from tests.io.spend.books import MemoryDatabase
from tests.worlds.mortal import Fate, Killed, MortalBlobs
from tests.worlds.tollgate import promise

PRICE = 1000
DAY_S = 86_400.0
ZONE = "America/New_York"

STARTS = (
    # An hour before a midnight; before the day of 25 hours, and the one of 23; before a new month.
    "2026-11-20 23:00",
    "2026-10-31 23:30",
    "2026-11-01 23:58",
    "2027-03-13 23:30",
    "2026-11-30 23:59",
)
"""When worlds begin, in the zone of their caps."""


@dataclass
class Till:
    """What was billed. ``exact``: no call costs more than was set aside for it."""

    clock: VirtualClock
    calendar: Calendar
    caps: tuple[Cap, ...]
    bills: list[tuple[float, str, int]] = field(default_factory=list)

    def bill(self, endpoint: str, nusd: int) -> None:
        now_s = self.clock.now()
        self.bills.append((now_s, endpoint, nusd))
        for cap in self.caps:
            spent = self.billed(cap, now_s)
            promise(spent <= cap.nusd, f"{cap.setting}: {spent} billed of {cap.nusd} at {self.calendar.told(now_s)}")

    def billed(self, cap: Cap, wall_s: float) -> int:
        first, end = self.calendar.first(cap.period, wall_s), self.calendar.ends(cap.period, wall_s)
        return sum(
            nusd
            for at, endpoint, nusd in self.bills
            if cap.holds_for(endpoint) and self.calendar.day(at) >= first and at < end
        )

    @property
    def total(self) -> int:
        return sum(nusd for _, _, nusd in self.bills)


class TillProvider:
    """Answers by the dice: pictures that cost less than expected, faults with and without a bill, jobs to be polled."""

    def __init__(self, endpoint, till, blobs, clock, dice, *, troubles):
        self.endpoint, self.till, self.blobs, self.clock = endpoint, till, blobs, clock
        self.dice, self.troubles = dice, troubles

    async def call(self, call, attempt_id):
        if isinstance(call, Open):
            reply = await self._opened(attempt_id)
        else:
            await self.clock.sleep(1.0)
            reply = await self._picture(attempt_id, int(call.ticket.id))
        return Answer(reply, 1.0)

    async def _opened(self, attempt_id):
        roll, cost = self.dice.uniform(), 1 + int(self.dice.uniform() * PRICE)
        trouble = roll < self.troubles
        kind = int(self.dice.uniform() * 5) if trouble else 5
        if kind == 0:
            await self.clock.sleep(0.5)
            return Fault(FaultKind.OVERLOADED)
        self.till.bill(self.endpoint, PRICE if kind == 1 else cost if kind != 2 else 0)
        await self.clock.sleep(0.5 + 20 * self.dice.uniform())
        if kind == 1:
            return Fault(FaultKind.IMAGE_OTHER, charged=Charged.YES)
        if kind in {2, 3}:
            return Fault(FaultKind.CUT, charged=Charged.UNKNOWN)
        if kind == 4:
            return Later(Ticket(str(cost)), 30.0)
        return await self._picture(attempt_id, cost)

    async def _picture(self, attempt_id, cost):
        blob = await store(self.blobs, attempt_id, tiny_png(8, 8, attempt_id.encode()))
        reply = Done((Image(blob=blob),), (0,), Usage(images=1, cost_nusd=cost))
        await self.blobs.record(attempt_id, reply)
        return reply


class MortalDatabase:
    """The book's database as one process has it."""

    def __init__(self, database, fate):
        self._database, self._fate = database, fate

    address = "memory"

    async def transact(self, work, *, lock=""):
        self._fate.tick()
        told = await self._database.transact(work, lock=lock)
        self._fate.tick()
        return told

    async def close(self):
        pass


class MoneyRun:
    """One run: its ledger and pictures outlive its processes."""

    def __init__(self, world, number):
        self.world, self.name = world, f"run-{number}"
        self.dice = SeededDice(world.seed * 1000 + number, "run")
        self.fate = Fate()
        self.ledger = MemoryLedger(self._tick)
        self.store = MemoryBlobs()
        self.n = 3 + int(self.dice.uniform() * 20)
        self.policy = Policy(concurrency=1 + int(self.dice.uniform() * 12))
        self.endpoints = ("a", "b") if self.dice.uniform() < 0.5 else ("a",)

    def _tick(self, moment):
        """The ledger outlives the processes, so it asks who lives now."""
        self.fate.tick(moment)

    async def live(self, due=0, cap_nusd=None):
        """One process; ``None`` when it died. Its tasks die with it."""
        world, self.fate = self.world, Fate(due)
        database = MortalDatabase(world.database, self.fate)
        book = SpendBook(database, world.calendar, world.caps)
        account = Account(
            book, RunEntry(self.name, f"/{self.name}", "here", owner=f"{self.dice.uniform()}"), world.clock
        )
        ledger = BookedLedger(self.ledger, account)
        blobs = MortalBlobs(self.store, self.fate, set())
        parts = Parts(ledger, blobs, world.clock, self.dice, Watcher(), account)
        lanes = [self._lane(endpoint, blobs) for endpoint in self.endpoints]
        try:
            await account.open(self.sums(), self.open_attempts())
            end = await Engine(parts, lambda _slot: lanes, self.policy, cap_nusd).run(self.slots())
            await account.close(self.open_attempts())
        except Killed:
            promise(not self.fate.alive, "killed without a reason")
            return None
        finally:
            if account._beating is not None:
                account._beating.cancel()
                await asyncio.gather(account._beating, return_exceptions=True)
        return end

    def _lane(self, endpoint, blobs):
        world = self.world
        provider = TillProvider(endpoint, world.till, blobs, world.clock, self.dice, troubles=world.troubles)
        return Lane(
            route=Route(endpoint, "m", "wire-m"),
            provider=provider,
            quota=OpenQuota(),
            pricing=FlatPrice(PRICE),
            make_call=lambda slot, attempt: Open(for_slot(slot, "wire-m", attempt)),
            notices=lambda _slot: (),
            input_tokens=lambda _slot: 0,
        )

    def slots(self):
        return slots([Wish(0, "0", ImageRequest.of(self.name, "m", n=self.n))], Ordinals())

    def open_attempts(self):
        return [self.ledger._attempts[attempt_id] for attempt_id in self.ledger._live.values()]

    def sums(self):
        """What its ledger says, attempt by attempt."""
        sums = {}
        for attempt in self.ledger._attempts.values():
            brought = attempt.charged is Charged.YES and attempt.fault is None
            outcome = self.ledger._outcomes.get(attempt.slot_id) if brought else None
            key = key_of(attempt, self.world.calendar)
            sums[key] = sums.get(key, Sum()).plus(sum_of(attempt, outcome))
        return sums

    @property
    def delivered(self):
        return sum(isinstance(outcome, Picture) for outcome in self.ledger._outcomes.values())


class MoneyWorld:
    """One world. ``caps`` are drawn so that some days are too short of money for all that is wanted."""

    def __init__(self, seed):
        self.seed = seed
        dice = SeededDice(seed, "money")
        self.calendar = Calendar(ZoneInfo(ZONE))
        start = datetime.fromisoformat(STARTS[seed % len(STARTS)]).replace(tzinfo=ZoneInfo(ZONE))
        self.clock = VirtualClock(start.timestamp())
        self.caps = self._caps(dice)
        self.troubles = (0.0, 0.2, 0.5)[int(dice.uniform() * 3)]
        self.till = Till(self.clock, self.calendar, self.caps)
        self.database = MemoryDatabase(self.clock, takes_s=(0.001, 0.1, 0.7)[int(dice.uniform() * 3)])
        self.runs = [MoneyRun(self, number) for number in range(1 + int(dice.uniform() * 4))]
        self.dice = dice
        self.stops = defaultdict(int)

    def _caps(self, dice):
        def some(least, most):
            return int(PRICE * (least + dice.uniform() * (most - least)))

        caps = [Cap(Period.DAY, some(2, 25))]
        if dice.uniform() < 0.5:
            caps.append(Cap(Period.DAY, some(1, 12), "a"))
        if dice.uniform() < 0.4:
            caps.append(Cap(Period.MONTH, some(20, 60)))
        return tuple(caps)

    async def play(self, crashes=3):
        """All runs at once, each dying a few times, then day after day until all is done."""
        await asyncio.gather(*(self._play(run, crashes) for run in self.runs))
        for _ in range(200):
            ends = await asyncio.gather(*(run.live() for run in self.runs))
            self.check()
            if all(end.stop is None for end in ends):
                break
            for end in ends:
                if end.stop is not None:
                    self.stops[end.stop.kind] += 1
                    promise(end.stop.kind is FaultKind.BUDGET, f"stopped by {end.stop}")
                    promise(end.stop.limit in {cap.setting for cap in self.caps}, f"which cap? {end.stop}")
            waits = [end.stop.retry_after_s for end in ends if end.stop is not None]
            await self.clock.sleep(min(waits) + 1.0)
        else:
            promise(held=False, message="never done")
        await self.check_book()
        promise(all(run.delivered + self._refused(run) == run.n for run in self.runs), "slots without an end")

    @staticmethod
    def _refused(run):
        return sum(not isinstance(outcome, Picture) for outcome in run.ledger._outcomes.values())

    async def _play(self, run, crashes):
        for _ in range(crashes):
            await self.clock.sleep(self.dice.uniform() * 10)
            await run.live(due=1 + int(self.dice.uniform() * 90))
            # For a while nobody knows that it is dead.
            await self.clock.sleep(self.dice.uniform() * 300)

    def check(self):
        """What is on the books is what was billed, and what is unknown covers the rest."""
        known = sum(part.billed_nusd for run in self.runs for part in run.sums().values())
        unknown = sum(part.unknown_nusd for run in self.runs for part in run.sums().values())
        promise(
            known <= self.till.total <= known + unknown, f"{known} + {unknown} on the books, {self.till.total} billed"
        )

    async def check_book(self):
        """The book says what the ledgers say, to the last nano-dollar, and holds nothing any more."""
        book = SpendBook(self.database, self.calendar, self.caps)
        lines = {(line.run, line.key): line.sum for line in await book.lines()}
        truth = {(run.name, key): part for run in self.runs for key, part in run.sums().items()}
        promise(lines == truth, f"the book says {lines}, the ledgers say {truth}")
        for state in await book.states(self.clock.now()):
            promise(state.held_nusd == 0, f"still set aside: {state}")
