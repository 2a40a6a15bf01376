"""Requests made to fit: what is respelt, what is left out, what is refused, and that all of it is told."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.cards import ReferenceLimits
from cavendish.catalog.fit import MAX_N, fit, insist, pixels, told
from cavendish.catalog.load import load
from cavendish.catalog.resolve import Resolved
from cavendish.errors import RequestError
from cavendish.model.blob import Blob
from cavendish.model.request import Image, ImageRequest, Notice, Role, Text, Turn, Use

CATALOG = load()
TODAY = date(2026, 11, 21)
NB2, NB21, LITE, PRO, FIRST = "nb2", "nano-banana-2.1", "nano-banana-2-lite", "nano-banana-pro", "nano-banana"


def resolved(model) -> Resolved:
    return CATALOG.resolve(model, "google", TODAY)


def asked(prompt="a red kite", references=(), **fields):
    return ImageRequest.of(prompt, "any", tuple(references), **fields)


def fitted(model, strict=False, **fields):
    return fit(asked(**fields), resolved(model), strict=strict)


def refused(model, **fields):
    with pytest.raises(RequestError) as caught:
        fitted(model, **fields)
    return caught.value


def picture(use=None, media_type="image/png", size=9):
    return Image(blob=Blob("00", size, media_type), use=use)


RESPELT = [
    (NB2, {"size": "512px"}, {"size": "512"}),
    (NB2, {"size": "0.5K"}, {"size": "512"}),
    (NB2, {"size": "1k"}, {"size": "1K"}),
    (NB2, {"size": "1024"}, {"size": "1K"}),
    (NB2, {"size": " 2048px "}, {"size": "2K"}),
    (NB2, {"size": "4k"}, {"size": "4K"}),
    (NB2, {"size": "1024x1024"}, {"size": "1K", "aspect_ratio": "1:1"}),
    (NB2, {"size": "2752×1536"}, {"size": "2K", "aspect_ratio": "16:9"}),
    (NB2, {"size": "2752x1536", "aspect_ratio": "16:9"}, {"size": "2K", "aspect_ratio": "16:9"}),
    (NB2, {"aspect_ratio": "16x9"}, {"aspect_ratio": "16:9"}),
    (NB2, {"aspect_ratio": "16/9"}, {"aspect_ratio": "16:9"}),
    (NB2, {"aspect_ratio": " 16 : 9 "}, {"aspect_ratio": "16:9"}),
    (NB2, {"aspect_ratio": "1920:1080"}, {"aspect_ratio": "16:9"}),
    (NB2, {"aspect_ratio": "7:3"}, {"aspect_ratio": "21:9"}),
    (NB2, {"thinking": "High"}, {"thinking": "high"}),
]
CODES = {"size": "size_normalised", "aspect_ratio": "ratio_normalised", "thinking": "thinking_normalised"}


@pytest.mark.parametrize("model,given_,expected", RESPELT)
def test_a_near_spelling_is_put_right_and_told(model, given_, expected):
    found = fitted(model, **given_)
    assert {name: getattr(found.request, name) for name in expected} == expected
    (notice,) = found.notices
    assert (notice.code, notice.field) == (CODES[next(iter(given_))], next(iter(given_)))


REFUSED = [
    (NB2, {"size": "8K"}, "size", ("512", "1K", "2K", "4K")),
    (NB2, {"size": "huge"}, "size", ("512", "1K", "2K", "4K")),
    (NB2, {"size": "1000x1000"}, "size", ("512", "1K", "2K", "4K")),
    (NB2, {"size": "2752x1536", "aspect_ratio": "1:1"}, "size", ("512", "1K", "2K", "4K")),
    (NB21, {"size": "512"}, "size", ("1K", "2K", "4K")),
    (LITE, {"size": "2K"}, "size", ("1K",)),
    (PRO, {"aspect_ratio": "1:8"}, "aspect_ratio", CATALOG.models["gemini-3-pro-image"].ratios),
    (PRO, {"aspect_ratio": "1.78"}, "aspect_ratio", CATALOG.models["gemini-3-pro-image"].ratios),
    (NB2, {"aspect_ratio": "16:0"}, "aspect_ratio", CATALOG.models["gemini-3.1-flash-image"].ratios),
    (NB2, {"aspect_ratio": "0:0"}, "aspect_ratio", CATALOG.models["gemini-3.1-flash-image"].ratios),
    (NB2, {"thinking": "medium"}, "thinking", ("minimal", "high")),
    (FIRST, {"thinking": "high"}, "thinking", ()),
    (PRO, {"grounding": ("web", "image")}, "grounding", ("web",)),
    (LITE, {"grounding": ("web",)}, "grounding", ()),
    (NB2, {"modalities": ("TEXT",)}, "modalities", ("TEXT", "IMAGE")),
    (NB2, {"modalities": ("IMAGE", "AUDIO")}, "modalities", ("TEXT", "IMAGE")),
    (NB2, {"references": [picture()] * 15}, "references", ("14",)),
    (NB2, {"references": [picture(Use.OBJECT)] * 11}, "references", ("10",)),
    (NB2, {"references": [picture(Use.PERSON)] * 5}, "references", ("4",)),
    (PRO, {"references": [picture(Use.STYLE)] * 4}, "references", ("3",)),
    (NB2, {"references": [picture(Use.OBJECT), picture(Use.MASK)]}, "references", ("0",)),
    (PRO, {"references": [picture(Use.OBJECT)] * 7}, "references", ("6",)),
    (NB2, {"prompt": ""}, "prompt", ()),
    (NB2, {"prompt": " \n\t"}, "prompt", ()),
    (NB2, {"prompt": "x" * (65_536 * 4 + 1)}, "prompt", ()),
    (NB2, {"n": 0}, "n", ()),
    (NB2, {"n": -3}, "n", ()),
    (NB2, {"n": MAX_N + 1}, "n", ()),
]


@pytest.mark.parametrize("model,given_,field,allowed", REFUSED)
def test_what_a_model_cannot_do_is_refused_with_what_it_can(model, given_, field, allowed):
    error = refused(model, **given_)
    assert (error.field, error.allowed) == (field, allowed)


def test_a_picture_of_a_type_that_is_not_read():
    assert "image/webp" in refused(NB2, references=[picture(media_type="image/gif")]).allowed
    assert "picture 2" in refused(NB2, references=[picture(), picture(media_type="image/tiff")]).message
    assert fitted(NB2, references=[Image(uri="https://host.example/a")]).notices == ()


def test_a_picture_that_is_too_large():
    known = resolved(NB2)
    limits = ReferenceLimits(total=3, max_bytes=100)
    from dataclasses import replace

    small = replace(known, card=replace(known.card, references=limits))
    assert fit(asked(references=[picture(size=100)]), small).notices == ()
    with pytest.raises(RequestError) as caught:
        fit(asked(references=[picture(size=101)]), small)
    assert caught.value.allowed == ("100",)


def test_a_quality_is_checked_only_where_a_model_has_some():
    from dataclasses import replace

    known = resolved(NB2)
    assert fit(asked(quality="high"), known).request.quality == "high"
    picky = replace(known, card=replace(known.card, qualities=("low", "high")))
    assert fit(asked(quality="high"), picky).notices == ()
    with pytest.raises(RequestError) as caught:
        fit(asked(quality="best"), picky)
    assert (caught.value.field, caught.value.allowed) == ("quality", ("low", "high"))


LEFT_OUT = [
    (NB21, {"seed": 0}, "seed"),
    (NB21, {"seed": 7}, "seed"),
    (NB21, {"temperature": 0.0}, "temperature"),
    (PRO, {"thinking": "high"}, "thinking"),
    (FIRST, {"size": "4K"}, "size"),
    (FIRST, {"include_thoughts": True}, "include_thoughts"),
]


@pytest.mark.parametrize("model,given_,field", LEFT_OUT)
def test_what_a_model_ignores_is_left_out_and_told(model, given_, field):
    found = fitted(model, **given_)
    assert not getattr(found.request, field)
    assert [(notice.code, notice.field) for notice in found.notices] == [("field_ignored", field)]


def test_the_only_size_that_a_model_has_needs_no_notice():
    found = fitted(FIRST, size="1K")
    assert (found.request.size, found.notices) == (None, ())


KEPT = [
    (NB2, {"seed": 0, "temperature": 0.0, "include_thoughts": True, "thinking": "high", "size": "4K"}),
    (NB2, {"references": [picture(Use.OBJECT)] * 10 + [picture(Use.PERSON)] * 4}),
    (NB2, {"grounding": ("web", "image"), "modalities": ("IMAGE",), "aspect_ratio": "1:8", "n": MAX_N}),
    (NB2, {"prompt": "x" * (65_536 * 4)}),
    (PRO, {"include_thoughts": True, "references": [picture(Use.STYLE)] * 3}),
    (NB21, {"thinking": "medium"}),
]


@pytest.mark.parametrize("model,given_", KEPT)
def test_what_a_model_can_do_stays_as_it_is(model, given_):
    found = fitted(model, strict=True, **given_)
    assert found.request == asked(**given_)
    assert found.notices == ()


def test_more_references_than_are_recommended():
    found = fitted(FIRST, references=[picture()] * 4)
    assert [(notice.code, notice.field) for notice in found.notices] == [("many_references", "references")]
    assert fitted(FIRST, references=[picture()] * 3).notices == ()


@pytest.mark.parametrize("model,given_", [(case[0], case[1]) for case in (*RESPELT, *LEFT_OUT)])
def test_strict_refuses_what_would_have_been_a_notice(model, given_):
    assert refused(model, strict=True, **given_).field == next(iter(given_))


def test_insist():
    insist(())
    with pytest.raises(RequestError) as caught:
        insist([Notice("some_code", "the tail is blue", "prompt")])
    assert caught.value.message.startswith("the tail is blue")
    assert caught.value.field == "prompt"


def test_the_last_turn_must_ask():
    answered = ImageRequest((Turn(Role.USER, (Text("a"),)), Turn(Role.MODEL, (Text("b"),))), "any")
    for request in (answered, ImageRequest((), "any")):
        with pytest.raises(RequestError) as caught:
            fit(request, resolved(NB2))
        assert caught.value.field == "turns"


def test_of_an_unknown_model_only_prompt_and_count_are_checked():
    unknown = CATALOG.resolve("google/brand-new-9", None, TODAY)
    strange = asked(size="9K", aspect_ratio="77:1", thinking="odd", references=[picture()] * 50)
    assert fit(strange, unknown, strict=True).request == strange
    for wrong in (asked(prompt=" "), asked(n=0), asked(prompt="x" * 1_000_001)):
        with pytest.raises(RequestError):
            fit(wrong, unknown)


def test_pixels():
    card = CATALOG.models["gemini-3.1-flash-image"]
    assert pixels(card) == (1024, 1024)
    assert pixels(card, "4K", "16:9") == (5504, 3072)
    assert pixels(card, "512") == (512, 512)
    assert pixels(card, "8K") is None
    assert pixels(card, "1K", "5:1") is None


MODELS = st.sampled_from([NB2, NB21, LITE, PRO, FIRST])
WORDS = (
    st.sampled_from(["512", "512px", "1K", "1k", "1024", "2K", "4k", "4K", "1024x1024", "1584x672", "x", ""])
    | st.text()
)
RATIOS = st.sampled_from(["1:1", "16x9", "16/9", "21:9", "7:3", "8:1", "0:1", "1.78"]) | st.text()


@given(MODELS, st.none() | WORDS, st.none() | RATIOS, st.none() | st.sampled_from(["high", "HIGH", "medium", ""]))
def test_what_was_made_to_fit_fits_and_asks_for_nothing_unknown(model, size, ratio, thinking):
    request = asked(size=size, aspect_ratio=ratio, thinking=thinking)
    try:
        found = fit(request, resolved(model))
    except RequestError:
        return
    again = fit(found.request, resolved(model), strict=True)
    assert (again.request, again.notices) == (found.request, ())
    changed = {
        name for name in ("size", "aspect_ratio", "thinking") if getattr(found.request, name) != getattr(request, name)
    }
    told = {notice.field for notice in found.notices}
    # A shape that came with the pixels is told with the size; a size that is had anyway is not worth a word.
    assert changed - told <= {"aspect_ratio" if "size" in told else "", "size" if request.size == "1K" else ""}


# --- models of other makers -------------------------------------------------------------------------------------------


def at(endpoint, model, **fields):
    return fit(asked(**fields), CATALOG.resolve(model, endpoint, TODAY))


def refused_at(endpoint, model, **fields):
    with pytest.raises(RequestError) as caught:
        at(endpoint, model, **fields)
    return caught.value


def test_a_mask_lies_on_a_picture_and_is_not_counted_as_one():
    mask = picture(Use.MASK)
    assert at("openai", "gpt-image-2", references=[picture(), mask]).notices == ()
    assert at("openai", "gpt-image-2", references=[*[picture()] * 16, mask]).notices == ()
    assert refused_at("openai", "gpt-image-2", references=[picture()] * 17).allowed == ("16",)
    assert refused_at("openai", "gpt-image-2", references=[picture(), mask, mask]).allowed == ("1",)
    assert "there is none" in refused_at("openai", "gpt-image-2", references=[mask]).message
    assert refused_at("byteplus", "seedream-4.5", references=[picture(), mask]).field == "references"
    assert at("bfl", "flux-fill-pro", references=[picture(), mask]).notices == ()


def test_a_model_that_only_changes_pictures_wants_one():
    error = refused_at("bfl", "flux-fill-pro")
    assert (error.field, error.hints) == ("references", ("name one with -i, or use cavendish edit",))
    assert "there is none" in error.message
    turns = (Turn(Role.USER, (Text("a room"),)), Turn(Role.MODEL, (picture(),)), Turn(Role.USER, (Text("a window"),)))
    assert fit(ImageRequest(turns, "any"), CATALOG.resolve("flux-fill-pro", "bfl", TODAY)).notices == ()


def test_a_mask_may_lie_on_a_picture_of_an_earlier_turn():
    turns = (
        Turn(Role.USER, (Text("a room"),)),
        Turn(Role.MODEL, (picture(),)),
        Turn(Role.USER, (picture(Use.MASK), Text("a window here"))),
    )
    request = ImageRequest(turns, "any")
    assert fit(request, CATALOG.resolve("gpt-image-2", "openai", TODAY)).request == request


FORMATS = [
    ("openai", "gpt-image-2", "png", "png", 0),
    ("openai", "gpt-image-2", "JPG", "jpeg", 1),
    ("openai", "gpt-image-2", "jpeg", "jpeg", 0),
    ("byteplus", "seedream-5.0-pro", " Png ", "png", 1),
    ("byteplus", "seedream-4.5", "png", None, 1),
    ("google", "nano-banana-2", "png", "png", 0),
]


@pytest.mark.parametrize("endpoint,model,asked_for,sent,notices", FORMATS)
def test_an_output_format_is_one_that_the_model_has(endpoint, model, asked_for, sent, notices):
    found = at(endpoint, model, output_format=asked_for)
    assert (found.request.output_format, len(found.notices)) == (sent, notices)


def test_an_output_format_that_the_model_has_not():
    error = refused_at("openai", "gpt-image-2", output_format="bmp")
    assert (error.field, error.allowed) == ("output_format", ("png", "jpeg", "webp"))


QUALITIES = [
    ("gpt-image-2", "xhigh", ("low", "medium", "high", "auto")),
    ("gpt-image-2.6", "ultra", ("low", "medium", "high", "xhigh", "max", "auto")),
    ("dall-e-3", "high", ("standard", "hd")),
]


@pytest.mark.parametrize("model,quality,allowed", QUALITIES)
def test_qualities_go_by_the_model(model, quality, allowed):
    error = refused_at("openai", model, quality=quality)
    assert (error.field, error.allowed) == ("quality", allowed)
    assert all(at("openai", model, quality=known).notices == () or model == "dall-e-3" for known in allowed)


ALL = sorted(CATALOG.offers)


@given(st.sampled_from(ALL), st.none() | WORDS, st.none() | RATIOS)
def test_at_every_offer_what_was_made_to_fit_fits(name, size, ratio):
    offer = CATALOG.offers[name]
    known = CATALOG.resolve(offer.model, offer.endpoint, TODAY)
    try:
        found = fit(asked(size=size, aspect_ratio=ratio), known)
    except RequestError:
        return
    again = fit(found.request, known, strict=True)
    assert (again.request, again.notices) == (found.request, ())
    spoken = told(found.request, known)
    assert spoken.having(size=None, aspect_ratio=None) == found.request.having(size=None, aspect_ratio=None)
    if offer.shape == "pixels" and known.card.sends_size:
        assert spoken.aspect_ratio is None
        assert spoken.size is None or pixels(known.card, spoken.size) is not None
