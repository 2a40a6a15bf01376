from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.govern.fairness import GRACE_S, MEMORY_S, Claim, Priority, Shares, Stake, turns
from cavendish.govern.verdict import Load

PERSON, B = Priority.INTERACTIVE, Priority.BATCH


def stake(name: str, used: float = 0.0, wanted: int = 100, *, since: float = 0.0, priority=B, weight: int = 1) -> Stake:
    return Stake(name, priority, since, used, wanted, weight)


@pytest.mark.parametrize(
    "stakes, free, shares",
    [
        # Equals share alike.
        ([stake("a"), stake("b")], 6, {"a": 3, "b": 3}),
        # Of an odd one, who has waited longer has it.
        ([stake("a", since=2.0), stake("b", since=1.0)], 3, {"a": 1, "b": 2}),
        # Who wants less leaves the rest to the others: 10 = 1 + 4 + 5, not 3 + 3 + 3.
        ([stake("a", wanted=1), stake("b", since=1.0), stake("c")], 10, {"a": 1, "b": 4, "c": 5}),
        # Who comes new catches up first: 6 and 0 with 8 to come make 7 each.
        ([stake("a", 6.0), stake("b")], 8, {"a": 1, "b": 7}),
        # Never less than nothing for who had more than its share already.
        ([stake("a", 60.0), stake("b"), stake("c")], 8, {"b": 4, "c": 4}),
        # A person goes before any batch, whatever she had.
        ([stake("a"), stake("b", 50.0, 3, priority=PERSON)], 4, {"a": 1, "b": 3}),
        # A call for four pictures counts as four: 4 + 1 + 1 + 1 + 1 leave each with four.
        ([stake("a", weight=4), stake("b", since=1.0)], 5, {"a": 1, "b": 4}),
        # Who asks in two processes has one share.
        ([stake("p/=a"), stake("q/=a", since=1.0), stake("q/=b", since=2.0)], 6, {"p/=a": 3, "q/=b": 3}),
        ([stake("p/=a", 4.0), stake("q/=a", 4.0), stake("q/=b")], 6, {"p/=a": 1, "q/=b": 5}),
        # More than all want.
        ([stake("a", wanted=2), stake("b", wanted=1)], 9, {"a": 2, "b": 1}),
        ([stake("a", wanted=0)], 1, {}),
        ([], 5, {}),
    ],
)
def test_worked_by_hand(stakes, free, shares):
    assert Counter(islice(turns(stakes), free)) == shares


@given(st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from("abc"), st.integers(0, 9)), max_size=6), st.data())
def test_a_share_is_as_large_in_many_processes_as_in_one(asked, data):
    wanted = Counter[tuple[str, str]]()
    for process, who, count in asked:
        wanted[process, who] += count
    free = data.draw(st.integers(0, 40))
    spread = [stake(f"{process}/={who}", wanted=count) for (process, who), count in wanted.items()]
    whole = [stake(who, wanted=wanted["p", who] + wanted["q", who]) for who in "abc"]
    got, alone = Counter[str](), Counter(islice(turns(whole), free))
    for name in islice(turns(spread), free):
        got[name.partition("=")[2]] += 1
    assert all(abs(got[who] - alone[who]) <= 1 for who in "abc")


some_stakes = st.lists(
    st.builds(
        Stake,
        st.uuids().map(str),
        st.sampled_from(Priority),
        st.floats(0, 100),
        st.integers(0, 20).map(float),
        st.integers(0, 12),
    ),
    max_size=6,
    unique_by=lambda each: each.name,
)


@given(some_stakes, st.integers(0, 60))
def test_the_division_is_max_min_fair(stakes, free):
    got = Counter(islice(turns(stakes), free))
    # Nothing is left idle, and nobody gets more than it wants.
    assert sum(got.values()) == min(free, sum(each.wanted for each in stakes))
    assert all(got[each.name] <= each.wanted for each in stakes)
    for mine in stakes:
        if got[mine.name] < mine.wanted:
            # Whoever wants more could only be given it by somebody who has no more, or who goes before.
            for other in stakes:
                if got[other.name]:
                    assert other.priority <= mine.priority
                    if other.priority == mine.priority:
                        assert other.used + got[other.name] <= mine.used + got[mine.name] + 1


ONE = Load(1, 1)


def claim(wanted: int = 5, since: float = 0.0, due: float = 1.0, load: Load = ONE) -> Claim:
    return Claim(B, load, wanted, since, due)


def test_use_fades():
    shares = Shares()
    shares.take("a/1", 0.0, 10)
    assert shares.used("a/1", 0.0) == 10
    assert shares.used("a/1", MEMORY_S) == pytest.approx(3.68, abs=0.01)
    assert shares.used("b/1", 0.0) == 0


def test_what_somebody_had_in_one_process_it_had_in_the_other():
    shares = Shares()
    shares.take("p/=a", 0.0, 3)
    shares.take("q/=a", 0.0, 2)
    shares.take("p/=b", 0.0, 1)
    assert [shares.used(name, 0.0) for name in ("p/=a", "q/=a", "r/=a", "q/=b")] == [5, 5, 5, 1]


def test_who_waits_is_in_the_line_and_whoever_gets_leave_is_not():
    shares = Shares()
    shares.wait("a/1", claim(2, since=0.0))
    shares.wait("b/1", claim(1, since=1.0, load=Load(1, 4)))
    # The one who asks has waited least.
    ahead = [each and each.load for each in shares.before("c/1", claim(2, since=2.0), 2.0)]
    assert ahead == [Load(1, 1), Load(1, 4), None, Load(1, 1), None]
    shares.take("a/1", 2.0, 1)
    assert [each and each.load for each in shares.before("c/1", claim(1, since=2.0), 2.0)] == [Load(1, 4), None]


def test_asking_again_keeps_the_place_in_the_line():
    shares = Shares()
    shares.wait("a/1", claim(1, since=0.0))
    shares.wait("b/1", claim(1, since=1.0))
    shares.wait("a/1", claim(1, since=5.0, due=9.0))
    assert next(shares.before("a/1", claim(1, since=6.0), 6.0)) is None


@pytest.mark.parametrize("now, waits", [(1.0 + GRACE_S, True), (1.01 + GRACE_S, False)])
def test_who_does_not_come_loses_its_turn(now, waits):
    shares = Shares()
    shares.wait("a/1", claim(due=1.0))
    shares.tidy(now, lambda _holder: False)
    assert bool(shares.waiting) is waits


def test_who_is_gone_waits_for_nothing():
    shares = Shares()
    shares.wait("a/1", claim(due=10.0))
    shares.wait("b/1", claim(due=10.0))
    shares.tidy(0.0, lambda holder: holder == "a")
    assert set(shares.waiting) == {"b/1"}


def test_state_round_trip():
    shares = Shares()
    shares.wait("a/1", claim(3, since=1.0, due=4.0, load=Load(1, 2, 3, 4)))
    shares.take("b/1", 2.0, 7)
    copy = Shares()
    copy.restore(shares.to_state(3.0), 103.0)
    assert copy.waiting == {"a/1": Claim(B, Load(1, 2, 3, 4), 3, 101.0, 104.0)}
    assert copy.used("b/1", 112.0) == pytest.approx(shares.used("b/1", 12.0))
