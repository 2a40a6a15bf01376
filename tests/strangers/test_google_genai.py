"""The installed google-genai, asked for a wish, and our client for the same one: what crosses the line is the same."""

from dataclasses import replace
from typing import Any

import pytest
from google import genai
from google.genai import types

from cavendish.catalog.load import load
from cavendish.dialects.gemini import GeminiDialect
from cavendish.model.call import Open
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn
from tests.strangers.facts import Allowed, differences, facts_of
from tests.strangers.line import KEY, PNG, SIGN, TIMEOUT_S, Line, send
from tests.strangers.wishes import STORE

MODEL = "gemini-3.1-flash-image"
NOTHING = r'"\(nothing\)"'
MEANT = (
    Allowed(r"body\.generationConfig", r"\{\}", NOTHING, "an object with nothing in it says nothing"),
    Allowed(r"body\.systemInstruction\.role", '"user"', NOTHING, "who instructs is not looked at"),
)
PICTURE = Image(blob=STORE.blob(PNG, "image/png"), media_type="image/png")


@pytest.fixture(scope="module")
def client(listener):
    options = types.HttpOptions(base_url=listener.url, api_version="v1beta", timeout=TIMEOUT_S * 1000)
    with genai.Client(api_key=KEY, http_options=options) as found:
        yield found


def ours(line: Line, call: Open) -> None:
    card = load().endpoints["google"]
    send(call, GeminiDialect(), replace(card, base_url=line.url))


Config = types.GenerateContentConfig
BYTES = types.Part.from_bytes(data=PNG, mime_type="image/png")
WISHES: dict[str, tuple[dict[str, Any], ImageRequest]] = {
    "words": ({"contents": "a red kite"}, ImageRequest.of("a red kite", MODEL)),
    "all that a picture can be": (
        {
            "contents": "a red kite",
            "config": Config(
                response_modalities=["IMAGE"],
                image_config=types.ImageConfig(aspect_ratio="16:9", image_size="2K"),
                thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.HIGH, include_thoughts=True),
                seed=7,
                temperature=0.5,
                candidate_count=2,
                system_instruction="Flat colours.",
            ),
        },
        ImageRequest.of(
            "a red kite",
            MODEL,
            n=2,
            size="2K",
            aspect_ratio="16:9",
            system="Flat colours.",
            thinking="high",
            include_thoughts=True,
            modalities=("IMAGE",),
            seed=7,
            temperature=0.5,
        ),
    ),
    "a search": (
        {"contents": "x", "config": Config(tools=[types.Tool(google_search=types.GoogleSearch())])},
        ImageRequest.of("x", MODEL, grounding=("web",)),
    ),
    "a search for pictures": (
        {
            "contents": "x",
            "config": Config(
                tools=[
                    types.Tool(
                        google_search=types.GoogleSearch(
                            search_types=types.SearchTypes(
                                web_search=types.WebSearch(), image_search=types.ImageSearch()
                            )
                        )
                    )
                ]
            ),
        },
        ImageRequest.of("x", MODEL, grounding=("web", "image")),
    ),
    "two references": (
        {"contents": [BYTES, BYTES, "merge"]},
        ImageRequest.of("merge", MODEL, (PICTURE, PICTURE)),
    ),
    "a file that was uploaded": (
        {"contents": [types.Part.from_uri(file_uri="https://x.example/f", mime_type="image/png"), "bluer"]},
        ImageRequest.of("bluer", MODEL, (Image(uri="https://x.example/f", media_type="image/png"),)),
    ),
    "what only Google knows": (
        {
            "contents": "x",
            "config": Config(
                top_p=0.9,
                top_k=40,
                max_output_tokens=100,
                stop_sequences=["Z"],
                safety_settings=[
                    types.SafetySetting(
                        category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
                        threshold=types.HarmBlockThreshold.BLOCK_NONE,
                    )
                ],
            ),
        },
        ImageRequest.of(
            "x",
            MODEL,
            extra={
                "generationConfig": {"topP": 0.9, "topK": 40, "maxOutputTokens": 100, "stopSequences": ["Z"]},
                "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
            },
        ),
    ),
}
each = pytest.mark.parametrize("asked, request_", [pytest.param(*wish, id=name) for name, wish in WISHES.items()])


def unmeant(line: Line) -> list[Any]:
    """The differences between the two requests that are not meant."""
    theirs, own = line.seen
    found = differences(facts_of(theirs), facts_of(own))
    return [entry for entry in found if not any(allowed.covers(entry) for allowed in MEANT)]


@each
def test_one_answer(client, line, asked, request_):
    answer = client.models.generate_content(model=MODEL, **asked)
    assert answer.parts
    ours(line, Open(request_))
    assert unmeant(line) == []


@each
def test_a_stream(client, line, asked, request_):
    assert list(client.models.generate_content_stream(model=MODEL, **asked))
    ours(line, Open(request_, stream=True))
    assert unmeant(line) == []


def test_a_conversation_with_the_signature_of_its_picture(client, line):
    chat = client.chats.create(model=MODEL)
    chat.send_message("a blue logo")
    chat.send_message("make it purple")
    line.seen.pop(0)
    drawn = replace(PICTURE, signature=SIGN)
    turns = (
        Turn(Role.USER, (Text("a blue logo"),)),
        Turn(Role.MODEL, (Text("Here it is."), drawn)),
        Turn(Role.USER, (Text("make it purple"),)),
    )
    ours(line, Open(ImageRequest(turns, MODEL)))
    assert unmeant(line) == []
