"""Sizes as pixels: which are taken, which are rounded or refused, and how each offer is told of them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.fit import fit
from cavendish.catalog.load import load
from cavendish.catalog.shape import pixels, read_pixels, told, word_for
from cavendish.errors import RequestError
from cavendish.model.request import ImageRequest

CATALOG = load()
TODAY = date(2026, 11, 21)


def sent(model, endpoint, **fields):
    """Size and ratio as they go over the wire."""
    resolved = CATALOG.resolve(model, endpoint, TODAY)
    request = told(fit(ImageRequest.of("a red kite", model, **fields), resolved).request, resolved)
    return request.size, request.aspect_ratio


TOLD = [
    # Google's own words stay words.
    ("nano-banana-2", "google", {"size": "2K", "aspect_ratio": "16:9"}, ("2K", "16:9")),
    ("nano-banana-2", "fal", {"size": "2K", "aspect_ratio": "16:9"}, ("2K", "16:9")),
    ("nano-banana-2", "openrouter", {"aspect_ratio": "16:9"}, (None, "16:9")),
    # Ark takes the ratio from the prompt, unless it is said in pixels.
    ("seedream-4.5", "byteplus", {}, (None, None)),
    ("seedream-4.5", "byteplus", {"size": "2K"}, ("2K", None)),
    ("seedream-4.5", "byteplus", {"size": "4K", "aspect_ratio": "16:9"}, ("5504x3040", None)),
    ("seedream-4.5", "volcengine", {"aspect_ratio": "3:4"}, ("1728x2304", None)),
    ("seedream-4.0", "apiyi-ark", {"size": "1k", "aspect_ratio": "16:9"}, ("1312x736", None)),
    ("seedream-4.5", "byteplus", {"size": "3000x2000"}, ("3000x2000", None)),
    ("seedream-4.5", "byteplus", {"size": "3000x2000", "aspect_ratio": "3:2"}, ("3000x2000", None)),
    ("seedream-4.5", "byteplus", {"size": "3000x2000", "aspect_ratio": "6x4"}, ("3000x2000", None)),
    # OpenAI knows pixels alone.
    ("gpt-image-2", "openai", {}, (None, None)),
    ("gpt-image-2", "openai", {"size": "1K"}, ("1024x1024", None)),
    ("gpt-image-2", "openai", {"aspect_ratio": "3:2"}, ("1536x1024", None)),
    ("gpt-image-2", "openai", {"size": "4K", "aspect_ratio": "16:9"}, ("3840x2160", None)),
    ("gpt-image-2", "openai", {"size": "1000x1000"}, ("992x992", None)),
    ("gpt-image-1.5", "openai", {"aspect_ratio": "2:3"}, ("1024x1536", None)),
    ("dall-e-3", "openai", {"aspect_ratio": "7:4"}, ("1792x1024", None)),
    # So do those of Black Forest Labs that take any width and height; the others know a ratio.
    ("flux-1.1-pro", "bfl", {"aspect_ratio": "16:9"}, ("1024x576", None)),
    ("flux-1.1-pro", "bfl", {"size": "1K"}, ("1024x768", None)),
    ("flux-1.1-pro", "fal", {"aspect_ratio": "1:1"}, ("1024x1024", None)),
    ("flux-kontext-pro", "bfl", {"aspect_ratio": "16:9"}, (None, "16:9")),
    ("flux-1.1-pro-ultra", "bfl", {"size": "1K", "aspect_ratio": "21:9"}, (None, "21:9")),
    ("imagen-4", "google-imagen", {"size": "2K", "aspect_ratio": "3:4"}, ("2K", "3:4")),
]


@pytest.mark.parametrize("model,endpoint,asked,expected", TOLD)
def test_each_offer_is_told_in_its_own_way(model, endpoint, asked, expected):
    assert sent(model, endpoint, **asked) == expected


REFUSED = [
    ("gpt-image-2", "openai", {"size": "8K"}, "multiples of 16"),
    ("gpt-image-2", "openai", {"size": "512x512"}, "655,360 to 8,294,400 pixels"),
    ("gpt-image-2", "openai", {"size": "3840x3840"}, "up to 3,840"),
    ("gpt-image-2", "openai", {"size": "3840x1024"}, "at most 3:1"),
    ("gpt-image-2", "openai", {"size": "1600x1200", "aspect_ratio": "16:9"}, "1K, 2K, 4K"),
    ("gpt-image-1.5", "openai", {"size": "2048x2048"}, "can: 1K"),
    ("seedream-4.5", "byteplus", {"size": "1K"}, "can: 2K, 4K, or WIDTHxHEIGHT"),
    ("seedream-5.0-pro", "byteplus", {"size": "4096x4096"}, "921,600 to 4,624,220"),
    ("flux-1.1-pro", "bfl", {"size": "2048x2048"}, "256 to 1,440"),
    ("flux-2-pro", "bfl", {"size": "40x40"}, "from 64"),
    ("nano-banana-2", "fal", {"size": "1000x1000"}, "512, 1K, 2K, 4K"),
    ("dall-e-3", "openai", {"aspect_ratio": "16:9"}, "1:1, 7:4, 4:7"),
]


@pytest.mark.parametrize("model,endpoint,asked,hint", REFUSED)
def test_what_cannot_be_drawn_is_refused_with_what_can(model, endpoint, asked, hint):
    with pytest.raises(RequestError) as caught:
        sent(model, endpoint, **asked)
    assert caught.value.field in asked
    assert hint in "\n".join(caught.value.hints)


def test_rounded_pixels_are_told_and_exact_ones_are_not():
    resolved = CATALOG.resolve("gpt-image-2", "openai", TODAY)
    rounded = fit(ImageRequest.of("x", "any", size="1000x1000"), resolved)
    assert [(notice.code, notice.field) for notice in rounded.notices] == [("size_normalised", "size")]
    assert fit(ImageRequest.of("x", "any", size="1600x1200"), resolved).notices == ()
    with pytest.raises(RequestError):
        fit(ImageRequest.of("x", "any", size="1000x1000"), resolved, strict=True)


def test_pixels_are_not_for_an_endpoint_that_is_told_words():
    words = CATALOG.resolve("gpt-image-2", "openai", TODAY)
    from dataclasses import replace

    elsewhere = replace(words, offer=replace(words.offer, shape="words"))
    with pytest.raises(RequestError):
        fit(ImageRequest.of("x", "any", size="1600x1200"), elsewhere)
    request = ImageRequest.of("x", "any", size="2K", aspect_ratio="16:9")
    assert told(request, elsewhere) == request


def test_a_model_without_a_card_is_told_what_was_asked():
    resolved = CATALOG.resolve("openai/brand-new-9", None, TODAY)
    request = ImageRequest.of("x", "any", size="7K", aspect_ratio="5:1")
    assert told(request, resolved) == request


WORDS = [
    ("gpt-image-2", None, "1K"),
    ("gpt-image-2", "4K", "4K"),
    ("gpt-image-2", "1024x768", "1K"),
    ("gpt-image-2", "1920x1088", "2K"),
    ("gpt-image-2", "3840x2160", "4K"),
    ("seedream-5.0-pro", "1024x1024", "1K"),
    ("seedream-5.0-pro", "2048x2048", "2K"),
]


@pytest.mark.parametrize("model,size,word", WORDS)
def test_pixels_cost_like_the_next_size_word(model, size, word):
    card = CATALOG.find(model)
    assert card is not None
    assert word_for(card, size) == word


PIXELED = sorted(
    name for name, offer in CATALOG.offers.items() if offer.shape != "words" and CATALOG.models[offer.model].any_pixels
)


@given(st.sampled_from(PIXELED), st.integers(1, 9000), st.integers(1, 9000))
def test_pixels_are_taken_as_the_rule_says_or_refused(name, width, height):
    offer = CATALOG.offers[name]
    card = CATALOG.models[offer.model]
    rule = card.any_pixels
    assert rule is not None
    try:
        size, _ = sent(offer.model, offer.endpoint, size=f"{width}x{height}")
    except RequestError:
        return
    sides = read_pixels(size or "")
    assert sides is not None
    assert all(side % rule.multiple == 0 for side in sides)
    assert all(abs(drawn - asked) <= rule.multiple for drawn, asked in zip(sides, (width, height), strict=True))
    assert rule.least <= sides[0] * sides[1] <= (rule.most or 10**9)


@pytest.mark.parametrize("name", PIXELED)
def test_the_pixels_of_the_size_words_keep_to_the_rule(name):
    offer = CATALOG.offers[name]
    card = CATALOG.models[offer.model]
    for word in card.sizes:
        for ratio in card.ratios:
            sides = pixels(card, word, ratio)
            assert sides is not None
            assert sent(offer.model, offer.endpoint, size="{}x{}".format(*sides)) == ("{}x{}".format(*sides), None)
