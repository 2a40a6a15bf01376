"""Streams: each picture when it is there, and a line that shows that it lives to who asks for it."""

import openai
import pytest
from google import genai
from google.genai import types

from cavendish.front.gateway.app import Gateway

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

MODEL = "nano-banana-2"


async def test_openai_s_stream_completes_each_picture(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        stream = await client.images.generate(model=MODEL, prompt="a red kite", n=3, stream=True)
        events = [event async for event in stream]
    done = [event for event in events if event.type == "image_generation.completed"]
    assert len(done) == 3
    assert len({event.b64_json for event in done}) == 3


async def test_google_s_stream_gives_each_candidate(gateway: Gateway) -> None:
    client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=gateway.url)).aio
    config = types.GenerateContentConfig(candidate_count=3)
    seen: dict[int, int] = {}
    finished: set[int] = set()
    async for chunk in await client.models.generate_content_stream(model=MODEL, contents="a red kite", config=config):
        for candidate in chunk.candidates or ():
            index = candidate.index or 0
            parts = (candidate.content.parts if candidate.content else None) or ()
            seen[index] = seen.get(index, 0) + sum(part.inline_data is not None for part in parts)
            if candidate.finish_reason:
                finished.add(index)
    await client.aclose()
    assert seen == {0: 1, 1: 1, 2: 1}
    assert finished == {0, 1, 2}


async def test_a_stream_that_fails_at_once_is_the_sdk_s_own_error(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError):
            await client.images.generate(model="no-such-model", prompt="a red kite", stream=True)
