"""The packaged facts: copied by hand from the providers' pages as read in 2026, and laws that all of them must obey."""

from datetime import date
from importlib import resources

import pytest

from cavendish.catalog.cards import TokenCounts
from cavendish.catalog.load import load
from cavendish.catalog.schema import BILLING_RULES
from cavendish.model.money import for_tokens, nusd
from cavendish.plan.billing import RULES

CATALOG = load()
NB2, NB21, LITE = "gemini-3.1-flash-image", "gemini-nano-banana-2.1", "gemini-3.1-flash-lite-image"
PRO, FIRST = "gemini-3-pro-image", "gemini-2.5-flash-image"
TEN = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
EXTREME = ("1:4", "4:1", "1:8", "8:1")

# --- facts ------------------------------------------------------------------------------------------------------------

PIXELS = [
    (NB2, "512", "1:1", (512, 512)),
    (NB2, "512", "8:1", (1536, 192)),
    (NB2, "512", "9:16", (384, 688)),
    (NB2, "512", "21:9", (792, 336)),
    (NB2, "1K", "1:1", (1024, 1024)),
    (NB2, "1K", "1:8", (384, 3072)),
    (NB2, "1K", "2:3", (848, 1264)),
    (NB2, "1K", "3:4", (896, 1200)),
    (NB2, "1K", "4:5", (928, 1152)),
    (NB2, "2K", "16:9", (2752, 1536)),
    (NB2, "2K", "5:4", (2304, 1856)),
    (NB2, "4K", "1:1", (4096, 4096)),
    (NB2, "4K", "1:4", (2048, 8192)),
    (NB2, "4K", "21:9", (6336, 2688)),
    (NB21, "1K", "16:9", (1376, 768)),
    (NB21, "4K", "9:16", (3072, 5504)),
    (LITE, "1K", "8:1", (3072, 384)),
    (PRO, "2K", "3:2", (2528, 1696)),
    (PRO, "4K", "4:3", (4800, 3584)),
    (FIRST, "1K", "1:1", (1024, 1024)),
    (FIRST, "1K", "2:3", (832, 1248)),
    (FIRST, "1K", "4:3", (1184, 864)),
    (FIRST, "1K", "21:9", (1536, 672)),
]


@pytest.mark.parametrize("model,size,ratio,pixels", PIXELS)
def test_pixels(model, size, ratio, pixels):
    assert CATALOG.models[model].sizes[size].pixels[ratio] == pixels


TOKENS = {
    NB2: {"512": 747, "1K": 1120, "2K": 1680, "4K": 2520},
    NB21: {"1K": 1120, "2K": 1680, "4K": 3780},
    LITE: {"1K": 1120},
    PRO: {"1K": 1120, "2K": 1120, "4K": 2000},
    FIRST: {"1K": 1290},
}


@pytest.mark.parametrize("model", TOKENS)
def test_sizes_and_their_tokens(model):
    assert {word: size.output_tokens for word, size in CATALOG.models[model].sizes.items()} == TOKENS[model]


LISTED = [
    ("google", NB2, "standard", {"512": 0.045, "1K": 0.067, "2K": 0.101, "4K": 0.151}),
    ("google", NB2, "batch", {"512": 0.022, "1K": 0.034, "2K": 0.05, "4K": 0.076}),
    ("google", NB21, "standard", {"1K": 0.0336, "2K": 0.0504, "4K": 0.1134}),
    ("google", NB21, "batch", {"1K": 0.0168, "2K": 0.0252, "4K": 0.0567}),
    ("google", LITE, "standard", {"1K": 0.0336}),
    ("google", LITE, "batch", {"1K": 0.0168}),
    ("google", PRO, "standard", {"1K": 0.134, "2K": 0.134, "4K": 0.24}),
    ("google", PRO, "batch", {"1K": 0.067, "2K": 0.067, "4K": 0.12}),
    ("google", FIRST, "standard", {"1K": 0.039}),
    ("google", FIRST, "batch", {"1K": 0.0195}),
]


@pytest.mark.parametrize("endpoint,model,mode,listed", LISTED)
def test_listed_prices(endpoint, model, mode, listed):
    price = CATALOG.offers[f"{endpoint}/{model}"].prices[mode]
    assert price.per_picture == {size: nusd(amount) for size, amount in listed.items()}


