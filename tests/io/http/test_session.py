"""Connections: kept, given up, led through a proxy; what is agreed with a proxy stays with it."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import sys

import pytest

from cavendish.catalog.cards import EndpointCard
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.clock import SystemClock
from cavendish.io.http.exchange import Timeouts
from cavendish.io.http.provider import HttpProvider
from cavendish.io.http.session import Proxies, Session
from cavendish.model.call import Later, Open, Ticket
from cavendish.model.fault import Charged, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.secret import Secret

from .server import Server, TinyDialect, self_signed, whole
from .tunnel import Proxy

KEY = "sk-the-key-that-a-proxy-must-not-see-1234567890"
OPEN = Open(ImageRequest.of("a red kite", model="m"))
JOB = whole(json.dumps({"job": "j1"}).encode())
ALLOWED = Later(Ticket("j1"), 1.0)


def provider(url, session, timeouts=Timeouts()):  # noqa: B008 (frozen)
    card = EndpointCard("tiny", "Tiny", "tiny", url, "Authorization", "Bearer ")
    return HttpProvider(TinyDialect(), card, Secret(KEY), session, MemoryBlobs(), SystemClock(), timeouts)


async def ask(url, session, **options):
    return (await provider(url, session, **options).call(OPEN, "a1")).reply


@pytest.fixture
def environ(monkeypatch):
    """Sets proxy variables, in small letters as most programs write them."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return lambda **variables: [monkeypatch.setenv(name, value) for name, value in variables.items()]


# --- connections ------------------------------------------------------------------------------------------------------


async def test_a_connection_is_used_again(environ):
    async with Server(JOB, keeps=True) as server, Session() as session:
        for _ in range(3):
            assert await ask(server.url, session) == ALLOWED
        assert (len(server.heard), server.connections) == (3, 1)


async def test_providers_share_connections_and_each_stamps_its_own_key(environ):
    async with Server(JOB, keeps=True) as server, Session() as session:
        card = EndpointCard("tiny", "Tiny", "tiny", server.url, "x-api-key")
        other = HttpProvider(TinyDialect(), card, Secret("other"), session, MemoryBlobs(), SystemClock())
        await ask(server.url, session)
        await other.call(OPEN, "a2")
    first, second = server.heard
    assert (first.headers["authorization"], "x-api-key" in first.headers) == (f"Bearer {KEY}", False)
    assert (second.headers["x-api-key"], "authorization" in second.headers) == ("other", False)
    assert server.connections == 1


async def test_no_cookie_is_kept(environ):
    async with Server(whole(b'{"job": "j1"}', set_cookie="a=b"), keeps=True) as server, Session() as session:
        for _ in range(2):
            await ask(server.url, session)
    assert ["cookie" in heard.headers for heard in server.heard] == [False, False]


async def test_netrc_is_not_read(environ, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret-of-mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with Server(JOB) as server, Session() as session:
        await ask(server.url, session)
    assert server.heard[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses instead of keeping silent")
async def test_a_host_that_takes_no_connection_is_given_up_and_costs_nothing(environ):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        place = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(place)
        async with Session() as session:
            url = f"http://127.0.0.1:{place[1]}"
            fault = await ask(url, session, timeouts=Timeouts(connect_s=0.2))
        for sock in waiting:
            sock.close()
    assert (fault.kind, fault.charged) == (FaultKind.CONNECT, Charged.NO)
    assert f"127.0.0.1:{place[1]} in time" in fault.message


# --- proxies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_carries_the_call(environ, variable):
    async with Server(JOB) as server, Proxy() as proxy, Session() as session:
        environ(**{variable: proxy.url})
        assert await ask(f"http://api.localhost:{server.port}", session) == ALLOWED
    assert [heard.path for heard in proxy.heard] == [f"http://api.localhost:{server.port}/v1/draw"]
    assert json.loads(server.heard[0].body) == {"prompt": "a red kite"}


@pytest.mark.parametrize(
    "no_proxy, through",
    [
        ("", True),
        ("api.localhost", False),
        (".localhost", False),
        ("*", False),
        ("other.example, api.localhost", False),
        ("other.example", True),
        ("api.localhost:1", True),
        ("api.localhost:{port}", False),
    ],
)
async def test_no_proxy_leaves_hosts_out(environ, monkeypatch, no_proxy, through):
    async def resolve(*_args, **_options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("aiohttp.resolver.DefaultResolver.resolve", resolve)
    async with Server(JOB) as server, Proxy() as proxy, Session() as session:
        environ(http_proxy=proxy.url, no_proxy=no_proxy.format(port=server.port))
        await ask(f"http://api.localhost:{server.port}", session)
    assert (len(proxy.heard) == 1) is through


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.1", "[::1]"])
def test_this_machine_is_never_asked_through_a_proxy(environ, host):
    from yarl import URL

    environ(http_proxy="http://proxy.example:3128", https_proxy="http://proxy.example:3128")
    assert Proxies().of(URL(f"http://{host}:8080/x")) == Proxies().of(URL(f"https://{host}/x")) == {}


async def test_a_tunnel_shows_the_proxy_neither_key_nor_prompt_nor_the_server_its_password(environ, tmp_path):
    tls, certificate = self_signed(tmp_path)
    trusted = ssl.create_default_context(cafile=certificate)
    async with Server(JOB, tls=tls) as server, Proxy() as proxy, Session(trusted) as session:
        environ(https_proxy=proxy.url.replace("//", "//user:word@"))
        assert await ask(f"https://api.localhost:{server.port}", session) == ALLOWED
    (opened,) = proxy.heard
    assert (opened.method, opened.path) == ("CONNECT", f"api.localhost:{server.port}")
    assert opened.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"user:word").decode()
    assert KEY not in str(opened)
    assert KEY.encode() not in proxy.seen
    assert b"red kite" not in proxy.seen
    assert len(proxy.seen) > 300
    (heard,) = server.heard
    assert heard.headers["authorization"] == f"Bearer {KEY}"
    assert not any(name.startswith("proxy-") for name in heard.headers)


async def test_a_proxy_that_refuses_costs_nothing_and_its_password_is_not_told(environ, tmp_path):
    async def refuse(writer, _):
        writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")

    async with Server(refuse) as proxy, Session() as session:
        environ(https_proxy=proxy.url.replace("//", "//user:secret-word@"))
        fault = await ask("https://api.example", session)
    assert (fault.kind, fault.charged) == (FaultKind.CONNECT, Charged.NO)
    assert "407" in fault.message
    assert "secret-word" not in repr(fault)


def test_a_proxy_may_be_named_without_its_scheme(environ):
    from yarl import URL

    environ(http_proxy="127.0.0.1:3128")
    assert Proxies().of(URL("http://api.example/")) == {"proxy": URL("http://127.0.0.1:3128")}


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1", "socks5h://user:secret-word@127.0.0.1:1"])
async def test_a_proxy_that_cannot_be_spoken_to_is_named_as_the_reason(environ, address):
    environ(http_proxy=address)
    async with Session() as session:
        fault = await ask("http://api.example", session)
    assert (fault.kind, fault.charged) == (FaultKind.CONNECT, Charged.NO)
    assert "proxy" in fault.message
    assert "socks5" in fault.message
    assert "secret-word" not in repr(fault)
