"""Files and batches of the simulator, driven by Google's own client."""

import asyncio
import io
import json
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import errors, types
from PIL import Image

from cavendish.model.job import JobState

MODEL = "gemini-3.1-flash-image"
KEY = "sim-test-key"

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


@pytest.fixture
def mood(server):
    return server.site("google").bulk.batches.mood


def client_of(server, key=KEY) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=server.url))


@pytest.fixture
def sdk(server):
    return client_of(server)


async def in_thread(work, *args, **options) -> Any:
    return await asyncio.to_thread(work, *args, **options)


async def ended(sdk, job) -> Any:
    for _ in range(200):
        job = await in_thread(sdk.batches.get, name=job.name)
        if job.done:
            return job
        await asyncio.sleep(0.01)
    raise AssertionError(f"the job did not end: {job}")


def inline(*prompts):
    return [
        types.InlinedRequest(
            contents=[types.Content(role="user", parts=[types.Part(text=prompt)])],
            metadata={"key": f"k{i}"},
            config=types.GenerateContentConfig(response_modalities=["IMAGE"]),
        )
        for i, prompt in enumerate(prompts)
    ]


def jsonl(*prompts) -> bytes:
    lines = [
        {
            "key": f"r-{i}",
            "request": {
                "contents": [{"parts": [{"text": prompt}]}],
                "generation_config": {"response_modalities": ["IMAGE"], "image_config": {"image_size": "512"}},
            },
        }
        for i, prompt in enumerate(prompts)
    ]
    return b"\n".join(json.dumps(line).encode() for line in lines)


async def upload(sdk, data, mime="jsonl", name="in"):
    config = types.UploadFileConfig(mime_type=mime, display_name=name)
    return await in_thread(sdk.files.upload, file=io.BytesIO(data), config=config)


def picture_in(response) -> Image.Image:
    parts = response.candidates[0].content.parts
    data = next(part.inline_data.data for part in parts if part.inline_data)
    return Image.open(io.BytesIO(data))


# --- batches ----------------------------------------------------------------------------------------------------------


async def test_an_inline_job_gives_pictures_and_errors_in_order(sdk):
    requests = inline("a red kite", "no [sim:prompt_blocked]", "oops [sim:server_error]")
    job = await in_thread(sdk.batches.create, model=MODEL, src=requests, config={"display_name": "three"})
    assert (job.state, job.display_name) == (types.JobState.JOB_STATE_PENDING, "three")
    job = await ended(sdk, job)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    first, blocked, broken = job.dest.inlined_responses
    assert picture_in(first.response).size == (1024, 1024)
    assert blocked.response.prompt_feedback.block_reason
    assert (broken.response, broken.error.code) == (None, 13)
    assert [r.metadata["key"] for r in job.dest.inlined_responses] == ["k0", "k1", "k2"]


async def test_a_job_of_a_file_gives_a_file_of_lines(sdk):
    file = await upload(sdk, jsonl("a red kite", "oops [sim:server_error]", "a green kite"))
    job = await in_thread(sdk.batches.create, model=MODEL, src=file.name, config={"display_name": "file-3"})
    job = await ended(sdk, job)
    stats = (job.completion_stats.successful_count, job.completion_stats.failed_count) if job.completion_stats else None
    assert stats in {None, (2, 1)}
    content = await in_thread(sdk.files.download, file=job.dest.file_name)
    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["key"] for line in lines] == ["r-0", "r-1", "r-2"]
    assert lines[1]["error"]["code"] == 13
    assert picture_in(types.GenerateContentResponse.model_validate(lines[2]["response"])).size == (512, 512)


async def test_jobs_are_listed_cancelled_and_deleted(sdk, mood):
    mood.waits = mood.takes = 100_000.0
    made = [
        await in_thread(sdk.batches.create, model=MODEL, src=inline("x"), config={"display_name": f"job-{i}"})
        for i in range(3)
    ]
    listed = await in_thread(lambda: [job.display_name for job in sdk.batches.list(config={"page_size": 2})])
    assert listed == ["job-2", "job-1", "job-0"]
    await in_thread(sdk.batches.cancel, name=made[0].name)
    job = await in_thread(sdk.batches.get, name=made[0].name)
    assert job.state == types.JobState.JOB_STATE_CANCELLED
    await in_thread(sdk.batches.delete, name=made[0].name)
    with pytest.raises(errors.ClientError) as error:
        await in_thread(sdk.batches.get, name=made[0].name)
    assert error.value.code == 404


