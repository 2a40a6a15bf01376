"""ListModels and /v1/models are one path in two worlds: how the key is sent decides."""

import openai
import pytest
from google import genai
from google.genai import errors, types

from cavendish.front.gateway.app import Gateway

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


@pytest.mark.parametrize("version", ["v1beta", "v1"])
async def test_google_s_sdk_lists_and_gets_models(gateway: Gateway, version: str) -> None:
    client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=gateway.url, api_version=version)).aio
    names = [model.name async for model in await client.models.list(config={"page_size": 2})]
    assert "models/gemini-nano-banana-2.1" in names
    assert len(names) == len(set(names)) > 2
    one = await client.models.get(model="nano-banana-2")
    assert one.display_name == "Nano Banana 2"
    with pytest.raises(errors.ClientError) as caught:
        await client.models.get(model="no-such-model")
    assert caught.value.code == 404
    await client.aclose()


async def test_openai_s_sdk_lists_and_gets_models(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        names = [model.id async for model in client.models.list()]
        assert "gemini-nano-banana-2.1" in names
        assert (await client.models.retrieve("flux-2-pro")).id == "flux-2-pro"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("no-such-model")
