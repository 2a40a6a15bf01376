"""The simulator over real HTTP: with a plain client, and with Google's own."""

import asyncio
import base64
import io
import json
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from google import genai
from google.genai import errors, types
from PIL import Image

from cavendish.sim.profile import read_profile
from cavendish.sim.server import serve, start_server
from cavendish.wire.written import gathered

MODEL = "gemini-3.1-flash-image"
KEY = "sim-test-key"

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


@pytest_asyncio.fixture
async def http(server):
    async with aiohttp.ClientSession(server.url, headers={"x-goog-api-key": KEY}) as session:
        yield session


def body(prompt="a red kite", **config):
    return {"contents": [{"role": "user", "parts": [{"text": prompt}]}], "generationConfig": config}


async def post(
    http, prompt="a red kite", *, version="v1beta", method="generateContent", headers=None, model=MODEL, **config
):
    async with http.post(f"/{version}/models/{model}:{method}", json=body(prompt, **config), headers=headers) as reply:
        return reply.status, reply.headers, await reply.read()


def picture_of(answer):
    data = next(p["inlineData"]["data"] for p in answer["candidates"][0]["content"]["parts"] if "inlineData" in p)
    return Image.open(io.BytesIO(base64.b64decode(data)))


# --- routes and shapes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_both_versions_draw(http, version):
    status, headers, data = await post(http, version=version, imageConfig={"imageSize": "512", "aspectRatio": "16:9"})
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    assert headers["X-Cavendish-Sim"] == "call=1"
    image = picture_of(json.loads(data))
    assert (image.size, image.format) == ((688, 384), "JPEG")


async def test_a_stream_is_events_or_one_array(http):
    _, headers, data = await post(http, method="streamGenerateContent?alt=sse")
    assert headers["Content-Type"] == "text/event-stream"
    events = [json.loads(event[6:]) for event in data.decode().split("\n\n") if event]
    assert events[-1]["candidates"][0]["finishReason"] == "STOP"
    _, headers, data = await post(http, method="streamGenerateContent")
    assert headers["Content-Type"].startswith("application/json")
    assert isinstance(json.loads(data), list)


@pytest.mark.parametrize(
    "headers, query",
    [({"x-goog-api-key": KEY}, ""), ({"Authorization": f"Bearer {KEY}"}, ""), ({}, f"?key={KEY}")],
)
async def test_the_key_may_come_in_any_way(server, headers, query):
    async with aiohttp.ClientSession(server.url, headers=headers) as http:
        status, _, _ = await post(http, method=f"generateContent{query}")
    assert status == 200
    assert len(server.stats()["keys"]) == 1
    assert KEY not in json.dumps(server.stats())


@pytest.mark.parametrize(
    "key, status, words",
    [("", 403, "unregistered"), ("bad", 400, "not valid"), ("expired", 400, "expired"), ("noquota", 429, "limit: 0")],
)
async def test_keys_that_do_not_work(server, key, status, words):
    async with aiohttp.ClientSession(server.url, headers={"x-goog-api-key": key}) as http:
        got, _, data = await post(http)
        assert got == status
        assert words in json.loads(data)["error"]["message"]
        async with http.get("/v1/models") as reply:
            assert reply.status == status


async def test_what_is_not_served_is_a_404_in_googles_shape(http):
    for method, path in (
        ("GET", "/v2/models"),
        ("POST", f"/v1/models/{MODEL}:embedContent"),
        ("GET", "/v1/models/nothing"),
    ):
        async with http.request(method, path) as reply:
            assert reply.status == 404
            assert (await reply.json())["error"]["status"] == "NOT_FOUND"
    status, _, data = await post(http, model="gemini-9")
    assert status == 404
    assert "models/gemini-9 is not found" in json.loads(data)["error"]["message"]


async def test_a_body_that_is_no_json(http):
    async with http.post(f"/v1/models/{MODEL}:generateContent", data=b"{oops") as reply:
        assert reply.status == 400
        assert (await reply.json())["error"]["status"] == "INVALID_ARGUMENT"


async def test_the_list_has_pages(http):
    names, token = [], ""
    while True:
        async with http.get(f"/v1beta/models?pageSize=2&pageToken={token}") as reply:
            page = await reply.json()
        assert len(page["models"]) <= 2
        names += [model["name"] for model in page["models"]]
        if not (token := page.get("nextPageToken")):
            break
    assert f"models/{MODEL}" in names
    assert len(names) == len(set(names)) >= 5
    async with http.get("/v1beta/models?pageSize=none") as reply:
        assert reply.status == 400


async def test_retired_ids_are_gone_from_google_and_stay_elsewhere():
    server = await start_server("google-tier3")
    try:
        async with aiohttp.ClientSession(server.url, headers={"x-goog-api-key": KEY}) as http:
            status, _, _ = await post(http, model="gemini-3.1-flash-image-preview")
            assert status == 404
    finally:
        await server.close()


