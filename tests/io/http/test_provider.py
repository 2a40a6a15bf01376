"""One exchange with a provider over real sockets: whatever the other side does is an answer, and no key leaks."""

from __future__ import annotations

import asyncio
import base64
import errno
import gzip
import io
import json
import logging
import os
import socket
import ssl
import traceback
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image as Pillow

from cavendish.catalog.cards import EndpointCard
from cavendish.engine.ports import OutOfSpace, Provider
from cavendish.errors import ConfigError
from cavendish.io.blobs.disk import Disk
from cavendish.io.blobs.folder import FolderBlobs
from cavendish.io.clock import SystemClock
from cavendish.io.http.exchange import Timeouts
from cavendish.io.http.provider import HttpProvider
from cavendish.io.http.session import Proxies, Session
from cavendish.model.blob import Blob
from cavendish.model.call import Done, Fetch, Later, Open, Poll, Ticket
from cavendish.model.fault import Blame, Charged, FaultKind, Scope
from cavendish.model.request import Image, ImageRequest
from cavendish.secret import Secret
from cavendish.wire.blobs import Limits
from cavendish.wire.message import Spilled

from .server import Server, TinyDialect, head, reset, self_signed, whole

KEY = "sk-the-key-that-must-not-be-seen-1234567890"
OPEN = Open(ImageRequest.of("a red kite", model="m"))


def noise(megabytes=2):
    """A picture that is about so large."""
    side = int((megabytes * 1e6 / 3) ** 0.5)
    file = io.BytesIO()
    Pillow.frombytes("RGB", (side, side), os.urandom(side * side * 3)).save(file, "BMP")
    return file.getvalue()


PICTURE = noise(0.05)
BODY = json.dumps({"picture": base64.b64encode(PICTURE).decode()}).encode()


def card(url, **fields):
    return EndpointCard("tiny", "Tiny", "tiny", url, "Authorization", "Bearer ", **fields)


@pytest.fixture
async def store(tmp_path):
    async with FolderBlobs(tmp_path / "out", ballast_bytes=0) as folder:
        yield folder


@pytest.fixture
async def session():
    async with Session(proxies=Proxies({})) as shared:
        yield shared


@pytest.fixture
def provider_for(store, session):
    def provider(url, dialect=None, *, key=KEY, limits=Limits(), timeouts=Timeouts(), **fields):  # noqa: B008 (frozen)
        secret = Secret(key) if key is not None else None
        clock = SystemClock()
        return HttpProvider(
            dialect or TinyDialect(), card(url, **fields), secret, session, store, clock, timeouts, limits
        )

    return provider


@pytest.fixture(autouse=True)
def _no_key_anywhere(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    yield
    assert KEY not in caplog.text
    out, err = capfd.readouterr()
    assert KEY not in out + err


async def ask(answer, provider_for, call=OPEN, **options):
    async with Server(answer) as server:
        return (await provider_for(server.url, **options).call(call, "a1")).reply


def read(store, blob):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: b"".join(store.read(blob))).result()


async def is_clean(store):
    """Nothing of the attempt is left, once the store's threads have done what they were told."""
    left = [store.root / ".cavendish" / name for name in ("tmp", "replies")]
    for _ in range(200):
        if not await asyncio.to_thread(lambda: any(file for folder in left for file in folder.iterdir())):
            return True
        await asyncio.sleep(0.01)
    return False


# --- whole answers --------------------------------------------------------------------------------------------------


async def test_a_picture_arrives_and_is_durable_before_it_is_returned(provider_for, store):
    picture = noise(2)
    body = json.dumps({"picture": base64.b64encode(picture).decode()}).encode()
    async with Server(whole(body, x_request_id="r-7")) as server:
        provider: Provider = provider_for(server.url)
        answer = await provider.call(OPEN, "a1")
    assert isinstance(answer.reply, Done)
    assert answer.request_id == "r-7"
    assert answer.latency_s > 0
    blob = answer.reply.pictures[0].blob
    assert read(store, blob) == picture
    assert await store.recorded() == {"a1": answer.reply}
    (heard,) = server.heard
    assert (heard.method, heard.path) == ("POST", "/v1/draw")
    assert json.loads(heard.body) == {"prompt": "a red kite"}
    assert heard.headers["authorization"] == f"Bearer {KEY}"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["user-agent"].startswith("cavendish/")
    assert "accept-encoding" not in heard.headers


