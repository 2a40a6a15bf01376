"""Webhooks: a stranger's library verifies each message; it is sent until it arrives, and to public addresses alone."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs.desk import DeskRules
from cavendish.front.gateway.jobs.sealing import KEY_FILE, Seal
from cavendish.front.gateway.webhooks import telling
from cavendish.front.gateway.webhooks.signing import secret_of, signed
from cavendish.io.desk.deliveries import DELIVERED, DUE, GIVEN_UP, Delivery
from cavendish.io.http.posts import PublicPosts, Receipt
from cavendish.io.http.public import FetchRules
from tests.front.gateway.conftest import Opener
from tests.front.gateway.replicas import until
from tests.front.gateway.test_jobs import ended, submit

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
LOOPBACK = DeskRules(references=FetchRules(loopback=True))


class Receiver:
    """A webhook's other end. ``answers`` are the statuses of its next answers; after those, 204."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else None)


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{rest:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(telling, "FIRST_PAUSE_S", 0.01)


def verified(got: tuple[dict[str, str], bytes]) -> Any:
    """The message, when a stranger's library takes it for ours."""
    library = pytest.importorskip("standardwebhooks")
    return library.Webhook(SECRET).verify(got[1], got[0])


async def told(line: aiohttp.ClientSession, page: dict[str, Any]) -> dict[str, Any]:
    async with line.get(page["urls"]["self"]) as answer:
        return (await answer.json())["webhook"]


async def test_the_end_of_a_job_is_told_and_signed(line, open_gateway: Opener, receiver: Receiver) -> None:
    gateway = await open_gateway(rules=LOOPBACK)
    page = await submit(line, gateway, webhook={"url": receiver.url, "secret": SECRET})
    page = await ended(line, page)
    await until(lambda: receiver.got)
    headers, body = receiver.got[0]
    message = json.loads(body)
    assert message["type"] == "job.done"
    assert message["data"]["id"] == page["id"]
    assert headers["webhook-id"] == f"msg_{page['id']}"
    async with line.get(message["data"]["outcomes"][0]["url"]) as answer:
        assert answer.status == 200
    assert SECRET not in json.dumps(page)
    assert SECRET not in body.decode()


async def test_the_secret_is_in_no_file_of_the_gateway(
    line, open_gateway: Opener, receiver: Receiver, tmp_path
) -> None:
    gateway = await open_gateway(rules=LOOPBACK)
    await ended(line, await submit(line, gateway, webhook={"url": receiver.url, "secret": SECRET}))
    await until(lambda: receiver.got)
    await gateway.close()
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert any(receiver.url.encode() in content for content in files)
    assert not any(SECRET.removeprefix("whsec_").encode() in content or KEY in content for content in files)
    assert (tmp_path / "state" / KEY_FILE).stat().st_mode & 0o077 == 0


async def test_a_secret_that_cannot_be_read_is_told_and_tried_again(
    line, open_gateway: Opener, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVENDISH_GATEWAY_SECRET", "one")
    receiver.answers = [500]
    monkeypatch.setattr(telling, "FIRST_PAUSE_S", 0.5)
    gateway = await open_gateway(rules=LOOPBACK)
    page = await ended(line, await submit(line, gateway, webhook={"url": receiver.url, "secret": SECRET}))
    await until(lambda: receiver.got)
    gateway._desk.seal = Seal(b"another")
    async with asyncio.timeout(10):
        while "key" not in (await told(line, page))["last"]:  # noqa: ASYNC110 - another task's
            await asyncio.sleep(0.02)
    assert (await told(line, page))["state"] == "waiting" or len(receiver.got) == 1


@given(words=st.text(max_size=200))
def test_what_is_sealed_opens_under_its_own_key_alone(words: str) -> None:
    sealed = Seal(KEY).close(words)
    assert sealed != words or not words
    assert Seal(KEY).open(sealed) == words
    if words:
        assert Seal(b"another").open(sealed) is None
        assert Seal(None).open(sealed) is None
        changed = sealed[:-8] + ("A" if sealed[-8] != "A" else "B") + sealed[-7:]
        assert Seal(KEY).open(changed) is None
    assert Seal(None).close(words) == words


@pytest.mark.parametrize("words", ["sealed1.", "sealed1.%", "sealed1.QQ==", "sealed1." + "A" * 44])
def test_what_nobody_sealed_does_not_open(words: str) -> None:
    assert Seal(KEY).open(words) is None


async def test_a_stranger_verifies_the_signature(line, open_gateway: Opener, receiver: Receiver) -> None:
    pytest.importorskip("standardwebhooks")
    gateway = await open_gateway(rules=LOOPBACK)
    await submit(line, gateway, webhook={"url": receiver.url, "secret": SECRET})
    await until(lambda: receiver.got)
    headers, body = receiver.got[0]
    assert verified((headers, body))["type"] == "job.done"
    with pytest.raises(Exception, match="signature"):
        verified((headers, body.replace(b"job.done", b"job.gone")))


async def test_a_message_is_sent_again_under_the_same_id(line, open_gateway: Opener, receiver: Receiver) -> None:
    receiver.answers = [500, 302, 429]
    gateway = await open_gateway(rules=LOOPBACK)
    page = await submit(line, gateway, webhook={"url": receiver.url, "secret": SECRET})
    await until(lambda: len(receiver.got) == 4)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    await until_told(line, page, DELIVERED)
    assert (await told(line, page))["tries"] == 4
    assert len(receiver.got) == 4  # nobody was sent elsewhere


async def until_told(line: aiohttp.ClientSession, page: dict[str, Any], state: str) -> None:
    while (await told(line, page))["state"] != state:
        pass


async def test_who_wants_no_more_is_left_alone(line, open_gateway: Opener, receiver: Receiver) -> None:
    receiver.answers = [410]
    gateway = await open_gateway(rules=LOOPBACK)
    page = await submit(line, gateway, webhook={"url": receiver.url, "secret": SECRET})
    await until_told(line, page, GIVEN_UP)
    assert len(receiver.got) == 1


async def test_a_message_survives_a_restart(line, open_gateway: Opener, receiver: Receiver, monkeypatch) -> None:
    receiver.answers = [503]
    monkeypatch.setattr(telling, "FIRST_PAUSE_S", 0.5)
    gateway = await open_gateway(rules=LOOPBACK)
    await submit(line, gateway, webhook={"url": receiver.url, "secret": SECRET})
    await until(lambda: receiver.got)
    await gateway.close()
    await open_gateway(rules=LOOPBACK)
    await until(lambda: len(receiver.got) == 2)
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]


async def test_nothing_is_sent_to_where_only_this_machine_gets(line, gateway: Gateway, receiver: Receiver) -> None:
    page = await submit(line, gateway, webhook={"url": receiver.url, "secret": SECRET})
    while not (found := await told(line, page))["tries"]:
        pass
    assert found["state"] == DUE
    assert "port" in found["last"] or "public" in found["last"]
    assert not receiver.got


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "http://2130706433/",
        "http://inside.example/",
        "http://user:word@93.184.216.34/",
        "file:///etc/passwd",
    ],
)
async def test_addresses_that_are_not_public_are_not_asked(url: str) -> None:
    async def inside(_name: str, _port: int) -> list[str]:
        return ["192.168.1.7"]

    posts = PublicPosts(FetchRules(), inside)
    receipt = await posts.post(url, b"{}", {})
    await posts.close()
    assert receipt.status == 0
    assert "192.168" not in receipt.why


