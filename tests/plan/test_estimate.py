"""Prices before and after: worked by hand from the published figures."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.cards import PriceCard
from cavendish.catalog.load import load
from cavendish.model.blob import Blob
from cavendish.model.call import Done, GroundingNote
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.money import nusd
from cavendish.model.request import Image, ImageRequest, Text
from cavendish.model.result import Slot
from cavendish.model.usage import NOTHING_USED, Usage
from cavendish.plan.estimate import Basis, PriceBook, Priced, input_tokens

CATALOG = load()
TODAY = date(2026, 11, 21)
PICTURE = Image(blob=Blob("ab", 3, "image/jpeg"))
NB2 = CATALOG.models["gemini-3.1-flash-image"]


def book(name="nb2", endpoint="google", mode=None) -> PriceBook:
    return PriceBook.of(CATALOG.resolve(name, endpoint, TODAY, mode))


def slot(prompt="a red kite", references=(), **fields):
    return Slot("0.0", "k", 0, 0, ImageRequest.of(prompt, "nb2", tuple(references), **fields))


def done(*parts, usage=NOTHING_USED, **fields):
    parts = parts or (PICTURE,)
    return Done(parts, (len(parts) - 1,), usage=usage, **fields)


def bill(prices, usage, reply=None, **fields):
    return prices.cost(slot(**fields), usage, reply or done(usage=usage))


# --- afterwards -------------------------------------------------------------------------------------------------------

TRUE = [
    # The figure that another client works out for a recorded answer: 10 in, 1290 of the picture, 5 words.
    ("nano-banana", "google", None, Usage(10, output_image_tokens=1290, output_text_tokens=5), "0.0387155"),
    # 21 in, 1120 of the picture, 170 beside it, 204 thoughts: .0000105 + .0672 + 374 x .000003
    ("nb2", "google", None, Usage(21, 0, 0, 1120, 170, 204), "0.0683325"),
    # Two drafts and a final are 3360 picture tokens.
    ("nb2", "google", None, Usage(21, 0, 0, 3360, 0, 0), "0.2016105"),
    ("nb2", "google", "batch", Usage(21, 0, 0, 1120, 170, 204), "0.03416625"),
    # 271 in at .18, all output alike at 21.6: .00004878 + 1520 x .0000216
    ("nb2", "apiyi", "tokens", Usage(271, 0, 0, 1120, 400), "0.03288078"),
    ("nb2", "apiyi", None, Usage(271, 0, 0, 1120, 400), "0.055"),
    ("nb2", "google", None, Usage(0, 0, 0, 1120, searches=2), "0.0952"),
    # Input pictures at the price of input where they have none of their own.
    ("nb2", "google", None, Usage(1130, 1120, 0, 1120), "0.067765"),
    ("nano-banana-pro", "google", None, Usage(14, 0, 0, 1120, 163, 174), "0.138472"),
    ("nano-banana-2.1", "google", None, Usage(10, 0, 0, 3780, 400, 400), "0.119415"),
]


@pytest.mark.parametrize("name,endpoint,mode,usage,dollars", TRUE)
def test_the_true_price(name, endpoint, mode, usage, dollars):
    assert bill(book(name, endpoint, mode), usage) == nusd(dollars)


def test_the_providers_own_figure_wins():
    usage = Usage(21, 0, 0, 1120, cost_nusd=123)
    assert bill(book(), usage) == 123
    assert bill(book("nb2", "apiyi"), usage) == 123
    assert book().priced(slot(), usage, done()).basis is Basis.STATED


def test_a_picture_without_any_count_is_priced_by_its_size_and_said_to_be():
    assert book().priced(slot(), NOTHING_USED, done()) == Priced(nusd("0.0672"), Basis.ESTIMATE)
    assert bill(book(), NOTHING_USED, size="4K") == nusd("0.1512")
    three = done(PICTURE, Text("so"), PICTURE, PICTURE)
    assert book().cost(slot(), NOTHING_USED, three) == nusd("0.2016")
    assert book().priced(slot(), Usage(21, output_image_tokens=1120), done()).basis is Basis.TOKENS


def test_pictures_inside_thoughts_are_not_counted_twice():
    thought = replace(PICTURE, thought=True)
    assert book().cost(slot(), NOTHING_USED, done(thought, thought, PICTURE)) == nusd("0.0672")


def test_a_relay_that_counts_all_output_in_one_sum():
    """1290 completion tokens of which 1120 are the picture's: words are the other 170."""
    usage = Usage(14, output_text_tokens=1290)
    assert bill(book(), usage) == nusd("0.000007") + nusd("0.0672") + nusd("0.00051")
    assert book().priced(slot(), usage, done()).basis is Basis.ESTIMATE