PER_MILLION = [
    ("google", NB2, "standard", 0.5, 3, 60),
    ("google", NB2, "batch", 0.25, 1.5, 30),
    ("google", NB21, "standard", 1.5, 7.5, 30),
    ("google", LITE, "standard", 0.25, 1.5, 30),
    ("google", PRO, "standard", 2, 12, 120),
    ("google", FIRST, "standard", 0.3, 2.5, 30),
    ("apiyi", NB2, "tokens", 0.18, 21.6, 21.6),
    ("apiyi", PRO, "tokens", 0.88, 52.8, 52.8),
    ("apiyi", LITE, "tokens", 0.1, 12, 12),
]


@pytest.mark.parametrize("endpoint,model,mode,words_in,words_out,picture", PER_MILLION)
def test_prices_per_million_tokens(endpoint, model, mode, words_in, words_out, picture):
    price = CATALOG.offers[f"{endpoint}/{model}"].prices[mode]
    assert (price.input, price.output_text, price.output_image) == (nusd(words_in), nusd(words_out), nusd(picture))


@pytest.mark.parametrize("model,dollars", [(NB2, 0.055), (PRO, 0.09), (LITE, 0.025), (FIRST, 0.02)])
def test_flat_prices_of_the_relay(model, dollars):
    assert CATALOG.offers[f"apiyi/{model}"].prices["per_request"].per_request == nusd(dollars)


ABLE = [
    # model, ratios beyond the ten, references by use, thinking, its default, grounding, output
    (NB2, True, (14, 10, 4, None), ("minimal", "high"), "minimal", ("web", "image"), "image/jpeg"),
    (NB21, True, (14, 10, 4, None), ("minimal", "medium", "high"), "medium", ("web", "image"), "image/jpeg"),
    (LITE, True, (14, None, None, None), ("minimal", "high"), "minimal", (), "image/jpeg"),
    (PRO, False, (14, 6, 5, 3), (), "", ("web",), "image/jpeg"),
    (FIRST, False, (14, None, None, None), (), "", (), "image/png"),
]


@pytest.mark.parametrize("model,extreme,references,thinking,default,grounding,output", ABLE)
def test_abilities(model, extreme, references, thinking, default, grounding, output):
    card = CATALOG.models[model]
    limits = card.references
    assert sorted(card.ratios) == sorted(TEN + EXTREME if extreme else TEN)
    assert (limits.total, limits.objects, limits.persons, limits.styles) == references
    assert (card.thinking, card.default_thinking, card.grounding) == (thinking, default, grounding)
    assert card.output_types == (output,)
    assert card.always_thinks is (model == PRO)
    assert card.sends_size is (model != FIRST)


DATES = [
    (NB2, "gemini-3.1-flash-image-preview", date(2026, 2, 26), date(2026, 6, 25), NB2),
    (NB2, NB2, date(2026, 5, 28), date(2026, 10, 29), NB21),
    (NB21, NB21, date(2026, 10, 6), None, ""),
    (LITE, LITE, date(2026, 6, 30), None, ""),
    (PRO, "gemini-3-pro-image-preview", date(2025, 11, 20), date(2026, 6, 25), PRO),
    (PRO, "nano-banana-pro-preview", date(2025, 11, 20), date(2026, 6, 25), PRO),
    (PRO, PRO, date(2026, 5, 28), None, ""),
    (FIRST, FIRST, date(2025, 10, 2), date(2026, 10, 2), LITE),
]


@pytest.mark.parametrize("model,wire_id,released,retires,successor", DATES)
def test_dates_of_life(model, wire_id, released, retires, successor):
    known = {known.id: known for known in CATALOG.models[model].ids}[wire_id]
    assert (known.released, known.retires, known.successor) == (released, retires, successor)


@pytest.mark.parametrize("tier,rpm,dollars", [("tier1", 10, 10), ("tier2", 30, 50), ("tier3", 60, 200)])
def test_limits_of_nano_banana_2_at_google(tier, rpm, dollars):
    limits = CATALOG.offers[f"google/{NB2}"].tiers[tier]
    assert (limits.requests_per_minute, limits.spend_per_10_minutes_nusd) == (rpm, nusd(dollars))
    assert limits.provenance is not None
    assert not limits.provenance.verified


