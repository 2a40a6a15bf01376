"""Clocks: whatever the wall clock does, no wait is lost and no call leaves early."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from cavendish.catalog.cards import Latency, Limits
from cavendish.engine.policy import Policy
from cavendish.sim.loop import VirtualClock, run_virtual
from cavendish.sim.profile import Profile, Quirks
from cavendish.sim.quota import QuotaPlan
from tests.worlds.layout import Layout, Life, draw
from tests.worlds.world import World

pytestmark = pytest.mark.worlds

HOUR_S, DAY_S = 3600.0, 86_400.0
RPM = 10


def at(*moment: int) -> float:
    """Seconds since the epoch of a moment in UTC."""
    return datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[arg-type]


SPRING = at(2027, 3, 14, 9, 50)
"""Ten minutes before Pacific time goes from 2:00 to 3:00."""
AUTUMN = at(2026, 11, 1, 8, 50)
"""Ten minutes before it goes back from 2:00 to 1:00."""
EVENING = at(2026, 11, 21, 6, 0)
"""Ten in the evening, Pacific time."""


def layout(count=60, *, quota=None, jumps: Sequence[tuple[float, float]] = (), **changes) -> Layout:
    """A quiet world with one row of so many pictures, whose limits the client knows."""
    plan = QuotaPlan(**(quota or {"requests_per_minute": RPM}))
    known = Limits(requests_per_minute=plan.requests_per_minute, requests_per_day=plan.requests_per_day)
    quiet = Profile("quiet", quota=plan, latency={"any": Latency(2.0, 2.0)}, quirks=Quirks(network_s=0.2))
    plain = replace(
        draw(0),
        rows=(("kite", count, None, None),),
        profile=quiet,
        limits=known,
        policy=Policy(concurrency=50, max_wait_s=30 * DAY_S),
        cap_nusd=None,
        keys=("good",),
        wire_model="thinker",
        timeout_s=300.0,
        bytes_share=0.0,
        jumps=tuple(jumps),
        lives=(),
        keeps_quota=True,
    )
    return replace(plain, **changes)


@dataclass
class Played:
    world: World
    took_s: float

    @property
    def refused(self) -> int:
        """How many calls the provider turned away for its quota."""
        (account,) = self.world.sim.books.accounts.values()
        return sum(account.refused.values())


def played(of: Layout, prepare=lambda world: None) -> Played:
    world = World(of)
    prepare(world)

    async def main():
        await world.play()
        return Played(world, world.clock.monotonic())

    return run_virtual(main())


@pytest.mark.parametrize("algorithm", ["sliding_window", "token_bucket"])
@pytest.mark.parametrize(
    "jumps",
    [
        [],
        [(30.0, HOUR_S)],
        [(30.0, -HOUR_S)],
        [(10.0, -HOUR_S), (70.0, HOUR_S), (130.0, -HOUR_S)],
        [(61.0, 5 * 365 * DAY_S)],
        [(45.0, -20 * 365 * DAY_S)],
    ],
    ids=["none", "forward", "back", "to-and-fro", "years-on", "years-back"],
)
def test_windows_of_a_minute_do_not_follow_the_wall_clock(algorithm, jumps):
    quota = {"requests_per_minute": RPM, "algorithm": algorithm}
    run = played(layout(quota=quota, jumps=jumps))
    assert run.refused == 0
    assert run.took_s == pytest.approx(5 * 60.4 + 2.2, abs=0.5), "six bursts of ten, as if no clock had jumped"


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
def test_a_change_to_or_from_summer_time_is_not_noticed(start):
    run = played(layout(wall_start=start))
    assert run.refused == 0
    assert run.took_s == pytest.approx(5 * 60.4 + 2.2, abs=0.5)


@pytest.mark.parametrize(
    "start, hours",
    [(at(2027, 3, 14, 8, 0), 23), (at(2026, 11, 1, 7, 0), 25), (at(2026, 11, 20, 8, 0), 24)],
    ids=["short", "long", "usual"],
)
def test_a_daily_quota_is_renewed_at_the_end_of_a_day_whatever_its_length(start, hours):
    """Twelve pictures at five a day, from midnight: one day's length, another day, and the calls."""
    run = played(layout(12, quota={"requests_per_day": 5}, wall_start=start))
    assert run.refused == 0
    assert run.took_s == pytest.approx((hours + 24) * HOUR_S + 2.2, abs=1.0)


@pytest.mark.parametrize("jump", [HOUR_S, -HOUR_S, 5 * 60.0, -5 * 60.0])
def test_a_daily_quota_with_a_wall_clock_that_is_wrong(jump):
    """We may knock too early by as much as the clock is wrong; then the provider says how long, and that is obeyed."""
    run = played(layout(12, quota={"requests_per_day": 5}, wall_start=EVENING, jumps=[(60.0, jump)]))
    days_s = 2 * HOUR_S + DAY_S
    assert days_s <= run.took_s <= days_s + max(0.0, -jump) + 1000.0
    assert run.refused <= 2 * 7, "no more than a burst for each midnight"


class Slept(VirtualClock):
    """The provider's clock, as whoever slept sees it: at ``at_s`` so much time has passed at once."""

    def __init__(self, wall_start: float, at_s: float, slept_s: float) -> None:
        super().__init__(wall_start)
        self._at_s, self._slept_s = at_s, slept_s

    def monotonic(self) -> float:
        now = super().monotonic()
        return now + self._slept_s if now >= self._at_s else now

    def now(self) -> float:
        return self._wall_start + self.monotonic()


@pytest.mark.parametrize("slept_s", [20.0, 90.0, 3 * HOUR_S, 3 * DAY_S])
@pytest.mark.parametrize("at_s", [5.0, 61.0, 100.0])
def test_a_laptop_that_slept_goes_on_where_it_was(slept_s, at_s):
    """Its monotonic clock stood still, its wall clock did not: it waits what was left, never less than it was told."""
    of = layout(jumps=[(at_s, slept_s)])

    def lid(world: World) -> None:
        world.provider_clock = Slept(of.wall_start, at_s, slept_s)

    run = played(of, lid)
    assert run.refused == 0
    assert run.took_s == pytest.approx(5 * 60.4 + 2.2, abs=0.5)


def test_a_wait_that_the_provider_asked_for_is_kept_through_jumps():
    """The limit is not known, so the provider has to say; the gate holds us to what it said."""
    jumps = [(3.0, HOUR_S), (20.0, -2 * HOUR_S), (75.0, HOUR_S)]
    run = played(layout(30, limits=Limits(), jumps=jumps))
    assert 0 < run.refused < 60
    assert len(run.world.ledger._outcomes) == 30


def test_a_run_that_was_killed_before_the_clock_was_set_back_is_resumed():
    """Receipts that are older than their intents do no harm."""
    lives = (Life("crash", at_op=40), Life("abort", at_s=30.0), Life("crash", at_op=25))
    run = played(layout(40, jumps=[(20.0, -DAY_S), (90.0, -DAY_S)], lives=lives, keeps_quota=False))
    assert len(run.world.ledger._outcomes) == 40
