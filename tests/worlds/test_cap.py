"""The cap of a run: its books, the provider's bill and the cap agree to the last nano-dollar after any crash."""

from dataclasses import replace

import pytest

from cavendish.catalog.cards import Latency, Limits
from cavendish.engine.budget import Budget
from cavendish.engine.policy import Policy
from cavendish.engine.run import RunEnd
from cavendish.model.fault import FaultKind
from cavendish.model.result import Picture
from cavendish.plan.expand import Ordinals, slots
from cavendish.sim.books import Books
from cavendish.sim.faults import Mishap
from cavendish.sim.loop import run_virtual
from cavendish.sim.profile import Profile, Quirks
from tests.worlds import laws
from tests.worlds.layout import PRICE_BOOK, Layout, Life, draw
from tests.worlds.tollgate import Broken, promise
from tests.worlds.world import World

pytestmark = pytest.mark.worlds

ROWS = (("kite", 3, None, None), ("hill", 2, "2K", None), ("kite", 3, None, None))
"""Eight pictures at two prices, two rows with the same request."""

TROUBLES = (Mishap.NO_IMAGE, Mishap.TEXT_ONLY, Mishap.IMAGE_SAFETY, Mishap.CUT, Mishap.DROPPED, Mishap.OVERLOADED)
"""Some are billed, some are not, and of some nobody knows."""

MANY, MOST_MOMENTS = 60, 400


def dearest() -> int:
    """The most that one call of the order can cost."""
    wishes = replace(draw(0), rows=ROWS).wishes()
    return max(PRICE_BOOK.estimate(slot) or 0 for slot in slots(wishes, Ordinals()))


def layout(seed: int, cap_nusd: int, share: float, concurrency: int, **changes) -> Layout:
    """A world in which no call can cost more than was set aside for it."""
    quirks = Quirks(same_seed_same_picture=False, network_s=0.1)
    faults = dict.fromkeys(TROUBLES, share / len(TROUBLES)) if share else {}
    profile = Profile("capped", latency={"any": Latency(2.0, 4.0)}, faults=faults, quirks=quirks)
    plain = replace(
        draw(0),
        seed=seed,
        rows=ROWS,
        profile=profile,
        limits=Limits(),
        policy=Policy(concurrency=concurrency),
        cap_nusd=cap_nusd,
        keys=("good",),
        wire_model="thinker",
        timeout_s=300.0,
        bytes_share=0.0,
        jumps=(),
        keeps_quota=False,
    )
    return replace(plain, **changes)


async def to_the_cap(world: World) -> RunEnd:
    """Lives as they come, each checked, and then processes with the same cap until one ends by itself."""
    for life in world.layout.lives:
        await world.live(life)
        await agree(world)
    world.well = True
    end = await world.live(Life())
    await agree(world)
    assert end is not None
    return end


async def agree(world: World) -> None:
    """Books, bill and cap. Each receipt that says what a call cost is one of ``laws``."""
    await laws.after_a_life(world)
    tally, billed = await world.ledger.tally(), world.sim.books.billed_nusd
    known = sum(attempt.cost_nusd or 0 for attempt in world.ledger._attempts.values())
    promise(tally.billed_nusd == known, f"{tally.billed_nusd} in the sums, {known} on the receipts")
    promise(
        known <= billed <= known + tally.unknown_nusd, f"{billed} billed, {known} to {tally.unknown_nusd} more known"
    )
    if not tally.unknown_attempts and not tally.in_flight:
        promise(billed == known, f"{billed} billed, {known} on the books, and nothing unknown")
    if world.cap_nusd is not None:
        promise(billed <= world.cap_nusd, f"{billed} billed, the cap is {world.cap_nusd}")
        promise(known + tally.unknown_nusd <= world.cap_nusd, "the books hold more than the cap")


