"""The cap of a run: never passed, whatever the order in which calls end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.engine.budget import CAUTION, MAX_COST, SEEN_ENOUGH, Budget, Verdict
from cavendish.engine.ports import Shut, WaitUntil
from cavendish.model.fault import Fault, FaultKind


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


# --- how much is set aside --------------------------------------------------------------------------------------------


def test_where_a_price_has_a_bound_that_is_set_aside():
    assert Budget(100).price("r", 10, 12) == 12
    assert Budget(100).price("r", 10, 10) == 10


def test_where_it_has_none_more_is_set_aside_until_the_run_knows_better():
    budget = Budget(10_000)
    assert budget.price("r", 10, None) == 10 * CAUTION // 1000
    for _ in range(SEEN_ENOUGH):
        budget.learn("r", 10, 11)
    assert budget.price("r", 10, None) == 11
    assert budget.price("other", 10, None) == 20
    budget.learn("r", 10, 35)
    assert budget.price("r", 10, None) == 35


def test_when_little_is_left_calls_leave_one_at_a_time():
    budget = Budget(100, spent_nusd=70)
    assert budget.ask(40, 20) is Verdict.GO
    price = budget.within(40)
    assert price == 30
    budget.reserve(price)
    assert budget.ask(40, 20) is Verdict.WAIT
    budget.settle(price, 20)
    assert budget.ask(40, 20) is Verdict.STOP


def test_what_stops_a_run_says_which_cap_and_how_much_of_it_is_spent():
    budget = Budget(1_000_000_000, spent_nusd=990_000_000)
    assert budget.ask(67_000_000) is Verdict.STOP
    fault = budget.fault
    assert (fault.kind, fault.limit, fault.limit_value) == (FaultKind.BUDGET, MAX_COST, 1_000_000_000)
    assert "the cap of $1.00 for this run: $0.99 are spent of it" in fault.message
    assert fault.usage.cost_nusd == 67_000_000


CALLS = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 4000), st.integers(0, 5)), max_size=80)


@given(cap=st.integers(0, 2000), calls=CALLS)
def test_without_a_bound_the_excess_is_what_calls_cost_beyond_what_was_set_aside(cap, calls):
    """Each call costs up to four times what was expected; several are in flight."""
    budget, in_flight, excess = Budget(cap), [], 0

    def land():
        price, estimate, cost = in_flight.pop(0)
        budget.learn("r", estimate, cost)
        budget.settle(price, cost)
        return max(0, cost - price)

    for estimate, factor, landings in calls:
        excess += sum(land() for _ in range(min(landings, len(in_flight))))
        price = budget.price("r", estimate, None)
        if budget.ask(price, estimate) is Verdict.GO:
            price = budget.within(price)
            budget.reserve(price)
            in_flight.append((price, estimate, estimate * factor // 1000))
            # Nothing leaves beyond the cap, whatever landed before.
            assert budget.spent_nusd + budget.reserved_nusd <= cap
    while in_flight:
        excess += land()
    assert budget.spent_nusd <= cap + excess
    assert budget.reserved_nusd == 0


# --- the caps of all runs ---------------------------------------------------------------------------------------------


class SomeCaps:
    """Answers from a list, and remembers what is set aside."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.held = 0

    async def ask(self, endpoint, price_nusd, least_nusd):
        answer = self.answers.pop(0) if self.answers else price_nusd
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, int):
            self.held += answer
        return answer

    def release(self, endpoint, price_nusd):
        self.held -= price_nusd

    def carry(self, attempts):
        self.held += sum(attempt.estimate_nusd for attempt in attempts)


async def test_a_price_is_set_aside_in_both_or_in_neither():
    refusal = Shut(Fault(FaultKind.BUDGET))
    caps = SomeCaps(WaitUntil(5.0, "others"), refusal, RuntimeError("the book broke"))
    budget = Budget(100, caps=caps)
    assert await budget.set_aside("google", 10, 5) == WaitUntil(5.0, "others")
    assert await budget.set_aside("google", 10, 5) is refusal
    with pytest.raises(RuntimeError):
        await budget.set_aside("google", 10, 5)
    assert (budget.reserved_nusd, caps.held) == (0, 0)
    assert await budget.set_aside("google", 10, 5) == 10
    assert (budget.reserved_nusd, caps.held) == (10, 10)
    budget.settle(10, 7, "google")
    assert (budget.reserved_nusd, budget.spent_nusd, caps.held) == (0, 7, 0)
    caps.answers = [6]
    assert await budget.set_aside("google", 10, 5) == 6
    assert (budget.reserved_nusd, caps.held) == (6, 6)
