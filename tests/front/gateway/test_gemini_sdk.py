"""Google's SDK, unchanged, in both generations: counts, types, edits, chats with signatures, errors, Vertex's paths."""

import asyncio
import base64
import hashlib
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import errors, types

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs.desk import DeskRules
from cavendish.model.blob import Blob
from cavendish.model.request import Image as RequestImage
from cavendish.model.request import ImageRequest
from cavendish.sim.provider import SimProvider
from tests.front.gateway.conftest import Opener
from tests.front.gateway.test_files import VERSIONS, google, picture

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

MODEL = "nano-banana-2"
VERTEX = "publishers/google/models/nano-banana-2"


def drawn(answer: types.GenerateContentResponse) -> list[types.Blob]:
    return [
        part.inline_data
        for candidate in answer.candidates or ()
        for part in (candidate.content.parts if candidate.content else None) or ()
        if part.inline_data and not part.thought
    ]


def at_vertex(gateway: Gateway) -> genai.Client:
    options = types.HttpOptions(base_url=gateway.url)
    return genai.Client(vertexai=True, api_key="any", http_options=options)


# --- pictures --------------------------------------------------------------------------------------------------------


@VERSIONS
async def test_the_synchronous_client_gets_pictures_of_the_size_and_ratio(gateway: Gateway, version: str) -> None:
    client = google(gateway, version)
    image = types.ImageConfig(aspect_ratio="16:9", image_size="2K")
    config = types.GenerateContentConfig(response_modalities=["IMAGE"], image_config=image, candidate_count=2)
    answer = await asyncio.to_thread(client.models.generate_content, model=MODEL, contents="a red kite", config=config)
    client.close()
    found = drawn(answer)
    assert len(found) == 2
    assert all((blob.mime_type or "").startswith("image/") for blob in found)
    opened = types.Image(image_bytes=found[0].data, mime_type=found[0].mime_type)
    assert opened.image_bytes
    assert answer.usage_metadata
    assert answer.usage_metadata.total_token_count
    assert answer.model_version
    assert answer.response_id


@VERSIONS
async def test_an_edit_with_a_picture_in_the_request(gateway: Gateway, version: str) -> None:
    client = google(gateway, version).aio
    part = types.Part.from_bytes(data=picture(), mime_type="image/png")
    answer = await client.models.generate_content(model=MODEL, contents=[part, "make it night"])
    assert len(drawn(answer)) == 1
    await client.aclose()


