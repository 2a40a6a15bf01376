"""ListModels and /v1/models are one path in two worlds: how the key is sent decides."""

import openai
import pytest
from google import genai
from google.genai import errors, types

from cavendish.front.gateway.app import Gateway
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key

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


async def test_a_key_is_shown_what_it_may_draw_with(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    key = await make_key(models=["nano-banana-2*", "flux-2-pro"])
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        names = {model.id async for model in client.models.list()}
        assert names >= {"flux-2-pro", "gemini-nano-banana-2.1"}
        assert not any(name.startswith(("gpt-", "seedream")) for name in names)
        assert (await client.models.retrieve("nano-banana-2")).id == "nano-banana-2"
        with pytest.raises(openai.NotFoundError, match="The model 'gpt-image-2' does not exist"):
            await client.models.retrieve("gpt-image-2")
    google = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=gateway.url)).aio
    assert {f"models/{name}" for name in names} == {model.name async for model in await google.models.list()}
    await google.aclose()
