"""What no client should send, through real HTTP: a clear answer that names what is wrong, and nothing is bought."""

import asyncio
import gzip
import json
import logging
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from tests.front.gateway.served import MODEL, Came, Served, serving

Body = dict[str, Any]
TOO_DEEP = b"[" * 1_000_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("hard")) as made:
        yield made


def images(prompt: str, **more: Any) -> Body:
    return {"model": MODEL, "prompt": prompt, **more}


def chat(prompt: str, **more: Any) -> Body:
    return {"model": MODEL, "messages": [{"role": "user", "content": prompt}], **more}


def response(prompt: str, **more: Any) -> Body:
    return {"model": MODEL, "input": prompt, **more}


def gemini(prompt: str, **more: Any) -> Body:
    more = {"candidateCount" if name == "n" else name: value for name, value in more.items()}
    return {"contents": [{"parts": [{"text": prompt}]}], "generationConfig": more}


def predict(prompt: str, **more: Any) -> Body:
    more = {"sampleCount" if name == "n" else name: value for name, value in more.items()}
    return {"instances": [{"prompt": prompt}], "parameters": {"sampleCount": 1, **more}}


DOORS: dict[str, tuple[str, Callable[..., Body], str]] = {
    "images": ("/v1/images/generations", images, "prompt"),
    "chat": ("/v1/chat/completions", chat, "messages[0].content"),
    "responses": ("/v1/responses", response, "input"),
    "gemini": (f"/v1beta/models/{MODEL}:generateContent", gemini, "contents[0].parts[0].text"),
    "predict": (f"/v1beta/models/{MODEL}:predict", predict, "instances[0].prompt"),
    "jobs": ("/v1/jobs", images, "prompt"),
}
every_door = pytest.mark.parametrize("door", DOORS)


def refused(served: Served, door: str, body: Any, status: int = 400, **headers: str) -> str:
    """The message of a refusal in the form of the door's API; nothing is bought for it."""
    before = served.bought
    path = DOORS[door][0]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    came = served.tell(path, data, **headers)
    assert came.status == status, (door, came.status, came.content[:300])
    assert served.bought == before or door == "jobs"  # those taken before may be at work
    error = came.page["error"]
    google = door in {"gemini", "predict"}
    assert isinstance(error["code"], int if google else str), error
    assert ("status" in error, "type" in error) == (google, not google)
    return error["message"]


@every_door
@pytest.mark.parametrize("odd, why", [("\ud800", "surrogate"), ("\0", "NUL")])
def test_text_that_is_none(served: Served, door: str, odd: str, why: str) -> None:
    _, made, place = DOORS[door]
    assert f"'{place}'" in (told := refused(served, door, made(f"a {odd} kite"))), told
    assert why in told


@every_door
def test_a_prompt_that_says_nothing(served: Served, door: str) -> None:
    for prompt in ("", "  \n"):
        refused(served, door, DOORS[door][1](prompt))


@every_door
@pytest.mark.parametrize("n", [0, -1, 1.5, True, "x", [], {}, 10**9, 10**30])
def test_a_count_that_is_none(served: Served, door: str, n: Any) -> None:
    told = refused(served, door, DOORS[door][1]("a kite", n=n))
    assert any(name in told for name in ("n", "candidate_count", "sampleCount"))


@every_door
@pytest.mark.parametrize(
    "literal, why", [("NaN", "finite"), ("1e999", "finite"), ("1" + "0" * 40, "64 bits"), ("9" * 5000, "digits")]
)
def test_numbers_that_nobody_can_hold(served: Served, door: str, literal: str, why: str) -> None:
    body = json.dumps(DOORS[door][1]("a kite", seed=123454321)).replace("123454321", literal).encode()
    assert why in refused(served, door, body)


@every_door
@pytest.mark.parametrize(
    "body, why",
    [
        (TOO_DEEP, "deep"),
        (b'{"a":' * 2_000, "deep"),
        (b"", "JSON"),
        (b"<a/>", "JSON"),
        (b'{"model":"\xff"}', "UTF-8"),
        (b'{"a": "\x00"}', "JSON"),
    ],
    ids=["lists", "objects", "nothing", "xml", "latin", "control"],
)
def test_bodies_that_are_no_json(served: Served, door: str, body: bytes, why: str) -> None:
    assert why in refused(served, door, body)


@every_door
def test_what_no_book_can_write(served: Served, door: str) -> None:
    deep = "[" * 300 + "]" * 300
    body = json.dumps(DOORS[door][1]("a kite", further=123454321)).replace("123454321", deep).encode()
    assert "'" in refused(served, door, body)


