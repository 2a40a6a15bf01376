"""Names into routes, day by day: which id is sent, what is told, what leads nowhere."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.load import load
from cavendish.catalog.resolve import Life, life_of
from cavendish.errors import RequestError

CATALOG = load()
NB2, PREVIEW, NB21 = "gemini-3.1-flash-image", "gemini-3.1-flash-image-preview", "gemini-nano-banana-2.1"
TODAY = date(2026, 11, 21)

ROUTES = [
    # name, endpoint, day, id sent, notices
    ("nano-banana-2", "google", date(2026, 3, 1), PREVIEW, []),
    ("nano-banana-2", "google", date(2026, 5, 27), PREVIEW, ["model_retiring"]),
    ("nano-banana-2", "google", date(2026, 5, 28), NB2, []),
    ("nano-banana-2", "google", date(2026, 6, 26), NB2, []),
    ("nano-banana-2", "google", date(2026, 9, 28), NB2, []),
    ("nano-banana-2", "google", date(2026, 9, 29), NB2, ["model_retiring"]),
    ("nano-banana-2", "google", date(2026, 10, 28), NB2, ["model_retiring"]),
    ("nano-banana-2", "google", date(2026, 10, 29), NB2, ["model_retired"]),
    ("nano-banana-2", "apiyi", TODAY, NB2, []),
    ("nano-banana-2", "sim", TODAY, NB2, ["model_retired"]),
    (PREVIEW, "google", TODAY, PREVIEW, ["model_retired"]),
    (PREVIEW, "google", date(2026, 6, 1), PREVIEW, ["model_retiring"]),
    (PREVIEW, "apiyi", TODAY, PREVIEW, []),
    (f"models/{PREVIEW}", "google", TODAY, PREVIEW, ["model_retired"]),
    ("NB2", "google", date(2026, 7, 1), NB2, []),
    ("nano-banana-2.1", "google", TODAY, NB21, []),
    ("nano-banana-pro", "google", TODAY, "gemini-3-pro-image", []),
    ("nano-banana-pro-preview", "google", TODAY, "nano-banana-pro-preview", ["model_retired"]),
    ("nano-banana", "google", TODAY, "gemini-2.5-flash-image", ["model_retired"]),
    ("nano-banana", "apiyi", TODAY, "gemini-2.5-flash-image", []),
    ("nano-banana-2-lite", None, TODAY, "gemini-3.1-flash-lite-image", []),
    (f"apiyi/{PREVIEW}", None, TODAY, PREVIEW, []),
    ("apiyi/nb2", None, TODAY, NB2, []),
    ("apiyi/nb2", "apiyi", TODAY, NB2, []),
]


@pytest.mark.parametrize("name,endpoint,today,sent,notices", ROUTES)
def test_the_id_that_is_sent(name, endpoint, today, sent, notices):
    found = CATALOG.resolve(name, endpoint, today)
    assert (found.route.wire_model, [notice.code for notice in found.notices]) == (sent, notices)
    assert found.known


def test_a_retired_model_is_told_with_date_and_successor():
    (notice,) = CATALOG.resolve(PREVIEW, "google", TODAY).notices
    assert "2026-06-25" in notice.text
    assert NB21 in notice.text
    assert notice.field == "model"


def test_the_successor_is_the_first_that_is_alive():
    assert CATALOG.successor(PREVIEW, date(2026, 7, 1)) == NB2
    assert CATALOG.successor(PREVIEW, TODAY) == NB21
    assert CATALOG.successor(NB21, TODAY) == ""
    assert CATALOG.successor("none-such", TODAY) == ""


def test_a_hint_for_an_answer_that_knows_no_such_model():
    hint = CATALOG.successor_hint(NB2, TODAY)
    assert hint == f"{NB2} was due to end on 2026-10-29; use {NB21} instead"
    assert CATALOG.successor_hint(f"models/{NB2}", TODAY)
    assert CATALOG.successor_hint(NB21, TODAY) == ""
    assert CATALOG.successor_hint("none-such", TODAY) == ""


def test_route_and_price_follow_the_mode():
    assert str(CATALOG.resolve("nb2", "google", TODAY).route) == f"google/{NB2}"
    batch = CATALOG.resolve("nb2", "google", TODAY, "batch")
    assert (str(batch.route), batch.price and batch.price.mode) == (f"google/{NB2}:batch", "batch")
    assert CATALOG.resolve("nb2", "apiyi", TODAY).route.mode == "per_request"


def test_a_mode_that_is_not_offered_is_refused():
    with pytest.raises(RequestError) as caught:
        CATALOG.resolve("nb2", "apiyi", TODAY, "batch")
    assert (caught.value.field, caught.value.allowed) == ("mode", ("per_request", "tokens"))
    assert caught.value.hints == ("it can: per_request, tokens",)


@pytest.mark.parametrize("endpoint", ["google", "apiyi"])
def test_an_id_that_nobody_knows_is_sent_when_the_endpoint_is_named(endpoint):
    found = CATALOG.resolve(f"{endpoint}/brand-new-9", None, TODAY)
    assert (found.route.wire_model, found.route.endpoint) == ("brand-new-9", endpoint)
    assert [notice.code for notice in found.notices] == ["model_unknown"]
    assert not found.known
    assert found.price is None


def test_a_known_id_that_is_not_offered_there_keeps_its_card():
    found = CATALOG.resolve(f"apiyi/{NB21}", None, TODAY)
    assert found.card is CATALOG.models[NB21]
    assert ([notice.code for notice in found.notices], found.price) == (["model_unknown"], None)


NOWHERE = [
    ("nano-bananna-2", None, "did you mean nano-banana-2"),
    ("nano-bananna-2", "apiyi", "apiyi offers nano-banana-2, nano-banana-2-lite, nano-banana-pro, nano-banana"),
    ("nano-banana-2.1", "apiyi", "Nano Banana 2.1 is offered at google, vertex"),
    ("apiyi/nano-banana-2.1", None, "Nano Banana 2.1 is offered at google, vertex"),
    ("zzz", "google", "asked for as google/zzz"),
    ("", "google", "google offers"),
    ("google/", None, "the catalog offers"),
]


@pytest.mark.parametrize("name,endpoint,hint", NOWHERE)
def test_a_name_that_leads_nowhere(name, endpoint, hint):
    with pytest.raises(RequestError) as caught:
        CATALOG.resolve(name, endpoint, TODAY)
    assert caught.value.field == "model"
    assert "nano-banana-2" in caught.value.allowed
    assert hint in "\n".join(caught.value.hints)


def test_the_list_is_that_of_the_endpoint():
    with pytest.raises(RequestError) as caught:
        CATALOG.resolve("zzz", "apiyi", TODAY)
    assert "nano-banana-2.1" not in caught.value.allowed


def test_an_endpoint_that_nobody_knows():
    with pytest.raises(RequestError) as caught:
        CATALOG.resolve("nb2", "gogle", TODAY)
    assert (caught.value.field, caught.value.allowed) == ("endpoint", tuple(CATALOG.endpoints))


OFFERED = {offer.model for offer in CATALOG.offers_at("google")}
ALIASES = sorted(alias for model in OFFERED for alias in CATALOG.models[model].aliases)
NAMES = sorted(name for name, model in CATALOG.names.items() if model in OFFERED)
DAYS = st.integers(0, 800).map(lambda days: date(2025, 10, 1) + timedelta(days))


@given(st.sampled_from(ALIASES), DAYS)
def test_an_alias_never_goes_to_a_dead_id_while_another_lives(alias, today):
    found = CATALOG.resolve(alias, "google", today)
    lives = {known.id: life_of(known, today) for known in found.card.ids}
    served = {found.offer.wire_id, *found.offer.serves}
    alive = {Life.CURRENT, Life.RETIRING}
    assert lives[found.route.wire_model] in alive or not any(lives[wire_id] in alive for wire_id in served)


@given(st.sampled_from(NAMES), DAYS)
def test_a_notice_comes_exactly_when_an_end_is_near_or_past(name, today):
    found = CATALOG.resolve(name, "google", today)
    retires = {known.id: known.retires for known in found.card.ids}[found.route.wire_model]
    released = {known.id: known.released for known in found.card.ids}[found.route.wire_model]
    near = retires is not None and (retires - today).days <= 30 and released <= today
    assert bool(found.notices) == near


# --- hosts with ids of their own, and hosts of any model ------------------------------------------------------------

SPELT = [
    ("nano-banana-2", "fal", "fal-ai/nano-banana-2"),
    (NB2, "fal", "fal-ai/nano-banana-2"),
    ("flux-2-pro", "fal", "fal-ai/flux-2-pro"),
    ("flux-2-pro", "bfl", "flux-2-pro"),
    ("flux-pro-1.1", "fal-direct", "fal-ai/flux-pro/v1.1"),
    (NB2, "openrouter", "google/gemini-3.1-flash-image-preview"),
    ("google/gemini-3.1-flash-image-preview", "openrouter", "google/gemini-3.1-flash-image-preview"),
    ("openrouter/google/gemini-3.1-flash-image-preview", None, "google/gemini-3.1-flash-image-preview"),
    ("seedream-4.5", "byteplus", "seedream-4-5-251128"),
    ("seedream-4.5", "volcengine", "doubao-seedream-4-5-251128"),
    (NB2, "apiyi-chat", NB2),
    ("nano-banana-2", "apiyi-chat", "gemini-3.1-flash-image-preview"),
    ("chatgpt-image-latest", "openai", "chatgpt-image-latest"),
]


@pytest.mark.parametrize("name,endpoint,wire_id", SPELT)
def test_an_id_is_spelt_as_the_host_spells_it(name, endpoint, wire_id):
    assert CATALOG.resolve(name, endpoint, TODAY).route.wire_model == wire_id


@pytest.mark.parametrize("name", ["stable-diffusion-3.5", "dall-e-3", "nano-banana-2", "local/sdxl", "org/model:q4"])
def test_a_host_of_any_model_takes_any_name(name):
    found = CATALOG.resolve(name, "local", TODAY)
    assert found.route.wire_model == name.removeprefix("local/")
    assert (found.route.endpoint, found.known, found.notices) == ("local", False, ())
    assert found.price is not None
    assert found.price.per_request == 0
    assert (found.offer.timeout_s, found.offer.pictures_per_call) == (1800, 1)


def test_a_host_of_any_model_is_no_place_for_none():
    with pytest.raises(RequestError):
        CATALOG.resolve("", "local", TODAY)
    assert "local" not in {offer.endpoint for offer in CATALOG.offers.values()}


RETIRED = [
    ("dall-e-3", "openai", "gpt-image-2"),
    ("gpt-image-1", "openai", "gpt-image-2"),
    ("imagen-4", "google-imagen", NB21),
    ("imagen-4-ultra", "google-imagen", "gemini-3-pro-image"),
]


@pytest.mark.parametrize("name,endpoint,successor", RETIRED)
def test_a_retired_model_goes_on_being_known_and_names_its_successor(name, endpoint, successor):
    found = CATALOG.resolve(name, endpoint, TODAY)
    (notice,) = found.notices
    assert notice.code == "model_retired"
    assert successor in notice.text


def test_one_that_retires_within_a_month_says_so():
    (notice,) = CATALOG.resolve("gpt-image-1.5", "openai", TODAY).notices
    assert (notice.code, "2026-12-01" in notice.text) == ("model_retiring", True)