async def stream(writer, _):
    writer.write(head(content_type="text/event-stream", transfer_encoding="chunked"))
    for data in (b'data: {"thought": 1}\n\n', b"data: " + BODY + b"\n\n", b"data: [DONE]\n\n"):
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def chunked(writer, _):
    writer.write(head(transfer_encoding="chunked"))
    for at in range(0, len(BODY), 777):
        piece = BODY[at : at + 777]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    writer.write(b"0\r\n\r\n")


async def until_the_end(writer, _):
    writer.write(head(connection="close") + BODY)


@pytest.mark.parametrize(
    "answer",
    [
        stream,
        chunked,
        until_the_end,
        whole(gzip.compress(BODY), content_encoding="gzip"),
        whole(BODY, content_type="text/plain"),
        whole(PICTURE, content_type="image/bmp"),
        whole(BODY, status=201),
    ],
    ids=["events", "chunked", "without length", "gzip", "another type", "a bare picture", "another status"],
)
async def test_a_picture_arrives_however_it_is_sent(provider_for, store, answer):
    reply = await ask(answer, provider_for)
    assert isinstance(reply, Done)
    assert read(store, reply.pictures[0].blob) == PICTURE


async def test_a_job_is_no_reply_to_record(provider_for, store):
    reply = await ask(whole(b'{"job": "j1"}'), provider_for)
    assert reply == Later(Ticket("j1"), 1.0)
    assert await store.recorded() == {}


@pytest.mark.parametrize(
    "answer, status, words",
    [
        (whole(b"<html><body>502 Bad Gateway</body></html>", 502, "text/html"), 502, "Bad Gateway"),
        (whole(b"", 200), 200, ""),
        (whole(b'{"error": "overloaded"}', 503), 503, "overloaded"),
        (whole(b"not json {", 200), 200, "not json"),
    ],
)
async def test_what_is_no_picture_is_a_fault(provider_for, store, answer, status, words):
    fault = await ask(answer, provider_for)
    assert fault.status == status
    assert words in fault.message
    assert await store.recorded() == {}


async def test_what_a_fault_left_behind_is_dropped(provider_for, store):
    body = json.dumps({"data": base64.b64encode(PICTURE * 40).decode(), "error": "no"}).encode()
    assert (await ask(whole(body), provider_for)).message == "no"
    await store.recorded()  # waits for the threads, and would spare what is known
    assert await is_clean(store)


# --- references -----------------------------------------------------------------------------------------------------


async def test_references_are_streamed_with_their_length(provider_for, store, tmp_path):
    reference = noise(3)
    path = tmp_path / "reference.bmp"
    path.write_bytes(reference)
    blob = Blob("0" * 64, len(reference), "image/bmp", str(path))
    dialect = TinyDialect({"a": [Spilled((blob,)), Spilled(("data:image/bmp;base64,", blob))], "prompt": "é"})
    async with Server(whole(BODY)) as server:
        await provider_for(server.url, dialect).call(OPEN, "a1")
    (heard,) = server.heard
    text = base64.b64encode(reference).decode()
    assert json.loads(heard.body) == {"a": [text, "data:image/bmp;base64," + text], "prompt": "é"}
    assert "transfer-encoding" not in heard.headers


@pytest.mark.parametrize("size", [100, 5_000_000])
async def test_a_reference_that_changed_is_told(provider_for, tmp_path, size):
    path = tmp_path / "reference.bmp"
    path.write_bytes(b"x" * 1_000_000)
    dialect = TinyDialect({"a": Spilled((Blob("0" * 64, size, "image/bmp", str(path)),))})
    fault = await ask(whole(BODY), provider_for, dialect=dialect)
    assert (fault.kind, fault.charged, fault.blame) == (FaultKind.UNREADABLE, Charged.NO, Blame.US)
    assert "changed" in fault.message


async def test_a_reference_that_is_gone_is_told(provider_for, tmp_path):
    dialect = TinyDialect({"a": Spilled((Blob("0" * 64, 5, "image/bmp", str(tmp_path / "gone.bmp")),))})
    fault = await ask(whole(BODY), provider_for, dialect=dialect)
    assert (fault.kind, fault.charged) == (FaultKind.UNREADABLE, Charged.NO)
    assert "gone.bmp" in fault.message


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": object()}])
async def test_what_json_cannot_say_is_the_caller_s_fault(provider_for, body):
    async with Server(whole(BODY)) as server:
        fault = (await provider_for(server.url, TinyDialect(body)).call(OPEN, "a1")).reply
    assert (fault.kind, fault.charged) == (FaultKind.INVALID_REQUEST, Charged.NO)
    assert server.heard == []