def test_pictures_that_a_provider_counts_have_a_price_each():
    # As ByteDance's Ark answers: so many pictures, and their pixels as tokens that have no price.
    price = PriceCard("standard", input=0, output_text=0, per_picture={"1K": nusd("0.03")})
    prices = PriceBook(NB2, price, "google")
    usage = Usage(input_tokens=116, output_image_tokens=32768, images=2)
    assert prices.priced(slot(size="1K"), usage, done(PICTURE, PICTURE, usage=usage)) == Priced(
        nusd("0.06"), Basis.FLAT
    )
    withheld = Fault(FaultKind.NO_IMAGE, charged=Charged.YES, usage=usage)
    assert prices.cost(slot(size="1K"), usage, withheld) == nusd("0.06")
    assert prices.cost(slot(size="4K"), usage, done(usage=usage)) is None


def test_no_price_is_unknown_and_never_zero():
    unknown = PriceBook.of(CATALOG.resolve("google/brand-new-9", None, TODAY))
    assert unknown.estimate(slot()) is None
    assert unknown.cost(slot(), Usage(5, output_image_tokens=1120), done()) is None
    assert unknown.cost(slot(), Usage(5, cost_nusd=7), done()) == 7
    assert unknown.cost(slot(), NOTHING_USED, Fault(FaultKind.RATE_LIMITED, status=429)) == 0


def test_a_part_without_a_price_makes_the_whole_unknown():
    prices = book()
    assert prices.price is not None
    silent = replace(prices, price=replace(prices.price, output_text=None))
    assert bill(silent, Usage(5, output_image_tokens=1120)) is not None
    assert bill(silent, Usage(5, output_image_tokens=1120, output_text_tokens=1)) is None
    assert silent.estimate(slot()) is None


def test_searches_that_cost_nothing():
    note = GroundingNote(web_queries=("a",), image_queries=("b", "c"))
    usage = Usage(0, 0, 0, 1120, searches=3)
    relay, google = book("nb2", "apiyi", "tokens"), book()
    assert relay.cost(slot(), usage, done(grounding=note)) == nusd("0.024192") + nusd("0.014")
    assert google.cost(slot(), usage, done(grounding=note)) == nusd("0.0672") + 3 * nusd("0.014")


def test_a_list_price_where_tokens_are_not_known():
    prices = book()
    assert prices.price is not None
    by_piece = replace(prices.price, output_image=None, per_picture={"high/1K": nusd("0.2"), "1K": nusd("0.1")})
    listed = replace(prices, price=by_piece)
    assert listed.cost(slot(), NOTHING_USED, done()) == nusd("0.1")
    assert listed.cost(slot(quality="high"), NOTHING_USED, done(PICTURE, PICTURE)) == nusd("0.4")
    assert listed.cost(slot(size="2K"), NOTHING_USED, done()) is None


# --- faults -----------------------------------------------------------------------------------------------------------


def test_the_price_of_a_fault_goes_by_whether_it_was_charged():
    prices, refused = book(), Fault(FaultKind.IMAGE_SAFETY, status=200, usage=Usage(12, thought_tokens=240))
    assert prices.cost(slot(), refused.usage, refused) == nusd("0.000006") + nusd("0.00072")
    assert prices.cost(slot(), NOTHING_USED, Fault(FaultKind.OVERLOADED, status=503)) == 0
    assert prices.cost(slot(), NOTHING_USED, Fault(FaultKind.TIMEOUT, charged=Charged.UNKNOWN)) is None
    assert prices.charged(refused).charged is Charged.YES


def test_a_call_given_up_at_a_relay_costs_what_the_picture_would_have():
    lost = Fault(FaultKind.TIMEOUT, charged=Charged.UNKNOWN)
    assert book("nb2", "apiyi").cost(slot(), NOTHING_USED, lost) == nusd("0.055")
    tokens = book("nb2", "apiyi", "tokens")
    assert tokens.priced(slot(), NOTHING_USED, lost) == Priced(tokens.estimate(slot()), Basis.ESTIMATE)
    # Nobody knows how far it got: as many as it was asked for may have been drawn. A call's price is one price.
    assert tokens.cost(slot(), NOTHING_USED, lost, 3) == 3 * (tokens.estimate(slot()) or 0)
    assert book("nb2", "apiyi").cost(slot(), NOTHING_USED, lost, 3) == nusd("0.055")


