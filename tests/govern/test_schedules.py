"""When calls leave that all stand ready: tables worked by hand, and a law against counting."""

from __future__ import annotations

import heapq
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.cards import Limits
from cavendish.engine.ports import Cost
from cavendish.govern.brake import Brake
from cavendish.govern.governor import Governor
from cavendish.govern.pacing import DEFAULT_PACING, Pacing
from cavendish.govern.purse import Purse
from cavendish.govern.verdict import Ending, Granted, Wait

from .parts import ENDS, EXACT, NOON, Desk

HOUR_S = 3600.0
USD = 10**9


def schedule(limits: Limits, count: int, cost: Cost, latency_s: float, pacing: Pacing = EXACT) -> list[float]:
    """When so many calls leave, each as early as it may; all are there from the beginning."""
    desk = Desk(limits, pacing)
    flights: list[tuple[float, str]] = []
    starts: list[float] = []
    while len(starts) < count:
        while flights and flights[0][0] <= desk.now:
            desk.end(heapq.heappop(flights)[1], latency_s=latency_s, spent_nusd=cost.nusd)
        verdict = desk.ask(cost)
        if isinstance(verdict, Granted):
            starts.append(desk.now)
            heapq.heappush(flights, (desk.now + latency_s, verdict.id))
            continue
        assert isinstance(verdict, Wait)
        landing = flights[0][0] if flights else math.inf
        desk.until(landing if verdict.needs_settle else min(landing, verdict.until_s))
    return starts


