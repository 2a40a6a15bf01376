"""Batches of both worlds: made with the SDKs, worked on as jobs, their results inline or in a file."""

import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import openai
import pytest
from google import genai
from google.genai import errors, types

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.batches import batches as batches_module
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.test_files import VERSIONS, google, openai_client, picture

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

MODEL = "nano-banana-2"
BY_CALLS = types.CreateBatchJobConfig(http_options=types.HttpOptions(headers={"x-cavendish-mode": "standard"}))
"""What a batch is when no batch API is to be used."""


def bought(upstream: SimServer) -> int:
    return upstream.sim.stats(0.0, 0.0)["requests"]


async def until(look: Callable[[], Awaitable[Any]], ready: Callable[[Any], bool]) -> Any:
    """What is seen when it is ready."""
    async with asyncio.timeout(30):
        while not ready(seen := await look()):  # noqa: ASYNC110 - another server's
            await asyncio.sleep(0.02)
    return seen


async def ended(client: genai.client.AsyncClient, name: str | None) -> types.BatchJob:
    return await until(lambda: client.batches.get(name=name or ""), lambda job: job.done)


def asking(prompt: str, **config: Any) -> dict[str, Any]:
    return {
        "contents": [{"parts": [{"text": prompt}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], **config},
    }


def pictures_in(response: Any) -> list[bytes]:
    answer = types.GenerateContentResponse.model_validate(response)
    return [part.inline_data.data or b"" for part in answer.parts or () if part.inline_data]


# --- Google's --------------------------------------------------------------------------------------------------------


@VERSIONS
async def test_inline_requests_have_inline_results(gateway: Gateway, version: str) -> None:
    client = google(gateway, version).aio
    sources = [
        types.InlinedRequest(contents="a red kite", metadata={"key": "kite"}),
        types.InlinedRequest(contents=[types.Part.from_bytes(data=picture(), mime_type="image/png"), "make it night"]),
        types.InlinedRequest(contents="a kite [sim:image_safety]", metadata={"key": "refused"}),
    ]
    job = await client.batches.create(model=MODEL, src=sources, config={"display_name": "kites"})
    assert job.display_name == "kites"
    job = await ended(client, job.name)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    results = (job.dest and job.dest.inlined_responses) or []
    assert [bool(result.response and result.response.parts) for result in results] == [True, True, False]
    refused = results[2].response
    assert refused
    assert refused.candidates
    assert refused.candidates[0].finish_reason == types.FinishReason.IMAGE_SAFETY
    assert [one.name async for one in await client.batches.list()] == [job.name]
    await client.batches.delete(name=job.name or "")
    with pytest.raises(errors.ClientError) as caught:
        await client.batches.get(name=job.name or "")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    await client.aclose()


@VERSIONS
async def test_a_file_of_requests_has_a_file_of_results(gateway: Gateway, version: str) -> None:
    client = google(gateway, version).aio
    data = base64.b64encode(picture()).decode()
    referring = asking("make it night")
    referring["contents"][0]["parts"].insert(0, {"inlineData": {"mimeType": "image/png", "data": data}})
    lines = [
        {"key": "kite", "request": asking("a red kite")},
        {"key": "night", "request": referring},
        {"key": "odd", "request": asking("x", candidateCount=1000)},
        {"key": "several", "request": asking("a blue kite", candidateCount=3)},
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode() + b"\nno json\n"
    file = await client.files.upload(file=io.BytesIO(content), config={"mime_type": "jsonl"})
    job = await client.batches.create(model=MODEL, src=file.name or "")
    job = await ended(client, job.name)
    assert job.dest
    downloaded = await client.files.download(file=job.dest.file_name or "")
    results = [json.loads(line) for line in downloaded.splitlines()]
    assert [result.get("key") for result in results] == ["kite", "night", "odd", "several", ""]
    assert [len(pictures_in(result.get("response", {}))) for result in results[:2]] == [1, 1]
    assert "at most 100" in results[2]["error"]["message"]
    assert results[2]["error"]["code"] == 3
    assert len(results[3]["response"]["candidates"]) == 3
    assert results[4]["error"]["code"] == 3
    kept = await client.files.get(name=job.dest.file_name or "")
    assert (kept.size_bytes, kept.source) == (len(downloaded), types.FileSource.GENERATED)
    stats = job.completion_stats
    assert stats is None or stats.failed_count in {None, 2}
    await client.aclose()


async def test_a_batch_that_cannot_be_is_google_s_own_error(gateway: Gateway) -> None:
    client = google(gateway).aio
    with pytest.raises(errors.ClientError, match="no-such-model") as caught:
        await client.batches.create(model="no-such-model", src=[types.InlinedRequest(contents="a kite")])
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.ClientError) as caught:
        await client.batches.create(model=MODEL, src="files/nothing")
    assert caught.value.code == 403
    many = types.InlinedRequest(contents="a kite", config=types.GenerateContentConfig(candidate_count=500))
    with pytest.raises(errors.ClientError, match=r"requests\[0\].*at most 100"):
        await client.batches.create(model=MODEL, src=[many])
    assert [one.name async for one in await client.batches.list()] == []
    await client.aclose()


async def test_a_batch_survives_a_restart_and_buys_nothing_twice(open_gateway: Opener, upstream: SimServer) -> None:
    gateway = await open_gateway()
    client = google(gateway).aio
    sources = [types.InlinedRequest(contents=f"kite {number}") for number in range(40)]
    job = await client.batches.create(model=MODEL, src=sources, config=BY_CALLS)
    while not bought(upstream):  # noqa: ASYNC110 - another server's count
        await asyncio.sleep(0.001)
    await gateway.close()
    await client.aclose()
    before = bought(upstream)
    gateway = await open_gateway()
    client = google(gateway).aio
    done = await ended(client, job.name)
    results = (done.dest and done.dest.inlined_responses) or []
    assert sum(bool(result.response and result.response.parts) for result in results) == 40
    assert before < 40
    assert bought(upstream) == 40
    await client.aclose()


async def test_a_cancelled_batch_keeps_what_it_has(gateway: Gateway, upstream: SimServer) -> None:
    client = google(gateway).aio
    sources = [types.InlinedRequest(contents=f"kite {number}") for number in range(80)]
    job = await client.batches.create(model=MODEL, src=sources, config=BY_CALLS)
    while not bought(upstream):  # noqa: ASYNC110 - another server's count
        await asyncio.sleep(0.001)
    await client.batches.cancel(name=job.name or "")
    job = await ended(client, job.name)
    assert job.state == types.JobState.JOB_STATE_CANCELLED
    results = (job.dest and job.dest.inlined_responses) or []
    came = sum(bool(result.response and result.response.parts) for result in results)
    assert 0 < came == bought(upstream) < 80
    assert sum(result.error is not None and result.error.code == 1 for result in results) == 80 - came
    await client.aclose()


async def test_a_batch_that_is_older_than_is_kept_is_forgotten(
    open_gateway: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "LOOK_EVERY_S", 0.05)
    gateway = await open_gateway()
    client = google(gateway).aio
    job = await client.batches.create(model=MODEL, src=[types.InlinedRequest(contents="a red kite")])
    await ended(client, job.name)
    await gateway.close()
    await client.aclose()
    gateway = await open_gateway(keep_s=0.0)
    client = google(gateway).aio

    async def listed() -> list[Any]:
        return [one.name async for one in await client.batches.list()]

    assert await until(listed, lambda names: not names) == []
    await client.aclose()


async def test_words_that_no_database_takes_break_nothing(gateway: Gateway) -> None:
    """Half a character, and the character that ends a string in C: refused in a body, kept in a line of a file."""
    odd = "a\\ud800b\\u0000c"
    async with aiohttp.ClientSession(headers={"x-goog-api-key": "any"}) as http:
        url = f"{gateway.url}/v1beta/models/{MODEL}:batchGenerateContent"
        missing = f'{{"batch": {{"inputConfig": {{"fileName": "files/{odd}"}}}}}}'
        async with http.post(url, data=missing) as answer:
            assert answer.status == 400
    client = google(gateway).aio
    wanted, bad = json.dumps(asking("a kite")), json.dumps(asking("ODD")).replace("ODD", odd)
    content = f'{{"key": "{odd}", "request": {wanted}}}\n{{"key": "bad", "request": {bad}}}'.encode()
    file = await client.files.upload(file=io.BytesIO(content), config={"mime_type": "jsonl"})
    job = await ended(client, (await client.batches.create(model=MODEL, src=file.name or "")).name)
    assert job.dest
    came, refused = (
        json.loads(one) for one in (await client.files.download(file=job.dest.file_name or "")).splitlines()
    )
    assert came["key"].startswith("a")
    assert pictures_in(came["response"])
    assert refused["key"] == "bad"
    await client.aclose()


# --- OpenAI's --------------------------------------------------------------------------------------------------------


def line(key: str, body: dict[str, Any], url: str = "/v1/images/generations") -> dict[str, Any]:
    return {"custom_id": key, "method": "POST", "url": url, "body": {"model": MODEL, **body}}


async def begun(client: openai.AsyncOpenAI, lines: list[dict[str, Any]], endpoint: str, **metadata: str) -> Any:
    content = "\n".join(json.dumps(entry) for entry in lines).encode()
    file = await client.files.create(file=("lines.jsonl", content), purpose="batch")
    where: Any = endpoint
    return await client.batches.create(
        input_file_id=file.id, endpoint=where, completion_window="24h", metadata=metadata or None
    )


async def over(client: openai.AsyncOpenAI, identity: str) -> Any:
    states = {"completed", "failed", "cancelled", "expired"}
    return await until(lambda: client.batches.retrieve(identity), lambda batch: batch.status in states)


async def lines_in(client: openai.AsyncOpenAI, file_id: str | None) -> list[Any]:
    content = await client.files.content(file_id or "")
    return [json.loads(entry) for entry in content.text.splitlines()]


async def test_openai_s_batch_of_pictures(gateway: Gateway) -> None:
    lines = [
        line("two", {"prompt": "a red kite", "n": 2}),
        line("one", {"prompt": "a blue kite"}),
        line("refused", {"prompt": "a kite [sim:prompt_blocked]"}),
    ]
    async with openai_client(gateway) as client:
        batch = await begun(client, lines, "/v1/images/generations")
        assert batch.status == "in_progress"
        batch = await over(client, batch.id)
        assert batch.status == "completed"
        assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (3, 2, 1)
        came = await lines_in(client, batch.output_file_id)
        assert [entry["custom_id"] for entry in came] == ["two", "one"]
        assert [len(entry["response"]["body"]["data"]) for entry in came] == [2, 1]
        assert base64.b64decode(came[0]["response"]["body"]["data"][0]["b64_json"])
        wrong = await lines_in(client, batch.error_file_id)
        assert [entry["custom_id"] for entry in wrong] == ["refused"]
        assert wrong[0]["response"]["status_code"] == 400
        assert wrong[0]["response"]["body"]["error"]["message"]
        file = await client.files.retrieve(batch.output_file_id or "")
        assert file.purpose == "batch_output"
        assert file.bytes == len((await client.files.content(file.id)).content)
        assert [one.id async for one in client.batches.list()] == [batch.id]


async def test_openai_s_batch_of_chats(gateway: Gateway) -> None:
    messages = [{"role": "user", "content": "a red kite"}]
    async with openai_client(gateway) as client:
        batch = await begun(
            client, [line("kite", {"messages": messages}, "/v1/chat/completions")], "/v1/chat/completions"
        )
        batch = await over(client, batch.id)
        (came,) = await lines_in(client, batch.output_file_id)
        message = came["response"]["body"]["choices"][0]["message"]
        assert message["images"][0]["image_url"]["url"].startswith("data:image/")


async def test_openai_s_batches_of_edits_and_of_responses(gateway: Gateway) -> None:
    url = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    edit = {"prompt": "make it night", "images": [{"image_url": url}]}
    asked = {"input": "a red kite", "tools": [{"type": "image_generation"}]}
    async with openai_client(gateway) as client:
        edits = await begun(client, [line("night", edit, "/v1/images/edits")], "/v1/images/edits")
        said = await begun(client, [line("kite", asked, "/v1/responses")], "/v1/responses")
        (came,) = await lines_in(client, (await over(client, edits.id)).output_file_id)
        assert base64.b64decode(came["response"]["body"]["data"][0]["b64_json"])
        (came,) = await lines_in(client, (await over(client, said.id)).output_file_id)
        output = came["response"]["body"]["output"]
        (call,) = [item for item in output if item["type"] == "image_generation_call"]
        assert base64.b64decode(call["result"])


async def test_results_are_kept_as_long_as_they_are_asked_for(gateway: Gateway) -> None:
    async with openai_client(gateway) as client:
        content = json.dumps(line("kite", {"prompt": "a red kite"})).encode()
        file = await client.files.create(file=("lines.jsonl", content), purpose="batch")
        where: Any = {"input_file_id": file.id, "endpoint": "/v1/images/generations", "completion_window": "24h"}
        batch = await client.batches.create(**where, output_expires_after={"anchor": "created_at", "seconds": 3600})
        batch = await over(client, batch.id)
        output = await client.files.retrieve(batch.output_file_id or "")
        assert output.expires_at == output.created_at + 3600
        with pytest.raises(openai.BadRequestError, match="output_expires_after"):
            await client.batches.create(**where, output_expires_after={"anchor": "created_at", "seconds": 60})
        with pytest.raises(openai.BadRequestError, match="512"):
            await client.batches.create(**where, metadata={"note": "x" * 513})


async def test_a_file_that_cannot_be_taken_is_a_batch_that_failed(gateway: Gateway) -> None:
    lines = [
        line("kite", {"prompt": "a red kite"}),
        line("kite", {"prompt": "a red kite"}),
        line("chat", {"messages": []}, "/v1/chat/completions"),
        line("many", {"prompt": "a red kite", "n": 1000}),
    ]
    async with openai_client(gateway) as client:
        batch = await begun(client, lines, "/v1/images/generations")
        assert batch.status == "failed"
        found = {error.line: error.code for error in batch.errors.data}
        assert set(found) == {2, 3, 4}
        assert found[2] == "duplicate_custom_id"
        assert found[3] == "mismatched_endpoint"
        with pytest.raises(openai.BadRequestError, match="endpoint"):
            await begun(client, lines, "/v1/embeddings")
        with pytest.raises(openai.BadRequestError, match="No such File"):
            await client.batches.create(
                input_file_id="file-nothing", endpoint="/v1/images/generations", completion_window="24h"
            )
        with pytest.raises(openai.NotFoundError):
            await client.batches.retrieve("batch_nothing")


async def test_openai_s_batch_can_be_cancelled(gateway: Gateway, upstream: SimServer) -> None:
    async with openai_client(gateway) as client:
        lines = [line(f"kite {number}", {"prompt": f"kite {number}"}) for number in range(80)]
        batch = await begun(client, lines, "/v1/images/generations", cavendish_mode="standard")
        while not bought(upstream):  # noqa: ASYNC110 - another server's count
            await asyncio.sleep(0.001)
        batch = await client.batches.cancel(batch.id)
        assert batch.status in {"cancelling", "cancelled"}
        batch = await over(client, batch.id)
        assert batch.status == "cancelled"
        came = await lines_in(client, batch.output_file_id)
        left = await lines_in(client, batch.error_file_id)
        assert len(came) == bought(upstream)
        assert len(came) + len(left) == 80
        assert left[-1]["error"]["code"] == "batch_cancelled"
        with pytest.raises(openai.BadRequestError, match="cancelled"):
            await client.batches.cancel(batch.id)


@pytest.mark.parametrize("world", ["google", "openai"])
async def test_a_batch_of_the_same_name_is_made_once(gateway: Gateway, upstream: SimServer, world: str) -> None:
    """Also when both requests come side by side; the name with other words is refused."""
    source = ""
    if world == "openai":
        body = {"model": MODEL, "prompt": "a kite"}
        line = {"custom_id": "k", "method": "POST", "url": "/v1/images/generations", "body": body}
        async with openai_client(gateway) as client:
            file = await client.files.create(file=("kites.jsonl", json.dumps(line).encode()), purpose="batch")
        source = file.id
    headers = {"Idempotency-Key": "kites-of-today", "x-cavendish-mode": "standard"}

    async def make(http: aiohttp.ClientSession, words: str) -> tuple[int, Any]:
        path, wish = f"/v1beta/models/{MODEL}:batchGenerateContent?key=any", inline(words)
        if world == "openai":
            endpoint = "/v1/images/generations" if words == "a kite" else "/v1/images/edits"
            path, wish = "/v1/batches", {"input_file_id": source, "endpoint": endpoint, "completion_window": "24h"}
        async with http.post(gateway.url + path, json=wish, headers=headers) as answer:
            page = await answer.json()
            return answer.status, page.get("name") or page.get("id") or page["error"]["message"]

    async with aiohttp.ClientSession() as http:
        first, second = await asyncio.gather(make(http, "a kite"), make(http, "a kite"))
        assert first == second == await make(http, "a kite")
        status, message = await make(http, "another")
        assert (status, "Idempotency-Key" in message) == (400, True)

        async def work() -> Any:
            async with http.get(f"{gateway.url}/metrics") as page:
                return "cavendish_jobs_at_work 0" in await page.text() and bought(upstream)

        await until(work, bool)
    assert (first[0], bought(upstream)) == (200, 1)


def inline(words: str) -> dict[str, Any]:
    return {"batch": {"inputConfig": {"requests": {"requests": [{"request": asking(words)}]}}}}


async def test_the_worlds_have_each_their_own_batches(gateway: Gateway) -> None:
    async with openai_client(gateway) as client:
        batch = await begun(client, [line("kite", {"prompt": "a red kite"})], "/v1/images/generations")
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{gateway.url}/v1/batches", headers={"x-goog-api-key": "any"}) as answer:
                assert await answer.json() == {"operations": []}
            name = batch.id.removeprefix("batch_")
            async with http.get(f"{gateway.url}/v1/batches/{name}", headers={"x-goog-api-key": "any"}) as answer:
                assert (await answer.json())["error"]["status"] == "NOT_FOUND"
        await over(client, batch.id)
