"""Seeded chance."""

from statistics import quantiles

from cavendish.sim.dice import SeededDice


def test_the_same_seed_and_stream_throw_the_same():
    def throws(seed, stream=""):
        dice = SeededDice(seed, stream)
        return [dice.uniform() for _ in range(20)]

    assert throws(1) == throws(1)
    assert len({tuple(throws(1)), tuple(throws(2)), tuple(throws(1, "a")), tuple(throws(1, "b"))}) == 4


def test_neighbouring_seeds_have_nothing_in_common():
    dice = [SeededDice(seed, "client") for seed in range(20)]
    throws = [{one.uniform() for _ in range(200)} for one in dice]
    assert len(set().union(*throws)) == 20 * 200


def test_the_generator_is_the_published_one():
    """The first outputs of splitmix64 from state 1234567, divided by 2**64."""
    dice = SeededDice(0)
    dice._state = 1234567
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [dice.uniform() for _ in expected] == [(n >> 11) / 2**53 for n in expected]


def test_uniform_fills_its_range():
    dice = SeededDice(5)
    throws = [dice.uniform() for _ in range(5000)]
    assert all(0 <= throw < 1 for throw in throws)
    assert 0.47 < sum(throws) / len(throws) < 0.53


def test_lognormal_keeps_its_quantiles():
    dice = SeededDice(7)
    waits = [dice.lognormal(12.5, 18.0) for _ in range(5000)]
    deciles = quantiles(waits, n=10)
    assert 12.2 < deciles[4] < 12.8
    assert 17.5 < deciles[8] < 18.5
    assert max(waits) <= 18.0**2 / 12.5 + 1e-9
    assert SeededDice(1).lognormal(3.0, 3.0) == 3.0


def test_pick_keeps_the_rates():
    dice = SeededDice(9)
    picks = [dice.pick({"a": 0.2, "b": 0.5}) for _ in range(5000)]
    assert 0.18 < picks.count("a") / 5000 < 0.22
    assert 0.47 < picks.count("b") / 5000 < 0.53
    assert SeededDice(1).pick({}) is None


def test_ids_are_fresh_and_sort_by_birth():
    dice = SeededDice(3)
    ids = [dice.fresh_id() for _ in range(2000)]
    assert ids == sorted(set(ids))


def test_between_includes_both_ends():
    dice = SeededDice(4)
    assert {dice.between(2, 4) for _ in range(200)} == {2, 3, 4}