BY_HAND = {
    "a minute's worth, and the next a minute later": (
        Limits(requests_per_minute=3),
        Cost(),
        [0, 0, 0, 60, 60, 60, 120, 120],
    ),
    "two of seven images fill three calls": (
        Limits(requests_per_minute=9, images_per_minute=7),
        Cost(images=2),
        [0, 0, 0, 60, 60, 60, 120],
    ),
    "tokens bind before requests": (
        Limits(requests_per_minute=10, tokens_per_minute=1000),
        Cost(tokens=450),
        [0, 0, 60, 60, 120],
    ),
    "three in flight, ten seconds each, as long as the minute has room": (
        Limits(requests_per_minute=8, in_flight=3),
        Cost(),
        [0, 0, 0, 10, 10, 10, 20, 20, 60, 60, 60, 70],
    ),
    # Ten dollars in ten minutes, counted from each end at ten seconds; three dollars a call.
    "money is set aside at once and free ten minutes after it was spent": (
        Limits(requests_per_minute=100, spend_per_10_minutes_nusd=10 * USD),
        Cost(nusd=3 * USD),
        [0, 0, 0, 610, 610, 610, 1220],
    ),
    # It is noon: twelve hours to midnight, and a thousandth of a second on the safe side.
    "a day's worth, and the next after midnight": (
        Limits(requests_per_minute=2, requests_per_day=3),
        Cost(),
        [0, 0, 60, 12 * HOUR_S, 12 * HOUR_S, 12 * HOUR_S + 60, 36 * HOUR_S],
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_worked_by_hand(case):
    limits, cost, starts = BY_HAND[case]
    assert schedule(limits, len(starts), cost, 10.0) == pytest.approx(starts, abs=0.01)


@pytest.mark.parametrize("rpm, last", [(10, 9 * 60.4), (60, 60.4)])
def test_a_hundred_pictures_with_the_usual_guard(rpm, last):
    starts = schedule(Limits(requests_per_minute=rpm), 100, Cost(), 12.5, DEFAULT_PACING)
    assert starts[-1] == pytest.approx(last)
    assert starts[rpm - 1] == 0.0


# --- two models of one key, restarted now and then --------------------------------------------------------------------

limits = st.builds(
    Limits,
    requests_per_minute=st.integers(1, 3),
    requests_per_day=st.none() | st.integers(1, 4),
    spend_per_10_minutes_nusd=st.just(40),
    in_flight=st.none() | st.integers(1, 4),
)
moves = st.lists(
    st.tuples(
        st.sampled_from(("ask", "ask", "ask", "ask", "land", "cancel", "restart")),
        st.integers(0, 1),
        st.integers(0, 12),
        st.sampled_from((0.0, 0.0, 0.5, 40.0, 90.0)),
    ),
    max_size=50,
)


class Call:
    """One that left, for the counting."""

    def __init__(self, model: int, start: float, nusd: int) -> None:
        self.model, self.start, self.nusd = model, start, nusd
        self.end: float | None = None


class Office:
    """Two models of one key with a governor each; what they know may go through a file and another clock."""

    def __init__(self, limits: tuple[Limits, Limits]) -> None:
        self.limits = limits
        self.now, self.ahead = 0.0, 0.0
        self.calls: list[Call] = []
        self.out: dict[tuple[int, str], Call] = {}
        self.open()

    def open(self) -> None:
        self.purse, self.endpoint = Purse.empty(EXACT), Brake(EXACT)
        self.governors = [Governor(each, ENDS, EXACT, purse=self.purse, endpoint=self.endpoint) for each in self.limits]

    @property
    def clock(self) -> float:
        """Monotonic seconds of the process that runs now."""
        return self.now + self.ahead

    @property
    def wall(self) -> float:
        return NOON + self.now

    def ask(self, model: int, nusd: int) -> None:
        verdict = self.governors[model].reserve(self.clock, self.wall, Cost(nusd=nusd))
        call = Call(model, self.now, nusd)
        if isinstance(verdict, Granted):
            self.calls.append(call)
            self.out[model, verdict.id] = call
            assert not self.broken(model)
        else:
            # Never idle while it could start: by counting, one more would break something.
            self.calls.append(call)
            assert self.broken(model), verdict
            self.calls.pop()

    def land(self, model: int, _nusd: int) -> None:
        for (of, grant_id), call in list(self.out.items()):
            if of == model:
                call.end = self.now
                self.governors[of].settle(grant_id, self.clock, self.wall, Ending(None, 1.0, call.nusd))
                del self.out[of, grant_id]
                return

    def cancel(self, model: int, _nusd: int) -> None:
        for (of, grant_id), call in list(self.out.items()):
            if of == model:
                self.governors[of].cancel(grant_id)
                self.calls.remove(call)
                del self.out[of, grant_id]
                return

    def restart(self, _model: int, ahead: int) -> None:
        """All that is known goes through JSON into another process, whose clock says something else."""
        states = [governor.to_state(self.clock) for governor in self.governors]
        kept = json.loads(json.dumps([self.purse.to_state(self.clock), self.endpoint.to_state(self.clock), states]))
        self.ahead = 1000.0 * ahead
        self.open()
        self.purse.restore(kept[0], self.clock)
        self.endpoint.restore(kept[1], self.clock)
        for governor, state in zip(self.governors, kept[2], strict=True):
            governor.restore(state, self.clock)

    def broken(self, model: int) -> list[str]:
        """What is over its limit at this moment, by counting all that ever left."""
        mine, limit = [call for call in self.calls if call.model == model], self.limits[model]
        minute = [call for call in mine if self.now < call.start + 60.0 - 1e-6]
        flying = [call for call in mine if call.end is None]
        spent = sum(c.nusd for c in self.calls if c.end is None or self.now < c.end + 600.0 - 1e-6)
        counted = [
            ("requests", len(minute), limit.requests_per_minute),
            ("day", len(mine), limit.requests_per_day),
            ("in flight", len(flying), limit.in_flight),
            ("money", spent, 40),
        ]
        return [name for name, used, most in counted if most is not None and used > most]


@given(st.tuples(limits, limits), moves)
def test_never_over_and_never_idle_whatever_is_cancelled_and_restarted(limits, moves):
    office = Office(limits)
    for move, model, number, later_s in moves:
        getattr(office, move)(model, number)
        office.now += later_s
