"""Pictures are fetched from public addresses only, whatever tricks the address, its name or its server play."""

import asyncio
import gzip
import ipaddress
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from cavendish.io.http.public import FetchRules, PublicPictures, Unfetched, is_public
from tests.wire.memory import PNG, Store

LARGE = PNG[:8] + bytes(200_000)


@dataclass
class Names:
    """What a name server says, one answer after the other; the last one for ever."""

    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def look_up(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        known = self.answers.get(host)
        if not known:
            raise OSError(f"no address of {host}")
        return known.pop(0) if len(known) > 1 else known[0]


@dataclass
class Site:
    """A server on loopback, and what it was asked for."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        self.headers.append(request.headers)
        make: Callable[[web.Request], Any] = getattr(self, request.path.strip("/"))
        return await make(request)

    async def png(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=PNG, content_type="text/html")

    async def page(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>secret</html>", content_type="image/png")

    async def svg(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/svg+xml")

    async def gone(self, _: web.Request) -> web.StreamResponse:
        return web.Response(status=404, body=PNG)

    async def large(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=LARGE)

    async def endless(self, request: web.Request) -> web.StreamResponse:
        return await self._dripping(request, bytes(65_536), 0.0)

    async def slow(self, request: web.Request) -> web.StreamResponse:
        return await self._dripping(request, b"\0", 0.01)

    async def _dripping(self, request: web.Request, drop: bytes, every_s: float) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(PNG)
        for _ in range(100_000):
            await answer.write(drop)
            await asyncio.sleep(every_s)
        return answer

    async def bomb(self, _: web.Request) -> web.StreamResponse:
        body = gzip.compress(PNG + bytes(5_000_000))
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async def loop(self, _: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/loop")

    async def once(self, _: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/png")

    async def away(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(request.query["to"])


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_get("/{name}", site.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


async def fetched(url: str, names: Names | None = None, **rules: Any) -> bytes:
    """The bytes of the picture, from a fetcher that may reach this machine unless told otherwise."""
    store = Store()
    pictures = PublicPictures(FetchRules(**{"loopback": True, **rules}), (names or Names()).look_up)
    try:
        blob = await pictures.fetch(url, store.new_blob)
    finally:
        await pictures.close()
        assert set(store.states()) <= {"finished", "aborted"}
    assert blob.media_type == "image/png"
    return store.data[blob.sha256]


# --- addresses -------------------------------------------------------------------------------------------------------

INSIDE = (
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "168.63.129.16",
    "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
)  # fmt: skip
OUTSIDE = ("1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")


@pytest.mark.parametrize("address", INSIDE)
def test_what_only_some_can_reach_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_everybody_can_reach_is_public(address):
    assert is_public(ipaddress.ip_address(address))


@given(number=st.integers(0, 2**32 - 1))
def test_no_disguise_of_an_address_is_more_public_than_itself(number):
    plain = ipaddress.IPv4Address(number)
    if is_public(plain):
        return
    for disguise in (number | 0xFFFF << 32, number | int(ipaddress.IPv6Address("64:ff9b::")), number, number << 80):
        assert not is_public(ipaddress.IPv6Address(disguise | (0x2002 << 112 if disguise == number << 80 else 0)))


def test_loopback_is_reached_only_when_told():
    assert is_public(ipaddress.ip_address("127.0.0.1"), loopback=True)
    assert not is_public(ipaddress.ip_address("10.0.0.1"), loopback=True)
    assert not is_public(ipaddress.ip_address("64:ff9b::7f00:1"), loopback=True)


# --- tricks ----------------------------------------------------------------------------------------------------------

TRICKS = (
    "http://127.0.0.1/png", "http://127.1/png", "http://0/png", "http://0x7f.1/png", "http://0x7f000001/png",
    "http://2130706433/png", "http://0177.0.0.1/png", "http://017700000001/png", "http://127.0.0.1./png",
    "http://[::1]/png", "http://[::ffff:127.0.0.1]/png", "http://[::ffff:7f00:1]/png", "http://[fe80::1%25lo]/png",
    "http://[64:ff9b::7f00:1]/png", "http://localhost/png", "http://localhost./png", "http://LOCALHOST/png",
    "http://inside.example/png", "http://both.example/png", "http://metadata.google.internal/computeMetadata/v1/",
    "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/latest/", "http://1.1.1.1:22/png",
    "http://1.1.1.1@127.0.0.1/png", "http://user:word@1.1.1.1/png", "http://127.0.0.1#@1.1.1.1/png",
    "file:///etc/passwd", "ftp://1.1.1.1/png", "gopher://1.1.1.1/png", "http:///png", "//1.1.1.1/png", "http://",
    "http://[::1/png", "http://①②⑦.0.0.1/png", "http://127。0。0。1/png", "http://" + "a" * 5000, "\0", "",
)  # fmt: skip
INNER = {
    "localhost": ["127.0.0.1", "::1"], "localhost.": ["127.0.0.1"], "inside.example": ["10.0.0.7"],
    "both.example": ["1.1.1.1", "192.168.0.1"], "metadata.google.internal": ["169.254.169.254"],
}  # fmt: skip


@pytest.mark.parametrize("url", TRICKS)
async def test_no_trick_gets_inside(url):
    names = Names({name: [found] for name, found in INNER.items()})
    with pytest.raises(Unfetched) as caught:
        await fetched(url, names, loopback=False)
    assert "reached" not in str(caught.value), "it was tried"


async def test_the_reason_tells_nothing_of_what_is_inside():
    names = Names({"inside.example": [["10.0.0.7"]]})
    with pytest.raises(Unfetched) as caught:
        await fetched("http://inside.example/png", names, loopback=False)
    assert str(caught.value) == "its address is not a public one"


async def test_a_name_is_looked_up_once_and_that_address_is_asked(site):
    names = Names({"swings.example": [["127.0.0.1"], ["10.0.0.1"]]})
    assert await fetched(f"http://swings.example:{site.port}/png", names) == PNG
    assert names.asked == ["swings.example"]
    assert site.headers[0]["Host"] == f"swings.example:{site.port}"


async def test_a_name_that_leads_inside_the_second_time_is_refused_then(site):
    names = Names({"swings.example": [["127.0.0.1"], ["10.0.0.1"]]})
    with pytest.raises(Unfetched, match="not a public one"):
        await fetched(f"http://swings.example:{site.port}/once", names)
    assert names.asked == ["swings.example"] * 2
    assert site.asked == ["/once"]


@pytest.mark.parametrize(
    "place",
    ["http://10.0.0.1/png", "http://169.254.169.254/", "file:///etc/passwd", "http://inside.example/", "http://["],
)
async def test_a_redirect_is_judged_like_the_address(site, place):
    names = Names({"inside.example": [["10.0.0.7"]]})
    with pytest.raises(Unfetched):
        await fetched(f"http://127.0.0.1:{site.port}/away?to={place}", names)


async def test_redirects_are_followed_but_not_for_ever(site):
    assert await fetched(f"http://127.0.0.1:{site.port}/once") == PNG
    with pytest.raises(Unfetched, match="more than 2 times"):
        await fetched(f"http://127.0.0.1:{site.port}/loop", redirects=2)
    assert site.asked == ["/once", "/png", "/loop", "/loop", "/loop"]


# --- bodies ----------------------------------------------------------------------------------------------------------

REFUSED = {
    "page": "no picture",
    "svg": "no picture",
    "gone": "status 404",
    "large": "100,000 bytes",
    "endless": "100,000 bytes",
    "slow": "within 0.2 s",
    "bomb": "compressed",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_picture_of_bounded_size_is_refused(site, name):
    patience_s = 0.2 if name == "slow" else 30.0
    with pytest.raises(Unfetched, match=REFUSED[name]):
        await fetched(f"http://127.0.0.1:{site.port}/{name}", max_bytes=100_000, timeout_s=patience_s)


async def test_a_picture_is_what_its_bytes_are_and_nothing_of_ours_is_sent(site):
    assert await fetched(f"http://127.0.0.1:{site.port}/png") == PNG
    sent = site.headers[0]
    assert sent["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Cookie", "Referer"} & set(sent)


async def test_a_slow_name_server_keeps_no_other_work_from_its_thread(monkeypatch):
    """Whoever names addresses may run the name server, too."""
    answers = threading.Event()

    def slow(host: str, *_: object, **__: object) -> list[Any]:
        answers.wait(20)
        raise OSError(f"no address of {host}")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    pictures = PublicPictures(FetchRules())
    fetching = [
        asyncio.ensure_future(pictures.fetch(f"http://slow{number}.example/", Store().new_blob)) for number in range(48)
    ]
    await asyncio.sleep(0)
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 5) == "done"
    finally:
        answers.set()
        assert all(isinstance(each, Unfetched) for each in await asyncio.gather(*fetching, return_exceptions=True))
        await pictures.close()


async def test_a_server_that_is_not_there_is_told_as_that():
    with pytest.raises(Unfetched, match="could not be reached"):
        await fetched("http://127.0.0.1:9/png")
    with pytest.raises(Unfetched, match="could not be reached"):
        await fetched("http://nowhere.example/png")
