"""Whatever is sent to whatever path: an answer in JSON, and never one that says that the gateway is broken."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cavendish.front.build import Setup
from cavendish.front.gateway.app import Gateway, GatewayOptions
from cavendish.sim.server import start_server
from tests.front.conftest import running_loop


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return repr(value).encode("utf-8", "replace")


WORDS = st.sampled_from(
    [
        *("model", "prompt", "n", "size", "contents", "parts", "text", "role", "messages", "content", "input", "tools"),
        *("image", "quality", "stream", "response_format", "generationConfig", "candidateCount", "imageConfig"),
        *("inlineData", "data", "mimeType", "instances", "parameters", "requests", "file", "input_file_id", "endpoint"),
        *("modalities", "image_config", "type", "image_url", "url", "b64_json", "user", "name", "displayName", "batch"),
    ]
)
VALUES = st.sampled_from(
    [
        *("nano-banana-2", "a red kite", "1024x1024", "user", "IMAGE", "image_generation", "b64_json", "gpt-image-1"),
        *("data:image/png;base64,AAAA", "http://127.0.0.1:1/x.png", "", "\0", "../../x", "models/nano-banana-2"),
        *(0, 1, 2, -1, 10**30, 1.5, True, False, None),
    ]
)
JSON = st.recursive(
    VALUES | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=5),
    max_leaves=15,
)
BODIES = st.one_of(
    JSON.map(_dumped),
    st.dictionaries(WORDS, JSON, min_size=2, max_size=6).map(_dumped),
    st.binary(max_size=60),
)
TYPES = st.sampled_from(
    [
        "application/json",
        "",
        "text/plain",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/x-ndjson",
    ]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "x-goog-api-key",
            "Authorization",
            "Idempotency-Key",
            "Prefer",
            "x-cavendish-strict",
            "x-cavendish-keep-alive",
            "x-goog-upload-command",
            "x-goog-upload-protocol",
            "x-goog-upload-offset",
            "Range",
            "x-stainless-retry-count",
        ]
    ),
    st.sampled_from(
        ["", "1", "true", "nan", "-1", "Bearer x", "respond-async", "wait=0", "start", "upload, finalize", "bytes=5-"]
    ),
    max_size=3,
)
PARTS = st.sampled_from(["nano-banana-2", "x", "..", "%00", "%2e%2e%2f", "a b", "é", "0" * 300, "files", "resp_1"])


class Served:
    """A gateway and its simulator on a loop of their own, so that Hypothesis can stop and go on."""

    def __init__(self, do: Any, folder: Path) -> None:
        self._do = do
        self.upstream = do(start_server("fast", mode="tiny"))
        setup = Setup(
            {"endpoints.sim.base_url": self.upstream.url, "endpoints.sim.rpm": "100000", "state": str(folder / "state")}
        )
        self.gateway = Gateway(setup, GatewayOptions(folder / "store", port=0, grace_s=1.0))
        do(self.gateway.open())
        self.session = do(self._session())
        self.document = orjson.loads(self.ask("GET", "/openapi.json", b"", {})[2])

    async def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        return self._do(self._asked(method, path, body, headers))

    async def _asked(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        async with self.session.request(method, self.gateway.url + path, data=body, headers=headers) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), await answer.read()

    def close(self) -> None:
        for part in (self.session, self.gateway, self.upstream):
            self._do(part.close())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with running_loop() as do:
        made = Served(do, tmp_path_factory.mktemp("fuzz"))
        yield made
        made.close()


def operations(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def test_the_description_has_every_door(served: Served) -> None:
    found = set(operations(served.document))
    assert {
        ("POST", "/v1/images/generations"),
        ("POST", "/v1/images/edits"),
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("POST", "/v1beta/models/{model}:generateContent"),
        ("POST", "/v1/models/{model}:streamGenerateContent"),
    } <= found
    assert not [path for _, path in found if re.search(r"[()\[\]?*+|\\]", path)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_breaks_it(served: Served, data: st.DataObject) -> None:
    method, path = data.draw(st.sampled_from(operations(served.document)))
    path = re.sub(r"\{\w+\}", lambda _: data.draw(PARTS), path)
    body = data.draw(BODIES) if method not in {"GET", "HEAD"} else b""
    headers = {**data.draw(HEADERS), "Content-Type": data.draw(TYPES)}
    status, kind, answer = served.ask(method, path, body, headers)
    assert status not in {500, 501, 502}, answer
    if status >= 400 and method != "HEAD":
        assert kind.startswith("application/json"), (kind, answer[:300])
        told = orjson.loads(answer)
        told = told[0] if isinstance(told, list) else told
        assert told["error"]["message"], told


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD"]),
    path=st.lists(PARTS | st.sampled_from(["v1", "v1beta", "models", "images", ":generateContent"]), max_size=5),
    body=BODIES,
)
def test_nor_do_paths_that_nobody_knows(served: Served, method: str, path: list[str], body: bytes) -> None:
    status, kind, answer = served.ask(method, "/" + "/".join(path), body, {})
    assert status < 500, answer
    if status >= 400 and method != "HEAD":
        assert kind.startswith("application/json")
        assert orjson.loads(answer)["error"]["message"]


def test_nothing_of_it_was_a_crash(served: Served) -> None:
    _, _, numbers = served.ask("GET", "/metrics", b"", {})
    assert b"cavendish_crashes_total" not in numbers
