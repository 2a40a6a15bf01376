"""Against providers that count arrivals, each in its own way, at the far end of a network whose delay varies."""

from __future__ import annotations

import heapq
import random
from collections import deque

import pytest

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost
from cavendish.govern.dimension import Dimension
from cavendish.govern.pacing import DEFAULT_PACING, Pacing
from cavendish.govern.verdict import Ending, Granted
from cavendish.model.fault import FaultKind

from .parts import Desk, fault, waited

HOUR = 3600.0


class FixedWindow:
    """Windows begin at full minutes of the provider's clock, which are not ours."""

    def __init__(self, limit: int) -> None:
        self.limit, self.window, self.used = limit, -1, 0

    def admits(self, at: float) -> bool:
        window = int((at + 17.3) // 60.0)
        if window != self.window:
            self.window, self.used = window, 0
        self.used += 1
        return self.used <= self.limit


class SlidingWindow:
    def __init__(self, limit: int) -> None:
        self.limit, self.log = limit, deque()

    def admits(self, at: float) -> bool:
        while self.log and self.log[0] + 60.0 <= at:
            self.log.popleft()
        if len(self.log) >= self.limit:
            return False
        self.log.append(at)
        return True


class TokenBucket:
    def __init__(self, limit: int) -> None:
        self.limit, self.level, self.at = limit, float(limit), 0.0

    def admits(self, at: float) -> bool:
        self.level = min(self.limit, self.level + (at - self.at) * self.limit / 60.0)
        self.at = at
        if self.level < 1.0 - 1e-9:
            return False
        self.level -= 1.0
        return True


UPSTREAMS = [FixedWindow, SlidingWindow, TokenBucket]


def starts_for(limits: Limits, seconds: float) -> list[float]:
    """All the calls that leave when there is always more to do; calls take 8 to 40 s."""
    desk, dice = Desk(limits, DEFAULT_PACING), random.Random(1)
    flights: list[tuple[float, str]] = []
    starts: list[float] = []
    while desk.now < seconds:
        while flights and flights[0][0] <= desk.now:
            desk.end(heapq.heappop(flights)[1], latency_s=20.0)
        verdict = desk.ask()
        if isinstance(verdict, Granted):
            starts.append(desk.now)
            heapq.heappush(flights, (desk.now + dice.uniform(8.0, 40.0), verdict.id))
        else:
            desk.until(min([waited(verdict).until_s, *(end for end, _ in flights[:1] if end > desk.now)]))
    return starts


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("rpm", [10, 60])
def test_nothing_is_refused_and_nearly_everything_is_used(upstream, rpm):
    starts = starts_for(Limits(requests_per_minute=rpm), HOUR)
    for seed in range(5):
        dice, provider = random.Random(seed), upstream(rpm)
        # The network delays each call by 50 ms and by up to the guard more: cold lines, warm ones, any mix.
        arrivals = sorted(at + 0.05 + dice.choice([0.0, dice.random(), 1.0]) * 0.4 for at in starts)
        assert all(provider.admits(at) for at in arrivals), seed
    assert len(starts) >= 0.99 * rpm * 60
    # Over four hours the last, unfinished minute does not matter any more.
    assert len(starts_for(Limits(requests_per_minute=rpm), 4 * HOUR)) >= 0.99 * rpm * 240


def test_a_hundred_pictures_at_ten_a_minute_take_nine_minutes_and_a_latency():
    starts = starts_for(Limits(requests_per_minute=10), 600.0)
    assert starts[99] == pytest.approx(9 * 60.4)


class World:
    """A provider with a limit that it does not tell, and a client that always has more to do."""

    def __init__(self, upstream, seed: int, pacing: Pacing = DEFAULT_PACING, hint: bool = False) -> None:
        self.desk = Desk(Limits(), pacing)
        self.upstream = upstream
        self.dice = random.Random(seed)
        self.hint = hint
        self.done = self.refused = 0

    def play(self, seconds: float) -> None:
        flights: list[tuple[float, str, bool]] = []
        while self.desk.now < seconds:
            while flights and flights[0][0] <= self.desk.now:
                self.land(*heapq.heappop(flights)[1:])
            verdict = self.desk.ask(Cost())
            now = self.desk.now
            if isinstance(verdict, Granted):
                admitted = self.upstream.admits(now)
                latency = self.dice.uniform(5.0, 15.0) if admitted else 0.2
                heapq.heappush(flights, (now + latency, verdict.id, admitted))
                continue
            ends = [flights[0][0]] if flights else []
            waits = [] if waited(verdict).needs_settle else [waited(verdict).until_s]
            self.desk.until(min(ends + waits))

    def land(self, grant_id: str, admitted: bool) -> None:
        if admitted:
            self.done += 1
            self.desk.end(grant_id, latency_s=10.0)
            return
        self.refused += 1
        wait = 15.0 if self.hint else None
        self.desk.end(grant_id, fault(FaultKind.RATE_LIMITED, retry_after_s=wait), roll=self.dice.random())


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("rpm", [10, 60])
@pytest.mark.parametrize("hint", [True, False])
def test_a_limit_that_nobody_stated_is_found(upstream, rpm, hint):
    world = World(upstream(rpm), seed=3, hint=hint)
    world.play(HOUR)
    assert world.done >= 0.85 * rpm * 60
    assert world.refused <= 0.12 * world.done


def test_without_any_limit_the_search_reaches_the_top():
    class Anything:
        def admits(self, at: float) -> bool:
            return True

    world = World(Anything(), seed=1, pacing=Pacing(most_in_flight=100))
    world.play(300.0)
    assert world.desk.governor.limit(Dimension.IN_FLIGHT) == 100
    assert world.refused == 0


def test_many_at_once_are_found_by_concurrency():
    """A provider that takes 24 calls at once and says 429 to more."""
    desk, dice = Desk(Limits()), random.Random(5)
    flights: list[tuple[float, str, bool]] = []
    busy = done = refused = 0
    while desk.now < HOUR:
        while flights and flights[0][0] <= desk.now:
            _, grant_id, admitted = heapq.heappop(flights)
            busy, done, refused = busy - admitted, done + admitted, refused + (not admitted)
            ending = Ending(None if admitted else fault(FaultKind.RATE_LIMITED), 10.0, roll=dice.random())
            desk.governor.settle(grant_id, desk.now, desk.wall, ending)
        verdict = desk.ask()
        if isinstance(verdict, Granted):
            admitted = busy < 24
            busy += admitted
            heapq.heappush(flights, (desk.now + (dice.uniform(8, 12) if admitted else 0.2), verdict.id, admitted))
            continue
        ends = [flights[0][0]] if flights else []
        desk.until(min(ends + ([] if waited(verdict).needs_settle else [waited(verdict).until_s])))
    possible = 24 * HOUR / 10.0
    assert done >= 0.6 * possible
    assert refused <= 0.1 * done
