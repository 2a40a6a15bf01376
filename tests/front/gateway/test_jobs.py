"""Jobs: asked for and left alone, by our own door and by every other; looked at, listed, cancelled, deleted."""

import asyncio
import base64
import errno
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
import pytest_asyncio
from PIL import Image

from cavendish.front.gateway.app import Gateway
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener

ASKED = {"model": "nano-banana-2", "prompt": "a red kite", "n": 3}
ASYNC = {"Prefer": "respond-async"}


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def submit(line: aiohttp.ClientSession, gateway: Gateway, **changes: Any) -> dict[str, Any]:
    async with line.post(f"{gateway.url}/v1/jobs", json={**ASKED, **changes}) as answer:
        assert answer.status == 202, await answer.text()
        return await answer.json()


async def ended(line: aiohttp.ClientSession, page: dict[str, Any]) -> dict[str, Any]:
    while page["state"] in {"queued", "running"}:
        await asyncio.sleep(0.01)
        async with line.get(page["urls"]["self"]) as answer:
            page = await answer.json()
    return page


def bought(upstream: SimServer) -> int:
    return upstream.sim.stats(0.0, 0.0)["requests"]


async def test_a_job_is_accepted_at_once_and_its_pictures_are_at_its_links(line, gateway: Gateway) -> None:
    async with line.post(f"{gateway.url}/v1/jobs", json={**ASKED, "metadata": {"order": "17"}}) as answer:
        assert answer.status == 202
        page = await answer.json()
        assert answer.headers["Location"] == page["urls"]["self"] == f"{gateway.url}/v1/jobs/{page['id']}"
    page = await ended(line, page)
    assert page["state"] == "done"
    assert page["counts"] == {"asked": 3, "done": 3, "failed": 0, "open": 0}
    assert page["metadata"] == {"order": "17"}
    assert page["cost_usd"] > 0
    found = []
    for outcome in page["outcomes"]:
        async with line.get(outcome["url"]) as answer:
            found.append(await answer.read())
            assert answer.headers["Content-Type"] == outcome["media_type"]
        with Image.open(io.BytesIO(found[-1])) as picture:
            assert picture.size == (outcome["width"], outcome["height"])
    assert len(set(found)) == 3


async def test_a_page_holds_the_bytes_when_they_are_asked_for(line, gateway: Gateway) -> None:
    page = await ended(line, await submit(line, gateway))
    assert "b64_json" not in page["outcomes"][0]
    async with line.get(page["urls"]["self"] + "?include=b64") as answer:
        outcomes = (await answer.json())["outcomes"]
    async with line.get(outcomes[0]["url"]) as answer:
        assert base64.b64decode(outcomes[0]["b64_json"]) == await answer.read()


