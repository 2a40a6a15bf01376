"""References by address: fetched at every door, from public addresses alone, before anything is bought."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs.desk import DeskRules
from cavendish.io.http.public import FetchRules
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener
from tests.front.gateway.replicas import until
from tests.front.gateway.test_images_edits import GREEN, RED, TOKENS

MODEL = "nano-banana-2.1"
HERE = DeskRules(references=FetchRules(loopback=True, max_bytes=100_000, timeout_s=60.0))


class Elsewhere:
    """A server that holds pictures, on loopback."""

    url = ""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.given_up = asyncio.Event()

    async def slow(self, request: web.Request) -> web.StreamResponse:
        """The beginning of a picture, and for long nothing else."""
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(RED + bytes(1000))
        try:
            await asyncio.sleep(60)
        finally:
            self.given_up.set()
        return answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        match request.path:
            case "/red.png":
                return web.Response(body=RED)
            case "/green":
                return web.Response(body=GREEN, content_type="text/plain")
            case "/inside":
                raise web.HTTPFound("http://10.0.0.1/secret.png")
            case "/page":
                return web.Response(text="the key is 1234")
            case "/slow":
                return await self.slow(request)
            case "/large":
                return web.Response(body=RED + bytes(200_000))
        raise web.HTTPNotFound


@pytest_asyncio.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    server = Elsewhere()
    app = web.Application()
    app.router.add_get("/{name}", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer any"}) as line:
        yield line


@pytest_asyncio.fixture
async def near(open_gateway: Opener) -> Gateway:
    """A gateway that may ask this machine for pictures."""
    return await open_gateway(rules=HERE)


def edit(*urls: str) -> Any:
    return "/v1/images/edits", {"model": MODEL, "prompt": "merge", "images": [{"image_url": url} for url in urls]}


def chat(*urls: str) -> Any:
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": "merge"}, *pictures]
    return "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": content}]}


def gemini(*urls: str) -> Any:
    pictures = [{"fileData": {"fileUri": url, "mimeType": "image/png"}} for url in urls]
    return f"/v1beta/models/{MODEL}:generateContent", {"contents": [{"parts": [{"text": "merge"}, *pictures]}]}


DOORS = {"images": edit, "chat": chat, "gemini": gemini}


async def ask(line: aiohttp.ClientSession, gateway: Gateway, wish: Any) -> tuple[int, Any]:
    path, body = wish
    async with line.post(gateway.url + path, json=body) as answer:
        return answer.status, await answer.json()


def bought(upstream: SimServer) -> int:
    return upstream.sim.stats(0.0, 0.0)["requests"]


@pytest.mark.parametrize("door", DOORS)
async def test_every_door_has_the_picture_and_not_its_address(line, near, elsewhere, upstream, door):
    wish = DOORS[door](f"{elsewhere.url}/red.png", f"{elsewhere.url}/green", f"{elsewhere.url}/red.png")
    status, body = await ask(line, near, wish)
    assert status == 200, body
    assert sorted(elsewhere.asked) == ["/green", "/red.png"]
    words = json.dumps(body)
    assert f'"image_tokens": {3 * TOKENS}' in words or f'"tokenCount": {3 * TOKENS}' in words
    assert bought(upstream) == 1


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/a.png",
        "http://169.254.169.254/latest/",
        "http://[::1]/a.png",
        "https://10.0.0.1/a",
        "http://0/",
    ],
)
async def test_no_door_leads_inside(line, gateway, upstream, door, url):
    status, body = await ask(line, gateway, DOORS[door](url))
    assert status == 400
    assert "cannot be had" in body["error"]["message"]
    assert bought(upstream) == 0


async def test_a_server_that_is_asked_by_default_is_never_on_this_machine(line, gateway, elsewhere):
    status, _ = await ask(line, gateway, edit(f"{elsewhere.url}/red.png"))
    assert status == 400
    assert elsewhere.asked == []


@pytest.mark.parametrize("name", ["inside", "page", "large", "gone"])
async def test_what_cannot_be_had_is_told_without_what_was_there(line, near, elsewhere, upstream, name):
    status, body = await ask(line, near, edit(f"{elsewhere.url}/{name}?token=secret"))
    assert status == 400
    message = body["error"]["message"]
    assert f"{elsewhere.url}/{name}".rpartition(":")[0] in message
    assert not any(word in message for word in ("secret", "10.0.0.1", "1234"))
    assert bought(upstream) == 0


async def test_there_may_not_be_any_number_of_them(line, near, elsewhere):
    status, body = await ask(line, near, edit(*(f"{elsewhere.url}/{number}" for number in range(17))))
    assert status == 400
    assert "at most 16" in body["error"]["message"]
    assert elsewhere.asked == []


async def test_when_one_cannot_be_had_the_others_are_given_up(line, near, elsewhere):
    status, _ = await ask(line, near, edit(*(f"{elsewhere.url}/{name}" for name in ("slow", "gone", "red.png"))))
    assert status == 400
    await asyncio.wait_for(elsewhere.given_up.wait(), 10)


async def test_who_names_slow_servers_keeps_nobody_else_from_a_picture(line, near, elsewhere):
    slow = asyncio.ensure_future(ask(line, near, edit(*(f"{elsewhere.url}/slow?{number}" for number in range(16)))))
    await until(lambda: "/slow" in elsewhere.asked)
    status, _ = await asyncio.wait_for(ask(line, near, edit(f"{elsewhere.url}/red.png")), 10)
    assert status == 200
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)


async def test_a_repeat_does_not_ask_again(line, near, elsewhere, upstream):
    path, body = edit(f"{elsewhere.url}/red.png")
    for count in ("0", "1"):
        async with line.post(near.url + path, json=body, headers={"x-stainless-retry-count": count}) as answer:
            assert answer.status == 200
    assert elsewhere.asked == ["/red.png"]
    assert bought(upstream) == 1
