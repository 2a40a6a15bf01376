"""google-genai in its Vertex mode, and our own client, against the simulator: as at Vertex AI, under its paths."""

import asyncio
import io

import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from PIL import Image

from cavendish import AsyncClient
from cavendish.sim.server import start_server
from tests.io.google_login import PROJECT, TOKEN, TokenOffice, service_account

MODEL = "gemini-nano-banana-2.1"


@pytest.fixture
async def server():
    server = await start_server("fast", mode="tiny")
    yield server
    await server.close()


def regional(server, location="us-central1"):
    options = types.HttpOptions(base_url=server.url)
    login = Credentials(token="a-token-of-this-test")
    return genai.Client(vertexai=True, project=PROJECT, location=location, credentials=login, http_options=options)


def express(server):
    return genai.Client(vertexai=True, api_key="express-key", http_options=types.HttpOptions(base_url=server.url))


CLIENTS = {"regional": regional, "express": express}
clients = pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)


def sizes(response):
    """The pixels of all pictures in an answer."""
    parts = response.candidates[0].content.parts
    return [Image.open(io.BytesIO(part.inline_data.data)).size for part in parts if part.inline_data]


async def using(client, work):
    """The blocking client, in a thread, closed at the end."""

    def run():
        with client:
            return work(client)

    return await asyncio.to_thread(run)


@clients
async def test_a_picture(server, client):
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"],
        image_config=types.ImageConfig(
            aspect_ratio="16:9",
            image_size="1K",
            person_generation="ALLOW_ADULT",
            output_mime_type="image/jpeg",
            output_compression_quality=80,
        ),
        labels={"team": "a"},
        safety_settings=[
            types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_ONLY_HIGH", method="SEVERITY")
        ],
    )
    response = await using(
        client(server), lambda c: c.models.generate_content(model=MODEL, contents="kite", config=config)
    )
    assert sizes(response) == [(1376, 768)]
    assert response.usage_metadata.total_token_count > 1120
    told = {detail.modality.name for detail in response.usage_metadata.candidates_tokens_details}
    assert told == {"TEXT", "IMAGE"}


@clients
async def test_a_stream(server, client):
    def work(client):
        return list(client.models.generate_content_stream(model=MODEL, contents="kite"))

    chunks = await using(client(server), work)
    pictures = [size for chunk in chunks if chunk.candidates[0].content for size in sizes(chunk)]
    assert pictures == [(1024, 1024)]


@clients
async def test_a_conversation(server, client):
    def work(client):
        chat = client.chats.create(model=MODEL)
        return [sizes(chat.send_message(words)) for words in ("a kite", "make it red")]

    assert await using(client(server), work) == [[(1024, 1024)], [(1024, 1024)]]


@clients
async def test_a_refusal_keeps_its_message(server, client):
    words = "kite [sim: image_safety]"
    response = await using(client(server), lambda c: c.models.generate_content(model=MODEL, contents=words))
    (candidate,) = response.candidates
    assert candidate.finish_reason is types.FinishReason.IMAGE_SAFETY
    assert candidate.finish_message


async def test_its_models_are_listed(server):
    """Only at a place: with an express key the SDK has no such call."""
    names = await using(regional(server), lambda c: [model.name for model in c.models.list()])
    assert f"publishers/google/models/{MODEL}" in names


async def test_a_project_of_a_domain(server):
    client = genai.Client(
        vertexai=True,
        project="example.com:acme",
        location="eu",
        credentials=Credentials(token="a-token-of-this-test"),
        http_options=types.HttpOptions(base_url=server.url),
    )
    response = await using(client, lambda c: c.models.generate_content(model=MODEL, contents="kite"))
    assert sizes(response) == [(1024, 1024)]


@clients
async def test_an_error_is_one(server, client):
    with pytest.raises(genai.errors.ClientError) as caught:
        await using(client(server), lambda c: c.models.generate_content(model="no-such-model", contents="kite"))
    assert caught.value.code == 404


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")  # google-genai's own
async def test_asynchronously(server):
    client = regional(server, "global").aio
    try:
        response = await client.models.generate_content(model=MODEL, contents="kite")
        assert sizes(response) == [(1024, 1024)]
    finally:
        await client.aclose()


# --- our own client --------------------------------------------------------------------------------------------------


@pytest.fixture
async def office(tmp_path, monkeypatch):
    one = TokenOffice()
    async with one.server:
        path = await asyncio.to_thread(service_account, tmp_path / "account.json", f"{one.server.url}/token")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        yield one


async def test_our_client_draws_there_with_a_login(server, office, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", server.url)
    async with AsyncClient(via="vertex") as client:
        result = await client.generate("a kite", n=3, model=MODEL, aspect_ratio="3:2", output=tmp_path / "run")
    assert len(result) == 3
    assert not result.simulated
    assert {(picture.width, picture.height) for picture in result} == {(1264, 848)}
    assert office.given == 1
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