@pytest.mark.parametrize(
    "change, param",
    [
        ({"prompt": ""}, "prompt"),
        ({"model": None}, "model"),
        ({"n": 0}, "n"),
        ({"n": 101}, "n"),
        ({"n": "many"}, "n"),
        ({"size": 7}, "size"),
        ({"references": ["/etc/passwd"]}, "references"),
        ({"references": [{"url": "https://example.com/a.png", "use": "hat"}]}, "references"),
        ({"grounding": ["moon"]}, "grounding"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {str(number): "x" for number in range(17)}}, "metadata"),
        ({"webhook": {"url": "ftp://example.com", "secret": "whsec_" + "A" * 32}}, "webhook.url"),
        ({"webhook": {"url": "https://example.com", "secret": "hush"}}, "webhook.secret"),
        ({"webhook": {"url": "https://example.com"}}, "webhook.secret"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(line, gateway: Gateway, change, param) -> None:
    async with line.post(f"{gateway.url}/v1/jobs", json={**ASKED, **change}) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert error["message"].startswith(f"{param}: ")


async def test_a_model_that_is_not_there_is_told_at_once(line, gateway: Gateway) -> None:
    async with line.post(f"{gateway.url}/v1/jobs", json={**ASKED, "model": "no-such"}) as answer:
        assert answer.status == 404


async def test_openai_s_route_in_the_background_answers_in_its_own_format_later(line, gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        raw = await client.images.with_raw_response.generate(
            model="nano-banana-2", prompt="a red kite", n=2, extra_headers=ASYNC
        )
        assert raw.status_code == 202
        assert raw.headers["preference-applied"] == "respond-async"
        page = await ended(line, raw.http_response.json())
        answer = await client.get(f"/jobs/{page['id']}/answer", cast_to=openai.types.ImagesResponse)
    assert page["door"] == "openai_images"
    assert [bool(base64.b64decode(item.b64_json or "")) for item in answer.data or ()] == [True, True]


async def test_google_s_route_in_the_background_answers_in_its_own_format_later(line, gateway: Gateway) -> None:
    url = f"{gateway.url}/v1beta/models/nano-banana-2:generateContent"
    body = {"contents": [{"parts": [{"text": "a red kite"}]}], "generationConfig": {"candidateCount": 2}}
    async with line.post(url, json=body, headers=ASYNC) as answer:
        assert answer.status == 202
        page = await answer.json()
    page = await ended(line, page)
    async with line.get(page["urls"]["answer"]) as answer:
        assert len((await answer.json())["candidates"]) == 2


@pytest.mark.parametrize(
    "path, body, members",
    [
        ("/v1/images/generations", ASKED | {"n": 2, "response_format": "url"}, ("data", 0, "url")),
        (
            "/v1/chat/completions",
            {"model": "nano-banana-2", "messages": [{"role": "user", "content": "a red kite"}]},
            ("choices", 0, "message", "images", 0, "image_url", "url"),
        ),
        (
            "/v1/responses",
            {"model": "nano-banana-2", "input": "a red kite", "tools": [{"type": "image_generation"}]},
            ("output", 0, "result"),
        ),
        (
            "/v1/models/nano-banana-2:generateContent",
            {"contents": [{"parts": [{"text": "a red kite"}]}]},
            ("candidates", 0, "content", "parts", 0, "inlineData", "data"),
        ),
    ],
)
async def test_every_door_s_answer_looks_as_it_would_have_at_once(line, gateway: Gateway, path, body, members) -> None:
    async with line.post(gateway.url + path, json=body, headers=ASYNC) as answer:
        assert answer.status == 202, await answer.text()
        assert answer.headers["Preference-Applied"] == "respond-async"
        page = await ended(line, await answer.json())
    async with line.get(page["urls"]["answer"]) as answer:
        assert answer.status == 200
        found = await answer.json()
    async with line.post(gateway.url + path, json=body) as answer:
        at_once = await answer.json()
    assert found.keys() == at_once.keys()
    for member in members:
        found, at_once = found[member], at_once[member]
    assert len(found) > 50
    assert found.startswith("http") == at_once.startswith("http")


async def test_who_bears_to_wait_a_little_gets_the_answer_if_it_comes_in_time(line, gateway: Gateway) -> None:
    url = f"{gateway.url}/v1/images/generations"
    async with line.post(url, json=ASKED, headers={"Prefer": "respond-async, wait=30"}) as answer:
        assert answer.status == 200
        assert len((await answer.json())["data"]) == 3


async def test_a_list_has_the_newest_first_page_by_page(line, gateway: Gateway) -> None:
    pages = [await submit(line, gateway, n=1, prompt=f"kite {number}") for number in range(5)]
    for page in pages:
        await ended(line, page)
    found, after, more = [], "", True
    while more:
        async with line.get(f"{gateway.url}/v1/jobs?limit=2&after={after}") as answer:
            listed = await answer.json()
        assert len(listed["data"]) <= 2
        found += [job["id"] for job in listed["data"]]
        after, more = listed["last_id"], listed["has_more"]
    assert found == [page["id"] for page in reversed(pages)]
    async with line.get(f"{gateway.url}/v1/jobs?state=open") as answer:
        assert (await answer.json())["data"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "state=odd", "after=nobody"])
async def test_a_list_that_cannot_be_is_refused(line, gateway: Gateway, query: str) -> None:
    async with line.get(f"{gateway.url}/v1/jobs?{query}") as answer:
        assert answer.status == 400


async def test_a_repeat_with_the_same_key_is_the_same_job(line, gateway: Gateway, upstream: SimServer) -> None:
    pages = []
    for _ in range(2):
        async with line.post(f"{gateway.url}/v1/jobs", json=ASKED, headers={"Idempotency-Key": "a-1"}) as answer:
            pages.append(await answer.json())
    await ended(line, pages[0])
    assert pages[0]["id"] == pages[1]["id"]
    assert bought(upstream) == 3


async def test_two_of_the_same_without_a_key_are_two(line, gateway: Gateway, upstream: SimServer) -> None:
    first, second = await submit(line, gateway), await submit(line, gateway)
    assert first["id"] != second["id"]
    await ended(line, first)
    await ended(line, second)
    assert bought(upstream) == 6


async def test_a_cancelled_job_keeps_what_was_in_flight(line, open_gateway: Opener, upstream: SimServer) -> None:
    gateway = await open_gateway()
    page = await submit(line, gateway, n=100)
    while not bought(upstream):  # noqa: ASYNC110 - another server's count
        await asyncio.sleep(0.001)
    async with line.post(page["urls"]["cancel"]) as answer:
        assert answer.status == 200
    page = await ended(line, page)
    assert page["counts"]["done"] == bought(upstream)
    assert page["state"] == ("cancelled" if page["counts"]["failed"] else "done")


async def test_a_job_that_has_ended_is_not_changed_by_a_cancel(line, gateway: Gateway) -> None:
    page = await ended(line, await submit(line, gateway))
    async with line.post(page["urls"]["cancel"]) as answer:
        assert (await answer.json())["state"] == "done"


async def test_a_deleted_job_is_gone_with_its_pictures(line, gateway: Gateway, tmp_path) -> None:
    page = await ended(line, await submit(line, gateway))
    assert any(path.is_file() for path in (tmp_path / "pictures").glob("*"))
    async with line.delete(page["urls"]["self"]) as answer:
        assert (await answer.json())["deleted"] is True
    for url in (*page["urls"].values(), page["outcomes"][0]["url"]):
        async with line.request("POST" if url.endswith("cancel") else "GET", url) as answer:
            assert answer.status == 404, url
    assert not any(path.is_file() for path in (tmp_path / "pictures").glob("*"))


@pytest.mark.parametrize("tail", ["", "/events", "/answer"])
async def test_nobody_learns_of_others_jobs(line, gateway: Gateway, monkeypatch, tail: str) -> None:
    page = await ended(line, await submit(line, gateway))

    async def somebody_else(_request: Any, _route: Any) -> str:
        return "somebody else"

    monkeypatch.setattr(gateway._gate, "caller", somebody_else)
    async with line.get(page["urls"]["self"] + tail) as answer:
        assert answer.status == 404
    async with line.get(f"{gateway.url}/v1/jobs") as answer:
        assert (await answer.json())["data"] == []
    async with line.delete(page["urls"]["self"]) as answer:
        assert answer.status == 404
    async with line.post(page["urls"]["cancel"]) as answer:
        assert answer.status == 404


async def test_a_job_survives_a_restart(line, open_gateway: Opener, upstream: SimServer) -> None:
    gateway = await open_gateway(grace_s=0.5)
    page = await submit(line, gateway, n=100)
    while bought(upstream) < 5:  # noqa: ASYNC110 - another server's count
        await asyncio.sleep(0.001)
    await gateway.close()
    gateway = await open_gateway()
    page["urls"]["self"] = f"{gateway.url}/v1/jobs/{page['id']}"
    page = await ended(line, page)
    assert page["counts"]["done"] == 100
    assert page["state"] == "done"


async def test_a_position_counts_who_waits_at_other_replicas(
    line, open_gateway: Opener, upstream: SimServer, monkeypatch
) -> None:
    monkeypatch.setenv("CAVENDISH_SIM_RPM", "1")
    monkeypatch.setattr("cavendish.front.gateway.jobs.desk.BEAT_EVERY_S", 0.05)
    one, other = await open_gateway(replica="one"), await open_gateway(replica="other")
    await ended(line, await submit(line, one, n=1))
    waiting = [await submit(line, gateway, n=1, prompt=f"kite {gateway.url}") for gateway in (one, other, one, other)]
    seen: list[Any] = []
    async with asyncio.timeout(10):
        while seen != [0, 1, 2, 3]:
            await asyncio.sleep(0.02)
            seen = []
            for page in waiting:
                async with line.get(page["urls"]["self"]) as answer:
                    seen.append((await answer.json())["position"])
    assert bought(upstream) == 1
    for page in waiting:
        async with line.post(page["urls"]["cancel"]) as answer:
            assert answer.status == 200


async def test_a_job_of_another_replica_is_seen_followed_and_cancelled(
    line, open_gateway: Opener, upstream: SimServer, monkeypatch
) -> None:
    monkeypatch.setattr("cavendish.front.gateway.jobs.desk.BEAT_EVERY_S", 0.05)
    one, other = await open_gateway(replica="one"), await open_gateway(replica="other")
    page = await submit(line, one, n=100)
    while not bought(upstream):  # noqa: ASYNC110 - another server's count
        await asyncio.sleep(0.001)
    own = f"{other.url}/v1/jobs/{page['id']}"
    async with line.get(own) as answer:
        assert (await answer.json())["state"] in {"queued", "running", "done"}
    async with line.post(f"{own}/cancel") as answer:
        assert answer.status == 200
    async with line.get(f"{own}/events") as answer:
        heard = await answer.text()
    async with line.get(own) as answer:
        page = await answer.json()
    assert heard.count("event: outcome") == 100
    assert heard.count("event: end") == 1
    assert page["counts"]["done"] == bought(upstream)
    assert page["state"] == ("cancelled" if page["counts"]["failed"] else "done")


async def test_a_full_disk_is_told_and_nothing_is_bought(
    line, gateway: Gateway, upstream: SimServer, monkeypatch
) -> None:
    def full(_fd: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    assert gateway._desk
    await asyncio.to_thread(gateway._desk.blobs._ballast.drop)
    monkeypatch.setattr(gateway._desk.blobs._disk, "write", full)
    reference = "data:image/png;base64," + base64.b64encode(bytes(300_000)).decode()
    for path in ("/v1/jobs", "/v1/images/generations"):
        name = "references" if path == "/v1/jobs" else "images"
        async with line.post(gateway.url + path, json={**ASKED, name: [reference]}) as answer:
            assert answer.status >= 500
            assert "no room" in (await answer.json())["error"]["message"]
    assert not bought(upstream)