async def spent_well(world: World, end: RunEnd) -> None:
    """It stopped because the next picture would not fit, and not before."""
    assert world.cap_nusd is not None
    tally = await world.ledger.tally()
    done = len([o for o in world.ledger._outcomes.values() if isinstance(o, Picture)])
    if end.stop is None:
        promise(len(world.ledger._outcomes) == world.layout.slots, "it ended with work left")
        return
    promise(end.stop.kind is FaultKind.BUDGET, f"stopped for {end.stop}")
    left = world.cap_nusd - tally.billed_nusd - tally.unknown_nusd
    promise(left < dearest(), f"{left} of the cap left and {done} of {world.layout.slots} delivered")


async def without_the_cap(world: World) -> None:
    """The same order with no cap: completed, and what was delivered is not bought again."""
    bought = {slot_id: o.blob.sha256 for slot_id, o in world.ledger._outcomes.items() if isinstance(o, Picture)}
    world.heal()
    await world.finish()
    laws.at_the_end(world)
    await agree(world)
    for slot_id, sha256 in bought.items():
        outcome = world.ledger._outcomes[slot_id]
        promise(isinstance(outcome, Picture) and outcome.blob.sha256 == sha256, f"{slot_id} was bought again")


def play(of: Layout) -> World:
    world = World(of)

    async def main() -> World:
        end = await to_the_cap(world)
        await spent_well(world, end)
        await without_the_cap(world)
        return world

    return run_virtual(main())


def moments_of(of: Layout) -> int:
    """How many moments the first life has when nobody kills it."""
    world = World(of)

    async def first_life() -> int:
        await world.live(Life())
        return world.fate.moments

    return run_virtual(first_life())


@pytest.mark.parametrize("concurrency", [1, 5])
@pytest.mark.parametrize("pictures", [0.5, 1.0, 3.7, 20.0])
def test_killed_at_any_moment(pictures, concurrency):
    of = layout(3, int(pictures * dearest()), 0.0, concurrency, lives=())
    moments = moments_of(of)
    assert (0 < moments < MOST_MOMENTS) == (pictures >= 1)
    for moment in range(1, moments + 1, 1 if moments < MANY else 3):
        kill(of, moment)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_with_troubles(seed):
    of = layout(seed, int(4.5 * dearest()), 0.6, 3, lives=())
    moments = moments_of(of)
    assert 10 < moments < MOST_MOMENTS
    for moment in range(1, moments + 1, 2):
        kill(of, moment)


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_while_it_recovers(seed):
    of = layout(seed, int(4.5 * dearest()), 0.4, 4, lives=())
    for moment in range(4, moments_of(of), 7):
        for again in (1, 2, 3, 5):
            kill(of, moment, again, again + 1)


def kill(of: Layout, *moments: int) -> None:
    try:
        play(replace(of, lives=tuple(Life("crash", at_op=moment) for moment in moments)))
    except Broken as error:
        error.add_note(f"seed {of.seed}, killed in its moments {moments}")
        raise


# --- what these tests would notice ------------------------------------------------------------------------------------


def test_a_run_that_forgets_what_it_spent_before_is_noticed(monkeypatch):
    init = Budget.__init__

    def forgetful(self, cap_nusd, spent_nusd=0, *more):
        init(self, cap_nusd, 0, *more)

    monkeypatch.setattr(Budget, "__init__", forgetful)
    with pytest.raises(Broken, match="the cap"):
        test_killed_at_any_moment(3.7, 5)


def test_a_bill_that_nobody_wrote_down_is_noticed(monkeypatch):
    monkeypatch.setattr(laws, "_the_books_are_true", lambda world: None)
    monkeypatch.setattr(laws, "_the_sums_are_true", _nothing)
    enter = Books.enter
    monkeypatch.setattr(
        Books, "enter", lambda self, entry: enter(self, replace(entry, billed_nusd=entry.billed_nusd + 1))
    )
    with pytest.raises(Broken, match="billed"):
        test_killed_at_any_moment(3.7, 1)


async def _nothing(_world: World) -> None:
    """No law."""
