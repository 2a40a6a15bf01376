"""Worlds of sheets: whatever a model draws and whenever a process dies, exactly N, and no sheet bought twice."""

import asyncio
import functools
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavendish.catalog.load import load
from cavendish.catalog.shape import told
from cavendish.dialects.gemini import GeminiDialect
from cavendish.engine.flight import Parts
from cavendish.engine.policy import Policy
from cavendish.engine.ports import Lane
from cavendish.engine.run import Engine
from cavendish.front.order import Order
from cavendish.front.sheet.sheets import Sheets, cut_what_is_left
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.io.sheet import press
from cavendish.model.call import Open
from cavendish.model.request import ImageRequest
from cavendish.model.result import Picture
from cavendish.plan.estimate import PriceBook
from cavendish.plan.expand import Ordinals, Wish, for_slot, slots
from cavendish.plan.sheet import Grid, SheetBook
from cavendish.sim import draw as drawing
from cavendish.sim.dice import SeededDice
from cavendish.sim.faults import Mishap
from cavendish.sim.loop import VirtualClock, run_virtual
from cavendish.sim.menu import menu_of
from cavendish.sim.profile import Profile, Quirks
from cavendish.sim.provider import SimProvider
from cavendish.sim.shelves import MemoryShelf
from cavendish.sim.world import WorldProvider
from tests.engine.doubles import OpenQuota, Watcher
from tests.worlds.mortal import Fate, Killed, MortalBlobs

CATALOG = load()
RESOLVED = CATALOG.resolve("gemini-2.5-flash-image", "google", date(2026, 6, 1))
GRID = Grid(2, 2)
FLAWS = ("empty_cell", "missing_cell", "twin_cells", "no_grid", "uneven_grid")


@pytest.fixture(autouse=True)
def _draw_and_cut_once(monkeypatch):
    """Equal sheets are equal bytes: each is drawn and cut once for all lives."""
    monkeypatch.setattr(press, "cut", functools.lru_cache(512)(press.cut))
    monkeypatch.setattr(drawing, "draw_sheet", functools.lru_cache(512)(drawing.draw_sheet))


class Store(MortalBlobs):
    """The store of one life from both of its sides."""

    def read(self, blob):
        self._fate.check()
        return self._store.read(blob)

    async def drained(self):
        self._fate.check()


class World:
    """Lives of one order over one ledger, one store and one provider."""

    def __init__(self, prompt="a red kite", n=4, faults=None, seed=0):
        self.seed = seed
        profile = Profile("sheets", faults=faults or {}, quirks=Quirks(keeps_retired=True))
        self.shelf = MemoryShelf()
        self.sim = SimProvider(profile, menu_of(profile, CATALOG), self.shelf, seed=seed, mode="tiny")
        self.request = SheetBook(RESOLVED, GRID).fitted(ImageRequest.of(prompt, RESOLVED.card.id, n=n))
        self.store, self.arrived, self.sheets_bought = MemoryBlobs(), set[str](), 0
        self.fate = Fate()
        self.ledger = MemoryLedger(self._tick)
        self.providers: list[WorldProvider] = []
        self.dice = SeededDice(seed, "client")

    def _tick(self, moment):
        """The ledger outlives the processes, so it asks who lives now."""
        self.fate.tick(moment)

    def resolve(self, _model):
        return (RESOLVED,)

    def lanes(self, _routes, _model, inbox, _timeout_s):
        provider = WorldProvider(self.sim, self.shelf, GeminiDialect(), self.clock, inbox)
        self.providers.append(provider)

        def call(slot, attempt):
            return Open(told(for_slot(slot, RESOLVED.route.wire_model, attempt), RESOLVED))

        prices = PriceBook.of(RESOLVED)
        return (Lane(RESOLVED.route, provider, OpenQuota(), prices, call, lambda _: (), lambda _: 9),)

    async def _slots(self):
        for slot in slots([Wish(0, "0001", self.request)], Ordinals()):
            yield slot

    async def _live(self, due):
        self.fate, self.clock = Fate(due), VirtualClock()
        blobs = Store(self.store, self.fate, self.arrived)
        watch = Watcher()
        parts = Parts(self.ledger, blobs, self.clock, self.dice, watch)
        await cut_what_is_left(blobs)
        order = Order(Path("unused"), iter, "", policy=Policy(concurrency=3), sheet=GRID)
        sheets = Sheets(self, self, order, GRID, blobs)
        assert await sheets.drawn(parts, self._slots(), lambda _: None) is None
        rest = self.lanes(None, None, blobs, None)
        await Engine(sheets.rest(parts), lambda _: rest, order.policy).run(self._slots())
        return watch

    def live(self, due=0):
        """One process; ``None`` when it died at the moment that was due."""
        try:
            return run_virtual(self._live(due))
        except Killed:
            return None

    @property
    def bills(self):
        return [bill for provider in self.providers for bills in provider.bills.values() for bill in bills]

    @property
    def billed_nusd(self):
        return sum(bill.billed_nusd for bill in self.bills)

    def outcomes(self):
        async def read():
            met = [(await self.ledger.standing(slot.id)).outcome async for slot in self._slots()]
            return met, await self.ledger.tally()

        return asyncio.run(read())


