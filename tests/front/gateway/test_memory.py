"""Memory stays flat whatever the pictures weigh, in both directions; clients that are slow or stall hold none of it."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from typing import Any

import pytest
import pytest_asyncio

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.transit import outlet

from . import big
from .conftest import Opener

MEGABYTES = 6
REFERENCE_MEGABYTES = 3.9
"""Larger ones go a way of their own, see tests/io/http/test_files.py."""

CLIENTS = 4
MOST_BYTES = 16 << 20
"""Of one picture in base64 alone there are 8 MB, and four are on their way at once."""

GEMINI = "/v1beta/models/gemini-3.1-flash-image"
TURN = b'{"contents":[{"role":"user","parts":[{"text":"a red kite"}%s]}]}'


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[big.Provider]:
    async with big.provider(MEGABYTES) as made:
        yield made


@pytest_asyncio.fixture
async def gateway(open_gateway: Opener, provider: big.Provider, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setenv("CAVENDISH_SIM_BASE_URL", provider.url)
    return await open_gateway()


def form(picture: bytes) -> list[bytes]:
    """An edit of one picture."""
    part = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
    words = part % (b"model", b"") + b"nano-banana-2\r\n" + part % (b"prompt", b"") + b"a red kite\r\n"
    file = part % (b"image", b'; filename="a.png"\r\nContent-Type: image/png')
    return big.asked(
        "/v1/images/edits", words + file, picture, b"\r\n--x--\r\n", kind="multipart/form-data; boundary=x"
    )


def inline(picture: bytes) -> list[bytes]:
    """A reference within JSON."""
    before, _, after = (TURN % b',{"inlineData":{"mimeType":"image/png","data":"|"}}').partition(b"|")
    return big.asked(f"{GEMINI}:generateContent", before, base64.b64encode(picture), after)


def chat(**members: object) -> list[bytes]:
    messages = [{"role": "user", "content": "a red kite"}]
    body = {"model": "nano-banana-2", "modalities": ["image"], "messages": messages, **members}
    return big.asked("/v1/chat/completions", json.dumps(body).encode())


ANSWERS: dict[str, tuple[Callable[[], list[bytes]], int]] = {
    "generateContent": (lambda: big.asked(f"{GEMINI}:generateContent", TURN % b""), 1),
    "streamGenerateContent": (lambda: big.asked(f"{GEMINI}:streamGenerateContent?alt=sse", TURN % b""), 1),
    "images": (lambda: big.drawn(prompt="a red kite", n=3), 3),
    "images streamed": (lambda: big.drawn(prompt="a red kite", stream=True), 1),
    "chat": (chat, 1),
    "chat streamed": (lambda: chat(stream=True), 1),
    "responses": (
        lambda: big.asked(
            "/v1/responses", b'{"model":"nano-banana-2","input":"a kite","tools":[{"type":"image_generation"}]}'
        ),
        1,
    ),
}
REQUESTS: dict[str, Callable[[bytes], list[bytes]]] = {"form": form, "inline": inline}


async def peak_of(work: Callable[[], Awaitable[Any]]) -> tuple[int, Any]:
    """The most memory above what there was, and what came of it."""
    tracemalloc.start(1)
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = await work()
        return tracemalloc.get_traced_memory()[1] - before, result
    finally:
        tracemalloc.stop()


def some(ways: Iterable[str], quick: Collection[str]) -> list[Any]:
    """All of them; those that tell little that others do not are slow."""
    return [way if way in quick else pytest.param(way, marks=pytest.mark.slow) for way in ways]


@pytest.mark.parametrize("way", some(ANSWERS, {"generateContent", "images"}))
async def test_answers_are_never_held_whole(way: str, gateway: Gateway) -> None:
    request, pictures = ANSWERS[way]
    clients = CLIENTS if pictures == 1 else 1

    async def all_at_once() -> list[tuple[bytes, int, int]]:
        return await asyncio.gather(*(big.dropped(gateway.url, request()) for _ in range(clients)))

    peak, came = await peak_of(all_at_once)
    for first, count, _ in came:
        assert first == b"HTTP/1.1 200 OK"
        assert count > pictures * MEGABYTES * 1.3e6
    assert peak < MOST_BYTES
    if way == "chat streamed":
        assert max(longest for _, _, longest in came) < 128 << 10


@pytest.mark.parametrize("way", some(REQUESTS, {"form"}))
async def test_references_are_never_held_whole(way: str, gateway: Gateway, provider: big.Provider) -> None:
    provider.pieces = 1
    requests = [REQUESTS[way](big.picture(REFERENCE_MEGABYTES)) for _ in range(2 * CLIENTS)]

    async def all_at_once() -> list[tuple[bytes, int, int]]:
        return await asyncio.gather(*(big.dropped(gateway.url, request) for request in requests))

    peak, came = await peak_of(all_at_once)
    assert {first for first, _, _ in came} == {b"HTTP/1.1 200 OK"}
    assert provider.heard > 2 * CLIENTS * REFERENCE_MEGABYTES * 1.3e6
    assert peak < MOST_BYTES


# --- clients that do not read -----------------------------------------------------------------------------------------


async def unread(gateway: Gateway, request: list[bytes], window: int = 4096) -> socket.socket:
    """A client that asks, and reads nothing."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    line.setblocking(False)
    loop = asyncio.get_running_loop()
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    await loop.sock_connect(line, (host, int(port)))
    await loop.sock_sendall(line, b"".join(request))
    return line


async def read_out(line: socket.socket, pause_s: float = 0.0) -> int:
    """How much comes until the line ends, in whatever way."""
    count, loop = 0, asyncio.get_running_loop()
    try:
        while data := await loop.sock_recv(line, 1 << 18):
            count += len(data)
            await asyncio.sleep(pause_s)
    except ConnectionError:
        pass
    finally:
        line.close()
    return count


async def test_a_client_that_reads_nothing_is_cut_off_and_holds_nobody_up(
    gateway: Gateway, provider: big.Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outlet, "STALLED_S", 0.4)
    cut = asyncio.Event()
    look = outlet._Watch._look

    def looked(watch: Any) -> None:
        look(watch)
        if (request := watch._request()) is not None and (request.transport is None or request.transport.is_closing()):
            cut.set()

    monkeypatch.setattr(outlet._Watch, "_look", looked)
    line = await unread(gateway, big.drawn(prompt="a red kite"))
    first, count, _ = await big.dropped(gateway.url, big.drawn(prompt="a blue kite"))
    assert (first, count > MEGABYTES * 1.3e6) == (b"HTTP/1.1 200 OK", True)
    await asyncio.wait_for(cut.wait(), 10)
    assert 0 < await read_out(line) < MEGABYTES * 1.3e6
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    # What it paid for is there when it asks again.
    asked = provider.answers
    first, count, _ = await big.dropped(gateway.url, big.drawn(prompt="a red kite"))
    assert (first, count > MEGABYTES * 1.3e6, provider.answers) == (b"HTTP/1.1 200 OK", True, asked)


@pytest.mark.slow
async def test_a_client_that_reads_slowly_gets_all_of_it(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "STALLED_S", 1.0)
    line = await unread(gateway, big.drawn(prompt="a red kite"), window=1 << 16)
    assert await read_out(line, 0.02) > MEGABYTES * 1.3e6
