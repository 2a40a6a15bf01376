"""OpenAI's own client against the simulator, unchanged: pictures, edits, streams, chats, and the errors it raises."""

import base64
import io
import re
from dataclasses import replace

import openai
import pytest
import pytest_asyncio
from PIL import Image

from cavendish.sim.profile import load_profile
from cavendish.sim.server import start_server

KEY = "not-a-key-of-anyone"
MODEL = "gpt-image-2"
OPENAI = load_profile("openai")
FIVE_A_MINUTE = OPENAI.in_the_manner_of(replace(load_profile("fast"), quota=OPENAI.quota))


@pytest_asyncio.fixture
async def server():
    server = await start_server("fast", seed=1, mode="tiny")
    yield server
    await server.close()


def client_of(server, endpoint="openai", key=KEY):
    return openai.AsyncOpenAI(api_key=key, base_url=server.urls[endpoint], max_retries=0)


@pytest_asyncio.fixture
async def client(server):
    async with client_of(server) as client:
        yield client


def opened(data: str) -> Image.Image:
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    picture.load()
    return picture


def png(size=(32, 32)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, "PNG")
    return out.getvalue()


# --- images ----------------------------------------------------------------------------------------------------------


async def test_three_pictures_of_one_call(client, server):
    reply = await client.images.generate(model=MODEL, prompt="a red kite", n=3, size="1536x1024", quality="low")
    assert [opened(entry.b64_json).size for entry in reply.data] == [(1536, 1024)] * 3
    assert len({entry.b64_json for entry in reply.data}) == 3
    assert reply.usage.output_tokens > 0
    stats = server.stats()
    assert (stats["requests"], stats["pictures"]) == (1, 3)
    assert stats["billed_usd"] > 0
    assert KEY not in str(stats)


async def test_a_quality_has_its_price(client, server):
    billed = []
    for quality in ("low", "high"):
        before = server.stats()["billed_usd"]
        await client.images.generate(model=MODEL, prompt="a red kite", quality=quality)
        billed.append(server.stats()["billed_usd"] - before)
    assert billed[1] > 5 * billed[0] > 0


async def test_a_stream_shows_previews_before_the_picture(client):
    stream = await client.images.generate(model=MODEL, prompt="a red kite", stream=True, partial_images=2)
    events = [event async for event in stream]
    kinds = [event.type for event in events]
    assert kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert [event.partial_image_index for event in events[:-1]] == [0, 1]
    assert all(opened(event.b64_json).size == (1024, 1024) for event in events)
    assert events[-1].usage.total_tokens > 0


async def test_an_edit_of_several_files_with_a_mask(client, server):
    files = [("a.png", png(), "image/png"), ("b.png", png((16, 16)), "image/png")]
    reply = await client.images.edit(
        model=MODEL, prompt="both on a table", image=files, mask=("m.png", png(), "image/png"), n=2
    )
    assert len(reply.data) == 2
    # Files are counted as input: two of them, as the mask is none.
    assert reply.usage.input_tokens_details.image_tokens > 0
    assert server.stats()["recent"][-1]["prompt"] == "both on a table"
    stream = await client.images.edit(model=MODEL, prompt="bluer", image=files[0], stream=True)
    assert [event.type async for event in stream] == ["image_edit.completed"]


async def test_an_address_instead_of_bytes_where_it_is_asked_for(client):
    reply = await client.images.generate(model=MODEL, prompt="a red kite", response_format="url")
    (entry,) = reply.data
    assert entry.b64_json is None
    async with client._client.stream("GET", entry.url) as answer:  # the SDK's own HTTP client
        assert answer.headers["Content-Type"].startswith("image/")
        assert (await answer.aread())[:4] in {b"\x89PNG", b"\xff\xd8\xff\xe0"}


async def test_the_list_of_models(client):
    assert MODEL in {model.id async for model in client.models.list()}


# --- errors ----------------------------------------------------------------------------------------------------------


async def failed(client, kind, prompt="a red kite", **asked):
    with pytest.raises(kind) as error:
        await client.images.generate(**{"model": MODEL, "prompt": prompt, **asked})
    assert "cavendish" not in (error.value.body or {})  # a real server knows nothing of us
    return error.value


async def test_each_error_is_raised_as_its_class(server, client):
    async with client_of(server, key="bad-key") as stranger:
        error = await failed(stranger, openai.AuthenticationError)
        assert error.code == "invalid_api_key"
    assert (await failed(client, openai.NotFoundError, model="gpt-image-99")).code == "model_not_found"
    assert (await failed(client, openai.BadRequestError, size="17x17")).type == "invalid_request_error"
    assert (await failed(client, openai.BadRequestError, n=11)).code == "integer_above_max_value"
    assert (await failed(client, openai.InternalServerError, "a kite [sim:overloaded,latency=0]")).status_code == 503
    limited = await failed(client, openai.RateLimitError, "a kite [sim:terse_429]")
    assert limited.code == "rate_limit_exceeded"
    broke = await failed(client, openai.RateLimitError, "a kite [sim:no_credit]")
    assert broke.code == "insufficient_quota"


