"""Rows for the commands that print the catalog."""

from datetime import date

import pytest

from cavendish.catalog.load import load
from cavendish.catalog.resolve import Life
from cavendish.catalog.tables import model_rows, price_rows
from cavendish.model.money import nusd

CATALOG = load()
NB2 = "gemini-3.1-flash-image"


def row(endpoint, model, today):
    (found,) = (row for row in model_rows(CATALOG, today, endpoint) if row.model == model)
    return found


def test_life_at_an_endpoint_that_keeps_to_the_dates():
    days = (date(2026, 5, 1), date(2026, 7, 1), date(2026, 10, 1), date(2026, 11, 21))
    lives = [row("google", NB2, day).life for day in days]
    assert lives == [Life.ANNOUNCED, Life.CURRENT, Life.RETIRING, Life.RETIRED]
    last = row("google", NB2, date(2026, 11, 21))
    assert (last.retires, last.successor) == (date(2026, 10, 29), "gemini-nano-banana-2.1")


def test_life_at_a_relay_that_keeps_them():
    found = row("apiyi", NB2, date(2026, 11, 21))
    assert (found.life, found.retires, found.successor) == (Life.CURRENT, None, "")


def test_one_row_for_each_offer():
    assert len(model_rows(CATALOG, date(2026, 11, 21))) == len(CATALOG.offers) + len(CATALOG.open_offers)
    first = row("google", "gemini-2.5-flash-image", date(2026, 11, 21))
    assert (first.sizes, first.reference_limit) == ((), 14)
    assert "references" in first.unverified


def test_prices_of_one_model_at_one_endpoint():
    rows = price_rows(CATALOG, NB2, "google")
    assert [(row.mode, row.size) for row in rows][:4] == [("standard", size) for size in ("512", "1K", "2K", "4K")]
    assert len(rows) == 8
    one_k = rows[1]
    assert (one_k.list_nusd, one_k.tokens_nusd, one_k.flat) == (nusd("0.067"), nusd("0.0672"), False)
    assert one_k.verified
    assert one_k.as_of == date(2026, 9, 8)


def test_a_flat_price_is_the_same_in_every_size():
    flat = [row for row in price_rows(CATALOG, NB2, "apiyi") if row.mode == "per_request"]
    assert {(row.list_nusd, row.tokens_nusd, row.flat) for row in flat} == {(nusd("0.055"), None, True)}
    assert not any(row.per_million for row in flat)
    assert len(flat) == 4


def test_all_prices():
    assert {row.endpoint for row in price_rows(CATALOG)} == {offer.endpoint for offer in CATALOG.offers.values()}


def test_a_price_by_quality_has_a_row_of_its_own():
    rows = price_rows(CATALOG, "gpt-image-2", "openai")
    found = {(row.size, row.quality): row.list_nusd for row in rows}
    assert found["1K", "low"] == nusd("0.006")
    assert found["1K", "high"] == found["1K", ""] == nusd("0.211")
    assert ("1K", "auto") not in found
    assert rows[0].per_million == {"input": nusd(5), "input_image": nusd(8), "output_image": nusd(30)}


def test_an_offer_without_a_price_says_so():
    rows = price_rows(CATALOG, NB2, "openrouter")
    assert [row.size for row in rows] == ["512", "1K", "2K", "4K"]
    assert {(row.list_nusd, row.tokens_nusd, row.mode, row.verified) for row in rows} == {
        (None, None, "standard", False)
    }


def test_every_id_has_a_row_when_all_are_wanted():
    day = date(2026, 11, 21)
    rows = {row.wire_id: row for row in model_rows(CATALOG, day, "google", every_id=True)}
    assert rows["gemini-3.1-flash-image-preview"].life is Life.RETIRED
    assert rows["gemini-3.1-flash-image-preview"].successor == "gemini-nano-banana-2.1"
    assert len(rows) > len(model_rows(CATALOG, day, "google"))


LIVES = [
    ("dall-e-3", Life.RETIRED, date(2026, 5, 12), "gpt-image-2"),
    ("gpt-image-1", Life.RETIRED, date(2026, 10, 23), "gpt-image-2"),
    ("gpt-image-1.5", Life.RETIRING, date(2026, 12, 1), "gpt-image-2"),
    ("gpt-image-2", Life.CURRENT, None, ""),
]


@pytest.mark.parametrize("model,life,retires,successor", LIVES)
def test_lives_at_openai(model, life, retires, successor):
    found = row("openai", model, date(2026, 11, 21))
    assert (found.life, found.retires, found.successor) == (life, retires, successor)


def test_an_endpoint_of_any_model_has_one_row():
    (found,) = model_rows(CATALOG, date(2026, 11, 21), "local")
    assert (found.model, found.reference_limit, found.life) == ("*", None, Life.CURRENT)
