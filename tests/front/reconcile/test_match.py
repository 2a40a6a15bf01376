"""Models' names as bills write them, days, and whose bill an export is."""

from datetime import UTC, date, datetime

import pytest

from cavendish.catalog.load import load
from cavendish.errors import RequestError
from cavendish.front.reconcile.accounts import bills_of, on_one_bill, the_one_bill
from cavendish.front.reconcile.match import Calendar
from cavendish.front.reconcile.prices import CatalogPrices, names
from cavendish.model.bill import BillLine
from tests.front.reconcile.made import NB2, NOON, PRO, a_bill, a_call

LITE = "gemini-3.1-flash-lite-image"


@pytest.mark.parametrize(
    "written, model",
    [
        (NB2, NB2),
        ("Nano Banana 2", NB2),
        ("models/gemini-3.1-flash-image", NB2),
        ("google/gemini-3.1-flash-image", NB2),
        ("fal-ai/nano-banana-2", NB2),
        ("Generate content output image tokens Gemini 3.1 Flash Image", NB2),
        ("Gemini 3.1 Flash Lite Image, output", LITE),
        ("GEMINI-3-PRO-IMAGE", PRO),
        ("gemini 9 flash image", None),
        ("Cloud Storage", None),
        ("mine/own-model", "own"),
    ],
)
def test_a_model_is_known_by_any_of_its_names(written, model):
    canonical = names(load(), [a_call(model="own", wire_model="own-model")])
    assert canonical(written) == model


def test_days_are_those_of_the_bills_zone():
    at = datetime(2026, 11, 20, 3, tzinfo=UTC).timestamp()
    bill = a_bill(BillLine(1, at=at), zone="America/Los_Angeles")
    calendar = Calendar(bill)
    assert calendar.day_of(bill.lines[0]) == "2026-11-19"
    assert calendar.day_of(BillLine(1, day=date(2026, 11, 20))) == "2026-11-20"
    assert calendar.covers(at)
    assert not calendar.covers(NOON)


def test_a_day_of_twenty_five_hours_is_one_day():
    # On 1 November 2026 clocks go back at Los Angeles: the day ends at 08:00 UTC of the next.
    bill = a_bill(BillLine(1, day=date(2026, 11, 1)), zone="America/Los_Angeles")
    late = datetime(2026, 11, 2, 7, 59, tzinfo=UTC).timestamp()
    assert Calendar(bill).covers(late)
    assert not Calendar(bill).covers(late + 60)


def test_endpoints_that_share_a_key_share_a_bill():
    catalog = load()
    assert set(on_one_bill(catalog, "openrouter")) == {"openrouter", "openrouter-images"}
    assert "google-imagen" in on_one_bill(catalog, "google")
    assert "apiyi" not in on_one_bill(catalog, "google")
    calls = [a_call(endpoint="openrouter"), a_call(endpoint="openrouter-images")]
    assert bills_of(catalog, calls) == ("openrouter",)
    assert the_one_bill(catalog, calls) == "openrouter"
    with pytest.raises(RequestError, match="apiyi, openrouter"):
        the_one_bill(catalog, [*calls, a_call(endpoint="apiyi")])


def test_prices_of_a_call_are_those_of_its_offer_and_mode():
    prices = CatalogPrices(load())
    assert 67_000_000 in prices.pictures(a_call())
    flat = a_call(endpoint="apiyi", mode="per_request")
    assert tuple(prices.pictures(flat)) == (55_000_000,)
    assert (prices.is_flat(flat), prices.is_flat(a_call())) == (True, False)
    assert "2026-09-08" in prices.source(a_call())
    nowhere = a_call(endpoint="openrouter")
    assert (tuple(prices.pictures(nowhere)), "knows no price" in prices.source(nowhere)) == ((), True)
