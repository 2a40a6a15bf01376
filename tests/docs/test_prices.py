"""The comparison of prices and times in the README: as the catalog has it, and right by figures worked by hand."""

import re
from dataclasses import replace

import pytest

from cavendish.catalog.cards import Latency, Limits
from cavendish.catalog.load import load
from cavendish.front.comparison import USUAL_PROMPT, Ask, Way, as_of, ways
from cavendish.model.money import nusd
from scripts import prices
from tests.docs.pages import ROOT

README = ROOT / "README.md"


def test_the_page_is_up_to_date():
    text = README.read_text(encoding="utf-8")
    assert prices.written(text) == text, "run: make docs"


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="begin prices"):
        prices.written("# Cavendish\n")


def table():
    """The cells of every way, by its name."""
    lines = re.findall(r"^\| (.+) \|$", prices.block(), re.MULTILINE)
    return {cells[0].removesuffix(" ‡"): cells[1:] for cells in (line.split(" | ") for line in lines)}


BY_HAND = {
    # 23 tokens of prompt at 0.50, 1,120 of the picture at 60, 400 of words and thoughts at 3 the million: $0.0684115.
    # Ten a minute: the last ten leave after nine minutes, and a 1K picture takes 12.5 s. A day has 1,000 requests, but
    # a month $250.
    "Google tier 1": ("$6.85", "9 min 13 s?", "$15.25", "13 min 28 s?", "over its cap of $250 a month"),
    # 60 a minute: the last leaves after one. 2,520 tokens of a 4K picture: $0.1524115, and 28 s. 30,000 pictures.
    "Google tier 3": ("$6.85", "**1 min 13 s?**", "$15.25", "**1 min 28 s?**", "$2,053", "$4,573"),
    # Half of all of it.
    "Google batch": ("$3.43", "within 24 h", "$7.63", "within 24 h", "$1,027", "$2,287"),
    # $0.055 whatever the size; no limit is known: ten at once, ten times 12.5 s, and ten times 28 s.
    "APIYI by request": ("$5.50", "2 min 5 s †", "**$5.50**", "4 min 40 s †", "$1,650", "$1,650"),
    # (23 x 0.18 + (1,120 + 400) x 21.6) a million: $0.03283614.
    "APIYI by token": ("**$3.29**", "2 min 5 s †", "$6.31", "4 min 40 s †", "$986", "$1,893"),
    # Two at once, each for nobody knows how long.
    "fal": ("$8.00", "unknown", "$16.00", "unknown", "$2,400", "$4,800"),
    "OpenRouter": ("unknown",) * 6,
    # $10 in ten minutes are 68 pictures, 20 a minute: the 69th to 88th leave after ten minutes, the rest after eleven,
    # and a picture takes 23 s. At 4K, 39 in ten minutes: the 99th leaves after 21. And 250 a day.
    "Nano Banana Pro, Google tier 1": ("$14.57", "11 min 23 s?", "$25.13", "21 min 40 s?", "250 a day at most"),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_row_is_right_by_hand(name):
    cells = table()[name]
    assert tuple(cells[: len(BY_HAND[name])]) == BY_HAND[name]


def test_nothing_unknown_is_nothing():
    for name, cells in table().items():
        assert not [cell for cell in cells if re.search(r"\$0(\.0+)?\b(?!\.)", cell)], name
    assert table()["OpenRouter"][0] == "unknown"


def test_the_first_lines_name_the_cheapest_and_the_fastest():
    lines = prices.block().splitlines()[2:4]
    assert "cheapest APIYI by token, $3.29" in lines[0]
    assert "fastest Google tier 3 ‡, 1 min 13 s" in lines[0]


def test_a_prompt_of_ninety_letters_is_reckoned_with():
    assert len(USUAL_PROMPT.encode()) == 91


@pytest.mark.parametrize(
    "amount, text",
    [
        ("0", "$0.00"),
        ("0.001", "$0.01"),
        ("99.994", "$100"),
        ("99.99", "$99.99"),
        ("100.01", "$101"),
        ("2052.3", "$2,053"),
    ],
)
def test_amounts_are_rounded_up(amount, text):
    assert prices.dollars(nusd(amount)) == text


@pytest.mark.parametrize(
    "seconds, text",
    [(12.5, "13 s"), (59.9, "1 min"), (125, "2 min 5 s"), (3600, "1 h"), (3661, "1 h 2 min"), (7199.5, "2 h")],
)
def test_times_are_rounded_up(seconds, text):
    assert prices.span(seconds) == text


@pytest.fixture
def way() -> Way:
    catalog = load()
    return next(way for way in ways(catalog, as_of(catalog), ("google",)) if way.tier == "tier1")


def test_a_time_without_a_known_latency_is_at_least_when_the_last_call_leaves(way):
    blind = replace(way, offer=replace(way.offer, latency={}))
    time = blind.time(Ask(100, "1K"))
    assert (time.seconds, time.at_least, time.assumed) == (540.0, True, False)


def test_a_limit_that_lets_nothing_through_gives_no_time(way):
    shut = replace(way, limits=Limits(requests_per_minute=10, spend_per_10_minutes_nusd=1))
    assert shut.time(Ask(1, "1K")).seconds is None
    assert shut.time(Ask(1, "1K")).bound_by == "spend_per_10_minutes"


def test_without_any_limit_ten_at_once_are_taken_and_said(way):
    free = replace(way, limits=Limits(), offer=replace(way.offer, latency={"1K": Latency(10.0, 20.0)}))
    time = free.time(Ask(100, "1K"))
    assert (time.seconds, time.assumed) == (100.0, True)


def test_a_size_that_a_model_does_not_draw_has_no_price(way):
    assert way.cost_nusd(Ask(1, "16K")) is None