def test_the_first_tier_in_full():
    limits = CATALOG.offers[f"google/{NB2}"].tiers["tier1"]
    assert (limits.images_per_minute, limits.requests_per_day, limits.tokens_per_minute) == (10, 1000, 4_000_000)


def test_time_outs():
    google, pro, relay = (CATALOG.offers[name] for name in (f"google/{NB2}", f"google/{PRO}", f"apiyi/{NB2}"))
    assert (google.timeout_s, google.timeout_by_size) == (300, {})
    assert (pro.timeout_s, pro.timeout_by_size) == (300, {"4K": 600})
    assert relay.timeout_s == 360


# --- laws -------------------------------------------------------------------------------------------------------------

MODELS = sorted(CATALOG.models)
OFFERS = sorted(CATALOG.offers)
HALF_OF_THE_LAST_DIGIT = nusd("0.0005")
NO_TOKENS = TokenCounts()


def test_there_is_a_law_to_keep():
    assert len(MODELS) >= 5
    assert {offer.partition("/")[0] for offer in OFFERS} >= {"google", "apiyi", "sim"}


@pytest.mark.parametrize("name", OFFERS)
def test_tokens_at_their_price_are_the_listed_price(name):
    offer = CATALOG.offers[name]
    sizes = CATALOG.models[offer.model].sizes
    for price in offer.prices.values():
        for size, listed in price.per_picture.items():
            tokens = sizes[size.rpartition("/")[2]].output_tokens
            if tokens and price.output_image is not None:
                exact = for_tokens(tokens, price.output_image)
                assert abs(exact - listed) <= HALF_OF_THE_LAST_DIGIT


@pytest.mark.parametrize("name", OFFERS)
def test_a_price_is_flat_or_of_every_size_or_of_tokens(name):
    offer = CATALOG.offers[name]
    card = CATALOG.models[offer.model]
    words = {*card.sizes, *(f"{quality}/{size}" for quality in card.qualities for size in card.sizes)}
    for price in offer.prices.values():
        listed = price.per_picture.keys()
        assert price.per_request is not None or card.sizes.keys() <= listed or price.output_image is not None
        assert listed <= words
        assert not listed or card.sizes.keys() <= listed
        assert all(price.per_picture[size.rpartition("/")[2]] >= price.per_picture[size] for size in listed)


@pytest.mark.parametrize("name", OFFERS)
def test_batch_is_half(name):
    prices = CATALOG.offers[name].prices
    if "batch" in prices:
        for part in ("input", "output_text", "output_image"):
            assert 2 * getattr(prices["batch"], part) == getattr(prices["standard"], part)


@pytest.mark.parametrize("model", sorted({offer.model for offer in CATALOG.offers_at("google")}))
def test_sides_double_from_size_to_size(model):
    sizes = CATALOG.models[model].sizes
    for small, large in (("512", "1K"), ("1K", "2K"), ("2K", "4K")):
        if {small, large} <= sizes.keys():
            doubled = {ratio: (2 * w, 2 * h) for ratio, (w, h) in sizes[small].pixels.items()}
            assert doubled == sizes[large].pixels


@pytest.mark.parametrize("model", MODELS)
def test_every_size_has_every_ratio_and_about_its_shape(model):
    card = CATALOG.models[model]
    for size in card.sizes.values():
        assert set(size.pixels) == set(card.ratios)
        for ratio, (width, height) in size.pixels.items():
            across, down = map(int, ratio.split(":"))
            # Imagen's own 4:3 is 1280x896.
            assert width / height == pytest.approx(across / down, rel=0.075 if model.startswith("imagen") else 0.04)


def test_names_are_unique_and_lead_to_their_model():
    for model, card in CATALOG.models.items():
        for name in (model, *card.aliases, *(known.id for known in card.ids)):
            assert CATALOG.find(name) is card


