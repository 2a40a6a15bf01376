"""The user's tables over the packaged ones: what they change, what they add, and how mistakes are told."""

import tomllib
from datetime import date
from typing import NamedTuple

import pytest

from cavendish.catalog.load import load
from cavendish.errors import ConfigError
from cavendish.model.money import nusd

NB2 = "gemini-3.1-flash-image"
TODAY = date(2026, 11, 21)


class Part(NamedTuple):
    origin: str
    tables: dict


def loaded(*texts):
    return load([Part(f"file{i}.toml", tomllib.loads(text)) for i, text in enumerate(texts)])


def test_without_overrides_the_catalog_is_made_once():
    assert load() is load()


def test_one_key_of_one_table_is_replaced():
    found = loaded(f'[offers."google/{NB2}".tiers.tier1]\nrequests_per_minute = 25')
    limits = found.offers[f"google/{NB2}"].tiers["tier1"]
    assert (limits.requests_per_minute, limits.images_per_minute) == (25, 10)
    assert load().offers[f"google/{NB2}"].tiers["tier1"].requests_per_minute == 10


def test_a_replaced_price_loses_the_source_of_the_old_one():
    text = f'[offers."apiyi/{NB2}".prices.per_request]\nper_request = 0.077'
    price = loaded(text).offers[f"apiyi/{NB2}"].prices["per_request"]
    assert (price.per_request, price.provenance) == (nusd("0.077"), None)
    sourced = loaded(text + '\nsource = "my contract"\nas_of = 2026-11-01').offers[f"apiyi/{NB2}"].prices["per_request"]
    assert sourced.provenance is not None
    assert sourced.provenance.source == "my contract"


def test_a_replaced_fact_of_a_model_loses_its_source_and_others_keep_theirs():
    card = loaded(f'[models."{NB2}"]\nratios = ["1:1"]').models[NB2]
    assert card.ratios == ("1:1",)
    assert "ratios" not in card.provenance
    assert "sizes" in card.provenance


def test_a_retirement_can_be_moved_and_taken_back():
    moved = loaded(f'[models."{NB2}".ids."{NB2}"]\nretires = 2027-01-31')
    assert {known.id: known.retires for known in moved.models[NB2].ids}[NB2] == date(2027, 1, 31)
    never = loaded(f'[models."{NB2}".ids."{NB2}"]\nretires = "never"')
    assert never.resolve("nb2", "google", TODAY).notices == ()


@pytest.mark.parametrize("endpoint,sent", [("apiyi", f"{NB2}-preview"), ("google", NB2)])
def test_an_id_that_was_pinned_is_sent_as_long_as_it_answers(endpoint, sent):
    text = f'[offers."{endpoint}/{NB2}"]\nwire_id = "{NB2}-preview"\nserves = ["{NB2}"]'
    assert loaded(text).resolve("nb2", endpoint, date(2026, 7, 1)).route.wire_model == sent


def test_later_files_win():
    first, second = (f'[offers."google/{NB2}"]\ntimeout_s = {seconds}' for seconds in (100, 200))
    assert loaded(first, second).offers[f"google/{NB2}"].timeout_s == 200


def test_an_override_of_google_reaches_the_simulator():
    found = loaded(f'[offers."google/{NB2}".tiers.tier1]\nrequests_per_minute = 25')
    assert found.offers[f"sim/{NB2}"].tiers["tier1"].requests_per_minute == 25
    found = loaded(f'[offers."sim/{NB2}".tiers.tier1]\nrequests_per_minute = 7')
    assert found.offers[f"sim/{NB2}"].tiers["tier1"].requests_per_minute == 7
    assert found.offers[f"google/{NB2}"].tiers["tier1"].requests_per_minute == 10


A_HOST = """
[endpoints.mine]
dialect = "gemini"
base_url = "https://images.example.org/"

[models.painter]
aliases = ["p"]
[models.painter.sizes.small]
output_tokens = 500
pixels = { "1:1" = [640, 640], "2:1" = [640, 320] }
[models.painter.sizes.large]
scale_of = "small"
scale = 3

[offers."mine/painter"]
wire_id = "org/painter-v2"
prices.standard.output_image = 10
prices.standard.per_picture = { small = 0.005 }
"""


