"""Chats: OpenAI's SDK, unchanged, talks with models that draw."""

import base64
import io
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import httpx2
import openai
import pytest
import pytest_asyncio
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from PIL import Image

from cavendish.front.gateway.app import Gateway
from cavendish.sim.server import start_server

MODEL = "nano-banana-2"
BIG = 300_000
"""Bytes of a picture that no line can hold."""


@pytest_asyncio.fixture
async def client(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        yield client


def user(words: str, *urls: str) -> ChatCompletionMessageParam:
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [{"type": "text", "text": words}, *pictures]}  # type: ignore[typeddict-item]


def urls_of(answer: ChatCompletion) -> list[list[str]]:
    """The addresses of each choice's pictures."""
    return [[image["image_url"]["url"] for image in choice.message.images] for choice in answer.choices]  # type: ignore[attr-defined]


def bytes_of(url: str) -> bytes:
    head, _, data = url.partition(",")
    assert head.startswith("data:image/"), url[:60]
    assert head.endswith(";base64")
    return base64.b64decode(data, validate=True)


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.size


async def ask(client: openai.AsyncOpenAI, *messages: ChatCompletionMessageParam, **more: Any) -> ChatCompletion:
    return await client.chat.completions.create(model=more.pop("model", MODEL), messages=messages, **more)


async def test_n_choices_each_with_a_picture_of_its_own(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, user("a red kite"), n=3, extra_body={"modalities": ["image", "text"]})
    pictures = [bytes_of(url) for urls in urls_of(answer) for url in urls]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert {choice.finish_reason for choice in answer.choices} == {"stop"}
    assert len(set(pictures)) == 3
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer.id.startswith("chatcmpl-")
    assert answer.created > 1_700_000_000


async def test_openrouter_s_image_config_is_heard(client: openai.AsyncOpenAI) -> None:
    config = {"image_config": {"aspect_ratio": "16:9", "image_size": "1K"}}
    answer = await ask(client, user("a red kite"), extra_body=config)
    width, height = size_of(bytes_of(urls_of(answer)[0][0]))
    assert width / height == pytest.approx(16 / 9, rel=0.05)


@pytest.mark.parametrize("model", ["flux-2-pro", "seedream-4.5", "gpt-image-2"])
async def test_any_model_can_be_talked_to(client: openai.AsyncOpenAI, model: str) -> None:
    # Clients ask for words whatever the model is.
    first = await ask(client, user("a red kite"), model=model, extra_body={"modalities": ["image", "text"]})
    message = first.choices[0].message.model_dump()
    second = await ask(client, user("a red kite"), message, user("now blue"), model=model)  # type: ignore[arg-type]
    assert bytes_of(urls_of(second)[0][0])


async def test_words_of_other_models_are_this_one_s(client: openai.AsyncOpenAI) -> None:
    wish = {
        "size": "1536x1024",
        "quality": "auto",
        "background": "auto",
        "user": "u-1",
        "response_format": {"type": "text"},
    }
    raw = await client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("a red kite")], extra_body=wish
    )
    width, height = size_of(bytes_of(urls_of(raw.parse())[0][0]))
    assert width / height == pytest.approx(1.5, rel=0.05)
    told = {notice["field"] for notice in json.loads(raw.headers["x-cavendish-notices"])}
    assert told <= {"size", "user", "model"}


# --- signatures ------------------------------------------------------------------------------------------------------


def told_in(headers: Mapping[str, str]) -> list[str]:
    """The codes of the notices about the conversation."""
    notices = json.loads(headers.get("x-cavendish-notices", "[]"))
    return [notice["code"] for notice in notices if notice["field"] == "turns"]


Echo = Callable[[ChatCompletion], Any]


def as_it_came(answer: ChatCompletion) -> Any:
    return answer.choices[0].message.model_dump(exclude_none=True)


def as_markdown(answer: ChatCompletion) -> Any:
    message = answer.choices[0].message
    return {"role": "assistant", "content": f"{message.content or ''}\n\n![image]({urls_of(answer)[0][0]})"}


def as_a_part(answer: ChatCompletion) -> Any:
    part = {"type": "image_url", "image_url": {"url": urls_of(answer)[0][0]}}
    return {"role": "assistant", "content": [part]}