@pytest.mark.parametrize("name", OFFERS)
def test_an_offer_leads_to_a_model_an_endpoint_and_a_rule(name):
    offer = CATALOG.offers[name]
    endpoint = CATALOG.endpoints[offer.endpoint]
    assert name == f"{endpoint.name}/{CATALOG.models[offer.model].id}"
    assert not offer.prices or endpoint.default_mode in offer.prices
    assert not offer.tiers or endpoint.default_tier in offer.tiers
    assert {endpoint.billing, *(p.billing for p in offer.prices.values() if p.billing)} <= RULES.keys()


def test_the_rules_that_a_file_may_name_are_those_that_exist():
    assert set(BILLING_RULES) == RULES.keys()


@pytest.mark.parametrize("name", OFFERS)
def test_the_id_that_is_sent_is_the_newest(name):
    offer = CATALOG.offers[name]
    released = {known.id: known.released or date.min for known in CATALOG.models[offer.model].ids}
    if offer.wire_id not in released:
        assert "/" in offer.wire_id, "a host's own spelling of an id says whose the model is"
        return
    assert {offer.wire_id, *offer.serves} <= released.keys()
    if CATALOG.endpoints[offer.endpoint].options.get("size_in") == "suffix":
        return  # suffixes are known of the older id alone
    assert all(released[offer.wire_id] >= released[other] for other in offer.serves)


@pytest.mark.parametrize("name", OFFERS)
def test_sizes_of_an_offer_are_sizes_of_its_model(name):
    offer = CATALOG.offers[name]
    sizes = CATALOG.models[offer.model].sizes.keys()
    assert offer.latency.keys() <= sizes
    assert offer.timeout_by_size.keys() <= sizes


FACTS = frozenset({"ids", "ratios", "sizes", "references", "modalities", "output_types", "per_call"})
WHERE_THERE_ARE_SOME = frozenset(
    {"thinking", "grounding", "max_input_tokens", "tokens", "ignores", "qualities", "any_pixels"}
)


@pytest.mark.parametrize("model", MODELS)
def test_facts_of_a_model_have_a_source_and_a_date(model):
    card = CATALOG.models[model]
    wanted = FACTS | {fact for fact in WHERE_THERE_ARE_SOME if getattr(card, fact) not in ((), 0, None, NO_TOKENS)}
    assert wanted <= card.provenance.keys() <= FACTS | WHERE_THERE_ARE_SOME
    assert all(known.source and isinstance(known.as_of, date) for known in card.provenance.values())


@pytest.mark.parametrize("name", OFFERS)
def test_facts_of_an_offer_have_a_source_and_a_date(name):
    offer = CATALOG.offers[name]
    own = {
        "latency": offer.latency,
        "keeps_retired": offer.keeps_retired,
        "pictures_per_call": offer.pictures_per_call != CATALOG.models[offer.model].per_call,
        "several": offer.several != "parallel",
        "pictures_and_references": offer.pictures_and_references,
        "shape": offer.shape != "words",
    }
    wanted = {"wire_id", "timeout_s", *(fact for fact, said in own.items() if said)}
    assert wanted <= offer.provenance.keys() <= wanted | {"pictures_per_call"}
    cards = (*offer.prices.values(), *offer.tiers.values(), CATALOG.endpoints[offer.endpoint])
    assert all(card.provenance is not None and card.provenance.source for card in cards)


def test_contested_facts_are_marked():
    assert not CATALOG.models[NB2].provenance["ids"].verified
    assert all(not CATALOG.models[NB21].provenance[fact].verified for fact in ("sizes", "ignores", "thinking"))
    price = CATALOG.offers[f"google/{LITE}"].prices["batch"].provenance
    assert price is not None
    assert not price.verified


def test_the_simulator_is_google_without_a_key():
    assert not CATALOG.endpoints["sim"].needs_key
    assert CATALOG.endpoints["google"].needs_key
    google = {offer.model: offer.prices for offer in CATALOG.offers_at("google")}
    assert {offer.model: offer.prices for offer in CATALOG.offers_at("sim")} == google


def test_every_packaged_file_is_toml_that_was_read():
    files = [file.name for file in (resources.files("cavendish.catalog") / "data").iterdir()]
    assert files
    assert all(name.endswith(".toml") for name in files)
