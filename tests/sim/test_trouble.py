"""Calm and burst in turn."""

from itertools import pairwise

from cavendish.sim.dice import SeededDice
from cavendish.sim.faults import Mishap
from cavendish.sim.profile import Bursts
from cavendish.sim.trouble import NEXT, Trouble

BURSTS = Bursts(mean_calm_s=100.0, mean_burst_s=25.0, share=0.5, kinds=(Mishap.OVERLOADED,))


def states(bursts, seed=1, seconds=20_000):
    trouble = Trouble(bursts, SeededDice(seed))
    return [trouble.state(float(now)) for now in range(seconds)]


def test_each_state_leads_to_the_other():
    assert all(NEXT[NEXT[state]] == state != NEXT[state] for state in NEXT)


def test_a_burst_takes_its_share_of_the_time_in_few_long_stretches():
    seen = states(BURSTS)
    assert 0.12 < seen.count("burst") / len(seen) < 0.3
    changes = sum(a != b for a, b in pairwise(seen))
    assert 200 < changes < 500


def test_without_means_it_is_always_calm():
    assert set(states(Bursts())) == {"calm"}
    assert set(states(Bursts(mean_calm_s=10.0))) == {"calm"}


def test_a_share_of_the_calls_is_hit_in_a_burst_and_none_in_calm():
    trouble, dice = Trouble(BURSTS, SeededDice(1)), SeededDice(2)
    hits = {"calm": [], "burst": []}
    for now in range(20_000):
        hits[trouble.state(float(now))].append(trouble.strikes(float(now), dice))
    assert set(hits["calm"]) == {None}
    assert set(hits["burst"]) == {None, Mishap.OVERLOADED}
    assert 0.45 < hits["burst"].count(Mishap.OVERLOADED) / len(hits["burst"]) < 0.55