@pytest.mark.parametrize("echo", [as_it_came, as_markdown, as_a_part])
@pytest.mark.parametrize("shape", ["", " [sim:thoughts]", " [sim:drafts]", " [sim:big_signature]"])
async def test_a_signature_survives_a_conversation_that_has_no_place_for_it(
    client: openai.AsyncOpenAI, echo: Echo, shape: str
) -> None:
    # The simulated model refuses a picture of its own without the signature that it gave it.
    talk: list[Any] = [user(f"a red kite{shape}")]
    for words in ("now blue", "now with a tail"):
        answer = await ask(client, *talk)
        talk += [echo(answer), user(words)]
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=talk)
    assert told_in(raw.headers) == []
    assert bytes_of(urls_of(raw.parse())[0][0])


async def test_another_s_picture_goes_with_the_user_s_words_and_that_is_told(client: openai.AsyncOpenAI) -> None:
    foreign = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(foreign, "PNG")
    url = "data:image/png;base64," + base64.b64encode(foreign.getvalue()).decode()
    told: list[Any] = [user("a kite"), {"role": "assistant", "content": "", "images": [{"image_url": {"url": url}}]}]
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=[*told, user("now blue")])
    assert bytes_of(urls_of(raw.parse())[0][0])
    assert told_in(raw.headers) == ["signature_lost", "pictures_moved"]
    with pytest.raises(openai.BadRequestError, match="signature"):
        await ask(client, *told, user("now blue"), extra_headers={"x-cavendish-strict": "true"})


async def test_an_answer_without_words_says_where_its_picture_is(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, user("a red kite"), extra_body={"modalities": ["image"]})
    address = re.fullmatch(r"!\[image\]\((http://[^)]+)\)", answer.choices[0].message.content or "")
    assert address
    async with aiohttp.ClientSession() as session, session.get(address[1]) as page:
        assert await page.read() == bytes_of(urls_of(answer)[0][0])


@pytest.mark.parametrize("kept", ["images", "content"])
async def test_links_of_ours_are_pictures_when_they_come_back(client: openai.AsyncOpenAI, kept: str) -> None:
    asked = {"extra_headers": {"x-cavendish-pictures": "links"}}
    answer = await ask(client, user("a red kite"), **asked)
    message = answer.choices[0].message.model_dump()
    assert len(json.dumps(message)) < 2000
    echo: Any = {"role": "assistant", kept: message[kept]}
    talk = [user("a red kite"), echo, user("now blue")]
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=talk)
    assert told_in(raw.headers) == []
    shown = urls_of(answer)[0][0]
    assert bytes_of(urls_of(await ask(client, user("in the style of this", shown)))[0][0])


@pytest.mark.parametrize("kept,notices", [(["content"], ["picture_gone"]), (["content", "images"], [])])
async def test_a_conversation_goes_on_without_pictures_that_are_gone(
    client: openai.AsyncOpenAI, kept: list[str], notices: list[str]
) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("a red kite")], extra_body={"modalities": ["image"]}
    )
    message = raw.parse().choices[0].message.model_dump()
    await client.delete(f"/jobs/{raw.headers['x-cavendish-job']}", cast_to=httpx2.Response)
    echo: Any = {"role": "assistant", **{name: message[name] for name in kept}}
    again = await client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("a red kite"), echo, user("now blue")]
    )
    assert told_in(again.headers) == notices
    assert bytes_of(urls_of(again.parse())[0][0])
    with pytest.raises(openai.BadRequestError, match="cannot be had"):
        await ask(client, user("like this", re.findall(r"http[^)]+", message["content"])[0]))


async def test_what_the_user_shows_stays_where_it_is(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, user("a red kite"))
    shown = urls_of(answer)[0][0]
    assert bytes_of(urls_of(await ask(client, user("in the style of this", shown)))[0][0])


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_a_stream_of_n_choices(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=MODEL, messages=[user("a red kite")], n=3, stream=True, stream_options={"include_usage": True}
    )
    pictures: dict[int, bytes] = {}
    finished: list[int] = []
    usage = None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            for image in getattr(choice.delta, "images", None) or ():
                assert choice.index not in pictures
                pictures[choice.index] = bytes_of(image["image_url"]["url"])
            finished += [choice.index] if choice.finish_reason == "stop" else []
    assert sorted(pictures) == [0, 1, 2]
    assert sorted(finished) == [0, 1, 2]
    assert len(set(pictures.values())) == 3
    assert usage
    assert usage.total_tokens > 0