# --- broken lines ---------------------------------------------------------------------------------------------------


async def ended_in_the_middle(writer, _):
    writer.write(head(content_length=len(BODY)) + BODY[: len(BODY) // 2])


async def reset_in_the_middle(writer, _):
    writer.write(head(content_length=len(BODY)) + BODY[: len(BODY) // 2])
    await writer.drain()
    await asyncio.sleep(0.05)
    reset(writer)


async def reset_at_once(writer, _):
    reset(writer)


async def ended_at_once(_writer, _):
    pass


async def broken_chunks(writer, _):
    writer.write(head(transfer_encoding="chunked") + b"10000\r\n" + BODY[:2000])


async def gzip_that_stops(writer, _):
    zipped = gzip.compress(BODY)[:1000]
    writer.write(head(content_length=len(zipped), content_encoding="gzip") + zipped)


async def broken_gzip(writer, _):
    # Good to a byte's edge, then a block of the type that deflate keeps forbidden: wrong whatever the data before it.
    packer = zlib.compressobj(wbits=31)
    zipped = packer.compress(BODY) + packer.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 100
    writer.write(head(content_length=len(zipped), content_encoding="gzip") + zipped)


@pytest.mark.parametrize(
    "answer",
    [ended_in_the_middle, reset_in_the_middle, reset_at_once, ended_at_once, broken_chunks],
)
async def test_a_cut_line_is_a_cut_of_unknown_charge(provider_for, store, answer):
    fault = await ask(answer, provider_for)
    assert (fault.kind, fault.charged) == (FaultKind.CUT, Charged.UNKNOWN)
    await store.recorded()
    assert await is_clean(store)


async def of_another_kind(writer, _):
    writer.write(b"220 smtp.example ESMTP\r\n\r\n")


@pytest.mark.parametrize("answer", [of_another_kind, gzip_that_stops, broken_gzip])
async def test_what_is_no_http_is_malformed(provider_for, answer):
    fault = await ask(answer, provider_for)
    assert (fault.kind, fault.charged) == (FaultKind.MALFORMED, Charged.UNKNOWN)


async def test_a_picture_that_was_whole_before_the_line_broke_is_kept(provider_for, store):
    async def answer(writer, _):
        event = b"data: " + BODY + b"\n\n"
        writer.write(head(content_type="text/event-stream", content_length=len(event) + 1000) + event)

    reply = await ask(answer, provider_for)
    assert isinstance(reply, Done)
    assert list(await store.recorded()) == ["a1"]


async def test_an_error_is_understood_although_the_line_broke(provider_for):
    async def answer(writer, _):
        writer.write(head(503, content_length=1000) + b'{"error": "overloaded"}')

    fault = await ask(answer, provider_for)
    assert (fault.kind, fault.message) == (FaultKind.SERVER_ERROR, "overloaded")


async def silent(_writer, _):
    await asyncio.sleep(60)


async def trickling(writer, _):
    writer.write(head(content_length=len(BODY)))
    for at in range(len(BODY)):
        writer.write(BODY[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0.02)


async def stopping(writer, _):
    writer.write(head(content_length=len(BODY)) + BODY[:3000])
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    "answer, timeouts, words",
    [
        # Long enough that a busy machine has connected, and has sent the next byte, in time.
        (silent, Timeouts(whole_s=1.0), "within 1 s"),
        (trickling, Timeouts(whole_s=2.0, silence_s=1.5), "within 2 s"),
        (silent, Timeouts(silence_s=0.2), "byte for 0.2 s"),
        (stopping, Timeouts(silence_s=0.2), "byte for 0.2 s"),
    ],
)
async def test_an_answer_that_does_not_come_is_a_time_out_of_unknown_charge(provider_for, answer, timeouts, words):
    fault = await ask(answer, provider_for, timeouts=timeouts)
    assert (fault.kind, fault.charged) == (FaultKind.TIMEOUT, Charged.UNKNOWN)
    assert words in fault.message


async def test_a_refused_connection_costs_nothing(provider_for):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        fault = (await provider_for(f"http://127.0.0.1:{sock.getsockname()[1]}").call(OPEN, "a1")).reply
    assert (fault.kind, fault.charged, fault.scope) == (FaultKind.CONNECT, Charged.NO, Scope.ENDPOINT)
    assert os.strerror(errno.ECONNREFUSED) in fault.message


async def test_a_name_that_is_not_known_costs_nothing(provider_for, monkeypatch):
    async def resolve(*_args, **_options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("aiohttp.resolver.DefaultResolver.resolve", resolve)
    fault = (await provider_for("http://nowhere.localhost").call(OPEN, "a1")).reply
    assert (fault.kind, fault.charged) == (FaultKind.CONNECT, Charged.NO)
    assert "nowhere.localhost cannot be resolved" in fault.message


async def test_a_connection_that_does_not_come_about_costs_nothing(provider_for, monkeypatch):
    async def connect(*_args, **_options):
        await asyncio.sleep(60)

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    for timeouts in (Timeouts(connect_s=0.1), Timeouts(whole_s=0.1)):
        fault = (await provider_for("http://127.0.0.1:9", timeouts=timeouts).call(OPEN, "a1")).reply
        assert fault.kind in {FaultKind.CONNECT, FaultKind.TIMEOUT}
        assert fault.charged is Charged.NO


@pytest.fixture
def tls(tmp_path):
    """A server's TLS with a certificate that it signed itself."""
    return self_signed(tmp_path)


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(provider_for, tls):
    async with Server(whole(BODY), tls=tls[0]) as server:
        fault = (await provider_for(f"https://localhost:{server.port}").call(OPEN, "a1")).reply
    assert (fault.kind, fault.charged) == (FaultKind.CONNECT, Charged.NO)
    assert "TLS" in fault.message
    assert server.heard == []


async def test_a_certificate_that_the_caller_vouches_for_is_trusted(store, tls):
    context = ssl.create_default_context(cafile=tls[1])
    async with Server(whole(BODY), tls=tls[0]) as server, Session(context, Proxies({})) as session:
        url = f"https://localhost:{server.port}"
        provider = HttpProvider(TinyDialect(), card(url), None, session, store, SystemClock())
        reply = (await provider.call(OPEN, "a1")).reply
    assert isinstance(reply, Done)


async def test_nothing_is_sent_twice_over_a_connection_that_went_stale(provider_for):
    """The server closes just as the second request comes: the transport must not try again by itself."""
    opened = []

    async def answer(writer, heard):
        opened.append(heard)
        if len(opened) == 1:
            await whole(b'{"job": "j1"}')(writer, heard)
        else:
            reset(writer)

    async with Server(answer, keeps=True) as server:
        provider = provider_for(server.url)
        assert isinstance((await provider.call(OPEN, "a1")).reply, Later)
        fault = (await provider.call(OPEN, "a2")).reply
    assert (fault.kind, fault.charged) == (FaultKind.CUT, Charged.UNKNOWN)
    assert len(opened) == 2


async def test_an_answer_beyond_the_limit_is_given_up(provider_for, store):
    sent = []

    async def endless(writer, _):
        writer.write(head(connection="close") + b'{"picture": "')
        for _ in range(2000):
            writer.write(b"A" * 65536)
            await writer.drain()
            sent.append(65536)

    fault = await ask(endless, provider_for, limits=Limits(blob_bytes=1 << 20))
    assert (fault.kind, fault.charged) == (FaultKind.MALFORMED, Charged.UNKNOWN)
    assert "too large" in fault.message
    assert sum(sent) < 50 << 20
    await store.recorded()
    assert await is_clean(store)


async def test_cancelling_is_no_fault(provider_for, store):
    begun = asyncio.Event()

    async def answer(writer, _):
        writer.write(head(content_length=len(BODY)) + BODY[:9000])
        await writer.drain()
        begun.set()
        await asyncio.sleep(60)

    async with Server(answer) as server:
        task = asyncio.create_task(provider_for(server.url).call(OPEN, "a1"))
        await begun.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await store.recorded()
    assert await is_clean(store)


# --- the disk -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
async def test_a_full_disk_is_no_fault_of_the_line(tmp_path, session, error):
    class Full(Disk):
        def write(self, fd, data):
            raise OSError(error, os.strerror(error))

    picture = noise(4)
    body = json.dumps({"picture": base64.b64encode(picture).decode()}).encode()
    async with FolderBlobs(tmp_path / "out", disk=Full(), ballast_bytes=0) as store, Server(whole(body)) as server:
        provider = HttpProvider(TinyDialect(), card(server.url), None, session, store, SystemClock())
        with pytest.raises(OutOfSpace):
            await provider.call(OPEN, "a1")
        await store.recorded()
        assert await is_clean(store)


# --- the key --------------------------------------------------------------------------------------------------------


async def test_a_picture_s_url_at_another_host_does_not_get_the_key(provider_for, store):
    async with Server(whole(PICTURE, content_type="image/bmp")) as other, Server(whole(b"")) as ours:
        await store.record("a1", Done((Image(uri=other.url + "/p?sig=a%2Fb%20c"),), (0,)))
        reply = (await provider_for(ours.url).call(Fetch(other.url + "/p?sig=a%2Fb%20c"), "a1")).reply
    assert read(store, reply.pictures[0].blob) == PICTURE
    (heard,) = other.heard
    assert heard.path == "/p?sig=a%2Fb%20c"
    assert KEY not in str(heard)
    assert (await store.recorded())["a1"].pictures[0].uri == other.url + "/p?sig=a%2Fb%20c"


async def test_a_url_at_our_host_gets_the_key(provider_for):
    async with Server(whole(PICTURE, content_type="image/bmp")) as server:
        await provider_for(server.url).call(Fetch(server.url + "/files/1"), "a1")
        await provider_for(server.url).call(Poll(Ticket("j", server.url + "/jobs/1")), "a1")
    assert [heard.headers["authorization"] for heard in server.heard] == [f"Bearer {KEY}"] * 2


@pytest.mark.parametrize(
    "url, ours",
    [
        ("https://queue.example/jobs/1", True),
        ("https://queue.example:443/jobs/1", True),
        ("https://QUEUE.example/jobs/1", True),
        ("http://queue.example/jobs/1", False),
        ("https://queue.example:8443/jobs/1", False),
        ("https://evil.queue.example/jobs/1", False),
        ("https://queue.example.evil/jobs/1", False),
        ("https://queue.example@evil.example/jobs/1", False),
        ("https://api.example/", True),
        ("http://api.example/", False),
        ("https://api.example:444/", False),
        ("https://api.us2.cloud.example/poll?id=1", True),
        ("https://api.cloud.example/", False),
        ("https://api.a.b.cloud.example/", False),
        ("https://delivery.us2.cloud.example/", False),
        ("http://api.us2.cloud.example/", False),
    ],
)
async def test_only_trusted_hosts_see_the_key(provider_for, url, ours):
    from yarl import URL

    provider = provider_for("https://api.example/v1", trusted_hosts=("queue.example", "api.*.cloud.example"))
    assert (KEY in str(provider._stamp(URL(url)))) is ours


async def test_a_redirect_takes_no_key_to_another_host(provider_for, store):
    async with Server(whole(PICTURE, content_type="image/bmp")) as other:

        async def lead_away(writer, heard):
            await whole(b"", 302, location=f"{other.url}/there")(writer, heard)

        async with Server(lead_away) as ours:
            reply = (await provider_for(ours.url).call(Fetch(ours.url + "/here"), "a1")).reply
            fault = (await provider_for(ours.url).call(OPEN, "a2")).reply
    assert isinstance(reply, Done)
    assert [heard.path for heard in other.heard] == ["/there"]
    assert KEY not in str(other.heard)
    assert KEY in str(ours.heard)
    assert fault.status == 302


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:1", "gopher://127.0.0.1:1/"]
)
async def test_a_redirect_to_what_is_no_http_is_not_followed(provider_for, location):
    async with Server(whole(b"", 302, location=location)) as server:
        fault = (await provider_for(server.url).call(Fetch(server.url + "/x"), "a1")).reply
    assert fault.status == 302


async def test_redirects_end(provider_for):
    async with Server(whole(b"", 307, location="/again")) as server:
        fault = (await provider_for(server.url).call(Fetch(server.url + "/x"), "a1")).reply
    assert "redirects" in fault.message
    assert len(server.heard) == 6


@pytest.mark.parametrize("url", ["http://a b/", "http://h/\r\nX: y", "ftp://h/x", "file:///etc/passwd", "nonsense", ""])
async def test_a_url_that_is_none_is_a_fault(provider_for, url):
    fault = (await provider_for("http://127.0.0.1:1").call(Fetch(url), "a1")).reply
    assert (fault.kind, fault.charged) == (FaultKind.INVALID_REQUEST, Charged.NO)


async def test_a_relay_that_quotes_the_key_is_not_quoted(provider_for):
    body = json.dumps({"error": f"invalid key {KEY} given"}).encode()
    fault = await ask(whole(body, 401), provider_for)
    assert fault.message == "invalid key … given"


async def test_the_key_is_in_no_error_and_no_repr(provider_for):
    async with Server(reset_at_once) as server:
        provider = provider_for(server.url)
        fault = (await provider.call(OPEN, "a1")).reply
    assert KEY not in repr(provider) + str(vars(provider)) + repr(fault)
    with pytest.raises(ConfigError) as caught:
        provider_for(server.url, key=KEY + "\n")
    assert KEY not in "".join(traceback.format_exception(caught.value))


async def test_an_endpoint_without_a_key_is_sent_none(provider_for):
    async with Server(whole(BODY)) as server:
        await provider_for(server.url, key=None).call(OPEN, "a1")
    assert "authorization" not in server.heard[0].headers


# --- the rest -------------------------------------------------------------------------------------------------------


async def test_the_time_out_is_told_where_the_endpoint_wants_it(provider_for):
    options = {"timeout_header": "X-Server-Timeout"}
    async with Server(whole(BODY)) as server, Server(whole(PICTURE, content_type="image/bmp")) as other:
        provider = provider_for(server.url, options=options, timeouts=Timeouts(whole_s=90.2))
        await provider.call(OPEN, "a1")
        await provider.call(Fetch(other.url), "a1")
    assert server.heard[0].headers["x-server-timeout"] == "91"
    assert "x-server-timeout" not in other.heard[0].headers


async def test_a_time_out_that_an_endpoint_would_refuse_is_not_told(provider_for):
    async with Server(whole(BODY)) as server:
        options, timeouts = {"timeout_header": "X-Server-Timeout"}, Timeouts(whole_s=9)
        await provider_for(server.url, options=options, timeouts=timeouts).call(OPEN, "a1")
    assert "x-server-timeout" not in server.heard[0].headers


async def test_a_proxy_carries_plain_requests(provider_for, store):
    async with Server(whole(BODY)) as proxy:
        proxies = Proxies({"http": f"http://user:word@127.0.0.1:{proxy.port}"})
        async with Session(proxies=proxies) as session:
            provider = HttpProvider(
                TinyDialect(), card("http://api.example"), Secret(KEY), session, store, SystemClock()
            )
            reply = (await provider.call(OPEN, "a1")).reply
    assert isinstance(reply, Done)
    (heard,) = proxy.heard
    assert heard.path == "http://api.example/v1/draw"
    assert heard.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"user:word").decode()


async def test_a_proxy_that_is_not_there_costs_nothing(store):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        proxies = Proxies({"http": f"127.0.0.1:{sock.getsockname()[1]}"})
        async with Session(proxies=proxies) as session:
            provider = HttpProvider(TinyDialect(), card("http://api.example"), None, session, store, SystemClock())
            fault = (await provider.call(OPEN, "a1")).reply
    assert (fault.kind, fault.charged) == (FaultKind.CONNECT, Charged.NO)


def test_hosts_without_a_proxy_are_left_out(monkeypatch):
    from yarl import URL

    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inner.example,other.example:81")
    proxies = Proxies()
    assert proxies.of(URL("http://api.example/x")) == {"proxy": URL("http://proxy.example:3128")}
    assert proxies.of(URL("http://inner.example/x")) == {}
    assert proxies.of(URL("http://other.example:81/x")) == {}
    assert proxies.of(URL("https://api.example/x")) == {}


async def test_a_look_asks_with_the_key_and_keeps_nothing(provider_for, store):
    async with Server(whole(b'{"models": [{"name": "m1"}]}')) as server:
        response = await provider_for(server.url).look("/v1beta/models")
    assert response.status == 200
    assert response.body == {"models": [{"name": "m1"}]}
    assert (server.heard[0].method, server.heard[0].path) == ("GET", "/v1beta/models")
    assert KEY in server.heard[0].headers["authorization"]
    assert await is_clean(store)


async def test_a_look_at_nobody_is_a_fault(provider_for):
    async with Server(reset_at_once) as server:
        fault = await provider_for(server.url, timeouts=Timeouts(whole_s=5)).look("/v1beta/models")
    assert fault.kind is FaultKind.CUT


async def test_a_hundred_at_once(provider_for, store):
    async with Server(whole(BODY)) as server:
        provider = provider_for(server.url)
        answers = await asyncio.gather(*(provider.call(OPEN, f"a{n}") for n in range(100)))
    assert all(isinstance(answer.reply, Done) for answer in answers)
    assert len(await store.recorded()) == 100
