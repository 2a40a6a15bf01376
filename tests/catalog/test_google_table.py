"""Google's table of capabilities, model by model, as what a request may ask for and what it may not."""

from datetime import date

import pytest

from cavendish.catalog.fit import fit
from cavendish.catalog.load import load
from cavendish.errors import RequestError
from cavendish.model.request import Image, ImageRequest, Use

CATALOG = load()
TODAY = date(2026, 9, 15)
NB2, NB21, LITE, PRO, FIRST = "nano-banana-2", "nano-banana-2.1", "nano-banana-2-lite", "nano-banana-pro", "nano-banana"
ALL = (NB2, NB21, LITE, PRO, FIRST)


def fitted(model, references=(), **fields):
    there = CATALOG.resolve(model, "google", TODAY)
    return fit(ImageRequest.of("kite", model, references, **fields), there)


def can(model, references=(), **fields):
    try:
        return not fitted(model, references, **fields).notices
    except RequestError:
        return False


def who_can(references=(), **fields):
    return {model for model in ALL if can(model, references, **fields)}


def pictures(count, use=None, media_type="image/png"):
    return tuple(Image(uri=f"https://x.example/{i}", media_type=media_type, use=use) for i in range(count))


TABLE = [
    ({"aspect_ratio": "21:9"}, set(ALL)),
    ({"aspect_ratio": "8:1"}, {NB2, NB21, LITE}),
    ({"aspect_ratio": "1:4"}, {NB2, NB21, LITE}),
    ({"size": "512"}, {NB2}),
    ({"size": "1K"}, set(ALL)),
    ({"size": "2K"}, {NB2, NB21, PRO}),
    ({"size": "4K"}, {NB2, NB21, PRO}),
    ({"thinking": "minimal"}, {NB2, NB21, LITE}),
    ({"thinking": "medium"}, {NB21}),
    ({"thinking": "high"}, {NB2, NB21, LITE}),
    ({"include_thoughts": True}, {NB2, NB21, LITE, PRO}),
    ({"grounding": ("web",)}, {NB2, NB21, PRO}),
    ({"grounding": ("image",)}, {NB2, NB21}),
    ({"modalities": ("IMAGE",)}, set(ALL)),
    ({"modalities": ("TEXT", "IMAGE")}, set(ALL)),
    ({"temperature": 0.5}, {NB2, LITE, PRO, FIRST}),
    ({"references": pictures(3)}, set(ALL)),
    ({"references": pictures(14)}, {NB2, NB21, PRO}),
    ({"references": pictures(15)}, set()),
    ({"references": pictures(10, Use.OBJECT)}, {NB2, NB21}),
    ({"references": pictures(6, Use.OBJECT)}, {NB2, NB21, PRO}),
    ({"references": pictures(5, Use.PERSON)}, {PRO}),
    ({"references": pictures(4, Use.PERSON)}, {NB2, NB21, PRO}),
    ({"references": pictures(4, Use.STYLE)}, {NB2, NB21}),
    ({"references": pictures(3, Use.STYLE)}, set(ALL)),
    ({"references": pictures(1, media_type="image/heic")}, set(ALL)),
    ({"references": pictures(1, media_type="video/mp4")}, {NB2, NB21, LITE}),
    ({"references": pictures(1, media_type="application/pdf")}, {NB21}),
    ({"references": pictures(1, media_type="audio/mpeg")}, set()),
]


@pytest.mark.parametrize("asked, able", TABLE)
def test_who_can_do_it_without_a_word(asked, able):
    assert who_can(**asked) == able


@pytest.mark.parametrize("model, told", [(LITE, "many_references"), (FIRST, "many_references")])
def test_more_references_than_are_followed_well_are_told(model, told):
    assert [notice.code for notice in fitted(model, pictures(14)).notices] == [told]


@pytest.mark.parametrize("model, size", [(FIRST, "1K"), (FIRST, None)])
def test_the_first_is_never_told_its_size(model, size):
    assert fitted(model, size=size).request.size is None


@pytest.mark.parametrize(
    "model, media_type",
    [(NB2, "image/jpeg"), (NB21, "image/jpeg"), (LITE, "image/jpeg"), (PRO, "image/jpeg"), (FIRST, "image/png")],
)
def test_what_they_give(model, media_type):
    assert CATALOG.resolve(model, "google", TODAY).card.output_types == (media_type,)


@pytest.mark.parametrize("model", ALL)
def test_vertex_offers_what_the_developer_api_does_and_express_what_vertex_does(model):
    google, vertex, express = (
        CATALOG.resolve(model, name, TODAY).offer for name in ("google", "vertex", "vertex-express")
    )
    assert google.wire_id == vertex.wire_id == express.wire_id
    assert {price.per_picture == google.prices["standard"].per_picture for price in vertex.prices.values()} == {True}
    assert set(vertex.prices) == {"standard"}  # its batch prediction is not spoken
    assert not vertex.tiers  # its quota is shared by all its customers
    assert express.prices == vertex.prices
    assert (vertex.timeout_s, vertex.timeout_by_size) == (google.timeout_s, google.timeout_by_size)
