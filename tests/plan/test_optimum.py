"""The cheapest way to share pictures out: by hand, against all ways there are, and against an exact solver."""

import itertools
import random
from math import gcd, lcm

import highspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavendish.plan.optimum import Choice, Optimum, Programme, optimum

ALL = lcm(*range(1, 24), 39, 60, 99, 100, 720, 900, 1000)
"""What a pool has: every part that is taken here divides it."""


def one_in(*counts):
    """By pool: a picture takes one part in so many; 0 for a pool that it does not need."""
    return {pool: ALL // count for pool, count in enumerate(counts) if count}


def test_nothing_to_choose():
    assert optimum(Programme((), ())) == Optimum((), 0, 0)
    assert optimum(Programme((5,), (Choice(0, 67),))) == Optimum((5,), 335, 335)
    assert optimum(Programme((5,), ())) is None


def test_the_cheapest_as_far_as_it_goes():
    """60 by the cheap way, of which there are no more by then, and 40 by the dear one."""
    choices = (Choice(0, 67, one_in(1000)), Choice(0, 34, one_in(0, 60)))
    assert optimum(Programme((100,), choices, (ALL,) * 2)) == Optimum((40, 60), 40 * 67 + 60 * 34, 4720)


def test_pools_that_are_too_small():
    assert optimum(Programme((100,), (Choice(0, 67, one_in(60)), Choice(0, 34, one_in(0, 39))), (ALL,) * 2)) is None
    assert optimum(Programme((99,), (Choice(0, 67, one_in(60)), Choice(0, 34, one_in(0, 39))), (ALL,) * 2)) is not None


def test_two_kinds_that_share_a_key():
    """The key goes to the kind that is dear elsewhere: 4K saves 75 for two parts, 1K 33 for one."""
    choices = (
        Choice(0, 34, one_in(100)),
        Choice(0, 67),
        Choice(1, 76, one_in(50)),
        Choice(1, 151),
    )
    found = optimum(Programme((100, 30), choices, (ALL,)))
    assert found is not None
    assert found.counts == (40, 60, 30, 0)


def test_what_no_fraction_can_say():
    """Fractions would save 31 and one and a half times 20; whole pictures save 51 so, and 60 by three of a third."""
    choices = (Choice(0, 11, one_in(3)), Choice(0, 31), Choice(1, 10, one_in(2)), Choice(1, 41))
    found = optimum(Programme((5, 1), choices, (ALL,)))
    assert found is not None
    assert (found.counts, found.exact) == ((3, 2, 0, 1), True)


def test_halves_of_a_picture_are_none():
    """Each pool could make half of it."""
    assert optimum(Programme((1,), (Choice(0, 5, {0: 2 * ALL}), Choice(0, 6, {1: 2 * ALL})), (ALL, ALL))) is None


def test_of_the_same_price_the_earlier():
    assert optimum(Programme((3,), (Choice(0, 5), Choice(0, 5)))) == Optimum((3, 0), 15, 15)


def test_a_search_that_is_cut_short_says_how_far_it_may_be():
    choices = tuple(
        Choice(kind, cost, takes)
        for kind, each in enumerate((7, 11, 13, 17, 19, 23))
        for cost, takes in ((1000 - 1000 // each, one_in(each)), (1000, {}))
    )
    programme = Programme((3,) * 6, choices, (ALL,))
    whole = optimum(programme)
    assert whole is not None
    assert whole.exact
    for nodes in range(1, 12):
        cut = optimum(programme, nodes)
        assert cut is None or cut.bound <= whole.cost <= cut.cost


# --- against others ---------------------------------------------------------------------------------------------------

PARTS = st.dictionaries(st.integers(0, 2), st.integers(1, 9).map(lambda count: ALL // count), max_size=2)
SMALL = st.integers(1, 3).flatmap(
    lambda kinds: st.builds(
        Programme,
        st.lists(st.integers(0, 5), min_size=kinds, max_size=kinds),
        st.lists(st.builds(Choice, st.integers(0, kinds - 1), st.integers(0, 60), PARTS), max_size=5),
        st.just((ALL,) * 3),
    )
)


def fits(programme, counts):
    made = [0] * len(programme.counts)
    used = [0] * len(programme.pools)
    for count, choice in zip(counts, programme.choices, strict=True):
        made[choice.kind] += count
        for pool, share in choice.takes.items():
            used[pool] += count * share
    return made == list(programme.counts) and all(
        share <= whole for share, whole in zip(used, programme.pools, strict=True)
    )


def cost_of(programme, counts):
    return sum(count * choice.cost for count, choice in zip(counts, programme.choices, strict=True))


@settings(deadline=None)
@given(SMALL)
def test_nothing_that_there_is_costs_less(programme):
    every = itertools.product(*(range(programme.counts[choice.kind] + 1) for choice in programme.choices))
    cheapest = min((cost_of(programme, counts) for counts in every if fits(programme, counts)), default=None)
    found = optimum(programme)
    assert (found and found.cost) == cheapest
    if found is not None:
        assert fits(programme, found.counts)
        assert cost_of(programme, found.counts) == found.cost
        assert found.exact


def by_highs(programme):
    """The same programme given to HiGHS, pools in whole numbers so that its tolerances do not matter."""
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", 0.5)
    counts = [solver.addIntegral(0, programme.counts[choice.kind]) for choice in programme.choices]
    for kind, wanted in enumerate(programme.counts):
        solver.addConstr(sum(x for x, c in zip(counts, programme.choices, strict=True) if c.kind == kind) == wanted)
    for pool, whole in enumerate(programme.pools):
        shares = [choice.takes.get(pool, 0) for choice in programme.choices]
        # Small whole numbers: a solver with tolerances must not be asked about parts of a million million.
        unit = gcd(whole, *shares)
        solver.addConstr(sum(share // unit * x for x, share in zip(counts, shares, strict=True)) <= whole // unit)
    solver.minimize(sum(choice.cost * x for x, choice in zip(counts, programme.choices, strict=True)))
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return round(solver.getObjectiveValue())


def job(seed):
    """As large as they come: kinds in four sizes, five ways with pools of their own and one that some share."""
    dice = random.Random(seed)
    counts = tuple(dice.choice((40, 900, 2000)) for _ in range(4))
    choices: list[Choice] = []
    for kind in range(4):
        for way in range(5):
            takes = {way: ALL // dice.choice((120, 360, 720))} if way else {}
            if way in {1, 2}:
                takes[5] = ALL // dice.choice((240, 360, 900))
            cost = (151 - 25 * way) * (kind + 2) + dice.randrange(9)
            choices.append(Choice(kind, cost, takes))
    return Programme(counts, tuple(choices), (ALL,) * 6)


@pytest.mark.parametrize("seed", range(12))
def test_an_exact_solver_finds_nothing_better(seed):
    programme = job(seed)
    found = optimum(programme, 3000)
    assert found is not None
    assert fits(programme, found.counts)
    assert found.cost == by_highs(programme)
    assert found.exact


def test_an_exact_solver_finds_none_either():
    assert by_highs(Programme((100,), (Choice(0, 1, one_in(99)),), (ALL,))) is None
