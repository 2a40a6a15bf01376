from cavendish.govern.concurrency import InFlight
from cavendish.govern.pacing import Pacing

PACING = Pacing(first_in_flight=4, most_in_flight=64)


def fill(in_flight: InFlight, now: float) -> int:
    places = 0
    while not in_flight.is_full():
        in_flight.enter(now)
        places += 1
    return places


def rounds(in_flight: InFlight, count: int, latency_s: float = 10.0) -> None:
    """So many round trips with every place taken."""
    for number in range(count):
        left, back = number * 10.0, number * 10.0 + 9.0
        for _ in range(fill(in_flight, left)):
            in_flight.went_well(left, back, latency_s)
            in_flight.leave()


def test_a_stated_limit_is_kept():
    in_flight = InFlight(24, PACING, paced=False)
    rounds(in_flight, 3)
    in_flight.complained(100.0, 101.0)
    assert in_flight.limit == 24


def test_an_unknown_limit_is_searched_from_below():
    in_flight = InFlight(None, PACING, paced=False)
    assert in_flight.limit == 4
    rounds(in_flight, 3)
    assert in_flight.limit == 32


def test_a_minutes_worth_may_burst_when_the_pace_is_known():
    assert InFlight(None, PACING, paced=True).limit == 64


def test_unused_room_does_not_grow():
    in_flight = InFlight(None, PACING, paced=False)
    for now in range(50):
        in_flight.enter(now)
        in_flight.went_well(now, now + 1.0, 10.0)
        in_flight.leave()
    assert in_flight.limit == 4


def test_complaints_shrink_from_what_was_in_flight_and_it_recovers():
    in_flight = InFlight(None, PACING, paced=True)
    for _ in range(20):
        in_flight.enter(0.0)
    for _ in range(20):
        in_flight.complained(0.0, 5.0)
        in_flight.leave()
    assert in_flight.limit == 16
    rounds(in_flight, 10)
    assert in_flight.limit > 20


def test_latency_that_grows_draws_back_but_not_below_the_start():
    in_flight = InFlight(None, PACING, paced=False)
    rounds(in_flight, 4)
    before = in_flight.limit
    rounds(in_flight, 2, latency_s=100.0)
    assert 4 <= in_flight.limit < before
    small = InFlight(None, PACING, paced=False)
    small.enter(0.0)
    for now in range(200):
        small.went_well(float(now), now + 1.0, 1.0 if now < 100 else 50.0)
    assert small.limit == 4


def test_one_call_is_always_let_through():
    in_flight = InFlight(0, PACING, paced=False)
    assert not in_flight.is_full()
    in_flight.enter(0.0)
    assert in_flight.is_full()