def must_hold(world, lives=1):
    """Exactly the pictures asked for, each a file of its own, and the bill in the books."""
    outcomes, tally = world.outcomes()
    assert all(isinstance(outcome, Picture) for outcome in outcomes), outcomes
    assert len({outcome.blob.ref for outcome in outcomes}) == len(outcomes)
    assert len({outcome.blob.sha256 for outcome in outcomes}) == len(outcomes)
    assert all(world.store.files[outcome.blob.ref] for outcome in outcomes)
    assert tally.in_flight == 0
    if lives == 1:
        assert (tally.billed_nusd, tally.unknown_attempts) == (world.billed_nusd, 0)
    else:
        assert tally.billed_nusd <= world.billed_nusd
        assert tally.billed_nusd == world.billed_nusd or tally.unknown_attempts


@pytest.mark.parametrize("flaw", ["ok", *FLAWS])
@pytest.mark.parametrize("n", [2, 4, 7, 13])
def test_exactly_n_whatever_is_made_of_the_sheets(flaw, n):
    world = World(f"a red kite [sim:{flaw}]", n)
    watch = world.live()
    must_hold(world)
    assert (len(watch.pictures), watch.failures, watch.left, watch.kept) == (n, [], [], [])


@given(st.integers(0, 10_000), st.integers(2, 14))
@settings(max_examples=15, deadline=None)
def test_exactly_n_among_all_troubles_at_once(seed, n):
    rates = dict.fromkeys((Mishap(flaw) for flaw in FLAWS), 0.08)
    rates |= {Mishap.OVERLOADED: 0.1, Mishap.NO_IMAGE: 0.1, Mishap.DRAFTS: 0.1, Mishap.TEXT_ONLY: 0.05}
    world = World(n=n, faults=rates, seed=seed)
    world.live()
    must_hold(world)


def deaths(prompt):
    """Every moment at which a process that draws this may die."""
    world = World(prompt)
    world.live()
    return range(1, world.fate.moments + 1)


@pytest.mark.parametrize("prompt", ["a red kite", "a red kite [sim:empty_cell]", "a red kite [sim:no_grid]"])
def test_a_death_at_any_moment_loses_no_sheet_and_buys_none_twice(prompt):
    alone = World(prompt)
    alone.live()
    for moment in deaths(prompt):
        world = World(prompt)
        assert world.live(moment) is None
        before = len(world.bills)
        arrived = len(world.arrived)
        world.live()
        must_hold(world, lives=2)
        # What was durable is not bought again; what was in flight, is.
        assert len(world.bills) <= len(alone.bills) + (before - arrived), f"moment {moment}"


def test_the_cells_after_a_death_are_those_that_would_have_been():
    alone = World()
    alone.live()
    expected = [outcome.blob.sha256 for outcome in alone.outcomes()[0]]
    for moment in deaths("a red kite"):
        world = World()
        world.live(moment)
        if world.arrived:
            world.live()
            assert [outcome.blob.sha256 for outcome in world.outcomes()[0]] == expected, f"moment {moment}"