@pytest.mark.parametrize("version", ["v1beta", "v1"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_gives_every_signature_back_as_it_came(gateway: Gateway, version: str, stream: bool) -> None:
    """The simulator refuses a picture of its own whose signature was lost."""
    chat = google(gateway, version).aio.chats.create(model=MODEL)
    for message in ("a red kite", "make it night", "and the moon"):
        if stream:
            async for _ in await chat.send_message_stream(message):
                pass
        else:
            assert drawn(await chat.send_message(message))
    ours = [content for content in chat.get_history() if content.role == "model"]
    assert len(ours) >= 3
    signed = [part.thought_signature for content in ours for part in content.parts or () if part.inline_data]
    assert len(signed) >= 3
    assert all(signed)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ImageRequest]:
    """All requests that reach the upstream."""
    seen: list[ImageRequest] = []
    handle = SimProvider.handle

    def noting(self: SimProvider, call: Any, *rest: Any) -> Any:
        seen.append(call.request)
        return handle(self, call, *rest)

    monkeypatch.setattr(SimProvider, "handle", noting)
    return seen


async def test_a_signature_larger_than_its_picture_survives_both_ways(
    gateway: Gateway, asked: list[ImageRequest]
) -> None:
    client = google(gateway)
    chat = client.chats.create(model=MODEL)
    answer = await asyncio.to_thread(chat.send_message, "a red kite [sim:big_signature]")
    (signature,) = [part.thought_signature or b"" for part in answer.parts or () if part.inline_data]
    assert len(signature) > 1_000_000
    assert drawn(await asyncio.to_thread(chat.send_message, "make it night"))
    (returned,) = [part.signature for part in asked[-1].turns[1].parts if isinstance(part, RequestImage)]
    assert isinstance(returned, Blob)
    assert returned.sha256 == hashlib.sha256(signature).hexdigest()
    client.close()


async def test_a_small_signature_survives_both_ways(gateway: Gateway, asked: list[ImageRequest]) -> None:
    client = google(gateway).aio
    chat = client.chats.create(model=MODEL)
    answer = await chat.send_message("a red kite")
    given = [part.thought_signature for part in answer.parts or () if part.thought_signature]
    await chat.send_message("make it night")
    returned = [part.signature for part in asked[-1].turns[1].parts if part.signature]
    assert given
    assert [base64.b64decode(str(each)) for each in returned] == given
    await client.aclose()


async def test_a_lost_signature_is_told_and_an_error_to_who_is_strict(gateway: Gateway) -> None:
    client = google(gateway).aio
    own = types.Content(role="model", parts=[types.Part.from_bytes(data=picture(), mime_type="image/png")])
    asked = types.Content(role="user", parts=[types.Part(text="make it night")])
    answer = await client.models.generate_content(model=MODEL, contents=[own, asked])
    assert len(drawn(answer)) == 1
    assert answer.sdk_http_response
    assert "signature_lost" in (answer.sdk_http_response.headers or {})["X-Cavendish-Notices"]
    strict = types.GenerateContentConfig(http_options=types.HttpOptions(headers={"x-cavendish-strict": "1"}))
    with pytest.raises(errors.ClientError) as caught:
        await client.models.generate_content(model=MODEL, contents=[own, asked], config=strict)
    assert caught.value.code == 400
    await client.aclose()


# --- counts ----------------------------------------------------------------------------------------------------------


@VERSIONS
async def test_tokens_are_counted(gateway: Gateway, version: str) -> None:
    client = google(gateway, version).aio
    words = await client.models.count_tokens(model=MODEL, contents="a red kite over the moor")
    part = types.Part.from_bytes(data=picture(), mime_type="image/png")
    more = await client.models.count_tokens(model=MODEL, contents=[part, "a red kite over the moor"])
    assert 0 < (words.total_tokens or 0) < (more.total_tokens or 0)
    with pytest.raises(errors.ClientError) as caught:
        await client.models.count_tokens(model="no-such-model", contents="x")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    await client.aclose()


@VERSIONS
async def test_more_candidates_than_the_limit_are_a_clear_error(gateway: Gateway, version: str) -> None:
    client = google(gateway, version).aio
    config = types.GenerateContentConfig(candidate_count=101)
    with pytest.raises(errors.ClientError, match="at most 100 are made here, not 101") as caught:
        await client.models.generate_content(model=MODEL, contents="a red kite", config=config)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    await client.aclose()


# --- shortfalls and errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, finish",
    [("image_safety", "IMAGE_SAFETY"), ("prohibited", "PROHIBITED_CONTENT"), ("recitation", "RECITATION")],
)
async def test_a_refusal_is_told_by_each_candidate(gateway: Gateway, fault: str, finish: str) -> None:
    client = google(gateway).aio
    config = types.GenerateContentConfig(candidate_count=2)
    answer = await client.models.generate_content(model=MODEL, contents=f"a kite [sim:{fault}]", config=config)
    assert drawn(answer) == []
    assert [candidate.finish_reason for candidate in answer.candidates or ()] == [types.FinishReason(finish)] * 2
    assert answer.usage_metadata
    assert answer.usage_metadata.candidates_token_count is not None
    streamed = await client.models.generate_content_stream(model=MODEL, contents=f"a kite [sim:{fault}]", config=config)
    last = [chunk async for chunk in streamed][-1]
    assert [candidate.finish_reason for candidate in last.candidates or ()] == [types.FinishReason(finish)] * 2
    await client.aclose()


@pytest.mark.parametrize("fault", ["image_safety", "prompt_blocked", "prompt_blocked,times=1", "no_image"])
@pytest.mark.parametrize("stream", [False, True])
async def test_fewer_pictures_are_an_error_to_who_is_strict(gateway: Gateway, fault: str, stream: bool) -> None:
    """Google says a refusal with status 200, which its SDK takes for a success without pictures."""
    client = google(gateway).aio
    options = types.HttpOptions(headers={"x-cavendish-strict": "true"})
    asked = types.GenerateContentConfig(candidate_count=3, http_options=options)
    wanted: dict[str, Any] = {"model": "nano-banana-2.1", "contents": f"a kite [sim:{fault}]", "config": asked}
    count = 1 if "times" in fault else 3

    async def ask() -> None:
        if stream:
            assert [chunk async for chunk in await client.models.generate_content_stream(**wanted)]
        else:
            await client.models.generate_content(**wanted)

    with pytest.raises(errors.ClientError, match=f"{count} of 3 pictures did not come") as caught:
        await ask()
    assert caught.value.code == 400
    assert ("/v1/jobs/" in str(caught.value)) == (count == 1)
    await client.aclose()