# --- the line ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, error",
    [
        ("cut,after=100", aiohttp.ClientPayloadError),
        ("reset,after=100", aiohttp.ClientPayloadError),
        ("dropped", aiohttp.ServerDisconnectedError),
        ("refused", aiohttp.ServerDisconnectedError),
    ],
)
async def test_connections_really_break(server, http, fault, error):
    with pytest.raises(error):
        await post(http, headers={"X-Cavendish-Sim": fault})
    status, _, _ = await post(http)
    assert status == 200
    assert server.sim.books.in_flight == 0


async def test_a_hanging_call_ends_when_the_server_does(server, http):
    call = asyncio.create_task(post(http, "kite [sim:hang]"))
    for _ in range(1000):
        if server.sim.books.in_flight:
            break
        await asyncio.sleep(0.01)
    await server.close()
    with pytest.raises(aiohttp.ClientError):
        await call


@pytest.mark.parametrize("wish", ["", "trickle", "cut,after=100000"])
async def test_a_client_that_hangs_up_is_no_error_of_the_server(server, caplog, wish):
    head = f"POST /v1beta/models/{MODEL}:generateContent HTTP/1.1\r\nHost: x\r\nx-goog-api-key: {KEY}\r\n"
    asked = json.dumps(body(imageConfig={"imageSize": "4K"})).encode()
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{head}X-Cavendish-Sim: {wish}\r\nContent-Length: {len(asked)}\r\n\r\n".encode() + asked)
    assert await reader.readexactly(1000)
    writer.transport.abort()
    while server.sim.books.in_flight:  # noqa: ASYNC110 - the server has nobody to tell
        await asyncio.sleep(0.01)
    await server.close()
    assert not caplog.records


async def test_a_trickle_arrives(http):
    status, _, data = await post(http, headers={"X-Cavendish-Sim": "trickle"}, imageConfig={"imageSize": "512"})
    assert status == 200
    assert picture_of(json.loads(data)).size == (512, 512)


@pytest.mark.parametrize("fault, status, start", [("html_502", 502, b"<html>"), ("empty_200", 200, b"")])
async def test_broken_bodies(http, fault, status, start):
    got, _, data = await post(http, headers={"X-Cavendish-Sim": fault})
    assert got == status
    assert data.startswith(start)


async def test_large_pictures(http):
    status, _, data = await post(http, headers={"X-Cavendish-Sim": "bytes=22000000"}, imageConfig={"imageSize": "4K"})
    assert status == 200
    assert 29_000_000 < len(data) < 30_000_000
    assert picture_of(json.loads(data)).size == (4096, 4096)


async def test_a_picture_behind_a_url(server, http):
    _, _, data = await post(http, "kite [sim:url]")
    words = json.loads(data)["candidates"][0]["content"]["parts"][0]["text"]
    url = words.split()[-1]
    assert url.startswith(server.url)
    async with aiohttp.ClientSession() as anyone, anyone.get(url) as reply:
        assert reply.headers["Content-Type"] == "image/jpeg"
        assert Image.open(io.BytesIO(await reply.read())).size == (1024, 1024)
    async with http.get("/sim/pictures/none.jpg") as reply:
        assert reply.status == 404


def test_gathered_keeps_the_bytes():
    pieces = [b"a" * n for n in (1, 5, 0, 100, 3)]
    assert b"".join(gathered(pieces, 10)) == b"".join(pieces)
    assert [len(chunk) for chunk in gathered(pieces, 10)] == [106, 3]


# --- books and pages --------------------------------------------------------------------------------------------------


async def test_the_books_can_be_read_and_begun_anew(http):
    await post(http)
    await post(http, "kite [sim:no_image]")
    async with http.get("/stats") as reply:
        stats = await reply.json()
    assert (stats["requests"], stats["pictures"], stats["refused"]) == (2, 1, {"no_image": 1})
    assert 0.06 < stats["billed_usd"] < 0.08
    async with http.post("/stats/reset") as reply:
        assert reply.status == 200
    async with http.get("/stats") as reply:
        assert (await reply.json())["requests"] == 0


async def test_the_page_needs_nothing_from_elsewhere(http):
    async with http.get("/") as reply:
        page = await reply.text()
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "Cavendish simulator" in page
    for outside in ("http://", "https://", "src=", "@import", "url("):
        assert outside not in page


async def test_serve_runs_until_cancelled():
    ready = asyncio.Event()
    urls = []

    def on_ready(server):
        urls.append(server.url)
        ready.set()

    task = asyncio.create_task(serve("fast", port=0, on_ready=on_ready))
    await ready.wait()
    assert urls[0].startswith("http://127.0.0.1:")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"{urls[0]}/stats")


# --- Google's own client ----------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def client(server):
    client = client_of(server)
    yield client.aio
    await client.aio.aclose()


def client_of(server, key=KEY):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=server.url))


