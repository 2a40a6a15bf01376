"""What a model thinks and what it searches for: asked per model, kept when asked, in the price and on the sheet."""

import json

import pytest

from cavendish import RequestError
from cavendish.catalog.load import load
from cavendish.model.request import Text
from tests.front.folder.page import Page

TOKENS = 1_000_000
"""That token prices are for."""

ALL_LEVELS = {
    "nano-banana-2": ("minimal", "high"),
    "nano-banana-2.1": ("minimal", "medium", "high"),
    "nano-banana-2-lite": ("minimal", "high"),
}


def text_price(model, endpoint="google"):
    catalog = load({})
    card = catalog.find(model)
    assert card is not None
    offer = catalog.offer(endpoint, card.id)
    assert offer is not None
    price = offer.prices["standard"]
    assert price.output_text is not None
    return price.output_text


# --- thinking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model, level", [(model, level) for model, levels in ALL_LEVELS.items() for level in levels])
async def test_each_level_of_each_model_is_sent_and_paid(client, tmp_path, model, level):
    result = await client.generate("a kite", model=model, thinking=level, output=tmp_path / "run")
    picture = result[0].value
    assert picture.slot.request.thinking == level
    assert (picture.usage.thought_tokens > 0) is (level != "minimal")
    quiet = await client.generate("a kite", model=model, thinking="minimal", output=tmp_path / "quiet")
    others = quiet[0].value.usage
    text = picture.usage.output_text_tokens + picture.usage.thought_tokens
    # Both drew one picture of one size for one prompt: what one cost more, its words and thoughts did.
    more = (text - others.output_text_tokens - others.thought_tokens) * text_price(model) // TOKENS
    assert picture.cost_nusd - quiet[0].value.cost_nusd == pytest.approx(more, abs=2)


@pytest.mark.parametrize("model, level", [("nano-banana-2", "medium"), ("nano-banana-2.1", "low")])
async def test_a_level_that_the_model_has_not_is_refused_with_those_it_has(client, tmp_path, model, level):
    with pytest.raises(RequestError, match=f"cannot do thinking {level}") as caught:
        await client.generate("a kite", model=model, thinking=level, output=tmp_path / "run")
    assert caught.value.allowed == ALL_LEVELS[model]
    assert not (tmp_path / "run").exists()


async def test_pro_always_thinks_and_says_so(client, tmp_path):
    result = await client.generate("a kite", model="nano-banana-pro", thinking="high", output=tmp_path / "run")
    assert result[0].value.slot.request.thinking is None
    assert result[0].value.usage.thought_tokens > 0
    assert [(notice.code, notice.field) for notice in result.notices] == [("field_ignored", "thinking")]
    with pytest.raises(RequestError, match="always thinks and takes no level"):
        await client.generate("a kite", model="nano-banana-pro", thinking="high", strict=True)


@pytest.mark.parametrize("model", ["nano-banana-2.1", "nano-banana-pro"])
async def test_thoughts_are_kept_when_they_are_asked_for(client, tmp_path, model):
    level = None if model == "nano-banana-pro" else "high"
    for wanted in (True, False):
        folder = tmp_path / str(wanted)
        result = await client.generate("a kite", model=model, thinking=level, include_thoughts=wanted, output=folder)
        thoughts = [part for part in result[0].value.extras if isinstance(part, Text) and part.thought]
        assert bool(thoughts) is wanted
        line = json.loads((folder / "metadata.jsonl").read_text(encoding="utf-8"))
        assert line["thoughts"] == "\n\n".join(part.text for part in thoughts)
        assert result[0].value.usage.thought_tokens > 0


# --- search -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [("web",), ("image",), ("web", "image")])
async def test_what_was_found_is_in_the_metadata_and_on_the_sheet(client, tmp_path, kinds):
    result = await client.generate("the weather", model="nano-banana-2", grounding=list(kinds), output=tmp_path)
    note = json.loads((tmp_path / "metadata.jsonl").read_text(encoding="utf-8"))["grounding"]
    assert [bool(note["web_queries"]), bool(note["image_queries"])] == ["web" in kinds, "image" in kinds]
    assert note["sources"][0]["page"] == "https://example.org/simulated"
    assert bool(note["sources"][0]["picture"]) is ("image" in kinds)
    assert note["attribution"]
    page = Page(tmp_path / "index.html")
    assert page.links.count("https://example.org/simulated") == 2  # below the picture, and in its details
    assert ("https://example.org/simulated.jpg" in page.links) is ("image" in kinds)
    (frame,) = page.frames
    assert frame["srcdoc"].endswith(note["attribution"])
    assert "allow-scripts" not in frame["sandbox"]
    assert result[0].value.usage.searches == len(kinds)


async def test_a_search_costs(client, tmp_path):
    plain = await client.generate("the weather", model="nano-banana-2", output=tmp_path / "plain")
    found = await client.generate("the weather", model="nano-banana-2", grounding=["web"], output=tmp_path / "found")
    assert found.cost - plain.cost == pytest.approx(0.014, abs=0.005)


async def test_a_model_without_search_refuses_it(client, tmp_path):
    with pytest.raises(RequestError, match="cannot do grounding image") as caught:
        await client.generate("a kite", model="nano-banana-pro", grounding=["image"], output=tmp_path / "run")
    assert caught.value.allowed == ("web",)
