"""What a client may send is bounded before it costs memory, and nothing that it says names a file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from cavendish.front.gateway import app
from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.operation.guard import GuardRules
from cavendish.front.gateway.transit import intake
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener

KITE = {"model": "nano-banana-2", "prompt": "a red kite"}
HOSTILE = ("../../../../escaped", "/escaped", "..%2f..%2fescaped", "a\\..\\escaped", "con", "x" * 4000, "\u202eescaped")


POST = (
    b"POST /v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\n"
)


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def raw(gateway: Gateway, *pieces: bytes, wait_s: float = 10.0) -> bytes:
    """What comes back for bytes that no HTTP client would send."""
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), wait_s)
    finally:
        writer.close()


async def test_a_body_that_says_that_it_is_too_large_is_not_read(gateway: Gateway) -> None:
    answer = await raw(gateway, POST + b"Content-Length: 99999999999\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"error"' in answer


async def test_a_body_without_end_is_cut_off(open_gateway: Opener, line, monkeypatch) -> None:
    monkeypatch.setattr(intake.Intake, "most_bytes", 100_000)
    gateway = await open_gateway()
    sent = 0

    async def blanks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(10_000):
            sent += 10_000
            yield b" " * 10_000

    try:
        async with line.post(f"{gateway.url}/v1/images/generations", data=blanks()) as answer:
            assert answer.status == 413
    except aiohttp.ClientConnectionError:
        pass  # it was told while it still sent
    assert sent < 50_000_000


async def test_a_body_that_stalls_is_given_up(open_gateway: Opener, monkeypatch) -> None:
    monkeypatch.setattr(intake, "STALLED_S", 0.1)
    gateway = await open_gateway()
    answer = await raw(gateway, POST + b'Content-Length: 1000\r\n\r\n{"model":')
    assert answer[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 408"}
    assert b"in time" in answer


async def test_a_head_that_never_ends_is_given_up(open_gateway: Opener, monkeypatch) -> None:
    monkeypatch.setattr(app, "HEAD_WITHIN_S", 0.3)
    gateway = await open_gateway()
    assert await raw(gateway, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ") == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(5000)) + b"\r\n",
    ],
)
async def test_a_head_that_is_too_large_is_refused(gateway: Gateway, head: bytes) -> None:
    answer = await raw(gateway, head)
    assert answer[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 431", b"HTTP/1.0 400"}


async def test_no_more_are_let_in_than_were_asked_for(open_gateway: Opener, line, upstream: SimServer) -> None:
    gateway = await open_gateway(guard=GuardRules(at_once=1))
    url = f"{gateway.url}/v1/images/generations"

    async def draw() -> tuple[int, str | None]:
        async with line.post(url, json={**KITE, "n": 4}) as answer:
            await answer.read()
            return answer.status, answer.headers.get("Retry-After")

    answers = await asyncio.gather(*(draw() for _ in range(6)))
    assert (503, "1") in answers
    assert 200 in {status for status, _ in answers}
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 4 * sum(status == 200 for status, _ in answers)
    assert (await draw())[0] == 200


@pytest.mark.parametrize("value", HOSTILE)
async def test_nothing_that_a_client_says_names_a_file(gateway: Gateway, line, tmp_path: Path, value: str) -> None:
    before = await asyncio.to_thread(outside, tmp_path)
    words = value.encode("ascii", "ignore").decode()
    headers = {"Idempotency-Key": words, "x-request-id": words, "User-Agent": words}
    body = {**KITE, "prompt": value, "user": value, "response_format": "url"}
    async with line.post(f"{gateway.url}/v1/images/generations", json=body, headers=headers) as answer:
        assert answer.status in {200, 400}
    form = aiohttp.FormData()
    form.add_field("image", PNG, filename=value, content_type="image/png")
    for name, said in {**KITE, "prompt": value}.items():
        form.add_field(name, said)
    async with line.post(f"{gateway.url}/v1/images/edits", data=form) as answer:
        assert answer.status in {200, 400}
    for path in (f"/v1/images/{value}", f"/v1/files/{value}/content", f"/v1beta/files/{value}:download", f"/{value}"):
        async with line.get(gateway.url + path) as answer:
            assert answer.status in {400, 403, 404, 405}
    assert await asyncio.to_thread(outside, tmp_path) == before
    assert not await asyncio.to_thread(
        lambda: [p for p in tmp_path.rglob("*") if "escaped" in p.name or len(p.name) > 200]
    )


def outside(root: Path) -> set[str]:
    return {path.name for path in (*root.iterdir(), *root.parent.iterdir())}


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)
