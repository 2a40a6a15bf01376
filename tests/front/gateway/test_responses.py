"""The Responses API: OpenAI's SDK, unchanged, has its image tool draw with any model."""

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
import pytest_asyncio
from openai.types.responses import Response
from PIL import Image

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs.desk import DeskRules
from tests.front.gateway.conftest import Opener

MODEL = "nano-banana-2"
WORDS = {"modalities": ["image", "text"]}
TOOL: Any = {"type": "image_generation"}


@pytest_asyncio.fixture
async def client(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        yield client


def pictures(answer: Response) -> list[bytes]:
    calls = [item for item in answer.output if item.type == "image_generation_call"]
    assert {call.status for call in calls} <= {"completed"}
    return [base64.b64decode(call.result or "", validate=True) for call in calls]


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.size


async def ask(client: openai.AsyncOpenAI, input_: Any = "a red kite", **more: Any) -> Response:
    return await client.responses.create(**{"model": MODEL, "input": input_, "tools": [TOOL], **more})


async def test_a_picture_with_all_that_the_sdk_reads(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, tools=[{**TOOL, "size": "1024x1024", "quality": "auto"}], metadata={"a": "b"})
    assert answer.status == "completed"
    assert answer.error is None
    assert answer.id.startswith("resp_")
    assert answer.model == MODEL
    assert answer.metadata == {"a": "b"}
    assert [size_of(picture) for picture in pictures(answer)] == [(1024, 1024)]
    assert answer.output[-1].size == "1024x1024"  # type: ignore[union-attr]
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


async def test_several_pictures_are_several_calls(client: openai.AsyncOpenAI) -> None:
    assert len(set(pictures(await ask(client, tools=[{**TOOL, "n": 3}])))) == 3


async def test_a_model_that_would_only_call_the_tool_is_replaced_by_one_that_draws(client: openai.AsyncOpenAI) -> None:
    raw = await client.responses.with_raw_response.create(model="gpt-5.2", input="a red kite", tools=[TOOL])
    assert pictures(raw.parse())
    assert "model_chosen" in raw.headers["x-cavendish-notices"]
    named: Any = {**TOOL, "model": "flux-2-pro"}
    answer = await ask(client, model="gpt-5.2", tools=[named])
    assert pictures(answer)
    assert answer.usage  # read unasked by clients, also of models that count no tokens


async def test_a_tool_that_nobody_will_call_is_told(client: openai.AsyncOpenAI) -> None:
    tools: Any = [TOOL, {"type": "function", "name": "f", "parameters": {}, "strict": True}]
    raw = await client.responses.with_raw_response.create(model=MODEL, input="a red kite", tools=tools)
    assert "tools_left_out" in raw.headers["x-cavendish-notices"]
    with pytest.raises(openai.BadRequestError, match="function"):
        await ask(client, tools=tools, extra_headers={"x-cavendish-strict": "1"})


async def test_what_was_said_is_a_message(client: openai.AsyncOpenAI) -> None:
    # The simulated model says something with every other picture.
    answer = await ask(client, tools=[{**TOOL, "n": 16}], extra_body=WORDS)
    assert len(pictures(answer)) == 16
    assert set(filter(None, answer.output_text.split("."))) == {"Here is the picture"}


# --- conversations ---------------------------------------------------------------------------------------------------


def told_in(raw: Any) -> list[str]:
    return [code for code in ("signature_lost", "pictures_moved") if code in raw.headers.get("x-cavendish-notices", "")]


async def test_a_conversation_goes_on_from_the_response_before(client: openai.AsyncOpenAI) -> None:
    first = await ask(client)
    second = await ask(client, "now blue", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    raw = await client.responses.with_raw_response.create(
        model=MODEL, input="now with a tail", previous_response_id=second.id
    )
    # The simulated model refuses pictures of its own without the signatures that it gave them.
    assert told_in(raw) == []
    assert pictures(raw.parse())


@pytest.mark.parametrize("form", ["whole", "id", "reference"])
async def test_earlier_calls_in_the_input(client: openai.AsyncOpenAI, form: str) -> None:
    first = await ask(client, store=form != "whole")
    call = next(item for item in first.output if item.type == "image_generation_call")
    items: Any = {
        "whole": [item.model_dump(exclude_none=True) for item in first.output],
        "id": [{"type": "image_generation_call", "id": call.id}],
        "reference": [{"type": "item_reference", "id": call.id}],
    }[form]
    raw = await client.responses.with_raw_response.create(
        model=MODEL, input=[{"role": "user", "content": "a kite"}, *items, {"role": "user", "content": "now blue"}]
    )
    assert told_in(raw) == []
    assert pictures(raw.parse())


async def test_pictures_of_the_user(client: openai.AsyncOpenAI) -> None:
    url = "data:image/png;base64," + base64.b64encode(pictures(await ask(client))[0]).decode()
    content: Any = [{"type": "input_text", "text": "in this style"}, {"type": "input_image", "image_url": url}]
    assert pictures(await ask(client, [{"role": "user", "content": content}]))


async def test_a_conversation_outlives_the_jobs_behind_it(client: openai.AsyncOpenAI, gateway: Gateway) -> None:
    first = await ask(client)
    second = await ask(client, "now blue", previous_response_id=first.id)
    assert (await client.delete(f"/jobs/{first.id.removeprefix('resp_')}", cast_to=httpx2.Response)).is_success
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(first.id)
    third = await ask(client, "now with a tail", previous_response_id=second.id)
    assert pictures(third)


async def test_signatures_outlive_the_gateway(open_gateway: Opener) -> None:
    talk: Any = [{"role": "user", "content": "a kite"}]
    for words in ("now blue", "now with a tail"):
        gateway = await open_gateway()
        async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
            raw = await client.responses.with_raw_response.create(model=MODEL, input=talk, store=False)
        await gateway.close()
        assert told_in(raw) == []
        talk += [item.model_dump() for item in raw.parse().output]
        talk += [{"role": "user", "content": words}]
    assert len(talk) == 5


async def test_files_of_the_user(client: openai.AsyncOpenAI) -> None:
    picture = pictures(await ask(client))[0]
    file = await client.files.create(file=("a.png", picture), purpose="vision")
    content: Any = [{"type": "input_text", "text": "in this style"}, {"type": "input_image", "file_id": file.id}]
    assert pictures(await ask(client, [{"role": "user", "content": content}]))
    content[1]["file_id"] = "file-nobody-has-this"
    with pytest.raises(openai.APIStatusError, match="nobody"):
        await ask(client, [{"role": "user", "content": content}])


# --- stored responses ------------------------------------------------------------------------------------------------


async def test_a_stored_response_is_found_until_it_is_deleted(client: openai.AsyncOpenAI) -> None:
    made = await ask(client)
    found = await client.responses.retrieve(made.id)
    assert pictures(found) == pictures(made)
    assert found.status == "completed"
    await client.responses.delete(made.id)
    for use in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            await use(made.id)
    with pytest.raises(openai.BadRequestError, match="not found"):
        await ask(client, "now blue", previous_response_id=made.id)


async def test_what_is_not_to_be_stored_is_not(client: openai.AsyncOpenAI) -> None:
    made = await ask(client, store=False)
    assert pictures(made)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(client, "now blue", previous_response_id=made.id)
    assert caught.value.code == "previous_response_not_found"


async def test_in_the_background(client: openai.AsyncOpenAI) -> None:
    begun = await ask(client, background=True)
    assert begun.status in {"queued", "in_progress"}
    assert begun.output == []
    for _ in range(200):
        found = await client.responses.retrieve(begun.id)
        if found.status not in {"queued", "in_progress"}:
            break
    assert found.status == "completed"
    assert pictures(found)


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_a_stream_has_the_events_that_the_sdk_waits_for(client: openai.AsyncOpenAI) -> None:
    tool: Any = {**TOOL, "n": 8, "partial_images": 2}
    stream = await client.responses.create(model=MODEL, input="a red kite", tools=[tool], stream=True, extra_body=WORDS)
    events = [event async for event in stream]
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    for kind in ("in_progress", "generating", "completed"):
        assert kinds.count(f"response.image_generation_call.{kind}") == 8
    done = [event for event in events if event.type == "response.output_item.done"]
    assert [event.output_index for event in done] == list(range(len(done)))
    final = next(event.response for event in events if event.type == "response.completed")
    assert [item.id for item in final.output] == [event.item.id for event in done]
    assert len(set(pictures(final))) == 8
    assert final.output_text
    assert final.output_text == "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert pictures(await client.responses.retrieve(final.id))


async def test_the_sdk_s_own_helper_reads_the_stream(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(model=MODEL, input="a red kite", tools=[TOOL]) as stream:
        final = await stream.get_final_response()
    assert pictures(final)


async def test_a_stream_that_is_kept_alive_fails_in_its_own_words(client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(
        model=MODEL,
        input="a red kite [sim:prompt_blocked,latency=1.5]",
        stream=True,
        extra_headers={"x-cavendish-keep-alive": "1"},
    )
    events: list[Any] = []

    async def read() -> None:
        async for event in stream:
            events.append(event)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(openai.APIError) as caught:
        await read()
    assert caught.value.code == "moderation_blocked"
    assert [event.type for event in events] == ["response.created", "response.in_progress", "response.failed"]
    assert len({event.response.id for event in events}) == 1
    assert events[-1].response.error.code == "moderation_blocked"


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "body, error, code",
    [
        ({"model": "no-such-model"}, openai.NotFoundError, "model_not_found"),
        ({"input": []}, openai.BadRequestError, "missing_required_parameter"),
        ({"input": [{"type": "no_such_item"}]}, openai.BadRequestError, "invalid_value"),
        ({"input": [{"type": "image_generation_call", "id": "ig_a_b"}]}, openai.BadRequestError, "item_not_found"),
        ({"tools": [{**TOOL, "n": 0}]}, openai.BadRequestError, "integer_below_min_value"),
        ({"tools": [{**TOOL, "n": 9999}]}, openai.BadRequestError, "integer_above_max_value"),
        ({"background": True, "store": False}, openai.BadRequestError, "invalid_value"),
        ({"input": "a red kite [sim:prompt_blocked]"}, openai.BadRequestError, "moderation_blocked"),
    ],
)
async def test_what_cannot_be_is_the_sdk_s_own_error(
    client: openai.AsyncOpenAI, body: dict[str, Any], error: type[openai.APIStatusError], code: str, stream: bool
) -> None:
    if stream and "background" in body:
        return  # a stream is no background
    with pytest.raises(error) as caught:
        await client.responses.create(
            **{"model": MODEL, "input": "a red kite", "tools": [TOOL], "stream": stream, **body}
        )
    assert caught.value.code == code


SHORT = "a red kite [sim:prompt_blocked,times=1]"


async def test_fewer_pictures_are_an_incomplete_response(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, SHORT, tools=[{**TOOL, "n": 3}])
    assert answer.status == "incomplete"
    assert len(pictures(answer)) == 2


async def test_what_goes_missing_in_mid_stream_is_raised(client: openai.AsyncOpenAI) -> None:
    tool: Any = {**TOOL, "n": 3}
    stream = await client.responses.create(model=MODEL, input=SHORT, tools=[tool], stream=True)
    kinds: list[str] = []

    async def read() -> None:
        async for event in stream:
            kinds.append(event.type)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(openai.APIError) as caught:
        await read()
    assert kinds.count("response.image_generation_call.completed") == 2
    assert kinds[-1] == "response.incomplete"
    assert caught.value.code == "moderation_blocked"


# --- asked for again -------------------------------------------------------------------------------------------------


async def test_what_a_response_was_asked_is_listed(client: openai.AsyncOpenAI) -> None:
    first = await ask(client)
    second = await ask(client, "make it night", previous_response_id=first.id)
    listed = [item async for item in client.responses.input_items.list(second.id, order="asc")]
    assert [item.type for item in listed] == ["message", "image_generation_call", "message"]
    assert [listed[0].content[0].text, listed[2].content[0].text] == ["a red kite", "make it night"]  # type: ignore[union-attr]
    assert base64.b64decode(listed[1].result or "") == pictures(first)[0]  # type: ignore[union-attr]
    page = await client.responses.input_items.list(second.id, limit=2)
    assert [item.id for item in page.data] == [item.id for item in reversed(listed[1:])]
    assert [item.id async for item in page] == [item.id for item in reversed(listed)]
    with pytest.raises(openai.NotFoundError):
        await client.responses.input_items.list("resp_none")
    for wrong in ({"order": "up"}, {"limit": "0"}, {"after": "msg_none"}):
        with pytest.raises(openai.BadRequestError):
            await client.responses.input_items.list(second.id, extra_query=wrong)


async def test_a_stream_is_taken_up_where_it_broke_off(client: openai.AsyncOpenAI) -> None:
    tool: Any = {**TOOL, "partial_images": 2}
    for background in (False, True):
        stream = await client.responses.create(
            model="gpt-image-2", input="a red kite", tools=[tool], stream=True, background=background
        )
        events = [event async for event in stream]
        response = events[0].response.id  # type: ignore[union-attr]
        assert any(event.type == "response.image_generation_call.partial_image" for event in events)
        for after in (None, 2, len(events) - 2):
            more: Any = {} if after is None else {"starting_after": after}
            again = [event async for event in await client.responses.retrieve(response, stream=True, **more)]
            assert [event.to_dict() for event in again] == [event.to_dict() for event in events[(after or -1) + 1 :]]


async def test_a_response_in_the_background_waits_as_long_as_it_takes(open_gateway: Opener) -> None:
    gateway = await open_gateway(rules=DeskRules(max_wait_s=0.05))
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        begun = await ask(client, "a red kite [sim:terse_429,times=1]", background=True)
        kinds = [event.type async for event in await client.responses.retrieve(begun.id, stream=True)]
        assert kinds[-1] == "response.completed"
        assert len(pictures(await client.responses.retrieve(begun.id))) == 1


async def test_a_response_that_failed_says_so_when_it_is_shown_again(client: openai.AsyncOpenAI) -> None:
    begun = await ask(client, "a red kite [sim:prompt_blocked]", background=True)
    kinds: list[str] = []

    async def read() -> None:
        async for event in await client.responses.retrieve(begun.id, stream=True):
            kinds.append(event.type)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(openai.APIError) as caught:
        await read()
    assert caught.value.code == "moderation_blocked"
    assert kinds == ["response.created", "response.in_progress", "response.failed"]
    found = await client.responses.retrieve(begun.id)
    assert found.status == "failed"
    assert found.error


async def test_tokens_are_counted(client: openai.AsyncOpenAI) -> None:
    count = client.responses.input_tokens.count
    few, many = await count(model=MODEL, input="a kite"), await count(model="gpt-5", input="a red kite over the moor")
    assert few.object == "response.input_tokens"
    assert 0 < few.input_tokens < many.input_tokens
    with pytest.raises(openai.NotFoundError):
        await count(model="no-such-model", input="a kite")


@pytest.mark.parametrize("name, value", [("conversation", "conv_1"), ("prompt", {"id": "pmpt_1"})])
async def test_what_is_kept_elsewhere_is_refused_in_clear_words(
    client: openai.AsyncOpenAI, name: str, value: Any
) -> None:
    with pytest.raises(openai.BadRequestError, match=f"'{name}'. Use ") as caught:
        await ask(client, extra_body={name: value})
    assert caught.value.code == "unsupported_parameter"


async def test_calls_of_other_tools_are_passed_over(client: openai.AsyncOpenAI) -> None:
    talk: Any = [
        {"role": "user", "content": "what is the weather?"},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        {"role": "user", "content": "draw it"},
    ]
    assert len(pictures(await ask(client, talk))) == 1
