"""Sizes as a menu knows them: words, pixels, and the rules of models that draw any."""

import pytest

from cavendish.catalog.cards import ModelCard, ModelId, Offer, PixelRule, ReferenceLimits, SizeCard
from cavendish.model.request import ImageRequest
from cavendish.sim.menu import ANYTHING, Entry, Menu, pixels_of
from tests.sim.menus import PLAIN, THINKER, WALL, offer

ANY_SIZE = ModelCard(
    id="any-size",
    name="Any size",
    aliases=(),
    ids=(ModelId("any-size"),),
    sizes={"1K": SizeCard("1K", {"1:1": (1024, 1024)}), "4K": SizeCard("4K", {"16:9": (3840, 2160)})},
    default_size="1K",
    ratios=("1:1", "16:9"),
    default_ratio="1:1",
    references=ReferenceLimits(),
    any_pixels=PixelRule(multiple=16, shortest=64, longest=3840, least=65_536, most=8_294_400, widest=3),
)


def entry(card=ANY_SIZE) -> Entry:
    return Entry(card.id, card, offer(card))


def wish(**fields) -> ImageRequest:
    return ImageRequest.of("a kite", "any-size", **fields)


@pytest.mark.parametrize(
    "size, pixels",
    [
        ("1536x1024", (1536, 1024)), ("landscape_16_9", (1024, 576)), ("2K", None), (None, None), ("0x5", None),
        ("5x", None), ("123456x1", None),
    ],
)  # fmt: skip
def test_pixels_of_a_size(size, pixels):
    assert pixels_of(size) == pixels


@pytest.mark.parametrize(
    "size, drawn",
    [
        ("1K", True), ("2K", False), ("1024x1024", True), ("1040x1024", True), ("1024x1030", False),
        ("48x1600", False), ("64x1024", False), ("3856x2160", False), ("3840x2176", False), ("256x256", True),
        ("256x240", False), ("768x256", True), ("784x256", False),
    ],
)  # fmt: skip
def test_which_sizes_there_are_by_the_rule(size, drawn):
    assert entry().draws(size) is drawn


def test_without_a_rule_only_the_listed_pixels_are_drawn():
    assert entry(THINKER).draws("96x54")
    assert not entry(THINKER).draws("96x55")


def test_pixels_have_the_word_and_so_the_price_of_the_nearest_size():
    assert entry().size_word(wish()) == "1K"
    assert entry().size_word(wish(size="4K")) == "4K"
    assert entry().size_word(wish(size="3840x2160")) == "4K"
    assert entry().size_word(wish(size="1040x1024")) == "1K"


def test_a_word_comes_out_in_the_ratio_that_was_asked_for_or_the_nearest_known():
    assert entry(THINKER).pixels(wish(aspect_ratio="16:9")) == (96, 54)
    assert entry().pixels(wish(size="4K")) == (3840, 2160)
    assert entry().pixels(wish(size="640x480")) == (640, 480)
    nothing = ModelCard("x", "x", (), (), {}, "", (), "", ReferenceLimits())
    assert entry(nothing).pixels(wish()) == (1024, 1024)


def test_an_endpoint_that_takes_any_name_draws_for_it():
    menu = Menu((PLAIN,), (offer(PLAIN),), anything=Offer("*", "test", "*"))
    found = menu.find("sdxl-turbo", WALL)
    assert found is not None
    assert (found.id, found.card, found.per_call) == ("sdxl-turbo", ANYTHING, ANYTHING.per_call)
    known = menu.find("plain", WALL)
    assert known is not None
    assert known.card is PLAIN
    assert menu.find("", WALL) is None
    assert [one.id for one in menu.all(WALL)] == ["plain"]
