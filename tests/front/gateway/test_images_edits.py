"""Edits and variations, in each shape in which clients send pictures: forms, JSON, bytes without names, addresses."""

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from PIL import Image

from cavendish.front.gateway.app import Gateway

MODEL = "nano-banana-2.1"
TOKENS = 1120
"""What one reference counts, at this model."""


def drawn(colour: str, kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, colour).save(held, kind)
    return held.getvalue()


RED, GREEN = drawn("red"), drawn("green", "JPEG")
DATA_URL = f"data:image/png;base64,{base64.b64encode(RED).decode()}"


@pytest_asyncio.fixture
async def client(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        yield client


async def post(client: openai.AsyncOpenAI, path: str = "/images/edits", **options: Any) -> Any:
    """What comes of a request that no SDK would write."""
    answer = await client._client.post(path, **options)
    body = json.loads(answer.content)
    assert answer.status_code == 200, body
    return body


def references(body: Any) -> int:
    """How many pictures the model was shown."""
    return body["usage"]["input_tokens_details"]["image_tokens"] / TOKENS / len(body["data"])


def codes(body: Any) -> dict[str, str]:
    return {notice["param"]: notice["code"] for notice in body.get("cavendish", {}).get("notices", ())}


SHOWN: dict[str, tuple[Any, int]] = {
    "a file": (io.BytesIO(RED), 1),
    "bytes without a name": (RED, 1),
    "a name and a type": (("a.png", RED, "image/png"), 1),
    "several": ([RED, GREEN, ("c", RED)], 3),
    "one in a list": ([GREEN], 1),
}


@pytest.mark.parametrize("name", SHOWN)
async def test_what_the_sdk_takes_for_a_picture_is_one(client, name):
    shown, count = SHOWN[name]
    edits = client.images.with_raw_response
    answer = await edits.edit(model=MODEL, prompt="merge", image=shown, n=2, size="1024x1024", user="u")
    body = json.loads(answer.content)
    assert len({item["b64_json"] for item in body["data"]}) == 2
    assert references(body) == count
    assert codes(body) == {"user": "not_passed_on"}


async def test_a_mask_reaches_a_model_that_has_masks(client):
    edits = client.images.with_raw_response
    body = json.loads((await edits.edit(model="gpt-image-2", prompt="a hat", image=RED, mask=RED)).content)
    assert codes(body) == {}
    assert body["usage"]["input_tokens_details"]["image_tokens"] > 0


async def test_a_mask_that_no_model_takes_is_told_or_refused(client):
    edits = client.images.with_raw_response
    try:
        body = json.loads((await edits.edit(model=MODEL, prompt="a hat", image=RED, mask=RED)).content)
    except openai.BadRequestError as error:
        assert "mask" in str(error)  # noqa: PT017 - either is right
    else:
        assert "mask" in codes(body)


async def test_fields_of_a_form_are_words_and_are_read_as_what_they_mean(client):
    fields = {"model": MODEL, "prompt": "a hat", "n": "2", "stream": "false", "seed": "7", "aspect_ratio": "1:1"}
    further = {"thinking": "high", "grounding": '["web"]', "output_compression": "70"}
    body = await post(client, data=fields | further, files={"image": ("blob", RED, "application/octet-stream")})
    assert len(body["data"]) == 2
    assert references(body) == 1
    assert body["grounding"]["web_queries"]
    assert codes(body) == {"seed": "field_ignored", "extra.output_compression": "unsupported"}


JSON_BODIES: dict[str, Any] = {
    "images as data URLs": {"images": [{"image_url": DATA_URL}, {"image_url": DATA_URL}]},
    "one image as base64": {"image": base64.b64encode(RED).decode()},
    "a list of data URLs": {"image": [DATA_URL, DATA_URL]},
    "OpenRouter's references": {"input_references": [{"type": "image_url", "image_url": {"url": DATA_URL}}]},
}


@pytest.mark.parametrize("name", JSON_BODIES)
async def test_pictures_in_json_are_seen(client, name):
    body = await post(client, json={"model": MODEL, "prompt": "a hat", **JSON_BODIES[name]})
    (value,) = JSON_BODIES[name].values()
    assert references(body) == (len(value) if isinstance(value, list) else 1)


async def test_a_link_of_this_gateway_is_a_reference(client):
    first = await client.images.generate(model=MODEL, prompt="a red kite", response_format="url")
    link = (first.data or [])[0].url
    body = await post(client, json={"model": MODEL, "prompt": "blue", "images": [{"image_url": link}]})
    assert references(body) == 1


async def test_a_file_that_was_uploaded_is_a_reference(client):
    file = await client.files.create(file=("a.png", RED, "image/png"), purpose="vision")
    body = await post(client, json={"model": MODEL, "prompt": "blue", "images": [{"file_id": file.id}]})
    assert references(body) == 1
    other = {"model": MODEL, "prompt": "blue", "images": [{"file_id": "file-none"}]}
    assert (await client._client.post("/images/edits", json=other)).status_code in {400, 403, 404}


async def test_another_gateway_s_link_is_none_of_ours(client, gateway: Gateway):
    first = await client.images.generate(model=MODEL, prompt="a red kite", response_format="url")
    link = str((first.data or [])[0].url)[:-3] + "000"
    answer = await client._client.post(
        "/images/edits", json={"model": MODEL, "prompt": "blue", "images": [{"image_url": link}]}
    )
    assert answer.status_code == 400
    assert "cannot be had" in answer.json()["error"]["message"]


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
async def test_a_variation_is_made_as_an_edit_and_told(client):
    varied = client.images.with_raw_response
    body = json.loads((await varied.create_variation(image=RED, n=2, size="1024x1024")).content)
    assert len({item["b64_json"] for item in body["data"]}) == 2
    assert references(body) == 1
    assert codes(body) == {"model": "model_chosen", "prompt": "variation_as_edit"}
    named = json.loads((await varied.create_variation(image=RED, model="dall-e-2", response_format="url")).content)
    assert codes(named)["model"] == "model_chosen"
    assert named["data"][0]["url"]
    with pytest.raises(openai.BadRequestError, match="variation"):
        await varied.create_variation(image=RED, model=MODEL, extra_headers={"x-cavendish-strict": "1"})
    answer = await client._client.post("/images/variations", json={"model": MODEL})
    assert answer.status_code == 400
    assert "image" in answer.json()["error"]["message"]


async def test_what_is_no_picture_is_refused(client):
    with pytest.raises(openai.BadRequestError):
        await client.images.edit(model=MODEL, prompt="a hat", image=b"%PDF-1.7 and no picture at all")
    with pytest.raises(openai.BadRequestError):
        await client.images.edit(model=MODEL, prompt="a hat", image=b"")