DELIVERY = Delivery("msg_1", "1", "https://example.com", SECRET, created_at=1000.0, due_at=1000.0, tries=0)


@pytest.mark.parametrize(
    "tries, receipt, now, expected",
    [
        (0, Receipt(204), 1000.0, (DELIVERED, 0.0)),
        (0, Receipt(500), 1000.0, (DUE, 0.01)),
        (0, Receipt(500, retry_after_s=120.0), 1000.0, (DUE, 120.0)),
        (30, Receipt(0), 1000.0, (DUE, 3 * 3600.0)),
        (3, Receipt(500), 1000.0 + 86_400.0, (GIVEN_UP, 0.0)),
        (0, Receipt(410), 1000.0, (GIVEN_UP, 0.0)),
        (0, Receipt(302), 1000.0, (DUE, 0.01)),
    ],
)
def test_what_becomes_of_a_message(tries, receipt, now, expected) -> None:
    delivery = Delivery("m", "j", "u", SECRET, created_at=1000.0, due_at=1000.0, tries=tries)
    assert telling.next_step(delivery, receipt, now, 0.0) == expected


def test_the_signature_is_the_one_of_the_specification() -> None:
    # The example of the specification's reference libraries: standard-webhooks/standard-webhooks, 2024.
    secret = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert secret
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', secret)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("words", ["", "hush", "whsec_", "whsec_!!", "whsec_" + "A" * 8, "A" * 32])
def test_what_is_no_secret(words: str) -> None:
    assert secret_of(words) is None
