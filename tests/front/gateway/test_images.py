"""OpenAI's SDK, unchanged, asks for pictures: any number, in either form, and errors of its own classes."""

import base64
import io
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from PIL import Image

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.doors.door import told_of
from cavendish.front.gateway.doors.images_form import ImagesForm
from cavendish.front.gateway.jobs.answer import outward
from cavendish.front.gateway.jobs.desk import DeskRules
from cavendish.front.gateway.wants import Answer
from cavendish.model.call import Open
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import ImageRequest, Notice
from cavendish.model.result import Failure, Slot
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key
from tests.front.gateway.threaded import threaded

MODEL = "nano-banana-2.1"


@pytest_asyncio.fixture
async def client(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def gateway_thread(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a gateway in a thread of its own, for clients that block."""
    with threaded(tmp_path_factory.mktemp("gateway"), monkeypatch) as url:
        yield url


def pictures_of(answer: Any) -> list[bytes]:
    return [base64.b64decode(item.b64_json) for item in answer.data]


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.size


async def raw(client: openai.AsyncOpenAI, **fields: Any) -> tuple[Any, dict[str, str]]:
    """The answer as JSON, and its headers."""
    answer = await client.images.with_raw_response.generate(**{"model": MODEL, "prompt": "a red kite", **fields})
    return json.loads(answer.content), {name.lower(): value for name, value in answer.headers.items()}


def codes(body: Any) -> dict[str, str]:
    """The notices of an answer: what each is about."""
    return {notice["param"]: notice["code"] for notice in body.get("cavendish", {}).get("notices", ())}


# --- counts and forms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 4, 12])
async def test_n_pictures_are_n_pictures(client, n):
    answer = await client.images.generate(model=MODEL, prompt="a red kite", n=n)
    found = pictures_of(answer)
    assert len(set(found)) == len(found) == n
    assert {size_of(picture) for picture in found} == {(1024, 1024)}


async def test_more_than_the_limit_is_refused_before_anything_is_bought(open_gateway: Opener, upstream: SimServer):
    gateway = await open_gateway(rules=DeskRules(max_n=3))
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match="<= 3") as caught:
            await client.images.generate(model=MODEL, prompt="a red kite", n=4)
        assert caught.value.code == "integer_above_max_value"
        assert len((await client.images.generate(model=MODEL, prompt="a red kite", n=3)).data or ()) == 3
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 3


async def test_an_answer_says_when_it_was_made_and_what_is_in_it(client):
    before = int(time.time())
    answer = await client.images.generate(model=MODEL, prompt="a red kite", quality="auto", background="auto")
    assert before <= answer.created <= time.time()
    assert (answer.size, answer.output_format) == ("1024x1024", "png")
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


def test_the_synchronous_client_gets_the_same(gateway_thread: str):
    with openai.OpenAI(api_key="any", base_url=f"{gateway_thread}/v1", max_retries=0) as client:
        answer = client.images.generate(model=MODEL, prompt="a red kite", n=2, size="1024x1024")
        assert [size_of(picture) for picture in pictures_of(answer)] == [(1024, 1024)] * 2
        with client.images.generate(model=MODEL, prompt="a red kite", n=2, stream=True) as stream:
            events = list(stream)
        assert [event.type for event in events] == ["image_generation.completed"] * 2
        edit = client.images.edit(model=MODEL, prompt="now blue", image=pictures_of(answer)[0])
        assert len(pictures_of(edit)) == 1
        with pytest.raises(openai.NotFoundError):
            client.images.generate(model="no-such-model", prompt="a red kite")


async def test_addresses_are_links_of_this_gateway(client):
    body, _ = await raw(client, n=2, response_format="url")
    assert all(set(item) == {"url"} for item in body["data"])
    found = []
    for item in body["data"]:
        assert item["url"].startswith(f"{str(client.base_url).removesuffix('/v1/')}/v1/pictures/")
        answer = await client._client.get(item["url"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        found.append(answer.content)
    assert len(set(found)) == 2
    assert {size_of(picture) for picture in found} == {(1024, 1024)}
    changed = body["data"][0]["url"][:-2] + "00"
    assert (await client._client.get(changed)).status_code in {403, 404}


async def test_no_other_form_is_taken_for_one(client):
    with pytest.raises(openai.BadRequestError, match="response_format"):
        await raw(client, response_format="png")


async def test_a_request_without_a_model_is_drawn_by_one_and_told(client):
    body, _ = await raw(client, model=openai.omit)
    assert codes(body) == {"model": "model_chosen"}
    assert body["model"]
    with pytest.raises(openai.APIStatusError, match="no model was named"):
        await raw(client, model=openai.omit, extra_headers={"x-cavendish-strict": "1"})


# --- any model -------------------------------------------------------------------------------------------------------

DRAWN = {
    "gpt-image-2": ((1536, 1024), {}),
    "flux-2-pro": ((1536, 1024), {"quality": "unsupported"}),
    "seedream-4.5": (
        (2496, 1664),
        {"size": "size_nearest", "quality": "unsupported", "output_format": "field_ignored"},
    ),
    "nano-banana-2.1": (
        (1264, 848),
        {"size": "size_nearest", "quality": "unsupported", "output_format": "format_left_out"},
    ),
    "nano-banana": ((1248, 832), {"size": "size_nearest", "quality": "unsupported"}),
}


@pytest.mark.parametrize("model", DRAWN)
async def test_any_model_draws_the_size_or_tells_the_nearest(client, model):
    wanted, notices = DRAWN[model]
    body, headers = await raw(client, model=model, size="1536x1024", quality="high", output_format="png")
    (item,) = body["data"]
    assert size_of(base64.b64decode(item["b64_json"])) == wanted
    assert body["size"] == "{}x{}".format(*wanted)
    told = codes(body)
    told.pop("model", None)  # retired, some of them
    assert told == notices
    in_header = {notice["field"]: notice["code"] for notice in json.loads(headers.get("x-cavendish-notices", "[]"))}
    assert in_header == codes(body)


async def test_what_cannot_be_honoured_is_an_error_to_who_is_strict(client, upstream: SimServer):
    for field, value in {"size": "1536x1024", "quality": "high", "background": "transparent"}.items():
        with pytest.raises(openai.BadRequestError, match="strict"):
            await raw(client, **{field: value}, extra_headers={"x-cavendish-strict": "true"})
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 0
    # Pixels that the model has, by another name; and what is of the caller and not of the picture.
    headers = {"x-cavendish-strict": "true"}
    body, _ = await raw(client, size="848x1264", user="u-1", moderation="low", extra_headers=headers)
    assert body["size"] == "848x1264"
    assert codes(body) == {"user": "not_passed_on", "moderation": "not_passed_on"}


async def test_members_beside_openai_s_reach_the_model(client):
    further = {"thinking": "HIGH", "grounding": ["web"], "aspect_ratio": "16:9", "image_size": "2K"}
    body, _ = await raw(client, extra_body=further)
    assert size_of(base64.b64decode(body["data"][0]["b64_json"])) == (2752, 1536)
    assert codes(body) == {}
    assert body["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
    assert body["grounding"]["web_queries"]
    assert body["grounding"]["sources"]


@pytest.mark.parametrize(
    "further", [{"thinking": 3}, {"grounding": ["world"]}, {"grounding": 7}, {"temperature": "warm"}, {"system": []}]
)
async def test_members_of_the_wrong_kind_are_refused(client, further):
    with pytest.raises(openai.BadRequestError):
        await raw(client, extra_body=further)


async def test_openrouter_s_client_finds_its_counts(client):
    asked = {"model": MODEL, "prompt": "a red kite", "n": 3, "aspect_ratio": "16:9"}
    body = json.loads((await client._client.post("/images", json=asked)).content)
    assert len(body["data"]) == 3
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_drafts_come_before_each_picture_where_the_provider_draws_them(client):
    stream = await client.images.generate(model="gpt-image-2", prompt="a kite", stream=True, partial_images=2, n=2)
    events = [event async for event in stream]
    kinds = [event.type.rpartition(".")[2] for event in events]
    assert kinds == ["partial_image", "partial_image", "completed"] * 2
    assert [event.partial_image_index for event in events if event.type.endswith("partial_image")] == [0, 1, 0, 1]
    assert all(abs(event.created_at - time.time()) < 60 for event in events)
    assert {event.size for event in events} == {"1024x1024"}
    assert len({event.b64_json for event in events}) == 6


async def test_drafts_are_no_loss_where_there_are_none(client):
    stream = await client.images.generate(model=MODEL, prompt="a kite", stream=True, partial_images=2)
    told = json.loads(stream.response.headers["x-cavendish-notices"])
    assert [(notice["code"], notice["field"]) for notice in told] == [("not_passed_on", "partial_images")]
    events = [event async for event in stream]
    assert [event.type for event in events] == ["image_generation.completed"]
    assert codes(events[0].model_dump()) == {"partial_images": "not_passed_on"}


async def test_an_edit_streams_events_of_edits(client):
    first = await client.images.generate(model=MODEL, prompt="a red kite")
    stream = await client.images.edit(model=MODEL, prompt="blue", image=pictures_of(first)[0], n=2, stream=True)
    assert [event.type async for event in stream] == ["image_edit.completed"] * 2


async def test_a_picture_that_is_missing_in_a_stream_raises_at_its_end(client):
    prompt = "a red kite [sim:prompt_blocked,times=1]"
    stream = await client.images.generate(model=MODEL, prompt=prompt, stream=True, n=3)
    seen: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        await _into(seen, stream)
    assert seen == ["image_generation.completed"] * 2
    assert caught.value.code == "moderation_blocked"


async def _into(seen: list[str], stream: Any) -> None:
    async for event in stream:
        seen.append(event.type)  # noqa: PERF401 - what came before the error counts


# --- errors ----------------------------------------------------------------------------------------------------------

REFUSED = {
    "prompt_blocked": (openai.BadRequestError, 400, "moderation_blocked"),
    "image_safety": (openai.BadRequestError, 400, "moderation_blocked"),
    "no_image": (openai.BadRequestError, 400, "no_image"),
    "text_only": (openai.BadRequestError, 400, "no_image"),
    "no_credit": (openai.InternalServerError, 502, "upstream_no_credit"),
    "forbidden": (openai.InternalServerError, 502, "upstream_forbidden"),
}


@pytest.mark.parametrize("fault", REFUSED)
async def test_no_picture_at_all_is_an_error_and_says_whose(client, fault):
    kind, status, code = REFUSED[fault]
    with pytest.raises(kind) as caught:
        await client.images.generate(model=MODEL, prompt=f"a red kite [sim:{fault}]")
    error: Any = caught.value
    assert (error.status_code, error.code) == (status, code)
    assert error.request_id == error.response.headers["x-cavendish-job"]
    assert error.response.headers["x-cavendish-missing"] == "1"


async def test_fewer_are_the_pictures_alone_and_why_the_others_are_missing(client):
    body, headers = await raw(client, prompt="a red kite [sim:prompt_blocked,times=1]", n=3)
    assert [set(item) for item in body["data"]] == [{"b64_json"}] * 2
    assert [failure["code"] for failure in body["failures"]] == ["moderation_blocked"]
    assert (headers["x-cavendish-missing"], headers["x-cavendish-missing-why"]) == ("1", "prompt_blocked")
    assert headers["x-request-id"] == headers["x-cavendish-job"] == body["id"]


async def test_fewer_than_all_is_an_error_to_who_is_strict_and_names_what_was_paid_for(client):
    with pytest.raises(openai.BadRequestError, match=r"1 of 3 .* /v1/jobs/") as caught:
        await raw(
            client,
            prompt="a red kite [sim:prompt_blocked,times=1]",
            n=3,
            extra_headers={"x-cavendish-strict": "1"},
        )
    job = caught.value.response.headers["x-cavendish-job"]
    assert f"/v1/jobs/{job}" in str(caught.value)


async def test_a_method_or_body_that_is_not_taken(client):
    answer = await client._client.get("/images/generations")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    for body, status in ((b"{", 400), (b"[]", 400), (b'{"prompt": "' + b"a kite " * (1 << 20) + b'"}', 413)):
        answer = await client._client.post("/images/generations", content=body)
        assert answer.status_code == status, body[:9]
        assert answer.json()["error"]["message"]
        assert answer.headers["x-request-id"]
    with pytest.raises(openai.APIStatusError) as caught:
        await client.images.generate(model=MODEL, prompt="a kite " * (1 << 20))
    assert caught.value.status_code == 413


async def test_a_quota_that_does_not_come_free_says_when_to_ask_again(open_gateway: Opener):
    gateway = await open_gateway(rules=DeskRules(max_wait_s=0.1))
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.images.generate(model=MODEL, prompt="a red kite [sim:terse_429]")
    headers = caught.value.response.headers
    assert caught.value.code == "rate_limit_exceeded"
    assert 0 < int(headers["retry-after-ms"]) <= int(headers["retry-after"]) * 1000 < 120_000


@pytest.mark.parametrize(
    "kind,status,code",
    [
        (FaultKind.SERVER_ERROR, 502, "server_error"),
        (FaultKind.MALFORMED, 502, "server_error"),
        (FaultKind.OVERLOADED, 503, "server_error"),
        (FaultKind.TIMEOUT, 504, "server_error"),
        (FaultKind.DISK_FULL, 500, "server_error"),
        (FaultKind.RATE_LIMITED, 429, "rate_limit_exceeded"),
    ],
)
def test_whose_trouble_it_was_is_in_the_status(kind, status, code):
    fault = Fault(kind, "it broke", reason="INTERNAL", status=500)
    response = ImagesForm(spelling="server").write_reply(fault, Open(ImageRequest.of("a", "m")))
    assert (response.status, response.body["error"]["code"]) == (status, code)


@pytest.mark.parametrize("kind", [FaultKind.BAD_KEY, FaultKind.NO_CREDIT, FaultKind.SPEND_LIMIT])
def test_what_a_provider_says_of_the_gateway_s_account_is_not_the_caller_s(kind):
    told = outward(Fault(kind, "key sk-123 has no credit", charged=Charged.NO, reason="insufficient_quota"))
    response = ImagesForm(spelling="server").write_reply(told, Open(ImageRequest.of("a", "m")))
    assert (response.status, response.body["error"]["code"]) == (502, f"upstream_{kind.value}")
    assert "sk-123" not in str(response.body)


async def test_keys_have_their_own_errors_and_tell_their_rate(open_gateway: Opener):
    gateway = await open_gateway()
    key = await make_key(rpm=7, models=["nano-banana-*"])
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        _, headers = await raw(client, model="nano-banana-2.1")
        assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("7", "6")
        with pytest.raises(openai.PermissionDeniedError):
            await raw(client, model="flux-2-pro")
        with pytest.raises(openai.AuthenticationError):
            await raw(client.with_options(api_key="another"))


def test_notices_in_a_header_are_whole_json_however_many_there_are():
    notices = tuple(Notice("changed", f"ein Bild für {number}: “q”\r\nx: y", "size") for number in range(100))
    slot = Slot("j.0", "j", 0, 0, ImageRequest.of("a", "m"))
    told = told_of(Answer("j", slot.request, (Failure(slot, Fault(FaultKind.NO_IMAGE), 1),), notices))
    listed = json.loads(told["x-cavendish-notices"])
    assert 10 < len(listed) < 100
    assert [entry["text"] for entry in listed] == [notice.text for notice in notices[: len(listed)]]
    assert told["x-cavendish-notices"].isascii()
    assert len(told["x-cavendish-notices"]) <= 2000


# What other clients were seen to send: Vercel's AI SDK for ids that it does not know, its openai-compatible provider,
# and LiteLLM.
OTHERS: dict[str, Any] = {
    "@ai-sdk/openai": {"n": 1, "response_format": "b64_json"},
    "@ai-sdk/openai-compatible": {"n": 4},
    "litellm": {"n": 2, "quality": "auto", "size": "1024x1024", "user": "u"},
    "everything as null": {"n": None, "size": None, "quality": None, "seed": None, "response_format": None},
}


@pytest.mark.parametrize("name", OTHERS)
async def test_what_other_clients_send_is_understood(client, name):
    answer = await client._client.post("/images/generations", json={"model": MODEL, "prompt": "kite", **OTHERS[name]})
    assert answer.status_code == 200, answer.text
    items = answer.json()["data"]
    assert len({item["b64_json"] for item in items}) == (OTHERS[name]["n"] or 1)


WRONG: dict[str, Any] = {
    "no picture": ({"n": 0}, "integer_below_min_value"),
    "half a picture": ({"n": "many"}, "invalid_type"),
    "no prompt": ({"prompt": ""}, "missing_required_parameter"),
    "a seed of words": ({"seed": "seven"}, "invalid_type"),
    "a size of words": ({"size": "huge"}, "invalid_value"),
    "a ratio of words": ({"aspect_ratio": "wide"}, "invalid_value"),
    "a mask that is none": ({"mask": {"of": 1}}, "invalid_value"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_wrong_is_told_in_openai_s_words(client, upstream: SimServer, name):
    fields, code = WRONG[name]
    answer = await client._client.post("/images/generations", json={"model": MODEL, "prompt": "kite", **fields})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == (code, "invalid_request_error")
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 0