def test_a_new_host_with_a_new_model_needs_one_file():
    found = loaded(A_HOST)
    card, endpoint = found.models["painter"], found.endpoints["mine"]
    assert (card.default_size, card.default_ratio, card.ratios) == ("small", "1:1", ("1:1", "2:1"))
    assert card.sizes["large"].pixels["2:1"] == (1920, 960)
    assert (endpoint.auth_header, endpoint.auth_prefix) == ("Authorization", "Bearer ")
    assert endpoint.base_url == "https://images.example.org"
    found_route = found.resolve("p", None, TODAY)
    assert (str(found_route.route), found_route.route.wire_model) == ("mine/painter", "org/painter-v2")
    assert found.resolve("org/painter-v2", None, TODAY).route == found_route.route
    assert found_route.price is not None
    assert found_route.price.per_picture == {"small": nusd("0.005")}


def test_a_ring_of_successors_ends():
    pairs = (("a", "b"), ("b", "a"))
    text = "\n".join(f'[models.{x}.ids.{x}]\nsuccessor = "{y}"\nretires = 2026-01-01' for x, y in pairs)
    assert loaded(text).successor("a", TODAY) == "b"


def test_rank_decides_who_is_asked_first():
    assert loaded().resolve("nb2", None, TODAY).route.endpoint == "google"
    assert loaded("[endpoints.apiyi]\nrank = 1").resolve("nb2", None, TODAY).route.endpoint == "apiyi"


BROKEN = [
    ("[modles.x]", "file0.toml: modles: unknown key"),
    (f'[models."{NB2}"]\nratio = ["1:1"]', f'file0.toml: [models."{NB2}"] ratio: unknown key'),
    (f'[models."{NB2}"]\nratios = "1:1"', "ratios: expected a list"),
    (f'[models."{NB2}"]\nratios = ["wide"]', "ratios: expected a ratio"),
    (f'[models."{NB2}"]\nsends_size = 1', "sends_size: expected true or false"),
    (f'[models."{NB2}"]\nname = ""', "name: expected a text"),
    (f'[models."{NB2}"]\nmax_input_tokens = -1', "expected a whole number from 0"),
    (f'[models."{NB2}"]\nper_call = 0', "expected a whole number from 1"),
    (f'[models."{NB2}"]\nignores = ["prompt"]', "ignores: expected one of"),
    (f'[models."{NB2}"]\ndefault_size = "8K"', "default_size: '8K' is none of"),
    (f'[models."{NB2}"]\ndefault_thinking = "deep"', "default_thinking: 'deep' is none of"),
    (f'[models."{NB2}"]\naliases = ["nano-banana-pro"]', "aliases: 'nano-banana-pro' means"),
    (f'[models."{NB2}".ids.x]\nretires = "soon"', "retires: expected a date"),
    (f'[models."{NB2}".ids.x]\nsuccessor = "none-such"', "no model has the id 'none-such'"),
    (f'[models."{NB2}".sizes.8K]\nscale_of = "9K"', "no size is named '9K'"),
    (f'[models."{NB2}".sizes.8K]\npixels = {{ "1:1" = [1] }}', "expected [width, height]"),
    (f'[models."{NB2}".provenance]\nratios = {{ source = "me" }}', "as_of: is missing"),
    (f'[offers."google/{NB2}".prices.standard]\ninput = "0.5"', "input: expected dollars"),
    (f'[offers."google/{NB2}".prices.standard]\ninput = nan', "input: expected dollars"),
    (f'[offers."google/{NB2}".prices]\nstandard = 3', "standard: expected a table"),
    (f'[offers."google/{NB2}".latency.1K]\np50_s = 99', "a p90_s that is no less"),
    (f'[offers."google/{NB2}"]\ntimeout_s = 0', "timeout_s: expected a number above 0"),
    (f'[offers."google/{NB2}"]\nshape = "round"', "shape: expected one of words, pixels, word_or_pixels"),
    (f'[offers."google/{NB2}"]\nseveral = "quick"', "several: expected one of parallel, serial"),
    (f'[offers."google/{NB2}"]\npictures_per_call = 0', "expected a whole number from 1"),
    (f'[models."{NB2}".any_pixels]\nmultiple = 0', "expected a whole number from 1"),
    (f'[models."{NB2}".any_pixels]\nlarge = 1', "large: unknown key"),
    ("[offers.lonely]\n", "expected the name of an offer"),
    ('[offers."google/none-such"]\n', "no model is named 'none-such'"),
    (f'[offers."nowhere/{NB2}"]\n', "no endpoint is named 'nowhere'"),
    ("[endpoints.mine]\ntitle = 'x'", "file0.toml: [endpoints.mine] dialect: is missing"),
    ("[endpoints.mine]\ndialect = 'gemini'", "base_url: is missing"),
    ("[endpoints.google]\nbase_url = 'https://me:secret@host'", "base_url: expected an address"),
    ("[endpoints.google]\nkey_env = 'sk-secret'", "key_env: expected a list"),
    ("[endpoints.google]\nkey_env = ['sk-secret']", "key_env: expected names of environment variables"),
    ("[endpoints.google]\nauth_prefix = 3", "auth_prefix: expected a text"),
    ("[endpoints.google]\nbilling = 'free'", "billing: expected one of"),
    ("[endpoints.sim]\noffers_of = 'nobody'", "no endpoint is named 'nobody'"),
    ("[endpoints.google]\noptions = 3", "options: expected a table"),
]


