"""The installed google-genai at Vertex AI, with an express key, and our client for the same wish."""

from dataclasses import replace
from typing import Any

import pytest
from google import genai
from google.genai import types

from cavendish.catalog.load import load
from cavendish.dialects.imagen import ImagenDialect
from cavendish.front.routes import speaks
from cavendish.io.http.provider import TIMEOUT_HEADER
from cavendish.model.call import Open
from cavendish.model.request import ImageRequest
from tests.strangers.facts import Allowed, differences, facts_of
from tests.strangers.line import KEY, TIMEOUT_S, send

MODEL, IMAGEN = "gemini-3.1-flash-image", "imagen-4.0-generate-001"
MEANT = (
    Allowed(r"body\.generationConfig", r"\{\}", r'"\(nothing\)"', "an object with nothing in it says nothing"),
    Allowed(
        r"body\.parameters\.includeRaiReason",
        r'"\(nothing\)"',
        "true",
        "without it, a picture that was filtered is merely missing",
    ),
)
Config = types.GenerateContentConfig


@pytest.fixture(scope="module")
def client(listener):
    options = types.HttpOptions(base_url=listener.url, timeout=TIMEOUT_S * 1000)
    with genai.Client(vertexai=True, api_key=KEY, http_options=options) as found:
        yield found


def ours(line: Any, call: Open, *, imagen: bool = False) -> list[Any]:
    """Send the call; the differences to what the SDK sent before that are not meant."""
    card = load().endpoints["vertex-express"]
    dialect = ImagenDialect("v1beta1/publishers/google", "vertex") if imagen else speaks(card)
    options = {**card.options, TIMEOUT_HEADER: "X-Server-Timeout"}
    send(call, dialect, replace(card, base_url=line.url, options=options))
    theirs, own = line.seen
    found = differences(facts_of(theirs), facts_of(own))
    return [entry for entry in found if not any(allowed.covers(entry) for allowed in MEANT)]


def with_image(**fields: Any) -> Config:
    return Config(image_config=types.ImageConfig(**fields))


WISHES: dict[str, tuple[Config | None, dict[str, Any]]] = {
    "words": (None, {}),
    "its shape": (with_image(aspect_ratio="16:9", image_size="2K"), {"aspect_ratio": "16:9", "size": "2K"}),
    "persons, and a format with its compression": (
        with_image(person_generation="ALLOW_ADULT", output_mime_type="image/jpeg", output_compression_quality=80),
        {
            "output_format": "jpeg",
            "extra": {
                "generationConfig": {
                    "imageConfig": {
                        "personGeneration": "ALLOW_ADULT",
                        "imageOutputOptions": {"compressionQuality": 80},
                    }
                }
            },
        },
    ),
    "labels, and domains that are left out of a search": (
        Config(
            labels={"team": "a"},
            tools=[types.Tool(google_search=types.GoogleSearch(exclude_domains=["a.example"]))],
        ),
        {
            "grounding": ("web",),
            "extra": {"labels": {"team": "a"}, "tools": [{"googleSearch": {"excludeDomains": ["a.example"]}}]},
        },
    ),
    "how strict the filters are": (
        Config(
            safety_settings=[
                types.SafetySetting(
                    category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
                    threshold=types.HarmBlockThreshold.OFF,
                    method=types.HarmBlockMethod.SEVERITY,
                )
            ]
        ),
        {
            "extra": {
                "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF", "method": "SEVERITY"}]
            }
        },
    ),
}


@pytest.mark.parametrize("config, fields", [pytest.param(*wish, id=name) for name, wish in WISHES.items()])
@pytest.mark.parametrize("stream", [False, True])
def test_pictures(client, line, config, fields, stream):
    if stream:
        assert list(client.models.generate_content_stream(model=MODEL, contents="a red kite", config=config))
    else:
        assert client.models.generate_content(model=MODEL, contents="a red kite", config=config).parts
    assert ours(line, Open(ImageRequest.of("a red kite", MODEL, **fields), stream)) == []


@pytest.mark.filterwarnings("ignore:The generate_images method is deprecated")
def test_imagen(client, line):
    config = types.GenerateImagesConfig(
        number_of_images=2,
        aspect_ratio="16:9",
        image_size="2K",
        seed=7,
        negative_prompt="clouds",
        add_watermark=False,
        output_mime_type="image/jpeg",
    )
    assert client.models.generate_images(model=IMAGEN, prompt="a red kite", config=config).images
    request = ImageRequest.of(
        "a red kite",
        IMAGEN,
        n=2,
        aspect_ratio="16:9",
        size="2K",
        seed=7,
        output_format="jpeg",
        extra={"negativePrompt": "clouds", "addWatermark": False},
    )
    assert ours(line, Open(request), imagen=True) == []
