import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.wire.body import BEGINNING_BYTES, RAW_BYTES, BodyReader
from cavendish.wire.message import Headers, Spilled, WireResponse
from cavendish.wire.spill import Limits

from .memory import JPEG, PNG, Store, chunked, values

JSON = "application/json; charset=UTF-8"
EVENTS = "text/event-stream"


def read(body, content_type=JSON, *, cut=False, store=None, step=1000, **more) -> WireResponse:
    reader = BodyReader(200, Headers.of({"Content-Type": content_type}), (store or Store()).new_blob, **more)
    for at in range(0, len(body), step):
        reader.feed(body[at : at + step])
    return reader.close(cut=cut)


def content(response):
    """What is said of the body: the members that are not at their defaults."""
    bare = WireResponse(200)
    names = ("body", "raw", "stream", "cut", "binary", "too_large")
    return {name: getattr(response, name) for name in names if getattr(response, name) != getattr(bare, name)}


@pytest.mark.parametrize("declared", [JSON, EVENTS, "text/html", "image/png", ""])
@pytest.mark.parametrize(
    "body, members",
    [
        (b'{"a":[1]}', {"body": {"a": [1]}}),
        (b"[]", {"body": []}),
        (b' \r\n\t{"a":1}\n', {"body": {"a": 1}}),  # kept alive with white space
        (b"\xef\xbb\xbf7", {"body": 7}),
        ("[7]".encode("utf-16"), {"body": [7]}),
        (b'"x"', {"body": "x"}),
        (b"null", {"raw": b"null"}),
        (b'{"a":', {"raw": b'{"a":'}),
        (b"{}{}", {"raw": b"{}{}"}),
        (b"", {}),
        (b" \n", {}),
        (b"<html>busy</html>", {"raw": b"<html>busy</html>"}),
        (b"data: 1\n\ndata: [DONE]\n\n", {"body": [1], "stream": True}),
        (b"\nevent: a\ndata: 1\n\n", {"body": [1], "stream": True}),
        (b": ping\n\n", {"body": [], "stream": True}),
        (b"data: what\n\n", {"raw": b"data: what\n\n"}),
        (b"data: 1\n\ndata: what\n\n", {"body": [1], "stream": True, "raw": b"data: 1\n\ndata: what\n\n"}),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_the_bytes_decide(declared, body, members, step):
    assert content(read(body, declared, step=step)) == members


def test_status_and_headers_are_kept():
    headers = Headers.of({"x-request-id": "7"})
    assert BodyReader(503, headers, Store().new_blob).close() == WireResponse(503, headers)


@pytest.mark.parametrize("body", [b"upstream error", b"502 Bad Gateway", b"true love"])
def test_text(body):
    assert content(read(body, "text/plain")) == {"raw": body}
    assert content(read(body, "text/plain", cut=True)) == {"raw": body, "cut": True}


def test_of_a_long_page_the_beginning_is_kept():
    assert content(read(b"<p>" * RAW_BYTES, "text/html", step=9999)) == {"raw": (b"<p>" * RAW_BYTES)[:RAW_BYTES]}


def test_of_half_a_json_body_the_beginning_is_kept():
    body = b'{"a":"' + b"text " * BEGINNING_BYTES
    assert content(read(body, cut=True, step=600)) == {"raw": body[:BEGINNING_BYTES], "cut": True}


@pytest.mark.parametrize("data, media_type", [(PNG, "image/png"), (JPEG, "image/jpeg"), (PNG * 99, "image/png")])
@pytest.mark.parametrize("declared", ["image/webp", "application/octet-stream", JSON])
def test_a_picture_is_a_blob_whatever_it_is_called(data, media_type, declared):
    store = Store()
    found = read(data, declared, store=store, step=700)
    assert content(found) == {"binary": found.binary}
    assert found.binary is not None
    assert store.data[found.binary.sha256] == data
    assert found.binary.media_type == media_type


def test_a_picture_of_a_kind_that_is_not_known():
    found = read(b"JXL of tomorrow", " Image/jxl")
    assert content(found) == {"binary": found.binary}
    assert found.binary is not None
    assert found.binary.media_type == "application/octet-stream"


@pytest.mark.parametrize("data", [PNG, PNG * 99, JPEG * 20])
@pytest.mark.parametrize("step", [5, 1000])
def test_a_cut_picture_counts_when_it_is_whole(data, step):
    store = Store()
    assert content(read(data, cut=True, store=store, step=step)).keys() == {"binary"}
    assert content(read(data[:-3], cut=True, store=store, step=step)) == {
        "raw": data[:-3][:BEGINNING_BYTES],
        "cut": True,
    }
    assert content(read(b"JXL", "image/jxl", cut=True)) == {"raw": b"JXL", "cut": True}
    assert store.states() == ["finished", "aborted"]


@pytest.mark.parametrize(
    "body, members",
    [
        (b'{"a":1}', {"body": {"a": 1}}),
        (b"[1]", {"body": [1]}),
        (b"12", {"raw": b"12", "cut": True}),
        (b'{"a":1', {"raw": b'{"a":1', "cut": True}),
        (b"", {"cut": True}),
        (b'data: {"a":1}\n\ndata: {"b"', {"body": [{"a": 1}], "stream": True, "cut": True}),
        (b"data: 1\n\ndata: [DONE]\n\n", {"body": [1], "stream": True}),
        (b"<html>", {"raw": b"<html>", "cut": True}),
    ],
)
def test_what_is_whole_when_the_line_breaks(body, members):
    assert content(read(body, cut=True)) == members


@pytest.mark.parametrize(
    "body, limits, written",
    [
        (b'{"a":"' + b"text " * 200 + b'"}', Limits(envelope_bytes=600), 0),
        (b'{"a":"0123456"}', Limits(envelope_bytes=9), 0),
        (b'{"a":"\\u00', Limits(envelope_bytes=7), 0),  # found at the end only
        (PNG * 9, Limits(blob_bytes=99), 0),
        (PNG * 9, Limits(blob_bytes=600), 1),
        (b"data: 12\n\n", Limits(envelope_bytes=1), 0),
        (b"data: 1\n\n" * 99, Limits(envelope_bytes=9), 0),
    ],
)
def test_what_is_beyond_a_limit(body, limits, written):
    store = Store()
    reader = BodyReader(200, Headers(), store.new_blob, limits=limits)
    for at in range(0, len(body), 520):
        reader.feed(body[at : at + 520])
    reader.feed(b"")
    response = reader.close()
    assert reader.too_large
    assert content(response) == {"raw": response.raw, "too_large": True}
    assert body.startswith(response.raw)
    assert response.raw
    assert store.states() == ["aborted"] * written


@pytest.mark.parametrize("body", [PNG, b'{"data":"AAAA"}', b'data: {"data":"AAAA"}\n\n'])
@pytest.mark.parametrize("blanks", [0, 600])
def test_a_full_disk_passes_through(body, blanks):
    store = Store(room=2)
    body += bytes(blanks) if body is PNG else b" " * blanks
    with pytest.raises(OSError, match="No space"):
        read(body, store=store)
    assert store.states() == ["aborted"]


def test_abort():
    store = Store()
    reader = BodyReader(200, Headers(), store.new_blob)
    reader.abort()
    for body in (PNG * 9, b'{"data":"' + b"A" * 20_000, b'data: {"data":"' + b"A" * 20_000, b"<p>" * 400):
        reader = BodyReader(200, Headers(), store.new_blob)
        reader.feed(body)
        reader.abort()
    assert store.states() == ["aborted"] * 3


@given(
    st.one_of(st.binary(max_size=99), values.map(json.dumps).map(str.encode)),
    st.lists(st.integers(0, 99)),
    st.booleans(),
    st.sampled_from([JSON, EVENTS, "image/png"]),
)
def test_content_never_raises(body, cuts, cut, declared):
    store = Store()
    reader = BodyReader(200, Headers.of({"content-type": declared}), store.new_blob, limits=Limits(envelope_bytes=300))
    for chunk in chunked(body, cuts):
        reader.feed(chunk)
    response = reader.close(cut=cut)
    assert "open" not in store.states()
    assert response.binary is None or response.body is None
    assert reader.too_large == response.too_large


def test_memory_of_a_large_answer():
    data = PNG + random.Random(3).randbytes(300_000)
    store = Store()
    words = sent_base64(data)
    found = read(b'{"parts":[{"inlineData":{"data":"' + words + b'"}}]}', store=store, step=8192)
    part = found.body["parts"][0]["inlineData"]["data"]
    assert isinstance(part, Spilled)
    assert part.blob is not None
    assert store.data[part.blob.sha256] == data
    assert store.widest <= 16 * 1024 + 8192


def sent_base64(data: bytes) -> bytes:
    import pybase64

    return pybase64.b64encode(data)