async def test_a_blocked_prompt_is_told_as_google_tells_it(gateway: Gateway) -> None:
    client = google(gateway).aio
    answer = await client.models.generate_content(model=MODEL, contents="a kite [sim:prompt_blocked]")
    assert answer.candidates is None
    assert answer.prompt_feedback
    assert answer.prompt_feedback.block_reason
    await client.aclose()


@VERSIONS
async def test_the_sdk_s_own_errors(gateway: Gateway, version: str) -> None:
    client = google(gateway, version).aio
    with pytest.raises(errors.ClientError) as missing:
        await client.models.generate_content(model="no-such-model", contents="a kite")
    assert (missing.value.code, missing.value.status) == (404, "NOT_FOUND")
    odd: Any = types.GenerateContentConfig(response_modalities=["AUDIO"])
    with pytest.raises(errors.ClientError) as refused:
        await client.models.generate_content(model=MODEL, contents="a kite", config=odd)
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
    await client.aclose()


async def test_a_quota_that_is_used_up_says_when_to_come_back(
    open_gateway: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVENDISH_SIM_RPM", "1")
    gateway = await open_gateway(rules=DeskRules(max_wait_s=1.0))
    client = google(gateway).aio

    async def without_end() -> None:
        for number in range(100):
            await client.models.generate_content(model=MODEL, contents=f"kite {number}")

    with pytest.raises(errors.ClientError) as caught:
        await without_end()
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    error: Any = caught.value
    details = error.details["error"]["details"]
    (told,) = [detail for detail in details if detail["@type"] == "type.googleapis.com/google.rpc.RetryInfo"]
    assert float(told["retryDelay"].removesuffix("s")) > 1
    assert error.response.headers["Retry-After"]
    await client.aclose()


@pytest.mark.parametrize(
    "headers, query",
    [({"x-goog-api-key": "any"}, ""), ({}, "?key=any"), ({"Authorization": "Bearer any"}, "")],
)
async def test_any_form_of_key(gateway: Gateway, headers: dict[str, str], query: str) -> None:
    body = {"contents": [{"parts": [{"text": "a red kite"}]}]}
    async with aiohttp.ClientSession(headers=headers) as http:
        for version in ("v1", "v1beta"):
            url = f"{gateway.url}/{version}/models/{MODEL}:generateContent{query}"
            async with http.post(url, json=body) as answer:
                assert answer.status == 200
                assert (await answer.json())["candidates"]


# --- predict and Vertex AI -------------------------------------------------------------------------------------------


@VERSIONS
async def test_predict_gives_as_many_pictures_as_were_asked_for(gateway: Gateway, version: str) -> None:
    """What google-genai 1.75 and LiteLLM send for Imagen's models."""
    body = {"instances": [{"prompt": "a red kite"}], "parameters": {"sampleCount": 6, "aspectRatio": "16:9"}}
    async with aiohttp.ClientSession(headers={"x-goog-api-key": "any"}) as http:
        async with http.post(f"{gateway.url}/{version}/models/{MODEL}:predict", json=body) as answer:
            predictions = (await answer.json())["predictions"]
        assert len({base64.b64decode(entry["bytesBase64Encoded"]) for entry in predictions}) == 6
        body["parameters"]["sampleCount"] = 101
        async with http.post(f"{gateway.url}/{version}/models/{MODEL}:predict", json=body) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["status"] == "INVALID_ARGUMENT"


async def test_vertex_s_client_draws_and_counts(gateway: Gateway) -> None:
    client = at_vertex(gateway).aio
    answer = await client.models.generate_content(model=MODEL, contents="a red kite")
    assert len(drawn(answer)) == 1
    config = types.GenerateImagesConfig(number_of_images=3)
    with pytest.warns(Warning, match="generate_images method is deprecated"):
        images = await client.models.generate_images(model=MODEL, prompt="a red kite", config=config)
    assert len({image.image.image_bytes for image in images.generated_images or () if image.image}) == 3
    assert (await client.models.count_tokens(model=MODEL, contents="a red kite")).total_tokens
    with pytest.raises(errors.ClientError) as caught:
        await client.models.generate_content(model="no-such-model", contents="a kite")
    assert caught.value.code == 404
    await client.aclose()


async def test_vertex_s_paths_with_a_project(gateway: Gateway) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "a red kite"}]}]}
    place = f"v1/projects/p-1/locations/global/{VERTEX}"
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer any"}) as http:
        async with http.post(f"{gateway.url}/{place}:generateContent", json=body) as answer:
            assert answer.status == 200
            assert (await answer.json())["candidates"]
        async with http.post(f"{gateway.url}/{place}:streamGenerateContent?alt=sse", json=body) as answer:
            assert answer.content_type == "text/event-stream"
            assert b"inlineData" in await answer.read()