@every_door
def test_packed_bodies(served: Served, door: str) -> None:
    path, made, _ = DOORS[door]
    plain = orjson.dumps(made("a kite"))
    good = {"gzip": gzip.compress(plain), "x-gzip": gzip.compress(plain), "deflate": zlib.compress(plain)}
    for packing, body in {**good, "Deflate": zlib.compress(plain)[2:-4], "identity": plain}.items():
        assert served.tell(path, body, **{"Content-Encoding": packing}).status in {200, 202}, packing
    two = gzip.compress(plain[:5]) + gzip.compress(plain[5:])
    assert served.tell(path, two, **{"Content-Encoding": "gzip"}).status in {200, 202}
    assert "gzip" in refused(served, door, plain, **{"Content-Encoding": "gzip"})
    assert "breaks off" in refused(served, door, good["gzip"][:-9], **{"Content-Encoding": "gzip"})
    for packing in ("br", "zstd", "gzip, gzip", "odd"):
        assert packing in refused(served, door, plain, 415, **{"Content-Encoding": packing})


def test_a_bomb_is_not_unpacked(served: Served) -> None:
    bomb = gzip.compress(b" " * 60_000_000)
    assert len(bomb) < 100_000
    assert "too large" in refused(served, "images", bomb, 413, **{"Content-Encoding": "gzip"})


@pytest.mark.parametrize("name", ["x-cavendish-strict", "x-cavendish-max-wait", "x-cavendish-keep-alive"])
def test_a_wish_of_ours_that_is_none(served: Served, name: str) -> None:
    assert name in refused(served, "images", images("a kite"), **{name: "perhaps"})


def test_types_that_are_not_the_member_s(served: Served) -> None:
    for member in ("size", "quality", "output_format", "aspect_ratio", "seed", "stream", "temperature", "system"):
        for value in ({"a": 1}, [1]):
            assert member in refused(served, "images", images("a kite", **{member: value}))
    for member in ("temperature", "seed"):
        assert member in refused(served, "chat", chat("a kite", **{member: "warm"}))
        assert member in refused(served, "responses", response("a kite", **{member: "warm"}))
    for member in ("sampleImageSize", "aspectRatio", "seed"):
        assert member in refused(served, "predict", predict("a kite", **{member: {}}))


def test_a_form_in_another_encoding(served: Served) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na \xff kite\r\n--x--\r\n'
    came = served.ask("POST", "/v1/images/edits", form, {"Content-Type": "multipart/form-data; boundary=x"})
    assert came.status == 400
    assert "'prompt'" in came.page["error"]["message"]


def test_more_than_there_may_be(served: Served) -> None:
    pictures = [{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}] * 100
    refused(served, "gemini", {"contents": [{"parts": pictures}]}, 413)
    refused(served, "images", images("kite " * 1_000_000), 413)
    refused(served, "images", images("kite " * 500_000))
    assert "strings" in refused(served, "images", b"[" + b'"",' * 250_000, 413)


def test_many_words_are_one_prompt(served: Served) -> None:
    before = served.bought
    said = {"contents": [{"parts": [{"text": "kite "}] * 5000}]}
    assert served.tell(DOORS["gemini"][0], said).status == 200
    assert served.bought == before + 1


def test_the_last_of_two_counts_as_everywhere(served: Served) -> None:
    body = b'{"model": "%s", "n": 90, "prompt": "a kite", "n": 2}' % MODEL.encode()
    assert len(served.tell(DOORS["images"][0], body).page["data"]) == 2


# --- strict -----------------------------------------------------------------------------------------------------------


def test_strict_is_about_the_request_and_not_about_a_model_that_is_missing(served: Served) -> None:
    told = refused(served, "images", {"prompt": "a kite"}, **{"x-cavendish-strict": "1"})
    assert "strict" in told
    assert "is named" in refused(served, "images", images("a kite") | {"model": "nobody"}, 404)


def test_a_file_that_is_not_there(served: Served) -> None:
    told = refused(served, "images", images("a kite", image={"file_id": "file-nosuch"}), 404)
    assert told == "No such File object: file-nosuch"
    spoken = [{"type": "input_text", "text": "a kite"}, {"type": "input_image", "file_id": "file-nosuch"}]
    refused(served, "responses", {"model": MODEL, "input": [{"role": "user", "content": spoken}]}, 404)
    named = {"fileData": {"fileUri": "files/nosuch"}}
    refused(served, "gemini", {"contents": [{"parts": [{"text": "a kite"}, named]}]}, 403)  # as Google says it


