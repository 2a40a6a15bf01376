"""The words by which one call asks for trouble."""

import pytest

from cavendish.sim.faults import BREAKDOWNS, LINES, REFUSALS, Mishap, UnknownWish, Wish, read_wish, wish_in


@pytest.mark.parametrize(
    "words, wish",
    [
        ("fault=no_image", Wish(Mishap.NO_IMAGE)),
        ("no_image", Wish(Mishap.NO_IMAGE)),
        ("none", Wish(faultless=True)),
        ("latency=0.1", Wish(latency_s=0.1)),
        (" fault=cut , after=100; latency=2 ", Wish(Mishap.CUT, after_bytes=100, latency_s=2.0)),
        ("drafts, pictures=4, times=1", Wish(Mishap.DRAFTS, pictures=4, times=1)),
        ("bytes=22000000,seed=5", Wish(least_bytes=22_000_000, seed=5)),
        ("latency=-4,pictures=9999", Wish(latency_s=0.0, pictures=32)),
        ("", Wish()),
    ],
)
def test_words(words, wish):
    assert read_wish(words) == wish


@pytest.mark.parametrize("words", ["fault=gremlins", "colour=red", "latency=soon", "pictures="])
def test_an_unknown_word_is_told_with_those_that_are_known(words):
    with pytest.raises(UnknownWish, match=r"not a word of the simulator.*no_image"):
        read_wish(words)


@pytest.mark.parametrize(
    "prompt, words",
    [("a kite [sim:no_image]", "no_image"), ("a kite", ""), ("[sim:cut,after=10] x [sim:url]", "cut,after=10")],
)
def test_words_in_a_prompt(prompt, words):
    assert wish_in(prompt) == words


def test_every_line_fault_has_its_line():
    assert {line.value for line in LINES.values()} == {mishap.value for mishap in LINES}


def test_no_mishap_is_of_two_sorts():
    assert not set(REFUSALS) & set(BREAKDOWNS)
    assert not set(LINES) & (set(REFUSALS) | set(BREAKDOWNS))