async def test_a_job_cancelled_on_its_way_keeps_what_it_made(sdk, mood, server):
    mood.waits, mood.takes = 0.0, 2_000.0
    job = await in_thread(sdk.batches.create, model=MODEL, src=inline(*["x"] * 400))
    while not (await in_thread(lambda: server.stats()["pictures"])):
        await asyncio.sleep(0.01)
        await in_thread(sdk.batches.get, name=job.name)
    await in_thread(sdk.batches.cancel, name=job.name)
    job = await in_thread(sdk.batches.get, name=job.name)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    codes = [result.error.code if result.error else 0 for result in job.dest.inlined_responses]
    assert len(codes) == 400
    assert set(codes) == {0, 1}
    assert server.stats()["pictures"] == codes.count(0), "what had no turn is not billed"


async def test_jobs_and_files_are_seen_by_their_own_key_alone(sdk, server):
    file = await upload(sdk, jsonl("x"))
    job = await in_thread(sdk.batches.create, model=MODEL, src=file.name)
    other = client_of(server, "another-key")
    assert await in_thread(lambda: list(other.batches.list())) == []
    for ask, code in (
        (lambda: other.batches.get(name=job.name), 404),
        (lambda: other.files.get(name=file.name), 403),
        (lambda: other.batches.create(model=MODEL, src=file.name), 403),
    ):
        with pytest.raises(errors.ClientError) as error:
            await in_thread(ask)
        assert error.value.code == code


async def test_a_job_that_fails_or_expires_says_so(sdk, mood):
    mood.ends = [JobState.FAILED, JobState.EXPIRED]
    failed = await ended(sdk, await in_thread(sdk.batches.create, model=MODEL, src=inline("x")))
    assert failed.state == types.JobState.JOB_STATE_FAILED
    expired = await ended(sdk, await in_thread(sdk.batches.create, model=MODEL, src=inline("x", "y")))
    assert expired.state == types.JobState.JOB_STATE_EXPIRED
    assert len(expired.dest.inlined_responses) == 1


async def test_batches_cost_half(sdk, server):
    await ended(sdk, await in_thread(sdk.batches.create, model=MODEL, src=inline("a red kite")))
    half = server.stats()["billed_usd"]
    await in_thread(sdk.models.generate_content, model=MODEL, contents="a red kite")
    assert server.stats()["billed_usd"] == pytest.approx(3 * half, rel=0.05)


@pytest.mark.parametrize(
    "lines, words", [(b"{}", "line 1"), (b"oops", "line 1"), (b"", "no lines"), (jsonl("x") + b"\n{}", "line 2")]
)
async def test_a_file_that_is_no_batch_is_refused(sdk, lines, words):
    file = await upload(sdk, lines)
    with pytest.raises(errors.ClientError, match=words):
        await in_thread(sdk.batches.create, model=MODEL, src=file.name)


# --- files ------------------------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_in_pieces_listed_and_deleted(sdk):
    data = bytes(20 << 20)
    file = await upload(sdk, data, "image/png", "large one")
    assert (file.size_bytes, file.mime_type, file.display_name) == (len(data), "image/png", "large one")
    assert file.state == types.FileState.ACTIVE
    assert (file.expiration_time - file.create_time).total_seconds() == 48 * 3600
    assert [f.name for f in await in_thread(lambda: list(sdk.files.list()))] == [file.name]
    assert (await in_thread(sdk.files.get, name=file.name)).uri == file.uri
    await in_thread(sdk.files.delete, name=file.name)
    with pytest.raises(errors.ClientError) as error:
        await in_thread(sdk.files.get, name=file.name)
    assert error.value.code == 403


async def test_an_uploaded_file_is_used_as_a_reference(sdk):
    file = await upload(sdk, bytes(1000), "image/png", "ref")
    contents = [types.Part.from_uri(file_uri=file.uri, mime_type="image/png"), types.Part(text="like this")]
    answer = await in_thread(sdk.models.generate_content, model=MODEL, contents=contents)
    assert picture_in(answer)


async def test_the_asynchronous_client_works_too(server):
    sdk = client_of(server).aio
    file = await sdk.files.upload(file=io.BytesIO(jsonl("x")), config=types.UploadFileConfig(mime_type="jsonl"))
    job = await sdk.batches.create(model=MODEL, src=file.name)
    while not job.done:
        await asyncio.sleep(0.01)
        job = await sdk.batches.get(name=job.name)
    assert b'"key":"r-0"' in (await sdk.files.download(file=job.dest.file_name)).replace(b" ", b"")
    await sdk.aclose()


async def test_both_versions_and_both_download_paths_are_served(server):
    async with aiohttp.ClientSession(server.url, headers={"x-goog-api-key": KEY}) as http:
        body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"contents": []}}]}}}}
        for version in ("v1", "v1beta"):
            async with http.post(f"/{version}/models/{MODEL}:batchGenerateContent", json=body) as answer:
                assert answer.status == 200
            async with http.get(f"/{version}/batches") as answer:
                assert (await answer.json())["operations"]
        async with http.get("/download/v1beta/files/nothing:download?alt=media") as answer:
            assert answer.status == 403