def test_refusals_at_the_relay():
    refused = Fault(FaultKind.IMAGE_SAFETY, status=200, usage=Usage(12, thought_tokens=240))
    assert book("nano-banana-pro", "apiyi").cost(slot(), refused.usage, refused) == nusd("0.09")
    assert book("nb2", "apiyi", "tokens").cost(slot(), refused.usage, refused) == 0
    assert book("nb2", "apiyi").cost(slot(), refused.usage, refused) is None


# --- beforehand -------------------------------------------------------------------------------------------------------

EXPECTED = [
    # "a red kite" is 10 bytes, so 3 tokens; 400 words beside the picture.
    ("nb2", "google", None, {}, "0.0672+0.0000015+0.0012"),
    ("nb2", "google", None, {"size": "4K"}, "0.1512+0.0000015+0.0012"),
    ("nb2", "google", "batch", {}, "0.0336+0.00000075+0.0006"),
    ("nb2", "google", None, {"thinking": "high"}, "0.0672+0.0000015+0.0036"),
    ("nb2", "google", None, {"references": (PICTURE, PICTURE)}, "0.0672+0.0011215+0.0012"),
    ("nb2", "google", None, {"grounding": ("web",)}, "0.0672+0.0000015+0.0012+0.028"),
    ("nb2", "apiyi", None, {"size": "4K", "thinking": "high"}, "0.055"),
    ("nb2", "apiyi", "tokens", {}, "0.024192+0.00000054+0.00864"),
    ("nb2", "apiyi", "tokens", {"grounding": ("image",)}, "0.024192+0.00000054+0.00864"),
    ("nano-banana-2.1", "google", None, {}, "0.0336+0.0000045+0.006"),
    ("nano-banana-pro", "google", None, {}, "0.1344+0.000006+0.01116"),
    ("nano-banana", "google", None, {}, "0.0387+0.0000009+0.00005"),
]


@pytest.mark.parametrize("name,endpoint,mode,fields,dollars", EXPECTED)
def test_the_expected_price(name, endpoint, mode, fields, dollars):
    assert book(name, endpoint, mode).estimate(slot(**fields)) == sum(nusd(part) for part in dollars.split("+"))


def test_the_estimate_is_near_what_a_relay_measured():
    """APIYI measured $0.0335 for a 1K picture, $0.0516 with much thinking."""
    prices = book("nb2", "apiyi", "tokens")
    assert prices.estimate(slot()) == pytest.approx(nusd("0.0335"), rel=0.05)
    assert prices.estimate(slot(thinking="high")) == pytest.approx(nusd("0.0516"), rel=0.05)


def test_input_tokens_count_words_of_all_turns_and_pictures():
    request = ImageRequest.of("abcdefgh", "m", (PICTURE,), system="abcd")
    assert input_tokens(request, NB2) == 2 + 1 + 1120
    assert input_tokens(request.having(turns=request.turns * 2, system=None), NB2) == 2 * (2 + 1120)
    assert input_tokens(ImageRequest.of("赤い凧", "m"), NB2) == 3
    assert input_tokens(ImageRequest.of("\ud800", "m"), NB2) == 1


TOKENS = st.integers(0, 10**6)


@given(TOKENS, TOKENS, TOKENS, TOKENS, st.integers(0, 5))
def test_more_of_anything_never_costs_less(words_in, picture, words_out, thoughts, searches):
    prices = book()
    usage = Usage(words_in, 0, 0, picture + 1, words_out, thoughts, searches=searches)
    base = bill(prices, usage)
    more = (
        replace(usage, input_tokens=words_in + 1),
        replace(usage, output_image_tokens=picture + 2),
        replace(usage, output_text_tokens=words_out + 1),
        replace(usage, thought_tokens=thoughts + 1),
        replace(usage, searches=searches + 1),
    )
    assert base is not None
    assert all((bill(prices, other) or 0) > base for other in more)


@pytest.mark.parametrize("name", sorted(CATALOG.offers))
def test_every_offer_has_an_estimate_in_every_mode_and_size(name):
    offer = CATALOG.offers[name]
    card = CATALOG.models[offer.model]
    for mode in offer.prices:
        prices = PriceBook.of(CATALOG.resolve(offer.model, offer.endpoint, TODAY, mode))
        for size in card.sizes:
            expected, listed = prices.estimate(slot(size=size)), prices.list_price(size)
            assert expected is not None
            assert listed is not None
            assert expected >= 0.99 * listed


def test_the_list_price():
    assert book().list_price("2K") == nusd("0.101")
    assert book("nb2", "apiyi").list_price("2K") == nusd("0.055")
    assert book().list_price("8K") is None
    assert PriceBook(NB2, None).list_price("1K") is None
