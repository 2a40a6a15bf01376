"""Google's own client against the simulator, unchanged, where it does more than ask for one picture."""

import io

import pytest
import pytest_asyncio
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from PIL import Image

from cavendish.sim.server import start_server

KEY = "not-a-key-of-anyone"
IMAGEN = "imagen-4.0-generate-001"
MODEL = "gemini-3-pro-image"

# Of Google's client and aiohttp's among themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*generate_images.*"),
]


@pytest_asyncio.fixture
async def server():
    server = await start_server("fast", seed=1, mode="tiny")
    yield server
    await server.close()


@pytest_asyncio.fixture
async def client(server):
    """Of Vertex AI, with a key: Imagen is not to be had otherwise any more."""
    client = genai.Client(enterprise=True, api_key=KEY, http_options=types.HttpOptions(base_url=server.url))
    yield client.aio
    await client.aio.aclose()


async def imagined(client, prompt="a red kite", **config):
    return await client.models.generate_images(
        model=IMAGEN, prompt=prompt, config=types.GenerateImagesConfig(**{"include_rai_reason": True, **config})
    )


def size_of(entry) -> tuple[int, int]:
    return Image.open(io.BytesIO(entry.image.image_bytes)).size


async def test_imagen_draws_four_pictures_unless_it_is_told_otherwise(client, server):
    assert len((await imagined(client)).generated_images) == 4
    reply = await imagined(client, number_of_images=2, aspect_ratio="16:9")
    assert [size_of(entry) for entry in reply.generated_images] == [(1408, 768)] * 2
    assert server.stats()["pictures"] == 6
    assert server.stats()["billed_usd"] == pytest.approx(0.24)


async def test_a_filtered_picture_is_named_among_the_others(client):
    reply = await imagined(client, "a kite [sim:image_safety,hits=1]", number_of_images=3)
    reasons = [entry.rai_filtered_reason for entry in reply.generated_images]
    assert [bool(reason) for reason in reasons] == [False, False, True]


async def test_imagens_errors_are_googles(client):
    with pytest.raises(errors.ClientError) as error:
        await client.models.generate_images(model="imagen-9", prompt="a red kite")
    assert (error.value.code, error.value.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.ServerError) as error:
        await imagined(client, "a kite [sim:overloaded,latency=0]")
    assert error.value.code == 503


# --- Vertex AI -------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(params=["express", "project", "elsewhere"])
async def vertex(server, request):
    """With a key; with a login and a project; and below the path where our own client has it."""
    base_url = server.urls["vertex"] if request.param == "elsewhere" else server.url
    options = types.HttpOptions(base_url=base_url)
    if request.param == "express":
        client = genai.Client(enterprise=True, api_key=KEY, http_options=options)
    else:
        login = Credentials(KEY)
        place = {"project": "a-project", "location": "global"}
        client = genai.Client(enterprise=True, credentials=login, http_options=options, **place)
    yield client.aio
    await client.aio.aclose()


def pictures_of(reply) -> list[tuple[int, int]]:
    found = [part.inline_data.data for part in reply.parts or () if part.inline_data and not part.thought]
    return [Image.open(io.BytesIO(data)).size for data in found]


async def test_vertex_draws_streams_and_holds_a_conversation(vertex, server):
    config = types.GenerateContentConfig(image_config=types.ImageConfig(aspect_ratio="16:9", image_size="1K"))
    reply = await vertex.models.generate_content(model=MODEL, contents="a red kite", config=config)
    assert pictures_of(reply) == [(1376, 768)]
    stream = await vertex.models.generate_content_stream(model=MODEL, contents="a red kite")
    assert len([size async for chunk in stream for size in pictures_of(chunk)]) == 1
    chat = vertex.chats.create(model=MODEL)
    assert pictures_of(await chat.send_message("a red kite"))
    assert pictures_of(await chat.send_message("now at night"))
    stats = server.stats()
    assert (stats["pictures"], len(stats["keys"])) == (4, 1)


async def test_vertex_refuses_as_google_does(vertex):
    with pytest.raises(errors.ClientError) as error:
        await vertex.models.generate_content(model="gemini-9", contents="a red kite")
    assert (error.value.code, error.value.status) == (404, "NOT_FOUND")
