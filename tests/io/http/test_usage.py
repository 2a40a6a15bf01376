"""Usage readers: the systems' own forms as values, page after page, and what a stranger's answer must not break."""

from datetime import UTC, date, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.io.http import usage
from cavendish.io.http.usage import READERS, Asked, Reading
from cavendish.model.bill import Bill, BillLine
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.money import nusd
from cavendish.wire.message import WireResponse

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
DAY = date(2026, 11, 20)


def asked(*ids, path="/usage"):
    return Asked("source", ("openrouter",), ids, NOON - 3600, NOON + 3600, path)


def answering(*bodies):
    """A look that gives one answer after another, and remembers what was asked."""
    paths = []

    async def look(path):
        paths.append(path)
        body = bodies[min(len(paths), len(bodies)) - 1]
        return body if isinstance(body, Fault) else WireResponse(200, body=body)

    look.paths = paths
    return look


# Form: openrouter.ai/docs, read 2026-11.
GENERATION = {
    "data": {
        "id": "gen-1",
        "total_cost": 0.0672345,
        "created_at": "2026-11-20T12:00:00.000Z",
        "model": "google/gemini-3.1-flash-image",
        "usage": 0.0672345,
    }
}


async def test_a_generation_is_a_line_of_its_name():
    look = answering(GENERATION)
    bill = await READERS["generations"](look, asked("gen-1", path="/generation"))
    line = BillLine(67_234_500, "gen-1", NOON, None, "google/gemini-3.1-flash-image", 1, 1000, "gen-1")
    assert bill == Bill("source", ("openrouter",), (line,), complete=False)
    assert look.paths == ["/generation?id=gen-1"]


async def test_a_generation_that_is_not_there_yet_has_no_line():
    gone = Fault(FaultKind.INVALID_REQUEST, "not found", status=404)
    bill = await READERS["generations"](answering(gone, GENERATION), asked("gen-0", "gen-1"))
    assert [line.id for line in bill.lines] == ["gen-1"]


async def test_a_key_that_may_not_ask_is_a_fault():
    refused = Fault(FaultKind.FORBIDDEN, "no", status=403)
    for name in READERS:
        assert await READERS[name](answering(refused), asked("gen-1")) == refused


# Form: fal.ai/docs/platform-apis, read 2026-11.
def a_page(day, *results, cursor=None):
    return {
        "time_series": [{"bucket": f"{day}T00:00:00Z", "results": list(results)}],
        "has_more": cursor is not None,
        "next_cursor": cursor,
    }


UNITS = {"endpoint_id": "fal-ai/nano-banana-2", "unit": "image", "quantity": 4, "unit_price": 0.08}


async def test_units_are_multiplied_by_their_price_page_after_page():
    megapixels = {"endpoint_id": "fal-ai/flux-2-pro", "unit": "megapixel", "quantity": 1.5, "unit_price": 0.03}
    look = answering(a_page("2026-11-20", UNITS, cursor="next"), a_page("2026-11-20", megapixels))
    bill = await READERS["time_series"](look, asked(path="/v1/models/usage"))
    assert [(line.amount_nusd, line.day, line.model, line.quantity) for line in bill.lines] == [
        (nusd("0.32"), DAY, "fal-ai/nano-banana-2", 4),
        (nusd("0.045"), DAY, "fal-ai/flux-2-pro", None),
    ]
    first, second = (parse_qs(urlsplit(path).query) for path in look.paths)
    assert (first["timeframe"], first["expand"], first["start"]) == (["day"], ["time_series"], ["2026-11-20T11:00:00Z"])
    assert second["cursor"] == ["next"]


async def test_a_price_that_is_missing_is_unknown():
    look = answering(a_page("2026-11-20", {"endpoint_id": "x", "quantity": 4}))
    bill = await READERS["time_series"](look, asked())
    assert bill.lines[0].amount_nusd is None


async def test_days_on_which_we_called_nobody_are_left_out():
    look = answering(a_page("2026-11-18", UNITS))
    assert (await READERS["time_series"](look, asked())).lines == ()


async def test_pages_end(monkeypatch):
    monkeypatch.setattr(usage, "PAGES", 3)
    look = answering(a_page("2026-11-20", UNITS, cursor="again"))
    assert len((await READERS["time_series"](look, asked())).lines) == 3


# Form: OpenAI's costs API, as openai-client-base 0.12.0 reads it.
def costs(currency="usd"):
    amount = {"value": 0.06, "currency": currency}
    results = [{"object": "organization.costs.result", "amount": amount, "line_item": "gpt-image-2, output"}]
    return {"object": "page", "data": [{"object": "bucket", "start_time": 1795132800, "results": results}]}


async def test_costs_are_of_days_and_items():
    look = answering(costs())
    bill = await READERS["costs"](look, asked(path="/organization/costs"))
    assert [(line.amount_nusd, line.day, line.model) for line in bill.lines] == [
        (nusd("0.06"), DAY, "gpt-image-2, output")
    ]
    query = parse_qs(urlsplit(look.paths[0]).query)
    assert (query["start_time"], query["end_time"]) == (["1795132800"], ["1795219200"])


async def test_costs_in_another_currency_are_refused():
    found = await READERS["costs"](answering(costs("eur")), asked())
    assert isinstance(found, Fault)
    assert "not in US dollars" in found.message


@pytest.mark.parametrize(
    "reader, body, spent",
    [
        ("credits", {"credits": 812.5}, -8_125_000_000),
        ("total_usage", {"data": {"total_credits": 100.5, "total_usage": 25.75}}, 25_750_000_000),
        ("key_usage", {"data": {"usage": 0.5}}, 500_000_000),
        ("dashboard", {"object": "list", "total_usage": 123.4}, 1_234_000_000),
    ],
)
async def test_a_meter_shows_what_was_spent(reader, body, spent):
    assert await READERS[reader](answering(body), asked()) == Reading("source", ("openrouter",), spent)
    nothing = await READERS[reader](answering({}), asked())
    assert isinstance(nothing, Fault)


MEMBERS = "data", "amount", "value", "time_series", "results", "bucket", "quantity", "credits", "total_usage", "usage"
LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner), max_leaves=12
)


@given(JSON, st.sampled_from(sorted(READERS)))
async def test_a_stranger_s_answer_breaks_nothing(body, reader):
    found = await READERS[reader](answering(body), asked("gen-1"))
    assert isinstance(found, Bill | Reading | Fault)