async def lines_of(gateway: Gateway, headers: dict[str, str]) -> list[bytes]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": f"a red kite [sim:bytes={BIG}]"}], "stream": True}
    url = f"{gateway.url}/v1/chat/completions"
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return (await answer.read()).split(b"\n")


@pytest_asyncio.fixture
async def big(
    open_gateway: Callable[..., Awaitable[Gateway]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Gateway]:
    """A gateway to models whose pictures are as large as real ones."""
    server = await start_server("fast", seed=1, mode="full")
    monkeypatch.setenv("CAVENDISH_SIM_BASE_URL", server.url)
    yield await open_gateway()
    await server.close()


def put_together(lines: list[bytes]) -> tuple[bytes, str]:
    """The picture and the words of a stream, its pieces joined as OpenAI's clients join those of tool calls."""
    url, words = "", ""
    for line in lines:
        if not line.startswith(b"data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            words += choice["delta"].get("content") or ""
            for image in choice["delta"].get("images", ()):
                assert image["index"] == 0
                url += image["image_url"]["url"]
    return bytes_of(url), words


async def test_no_line_of_a_stream_is_giant(big: Gateway) -> None:
    lines = await lines_of(big, {})
    assert max(map(len, lines)) < 64 * 1024
    picture, _ = put_together(lines)
    assert len(picture) >= BIG
    assert min(size_of(picture)) > 0


async def test_markdown_in_bounded_lines_for_who_asks_for_it(big: Gateway) -> None:
    lines = await lines_of(big, {"x-cavendish-pictures": "markdown"})
    assert max(map(len, lines)) < 64 * 1024
    words = "".join(_contents(lines))
    assert len(bytes_of(words[words.index("(data:") + 1 : words.rindex(")")])) >= BIG


@pytest.mark.parametrize(
    "agent", ["ai/7.0.173 ai-sdk/openai-compatible/2.0.1 runtime/node.js/22", "AsyncOpenAI/Python 3.52.0"]
)
async def test_clients_that_take_pictures_whole_get_them_whole(big: Gateway, agent: str) -> None:
    lines = await lines_of(big, {"User-Agent": agent})
    events = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
    urls = [i["image_url"]["url"] for e in events for c in e["choices"] for i in c["delta"].get("images", ())]
    assert [len(bytes_of(url)) >= BIG for url in urls] == [True]


def _contents(lines: list[bytes]) -> list[str]:
    events = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
    return [choice["delta"].get("content") or "" for event in events for choice in event["choices"]]


async def test_openai_s_own_accumulator_puts_the_pieces_together(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        talk = client.chat.completions.stream(
            model=MODEL, messages=[user("a red kite")], extra_headers={"x-cavendish-pictures": "pieces"}
        )
        async with talk as stream:
            answer = await stream.get_final_completion()
    assert min(size_of(bytes_of(urls_of(answer)[0][0]))) > 0


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, error, code",
    [
        ({"model": "no-such-model"}, openai.NotFoundError, "model_not_found"),
        ({"n": 0}, openai.BadRequestError, "integer_below_min_value"),
        ({"n": 10_000}, openai.BadRequestError, "integer_above_max_value"),
        ({"messages": []}, openai.BadRequestError, "missing_required_parameter"),
        ({"messages": [{"role": "robot", "content": "a"}]}, openai.BadRequestError, "invalid_value"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, openai.BadRequestError, "invalid_value"),
        ({"extra_headers": {"x-cavendish-pictures": "upside-down"}}, openai.BadRequestError, "invalid_value"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_cannot_be_is_the_sdk_s_own_error(
    client: openai.AsyncOpenAI, body: dict[str, Any], error: type[openai.APIStatusError], code: str, stream: bool
) -> None:
    with pytest.raises(error) as caught:
        await client.chat.completions.create(
            **{"model": MODEL, "messages": [user("a red kite")], "stream": stream, **body}
        )
    assert caught.value.code == code


@pytest.mark.parametrize(
    "fault, code",
    [
        ("prompt_blocked", "moderation_blocked"),
        ("blocklist", "moderation_blocked"),
    ],
)
async def test_no_picture_at_all_is_an_error(client: openai.AsyncOpenAI, fault: str, code: str) -> None:
    for stream in (False, True):
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(
                model=MODEL, messages=[user(f"a red kite [sim:{fault}]")], stream=stream
            )
        assert code in (caught.value.code, caught.value.type), caught.value.body


SHORT = "a red kite [sim:prompt_blocked,times=1]"


async def test_fewer_pictures_are_choices_alone_and_what_is_missing_is_told(client: openai.AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=[user(SHORT)], n=3)
    answer = raw.parse()
    assert len(answer.choices) == 2
    assert all(bytes_of(urls[0]) for urls in urls_of(answer))
    assert [error["code"] for error in answer.cavendish["missing"]] == ["moderation_blocked"]  # type: ignore[attr-defined]
    assert raw.headers["x-cavendish-missing"] == "1"


async def test_what_goes_missing_in_mid_stream_is_raised(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model=MODEL, messages=[user(SHORT)], n=3, stream=True)
    finished: list[int] = []

    async def read() -> None:
        async for chunk in stream:
            finished.extend(choice.index for choice in chunk.choices if choice.finish_reason == "stop")

    with pytest.raises(openai.APIError) as caught:
        await read()
    assert sorted(finished) == [0, 1]
    assert caught.value.code == "moderation_blocked"


# --- tools -----------------------------------------------------------------------------------------------------------

FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def codes_of(answer: ChatCompletion) -> list[str]:
    return [notice["code"] for notice in (answer.model_extra or {}).get("cavendish", {}).get("notices", [])]


async def test_tools_that_nobody_will_call_are_told(client: openai.AsyncOpenAI) -> None:
    tools = {"tools": [FUNCTION], "tool_choice": "auto", "parallel_tool_calls": False}
    answer = await ask(client, user("a red kite"), extra_body=tools)
    assert len(urls_of(answer)) == 1
    assert "tools_left_out" in codes_of(answer)
    with pytest.raises(openai.BadRequestError, match="calls no weather"):
        await ask(client, user("a red kite"), extra_body=tools, extra_headers={"x-cavendish-strict": "1"})


async def test_what_tools_answered_earlier_is_passed_over(client: openai.AsyncOpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    said: Any = [
        user("what is the weather?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "assistant", "content": "It rains."},
        user("draw it"),
    ]
    answer = await ask(client, *said)
    assert len(urls_of(answer)) == 1
    assert "tools_left_out" in codes_of(answer)


async def test_searches_are_what_a_picture_is_grounded_on(client: openai.AsyncOpenAI, gateway: Gateway) -> None:
    asked: tuple[dict[str, Any], ...] = (
        {"web_search_options": {}},
        {"plugins": [{"id": "web"}]},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"googleSearch": {}}]},
        {"tools": [{"type": "function", "function": {"name": "googleSearch"}}], "tool_choice": "auto"},
    )
    for said in asked:
        answer = await ask(client, user("a red kite"), extra_body=said)
        assert not {"tools_left_out", "unsupported"} & set(codes_of(answer)), said
        job = (answer.model_extra or {})["cavendish"]["job"]
        assert gateway._desk is not None
        entry = await gateway._desk.books.job(job)
        assert entry is not None
        assert entry.request.grounding == ("web",), said


async def test_a_stream_tells_in_its_first_choice_what_could_not_be(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=MODEL, messages=[user("a red kite")], n=2, stream=True, extra_body={"tools": [FUNCTION]}
    )
    told = [(chunk.model_extra or {}).get("cavendish") async for chunk in stream]
    assert [{"tools_left_out"} <= {notice["code"] for notice in each["notices"]} for each in told if each] == [True]


# --- pictures of the user ------------------------------------------------------------------------------------------


async def test_pictures_of_the_user_in_all_their_forms(client: openai.AsyncOpenAI) -> None:
    drawn = bytes_of(urls_of(await ask(client, user("a red kite")))[0][0])
    data = base64.b64encode(drawn).decode()
    url = f"data:image/png;base64,{data}"
    file = await client.files.create(file=("kite.png", drawn), purpose="vision")
    forms: tuple[dict[str, Any], ...] = (
        {"type": "image_url", "image_url": {"url": url, "detail": "high"}},
        {"type": "image_url", "image_url": url},
        {"type": "input_image", "image_url": url},
        {"type": "input_image", "file_id": file.id},
        {"type": "file", "file": {"file_id": file.id}},
        {"type": "file", "file": {"file_data": url, "filename": "kite.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
    )
    for form in forms:
        said: Any = {"role": "user", "content": [{"type": "text", "text": "at night"}, form]}
        answer = await ask(client, said)
        assert answer.usage
        assert answer.usage.prompt_tokens > 1000, form