# --- paths ------------------------------------------------------------------------------------------------------------

SERVED = (
    "/v1beta/models/nano-banana-2:generateContent",
    "/v1beta/models/nano%2Dbanana-2:generateContent",
    "/v1beta/models/nano-banana-2%3AgenerateContent",
    "/v1beta/models/sim%2Fnano-banana-2:generateContent",
    "/v1beta/models/sim/nano-banana-2:generateContent",
    "/v1beta/models/models%2Fnano-banana-2:generateContent",
    "/v1beta/models/publishers/google/models/nano-banana-2:generateContent",
    "/v1/publishers/google/models/nano-banana-2:generateContent",
    "/v1beta1/publishers/google/models/nano-banana-2:generateContent",
    "/v1beta1/publishers/google/models/nano-banana-2:countTokens",
    "/v1beta1/projects/p/locations/global/publishers/google/models/nano-banana-2:generateContent",
    "/v1/projects/p/locations/us-1/publishers/google/models/nano-banana-2:streamGenerateContent",
)
NOWHERE = {
    "/v1beta/models/nano-banana-2:embedContent": "",
    "/v1beta/models/nano-banana-2:": "",
    "/v1beta/models/:generateContent": "",
    "/v1beta1/projects/p/locations/l/models/x:generateContent": "",
    "/v1beta/models/nano-banana-2:generateContent/": "/v1beta/models/nano-banana-2:generateContent",
    "/v1beta//models/nano-banana-2:generateContent": "/v1beta/models/nano-banana-2:generateContent",
    "/v1/v1beta/models/nano-banana-2:generateContent": "/v1beta/models/nano-banana-2:generateContent",
    "/images/generations": "/v1/images/generations",
    "//v1/images/generations": "/v1/images/generations",
    "/v1/v1/images/generations": "/v1/images/generations",
    "/V1/Images/generations": "/v1/images/generations",
    "/": "",
}


@pytest.mark.parametrize("path", SERVED)
def test_ways_to_name_a_model(served: Served, path: str) -> None:
    came = served.ask("POST", path, orjson.dumps({"contents": [{"parts": [{"text": "a kite"}]}]}), raw=True)
    assert came.status == 200, came.content[:300]


@pytest.mark.parametrize("path", NOWHERE)
def test_paths_that_lead_nowhere(served: Served, path: str) -> None:
    came = served.ask("POST", path, orjson.dumps(images("a kite")), raw=True)
    assert came.status == 404
    told = came.page["error"]["message"]
    assert (f"did you mean {NOWHERE[path]}?" in told) if NOWHERE[path] else ("did you mean" not in told), told


def test_a_model_behind_a_slash_at_predict(served: Served) -> None:
    came = served.tell("/v1beta/models/sim/nano-banana-2:predict", predict("a kite"))
    assert len(came.page["predictions"]) == 1


# --- what is no HTTP --------------------------------------------------------------------------------------------------


async def _raw(served: Served, head: bytes) -> bytes:
    host, _, port = served.gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head)
    await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize("name", [b"Idempotency-Key", b"Authorization", b"x-request-id", b"x-goog-api-key"])
def test_a_header_in_another_encoding(served: Served, name: bytes) -> None:
    head = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + name + b": Bearer \xff\r\n\r\n"
    answer = served.do(_raw(served, head))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"no UTF-8" in answer


def test_trailers_are_passed_over(served: Served) -> None:
    body = json.dumps(images("a kite")).encode()
    head = b"POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7))
    answer = served.do(
        _raw(
            served, head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\nx-cavendish-strict: perhaps\r\n\r\n"
        )
    )
    assert answer.startswith(b"HTTP/1.1 200")


def test_a_key_is_not_logged_with_what_is_no_http(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        odd = b"GET /v1/models?key=very-secret&x=\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = served.do(_raw(served, odd))
    assert answer[:12] in {b"HTTP/1.0 400", b"HTTP/1.1 400"}
    assert "secret" not in caplog.text


def test_what_is_left_of_a_body_ends_the_line(served: Served) -> None:
    """A client that is refused in the middle of its body must not send the next request behind the rest of it."""
    refusals = [served.tell(DOORS["images"][0], b" " * 6_000_000) for _ in range(3)]
    assert {came.status for came in refusals} == {413}
    assert served.ask("GET", "/healthz").status == 200


def test_nothing_of_it_was_a_crash(served: Served) -> None:
    came: Came = served.ask("GET", "/metrics")
    assert b"cavendish_crashes_total" not in came.content
