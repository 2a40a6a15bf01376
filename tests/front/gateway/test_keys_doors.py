"""Keys hold at every door: chats, responses, streams, jobs and batches; and nobody sees what is another's."""

import asyncio
import io
import json

import aiohttp
import openai
import pytest
from google import genai
from google.genai import errors, types

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.keys.keeper import Keeper
from cavendish.front.gateway.keys.rules import Ways
from cavendish.front.gateway.wants import Refused
from cavendish.io.desk.books import JobEntry
from cavendish.io.desk.keys import KeyBooks
from cavendish.io.spend.calendar import UTC_CALENDAR
from cavendish.model.request import ImageRequest
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key
from tests.front.gateway.test_keys_laws import NOON, MemoryLink

MODEL = "nano-banana-2"

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


def client_of(gateway: Gateway, key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=0)


async def chat(client: openai.AsyncOpenAI, *, stream: bool = False) -> None:
    said = [{"role": "user", "content": "a red kite"}]
    answer = await client.chat.completions.create(model="flux-2-pro", messages=said, stream=stream)  # type: ignore[call-overload]
    if stream:
        async for _ in answer:
            pass


async def respond(client: openai.AsyncOpenAI) -> None:
    await client.responses.create(model="flux-2-pro", input="a red kite", tools=[{"type": "image_generation"}])


async def stream_pictures(client: openai.AsyncOpenAI) -> None:
    async for _ in await client.images.generate(model="flux-2-pro", prompt="a red kite", stream=True):
        pass


DOORS = {
    "chat": chat,
    "chat, streamed": lambda client: chat(client, stream=True),
    "responses": respond,
    "images, streamed": stream_pictures,
}


@pytest.mark.parametrize("door", DOORS)
async def test_another_model_is_denied_at_every_door(open_gateway: Opener, door: str) -> None:
    gateway = await open_gateway()
    async with client_of(gateway, await make_key(models="nano-banana-*")) as client:
        with pytest.raises(openai.PermissionDeniedError, match="may not use flux-2-pro"):
            await DOORS[door](client)


@pytest.mark.parametrize("door", DOORS)
async def test_an_unknown_key_is_refused_at_every_door(open_gateway: Opener, door: str) -> None:
    gateway = await open_gateway()
    await make_key()
    async with client_of(gateway, "cvd_unknown") as client:
        with pytest.raises(openai.AuthenticationError):
            await DOORS[door](client)


async def test_a_job_beyond_the_minute_is_refused_and_not_kept_waiting(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    headers = {"Authorization": f"Bearer {await make_key(rpm=1)}"}
    async with aiohttp.ClientSession(gateway.url, headers=headers) as session:
        async with session.post("/v1/jobs", json={"model": MODEL, "prompt": "one"}) as page:
            assert page.status == 202
        async with session.post("/v1/jobs", json={"model": MODEL, "prompt": "two"}) as page:
            assert page.status == 429
            assert 0 < int(page.headers["Retry-After"]) <= 60


async def test_a_job_is_nobody_else_s(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    mine, other = await make_key("mine"), await make_key("other")
    async with aiohttp.ClientSession(gateway.url) as session:
        own = {"Authorization": f"Bearer {mine}"}
        async with session.post("/v1/jobs", json={"model": MODEL, "prompt": "one"}, headers=own) as page:
            job = (await page.json())["id"]
        async with session.get(f"/v1/jobs/{job}", headers=own) as page:
            assert page.status == 200
        theirs = {"Authorization": f"Bearer {other}"}
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/answer")):
            async with session.request(method, f"/v1/jobs/{job}{path}", headers=theirs) as page:
                assert page.status == 404, path


async def test_the_lines_of_a_batch_are_under_the_key_s_rules(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    bodies = [{"model": model, "prompt": "a kite"} for model in (MODEL, "flux-2-pro")]
    lines = [
        json.dumps({"custom_id": str(number), "method": "POST", "url": "/v1/images/generations", "body": body})
        for number, body in enumerate(bodies)
    ]
    async with client_of(gateway, await make_key(models="nano-banana-*")) as client:
        file = await client.files.create(file=("in.jsonl", "\n".join(lines).encode()), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/images/generations", completion_window="24h"
        )
        for _ in range(200):
            batch = await client.batches.retrieve(batch.id)
            if batch.status in {"completed", "failed", "expired"}:
                break
            await asyncio.sleep(0.05)
    counts = batch.request_counts
    assert counts is not None
    assert (counts.completed, counts.failed) == (1, 1)


# --- waiting for a key's minute ---------------------------------------------------------------------------------------


class HandClock:
    """A clock that goes on when somebody sleeps."""

    def __init__(self, link: MemoryLink) -> None:
        self._link = link
        self.slept: list[float] = []

    def now(self) -> float:
        return NOON

    def monotonic(self) -> float:
        return self._link.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._link.now += seconds


class OneLinkBooks:
    """Books of one connection."""

    calendar = UTC_CALENDAR

    def __init__(self, link: MemoryLink) -> None:
        self._link = link

    async def begin(self, job, admit):
        return job if await asyncio.to_thread(admit, self._link) else None

    async def read(self, work):
        return await asyncio.to_thread(work, self._link)


def books_with(**rules: int) -> MemoryLink:
    """Books with one key."""
    link = MemoryLink()
    link.put(**rules)
    return link


def job(number: int) -> JobEntry:
    return JobEntry(str(number), "main", "key_1", "images", "form", ImageRequest.of("a kite", MODEL), NOON)


async def test_a_line_of_a_batch_waits_for_the_minute_and_a_request_does_not() -> None:
    link = await asyncio.to_thread(books_with, rpm=1)
    books, clock = OneLinkBooks(link), HandClock(link)
    keeper = Keeper(books, clock)  # type: ignore[arg-type]
    await keeper.begin(job(1), Ways())
    with pytest.raises(Refused, match="1 requests a minute"):
        await keeper.begin(job(2), Ways())
    assert not clock.slept
    assert (await keeper.begin(job(3), Ways(), queued=True)).id == "3"
    assert clock.slept == [pytest.approx(60)]


async def test_a_line_of_a_batch_does_not_wait_for_money() -> None:
    link = await asyncio.to_thread(books_with, budget_nusd=10)
    keeper = Keeper(OneLinkBooks(link), HandClock(link))  # type: ignore[arg-type]
    with pytest.raises(Refused, match="does not fit into the rest"):
        await keeper.begin(job(1), Ways(price_nusd=20, least_nusd=20), queued=True)


@pytest.mark.parametrize("name", ["\x00", "a\nb", "nobody", "\ud800"])
async def test_no_key_has_such_a_name(name: str) -> None:
    with pytest.raises(Exception, match="no key named"):
        await KeyBooks(OneLinkBooks(await asyncio.to_thread(books_with))).named(name)  # type: ignore[arg-type]


async def test_google_s_files_with_a_key(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    mine, other = await make_key("mine"), await make_key("other")
    options = types.HttpOptions(base_url=gateway.url)
    client, stranger = (genai.Client(api_key=key, http_options=options).aio for key in (mine, other))
    file = await client.files.upload(file=io.BytesIO(b"words " * 100), config={"mime_type": "text/plain"})
    assert file.name
    assert (await client.files.get(name=file.name)).size_bytes == 600
    with pytest.raises(errors.ClientError) as caught:
        await stranger.files.get(name=file.name)
    assert caught.value.code in {403, 404}
    await client.aclose()
    await stranger.aclose()