@pytest.mark.parametrize("fault, stage", [("prompt_blocked", "input"), ("image_safety", "output")])
async def test_moderation_says_at_which_stage(client, fault, stage):
    error = await failed(client, openai.BadRequestError, f"a kite [sim:{fault}]")
    assert error.code == "moderation_blocked"
    assert error.body["moderation_details"]["moderation_stage"] == stage


async def test_one_refused_picture_fails_the_whole_call(client, server):
    error = await failed(client, openai.BadRequestError, "a kite [sim:image_safety,hits=1]", n=3)
    assert error.code == "moderation_blocked"
    assert server.stats()["pictures"] == 0


async def test_pictures_are_counted_by_the_minute_n_at_once():
    server = await start_server("fast", mode="tiny", others=[FIVE_A_MINUTE])
    try:
        async with client_of(server) as client:
            await client.images.generate(model=MODEL, prompt="a red kite", n=3)
            error = await failed(client, openai.RateLimitError, n=3)
            wait = re.search(r"Limit 5, Used 3, Requested 3\. Please try again in ([\d.]+)s", error.message)
            assert wait
            assert 50 < float(wait[1]) <= 60
            assert int(error.response.headers["retry-after"]) in {round(float(wait[1])), int(float(wait[1])) + 1}
            await client.images.generate(model=MODEL, prompt="a red kite", n=2)
            never = await failed(client, openai.RateLimitError, n=6)
            assert "Limit 5, Used 0, Requested 6" in never.message
            assert "try again" not in never.message
    finally:
        await server.close()


# --- chats -----------------------------------------------------------------------------------------------------------

PICTURE = re.compile(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)")


@pytest.mark.parametrize("model", ["gemini-3.1-flash-image-preview", "gpt-4o-image"])
async def test_a_relays_chat_gives_pictures_among_the_words_and_takes_its_history(server, model):
    async with client_of(server, "apiyi-chat") as client:
        messages = [{"role": "user", "content": "a red kite"}]
        reply = await client.chat.completions.create(model=model, messages=messages)
        (choice,) = reply.choices
        assert opened(PICTURE.findall(choice.message.content or "")[-1]).size[0] >= 512
        assert choice.finish_reason == "stop"
        messages += [
            {"role": "assistant", "content": choice.message.content},
            {"role": "user", "content": "now at night"},
        ]
        again = await client.chat.completions.create(model=model, messages=messages)
        assert PICTURE.search(again.choices[0].message.content or "")
    assert server.stats()["recent"][-1]["prompt"] == "now at night"


async def test_a_size_as_the_models_suffix(server):
    async with client_of(server, "apiyi-chat") as client:
        reply = await client.chat.completions.create(
            model="gemini-3.1-flash-image-preview-4k",
            messages=[{"role": "user", "content": "a red kite"}],
            extra_body={"extra_body": {"google": {"image_config": {"aspect_ratio": "16:9"}}}},
        )
    assert opened(PICTURE.findall(reply.choices[0].message.content or "")[-1]).size == (5504, 3072)


async def test_openrouters_chat_has_pictures_beside_the_words_and_says_what_they_cost(server):
    async with client_of(server, "openrouter") as client:
        reply = await client.chat.completions.create(
            model="google/gemini-3.1-flash-image-preview",
            messages=[{"role": "user", "content": "a red kite"}],
            modalities=["image", "text"],  # type: ignore[list-item]
            extra_body={"image_config": {"aspect_ratio": "1:1", "image_size": "2K"}},
        )
    message = reply.choices[0].message.model_dump()
    (picture,) = message["images"]
    assert opened(PICTURE.fullmatch(picture["image_url"]["url"])[1]).size == (2048, 2048)  # type: ignore[index]
    assert reply.usage.model_dump()["cost"] == pytest.approx(server.stats()["billed_usd"])


async def test_a_streamed_chat(server):
    async with client_of(server, "openrouter") as client:
        stream = await client.chat.completions.create(
            model="google/gemini-3.1-flash-image-preview",
            messages=[{"role": "user", "content": "a red kite"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    pictures = [p for c in chunks for choice in c.choices for p in choice.delta.model_dump().get("images", ())]
    assert len(pictures) == 1
    assert chunks[-1].usage.total_tokens > 0


async def test_openrouters_errors_carry_the_status_as_their_code(server):
    async with client_of(server, "openrouter") as client:
        with pytest.raises(openai.NotFoundError) as error:
            await client.chat.completions.create(model="a/b", messages=[{"role": "user", "content": "x"}])
    assert error.value.body["code"] == 404  # type: ignore[index]


async def test_a_relay_answers_an_unknown_model_with_503():
    server = await start_server("fast", mode="tiny")
    try:
        async with client_of(server, "apiyi-chat") as client:
            with pytest.raises(openai.InternalServerError) as error:
                await client.chat.completions.create(model="none", messages=[{"role": "user", "content": "x"}])
        assert (error.value.status_code, error.value.code) == (503, "model_not_found")
    finally:
        await server.close()


# --- a server of one's own -------------------------------------------------------------------------------------------


async def test_a_server_on_this_machine_knows_any_model(server):
    async with client_of(server, "local", key="anything") as client:
        reply = await client.images.generate(model="stable-diffusion-whatever", prompt="a red kite", size="512x768")
    assert reply.data
    assert opened(reply.data[0].b64_json or "").size == (512, 768)
