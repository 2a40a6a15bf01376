"""The cap of a run: never passed, whatever the order in which calls end."""

from hypothesis import given
from hypothesis import strategies as st

from cavendish.engine.budget import Budget, Verdict


def test_without_a_cap_everything_goes():
    assert Budget(None).ask(10**15) is Verdict.GO
    assert Budget(None).left_nusd is None


def test_waits_while_calls_in_flight_may_turn_out_cheaper():
    budget = Budget(100)
    budget.reserve(60)
    assert budget.ask(50) is Verdict.WAIT
    budget.settle(60, 0)
    assert budget.ask(50) is Verdict.GO


def test_stops_when_nothing_can_make_it_fit():
    budget = Budget(100, spent_nusd=60)
    assert budget.ask(50) is Verdict.STOP
    assert budget.left_nusd == 40


@given(
    cap=st.integers(0, 1000),
    calls=st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1), st.booleans()), max_size=60),
)
def test_reserved_and_spent_never_pass_the_cap(cap, calls):
    budget = Budget(cap)
    in_flight = []
    for price, share, land_first in calls:
        if land_first and in_flight:
            reserved, cost = in_flight.pop(0)
            budget.settle(reserved, cost)
        if budget.ask(price) is Verdict.GO:
            budget.reserve(price)
            in_flight.append((price, int(price * share)))
        assert budget.spent_nusd + budget.reserved_nusd <= cap
    for reserved, cost in in_flight:
        budget.settle(reserved, cost)
    assert budget.reserved_nusd == 0
    assert budget.spent_nusd <= cap
