"""A synchronous call that runs long keeps its connection alive for who asks for it, and its failure is told as one."""

import openai
import pytest
from google import genai
from google.genai import types

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.doors import streams
from cavendish.sim.server import SimServer
from tests.front.gateway.test_files import openai_client
from tests.front.gateway.test_repeats import ask, bought, line

__all__ = ["line"]

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

MODEL = "nano-banana-2"
ALIVE = {streams.KEEP_ALIVE: "0.02"}
SLOW = {"model": MODEL, "prompt": "a red kite [sim:latency=0.3]", "n": 2, "response_format": "b64_json"}
REFUSED = "a red kite [sim:prompt_blocked,latency=0.3]"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LEAST_S", 0.01)


async def test_spaces_come_before_the_answer(line, gateway: Gateway) -> None:
    async with line.post(f"{gateway.url}/v1/images/generations", json=SLOW, headers=ALIVE) as answer:
        assert answer.headers["x-cavendish-job"]
        assert (await answer.content.readexactly(3)) == b"   "
        await answer.content.read()
    found, headers = await ask(line, gateway, SLOW)
    assert len(found["data"]) == 2
    assert "Content-Length" in headers, "nobody asked for it"


async def test_sdks_read_it_as_any_other(gateway: Gateway) -> None:
    async with openai_client(gateway) as client:
        answer = await client.images.generate(model=MODEL, prompt=SLOW["prompt"], extra_headers=ALIVE)
        assert answer.data
        chat = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": SLOW["prompt"]}], extra_headers=ALIVE
        )
        assert chat.choices
    client = google(gateway)
    config = types.GenerateContentConfig(response_modalities=["IMAGE"])
    drawn = await client.aio.models.generate_content(model=MODEL, contents=SLOW["prompt"], config=config)
    assert drawn.parts
    await client.aio.aclose()


async def test_a_failure_is_no_success_with_an_error_in_it(gateway: Gateway, upstream: SimServer) -> None:
    """The line breaks, the client's own repeat joins the job, and has its status."""
    async with openai_client(gateway) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.with_options(max_retries=2).images.generate(model=MODEL, prompt=REFUSED, extra_headers=ALIVE)
    assert caught.value.code == "moderation_blocked"
    assert bought(upstream) == 1


async def test_a_failure_raises_where_nothing_is_repeated(gateway: Gateway) -> None:
    client = google(gateway)
    with pytest.raises(Exception, match=r"(?i)incomplete|closed|payload"):
        await client.aio.models.generate_content(model=MODEL, contents="a kite [sim:invalid_request,latency=0.3]")
    await client.aio.aclose()


def google(gateway: Gateway) -> genai.Client:
    options = types.HttpOptions(base_url=gateway.url, api_version="v1beta", headers=ALIVE)
    return genai.Client(api_key="any", http_options=options)