async def test_sdk_draws(client):
    reply = await client.models.generate_content(
        model=MODEL,
        contents="a red kite",
        config=types.GenerateContentConfig(
            response_modalities=["IMAGE"],
            image_config=types.ImageConfig(aspect_ratio="21:9", image_size="2K"),
            thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.HIGH, include_thoughts=True),
        ),
    )
    parts = reply.candidates[0].content.parts
    assert parts[0].thought
    image = Image.open(io.BytesIO(parts[-1].inline_data.data))
    assert image.size == (3168, 1344)
    assert parts[-1].thought_signature
    assert reply.usage_metadata.thoughts_token_count >= 700
    assert reply.usage_metadata.candidates_tokens_details[0].token_count == 1680


async def test_sdk_streams(client):
    chunks = [c async for c in await client.models.generate_content_stream(model=MODEL, contents="a red kite")]
    images = [
        p
        for c in chunks
        for p in (c.candidates[0].content.parts if c.candidates[0].content else ()) or ()
        if p.inline_data
    ]
    assert len(images) == 1
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


async def test_sdk_lists_gets_and_counts(client):
    names = [model.name async for model in await client.models.list(config={"page_size": 3})]
    assert f"models/{MODEL}" in names
    model = await client.models.get(model=MODEL)
    assert "generateContent" in model.supported_actions
    counted = await client.models.count_tokens(model=MODEL, contents="a red kite over the moor")
    assert counted.total_tokens == 7


async def test_sdk_sees_a_full_quota_with_its_details():
    server = await start_server(
        read_profile(
            {"name": "x", "quota": {"requests_per_minute": 1}, "time_scale": 0.0001, "quirks": {"keeps_retired": True}}
        )
    )
    client = client_of(server).aio
    try:
        await client.models.generate_content(model=MODEL, contents="kite")
        with pytest.raises(errors.ClientError) as caught:
            await client.models.generate_content(model=MODEL, contents="kite")
    finally:
        await client.aclose()
        await server.close()
    assert caught.value.code == 429
    assert caught.value.status == "RESOURCE_EXHAUSTED"
    told: Any = caught.value.details
    details = {detail["@type"].rpartition(".")[2]: detail for detail in told["error"]["details"]}
    violation = details["QuotaFailure"]["violations"][0]
    assert violation["quotaId"] == "GenerateRequestsPerMinutePerProjectPerModel"
    assert violation["quotaValue"] == "1"
    assert 50 < float(details["RetryInfo"]["retryDelay"].rstrip("s")) <= 60
    assert details["Help"]["links"]
    assert "Please retry in" in str(caught.value)


async def test_sdk_chats_with_signatures(client, http):
    chat = client.chats.create(model=MODEL)
    await chat.send_message("a red kite [sim:none]")
    second = await chat.send_message("now at dusk [sim:none]")
    assert second.candidates[0].finish_reason == types.FinishReason.STOP
    history = [turn.model_copy(deep=True) for turn in chat.get_history()]
    for turn in history:
        for part in turn.parts:
            part.thought_signature = None
    with pytest.raises(errors.ClientError, match="missing a thought_signature in content position 2"):
        await client.models.generate_content(model=MODEL, contents=[*history, "and in rain"])


async def test_sdk_sends_references(client):
    picture = io.BytesIO()
    Image.new("RGB", (40, 40)).save(picture, "PNG")
    part = types.Part.from_bytes(data=picture.getvalue(), mime_type="image/png")
    reply = await client.models.generate_content(model=MODEL, contents=["put it on a beach", *[part] * 3])
    assert reply.usage_metadata.prompt_token_count > 3000
    with pytest.raises(errors.ClientError, match="at most 14 input images"):
        await client.models.generate_content(model=MODEL, contents=["too many", *[part] * 15])


async def test_sdk_sees_refusals_and_server_errors(client):
    reply = await client.models.generate_content(model=MODEL, contents="[sim:image_safety]")
    assert reply.candidates[0].finish_reason == types.FinishReason.IMAGE_SAFETY
    blocked = await client.models.generate_content(model=MODEL, contents="[sim:prompt_blocked]")
    assert blocked.prompt_feedback.block_reason == types.BlockedReason.SAFETY
    with pytest.raises(errors.ServerError) as caught:
        await client.models.generate_content(model=MODEL, contents="[sim:overloaded,latency=0]")
    assert caught.value.code == 503


async def test_apiyi_speaks_as_a_relay():
    server = await start_server("apiyi")
    try:
        async with aiohttp.ClientSession(server.url, headers={"Authorization": "Bearer bad"}) as http:
            status, _, data = await post(http)
            assert (status, json.loads(data)["error"]["type"]) == (401, "shell_api_error")
        async with aiohttp.ClientSession(server.url, headers={"Authorization": "Bearer ok"}) as http:
            status, _, _ = await post(http, "kite [sim:none,latency=0]", model="gemini-3.1-flash-image-preview")
            assert status == 200
        assert server.stats()["billed_nusd"] == 55_000_000
    finally:
        await server.close()
