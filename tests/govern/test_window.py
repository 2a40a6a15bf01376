import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.govern.window import COARSE_RUNS, EXACT_RUNS, SlidingWindow


def drain(window: SlidingWindow, arrivals: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Take each amount, in order, as early as the window allows."""
    starts: list[tuple[float, int]] = []
    now = 0.0
    for arrival, amount in arrivals:
        now = max(now, arrival)
        while (at := window.earliest(now, amount)) > now:
            now = at
        window.take(now, amount)
        starts.append((now, amount))
    return starts


@pytest.mark.parametrize(
    "taken, asked, earliest",
    [
        ([], (0.0, 1), 0.0),
        ([(0.0, 2)], (1.0, 1), 1.0),
        ([(0.0, 3)], (1.0, 1), 60.0),
        ([(0.0, 3)], (59.999, 1), 60.0),
        ([(0.0, 3)], (60.0, 1), 60.0),
        ([(0.0, 1), (10.0, 1), (20.0, 1)], (25.0, 1), 60.0),
        ([(0.0, 1), (10.0, 1), (20.0, 1)], (25.0, 2), 70.0),
        ([(0.0, 1), (10.0, 1), (20.0, 1)], (25.0, 3), 80.0),
        # More than the whole limit goes alone.
        ([(0.0, 1)], (25.0, 7), 60.0),
        ([], (25.0, 7), 25.0),
        ([(0.0, 3)], (1.0, 0), 1.0),
    ],
)
def test_earliest(taken, asked, earliest):
    window = SlidingWindow(3, 60.0)
    for now, amount in taken:
        window.take(now, amount)
    assert window.earliest(*asked) == earliest


def test_guard_lengthens_the_window():
    window = SlidingWindow(1, 60.0, 0.4)
    window.take(0.0, 1)
    assert window.earliest(1.0, 1) == 60.4


def test_lowered_limit_waits_for_the_excess_too():
    window = SlidingWindow(3, 60.0)
    for now in (0.0, 10.0, 20.0):
        window.take(now, 1)
    window.limit = 1
    assert window.earliest(30.0, 1) == 80.0


def test_without_a_limit_it_only_counts():
    window = SlidingWindow(math.inf, 60.0)
    window.take(0.0, 1000)
    assert window.earliest(0.0, 10**9) == 0.0
    assert window.taken(59.0) == 1000
    assert window.taken(60.0) == 0


def test_give_back_is_as_if_never_taken():
    window = SlidingWindow(2, 60.0)
    window.take(0.0, 1)
    window.take(1.0, 1)
    window.give_back(0.0, 1)
    assert window.earliest(2.0, 1) == 2.0
    assert window.earliest(2.0, 2) == 61.0


def test_give_back_after_it_fell_out_changes_nothing():
    window = SlidingWindow(2, 60.0)
    window.take(0.0, 1)
    window.take(61.0, 2)
    window.taken(61.0)
    window.give_back(0.0, 1)
    window.give_back(99.0, 1)
    assert window.taken(61.0) == 2


def test_frees_at():
    window = SlidingWindow(2, 60.0)
    assert window.frees_at(0.0) is None
    window.take(5.0, 1)
    assert window.frees_at(6.0) == 65.0


amounts = st.lists(st.tuples(st.floats(0, 200, width=32), st.integers(1, 4)), max_size=30)


@given(amounts, st.integers(1, 6))
def test_never_more_than_the_limit_and_never_later_than_needed(arrivals, limit):
    arrivals.sort()
    starts = drain(SlidingWindow(limit, 60.0), arrivals)
    for i, (at, amount) in enumerate(starts):
        within = sum(min(a, limit) for t, a in starts[: i + 1] if t + 60.0 > at)
        assert within <= limit
        # The oracle: the first moment of all that could matter at which it fits.
        earliest = max(arrivals[i][0], starts[i - 1][0] if i else 0.0)
        moments = sorted({earliest, *(t + 60.0 for t, _ in starts[:i] if t + 60.0 > earliest)})
        fits = [m for m in moments if sum(a for t, a in starts[:i] if t + 60.0 > m) + min(amount, limit) <= limit]
        assert at == fits[0]


@given(amounts, st.integers(1, 6), st.floats(0, 300))
def test_state_round_trip(arrivals, limit, moment):
    arrivals.sort()
    window = SlidingWindow(limit, 60.0)
    starts = drain(window, arrivals)
    now = starts[-1][0] if starts else 0.0
    copy = SlidingWindow(limit, 60.0)
    # Another process, another clock.
    copy.restore(window.to_state(now), 5000.0)
    for amount in (1, 2, limit):
        mine = window.earliest(now + moment, amount) - now
        theirs = copy.earliest(5000.0 + moment, amount) - 5000.0
        assert theirs == pytest.approx(mine, abs=1e-6)


def test_large_limits_are_kept_in_little_memory_and_on_the_safe_side():
    window = SlidingWindow(50_000, 60.0)
    starts = drain(window, [(i / 900, 1) for i in range(100_000)])
    assert len(window.to_state(starts[-1][0])) <= EXACT_RUNS + COARSE_RUNS + 1
    times = [at for at, _ in starts]
    assert all(earlier + 60.0 <= later for earlier, later in zip(times, times[50_000:], strict=False))
    # Full speed is 100,000 in 60 s + the last call's place in the second burst.
    assert times[-1] <= 60.0 + 50_000 / 900 + 60.0 / COARSE_RUNS * 2


def test_what_is_taken_ahead_of_time_counts_from_its_own_moment():
    window = SlidingWindow(2, 60.0)
    window.take(0.25, 1)
    window.take(0.0, 1)
    assert window.earliest(1.0, 1) == 60.0
    assert window.earliest(1.0, 2) == 60.25
    # It left earlier than it might have.
    window.give_back(0.25, 1)
    window.take(0.125, 1)
    assert window.earliest(1.0, 2) == 60.125


@given(st.lists(st.tuples(st.floats(0, 50, width=32), st.integers(1, 4)), max_size=30), st.randoms())
def test_the_order_of_taking_does_not_matter(takings, dice):
    """Whoever tells late that a call left finds it counted as if it had been told at once."""
    told_in_order, told_late = SlidingWindow(10, 60.0), SlidingWindow(10, 60.0)
    for at, amount in sorted(takings):
        told_in_order.take(at, amount)
    for at, amount in dice.sample(takings, len(takings)):
        told_late.take(at, amount)
    for now in (50.0, 80.0, 111.0):
        assert told_late.taken(now) == told_in_order.taken(now)
        for amount in (1, 5, 10):
            assert told_late.earliest(now, amount) == told_in_order.earliest(now, amount)


def test_runs_stay_few_and_on_the_safe_side_when_told_late():
    window = SlidingWindow(10**6, 60.0)
    moments = [i / 1000 + (0.25 if i % 2 else 0.0) for i in range(59_000)]
    for at in moments:
        window.take(at, 1)
    assert len(window.to_state(0.0)) <= EXACT_RUNS + 2 * COARSE_RUNS
    assert window.taken(59.25) == 59_000
    for now in (60.0, 75.0, 90.5, 118.0):
        assert window.taken(now) >= sum(at + 60.0 > now for at in moments)
