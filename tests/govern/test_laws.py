"""What holds for every pattern of arrivals, limits and latencies."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost
from cavendish.govern.verdict import Granted, Wait

from .parts import Desk, waited

limits = st.builds(
    Limits,
    requests_per_minute=st.integers(1, 6),
    requests_per_day=st.none() | st.integers(1, 12),
    images_per_minute=st.none() | st.integers(1, 8),
    tokens_per_minute=st.none() | st.integers(10, 60),
    spend_per_10_minutes_nusd=st.none() | st.integers(10, 60),
    in_flight=st.none() | st.integers(1, 3),
)


@dataclass(frozen=True)
class Wish:
    """A call that somebody wants to make, and how it will go."""

    gap_s: float
    cost: Cost
    latency_s: float
    spent_nusd: int


@st.composite
def some_wish(draw) -> Wish:
    cost = Cost(1, draw(st.integers(1, 3)), draw(st.integers(0, 20)), draw(st.integers(0, 20)))
    # An estimate that is too low cannot be made good by any governor.
    spent = draw(st.integers(0, cost.nusd))
    return Wish(draw(st.floats(0, 50, width=32)), cost, draw(st.floats(0.5, 90, width=32)), spent)


wishes = st.lists(some_wish(), max_size=15)


@dataclass
class Call:
    start: float
    wall: float
    end: float
    wish: Wish


def within(calls: list[Call], moment: float, span: float) -> list[Call]:
    """Those that started in the half-open stretch that ends with this moment."""
    return [call for call in calls if call.start <= moment < call.start + span]


def money(calls: list[Call], moment: float) -> int:
    """What is held for calls in flight and was spent in the ten minutes before."""
    held = sum(call.wish.cost.nusd for call in calls if call.start <= moment < call.end)
    return held + sum(call.wish.spent_nusd for call in calls if call.end <= moment < call.end + 600.0)


def breaches(calls: list[Call], limits: Limits, moment: float) -> list[str]:
    """The limits that are broken at this moment, by counting over everything that ever left."""
    minute = within(calls, moment, 60.0)
    counted = [
        ("requests", len(minute), limits.requests_per_minute),
        ("images", sum(call.wish.cost.images for call in minute), limits.images_per_minute),
        ("tokens", sum(call.wish.cost.tokens for call in minute), limits.tokens_per_minute),
        ("in flight", sum(call.start <= moment < call.end for call in calls), limits.in_flight),
        ("money", money(calls, moment), limits.spend_per_10_minutes_nusd),
        # The runs of this test stay within one day of the wall clock.
        ("day", len(calls), limits.requests_per_day),
    ]
    return [name for name, used, limit in counted if limit is not None and used > limit]


class Play:
    """Wishes come in, wait their turn in order, leave, and end."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.desk = Desk(limits)
        self.calls: list[Call] = []
        self.flights: list[tuple[float, int, str, Wish]] = []

    def land_until(self, moment: float) -> None:
        while self.flights and self.flights[0][0] <= moment:
            end, _, grant_id, wish = heapq.heappop(self.flights)
            self.desk.until(end)
            self.desk.end(grant_id, spent_nusd=wish.spent_nusd)

    def run(self, wishes: list[Wish]) -> None:
        for wish in wishes:
            arrival = self.desk.now + wish.gap_s
            self.land_until(arrival)
            self.desk.until(arrival)
            while not self.try_to_leave(wish):
                if self.desk.now > 30_000.0:
                    return  # the day's quota is used up

    def try_to_leave(self, wish: Wish) -> bool:
        verdict = self.desk.ask(wish.cost)
        now = self.desk.now
        if isinstance(verdict, Granted):
            call = Call(now, self.desk.wall, now + wish.latency_s, wish)
            self.calls.append(call)
            heapq.heappush(self.flights, (call.end, len(self.calls), verdict.id, wish))
            assert not breaches(self.calls, self.limits, now) or self.is_oversized(wish)
            return True
        # Never idle while the call could start: by counting, it would break something right now ...
        would = [*self.calls, Call(now, self.desk.wall, now + wish.latency_s, wish)]
        assert breaches(would, self.limits, now)
        self.wait(waited(verdict), wish)
        return False

    def wait(self, verdict: Wait, wish: Wish) -> None:
        until = verdict.until_s
        landing = self.flights[0][0] if self.flights else math.inf
        if verdict.needs_settle or landing <= until:
            # ... and until the first change.
            self.land_until(landing)
            return
        # Nothing changes before `until`: just before it still does not fit, at `until` it does.
        before = until - (until - self.desk.now) * 1e-6
        would = [*self.calls, Call(before, self.desk.wall, before + wish.latency_s, wish)]
        assert breaches(would, self.limits, before)
        self.desk.until(until)
        # Taken back at once, to show that this changes nothing.
        self.desk.governor.cancel(self.desk.go(wish.cost))

    def is_oversized(self, wish: Wish) -> bool:
        limit, cost = self.limits, wish.cost
        pairs = [
            (cost.images, limit.images_per_minute),
            (cost.tokens, limit.tokens_per_minute),
            (cost.nusd, limit.spend_per_10_minutes_nusd),
        ]
        return any(bound is not None and amount > bound for amount, bound in pairs)


def fits(wish: Wish, limits: Limits) -> bool:
    play = Play(limits)
    return not play.is_oversized(wish)


@given(limits, wishes)
def test_never_more_than_allowed_never_later_than_needed_and_waits_are_exact(limits, wishes):
    Play(limits).run([wish for wish in wishes if fits(wish, limits)])


@given(limits, wishes)
def test_calls_larger_than_a_limit_pass_in_the_end(limits, wishes):
    play = Play(Limits(requests_per_minute=limits.requests_per_minute, images_per_minute=2))
    play.run(wishes)
    assert len(play.calls) == len(wishes)
