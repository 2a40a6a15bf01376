"""The official SDKs, unchanged, pointed at the gateway: n pictures where upstream gives one."""

import base64
import io

import openai
import pytest
from google import genai
from google.genai import types
from PIL import Image

from cavendish.front.gateway.app import Gateway

MODEL = "nano-banana-2"

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.size


async def test_openai_s_images_give_as_many_as_were_asked_for(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        answer = await client.images.generate(model=MODEL, prompt="a red kite", n=3, size="1024x1024")
    pictures = [base64.b64decode(item.b64_json or "") for item in answer.data or ()]
    assert len(pictures) == 3
    assert len(set(pictures)) == 3
    assert all(size_of(picture) == (1024, 1024) for picture in pictures)


@pytest.mark.parametrize("version", ["v1beta", "v1"])
async def test_candidate_count_gives_as_many_candidates(gateway: Gateway, version: str) -> None:
    options = types.HttpOptions(base_url=gateway.url, api_version=version)
    client = genai.Client(api_key="any", http_options=options).aio
    config = types.GenerateContentConfig(candidate_count=4, response_modalities=["IMAGE"])
    answer = await client.models.generate_content(model=MODEL, contents="a red kite", config=config)
    await client.aclose()
    found = [
        part.inline_data.data
        for candidate in answer.candidates or ()
        for part in (candidate.content.parts if candidate.content else None) or ()
        if part.inline_data
    ]
    assert len(found) == 4
    assert len(set(found)) == 4


async def test_flux_through_google_s_door(gateway: Gateway) -> None:
    client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=gateway.url)).aio
    answer = await client.models.generate_content(model="flux-2-pro", contents="a red kite")
    await client.aclose()
    assert answer.candidates
    assert answer.candidates[0].content


async def test_a_model_that_does_not_exist_is_the_sdk_s_own_error(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match="no-such-model"):
            await client.images.generate(model="no-such-model", prompt="a red kite")
