"""ListModels, GetModel and countTokens, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.dialects.gemini import (
    ModelEntry,
    list_models_reply,
    model_reply,
    read_model,
    read_models,
    read_token_count,
    token_count_reply,
)

NANO_BANANA_2 = {
    "name": "models/gemini-3.1-flash-image",
    "version": "3.0",
    "displayName": "Nano Banana 2",
    "description": "Gemini 3.1 Flash Image.",
    "inputTokenLimit": 65536,
    "outputTokenLimit": 65536,
    "supportedGenerationMethods": ["generateContent", "countTokens", "batchGenerateContent"],
    "thinking": True,
    "temperature": 1,
    "maxTemperature": 1,
    "topP": 0.95,
    "topK": 64,
}
"""An entry as ListModels was recorded in 2026-08."""
ENTRY = ModelEntry(
    id="gemini-3.1-flash-image",
    display_name="Nano Banana 2",
    version="3.0",
    description="Gemini 3.1 Flash Image.",
    input_token_limit=65536,
    output_token_limit=65536,
    methods=("generateContent", "countTokens", "batchGenerateContent"),
    temperature=1,
    max_temperature=1,
    top_p=0.95,
    top_k=64,
    thinking=True,
)


def test_a_recorded_entry_both_ways():
    assert read_model(NANO_BANANA_2) == ENTRY
    assert model_reply(ENTRY).body == NANO_BANANA_2


PAGES = [
    ({"models": [NANO_BANANA_2], "nextPageToken": "p2"}, (ENTRY,), "p2"),
    ({"models": [{"name": "models/a"}, {"version": "1"}, None, 5]}, (ModelEntry("a"),), ""),
    ({"object": "list", "data": [{"id": "a", "object": "model"}]}, (ModelEntry("a"),), ""),  # of OpenAI's kind
    ({"models": [{"name": "models/a", "input_token_limit": "32768"}]}, (ModelEntry("a", input_token_limit=32768),), ""),
    ({}, (), ""),
    (None, (), ""),
    ({"models": "a"}, (), ""),
]


@pytest.mark.parametrize("body, models, token", PAGES)
def test_a_page_is_read(body, models, token):
    assert read_models(body) == (models, token)


entries = st.builds(
    ModelEntry,
    id=st.text(min_size=1).filter(lambda name: not name.startswith("models/")),
    display_name=st.text(),
    version=st.text(),
    description=st.text(),
    input_token_limit=st.integers(0, 1 << 40),
    output_token_limit=st.integers(0, 1 << 40),
    methods=st.lists(st.text(min_size=1), max_size=3).map(tuple),
    temperature=st.none() | st.floats(0, 2),
    max_temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.floats(0, 100),
    thinking=st.booleans(),
)


@given(models=st.lists(entries, max_size=3), token=st.text())
def test_what_is_written_is_read(models, token):
    assert read_models(list_models_reply(models, token).body) == (tuple(models), token)


@pytest.mark.parametrize("total, pictures", [(0, 0), (9, 0), (1129, 1120), (1120, 1120)])
def test_token_counts_both_ways(total, pictures):
    assert read_token_count(token_count_reply(total, pictures).body) == (total, pictures)


def test_a_token_count_of_nobody():
    assert read_token_count("x") == (0, 0)
    assert token_count_reply(5).body == {
        "totalTokens": 5,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
    }