@pytest.mark.parametrize("text,message", BROKEN)
def test_a_mistake_is_told_with_file_table_and_key(text, message):
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    assert caught.value.message.startswith("file0.toml:")
    assert message in caught.value.message
    assert "secret" not in caught.value.message


def test_a_misspelt_key_is_recognised():
    with pytest.raises(ConfigError) as caught:
        loaded("[endpoints.google]\ndialetc = 'https://x.example'")
    assert caught.value.hints == ("did you mean dialect?",)


# --- offers of any model ----------------------------------------------------------------------------------------------

STUDIO = """
[endpoints.studio]
dialect = "openai_images"
base_url = "http://studio.example/v1"
needs_key = false
"""


def test_a_host_of_any_model_is_one_more_offer():
    found = loaded(STUDIO + '[offers."studio/*"]\npictures_per_call = 4')
    assert found.resolve("studio/sdxl", None, TODAY).offer.pictures_per_call == 4
    assert found.resolve("sdxl", "studio", TODAY).price is None
    assert "studio/*" not in found.offers


def test_it_is_copied_with_the_offers_of_another():
    found = loaded(STUDIO + 'offers_of = "local"')
    assert found.open_offers["studio"].timeout_s == found.open_offers["local"].timeout_s
    assert found.resolve("sdxl", "studio", TODAY).route.endpoint == "studio"


def test_an_override_of_it_is_laid_over():
    found = loaded('[offers."local/*"]\npictures_per_call = 2')
    assert (found.open_offers["local"].pictures_per_call, found.open_offers["local"].timeout_s) == (2, 1800)


def test_a_card_beside_it_is_checked_as_any():
    text = '[offers."local/flux-2-pro"]\nwire_id = "flux2"\nshape = "pixels"'
    found = loaded(text).resolve("flux-2-pro", "local", TODAY)
    assert (found.known, found.route.wire_model) == (True, "flux2")


def test_the_count_of_a_call_is_the_models_unless_the_offer_says_its_own():
    assert loaded('[offers."apiyi/gpt-image-2"]').offers["apiyi/gpt-image-2"].pictures_per_call == 10
    assert load().offers["apiyi-images/gpt-image-2"].pictures_per_call == 1
