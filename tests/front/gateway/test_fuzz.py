"""Whatever is sent to whatever path: an answer as the gateway describes it, and never one that it is broken."""

import logging
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from cavendish.front.gateway.operation.description import UNTOLD, operation_of, paths_of
from tests.front.gateway.described import KEYS, Described, described
from tests.front.gateway.served import Served, serving


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
            "Content-Encoding",
            "x-cavendish-strict",
            "x-cavendish-keep-alive",
            "x-cavendish-mode",
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
QUICK = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@pytest.fixture(scope="module")
def asking(served: Served) -> Iterator[Described]:
    with requests.Session() as session:
        session.trust_env = False
        yield described(served, session)


def operations(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


# --- the description --------------------------------------------------------------------------------------------------


def test_the_description_has_every_door(served: Served) -> None:
    found = set(operations(served.document))
    assert {
        ("POST", "/v1/images/generations"),
        ("POST", "/v1/images/edits"),
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("GET", "/healthz"),
        ("POST", "/v1beta/models/{model}:generateContent"),
        ("POST", "/v1/models/{model}:streamGenerateContent"),
    } <= found
    assert not [path for _, path in found if re.search(r"[()\[\]?*+|\\]", path)]


def test_the_description_says_what_each_of_them_does(served: Served) -> None:
    routes = [(route, method, path) for route in served.gateway._routes for path in paths_of(route.path.pattern)
              for method in route.methods]  # fmt: skip
    assert not [(method, path) for route, method, path in routes if operation_of(route, method, path)[1] is UNTOLD]
    names = [told["operationId"] for methods in served.document["paths"].values() for told in methods.values()]
    assert len(names) == len(set(names))


def test_the_description_holds_what_is_told_of_elsewhere(served: Served) -> None:
    kinds = served.document["components"]
    assert set(kinds["securitySchemes"]) == {"google", "query", "bearer"}
    assert kinds["schemas"]["ImagesRequest"]["properties"]["n"]["anyOf"][0]["maximum"] == 100
    generation = kinds["schemas"]["GenerateContentRequest"]["properties"]["generation_config"]
    assert {"candidateCount", "candidate_count"} <= set(generation["properties"])
    drawn = served.document["paths"]["/v1/images/generations"]["post"]
    assert {"200", "202", "400", "401", "413", "429", "5XX"} <= set(drawn["responses"])
    assert "x-cavendish-strict" in {told["name"] for told in drawn["parameters"]}


def test_what_is_not_described_is_not_taken(served: Served) -> None:
    """A method that a path has not is 405, with those that it has; which of two APIs has it depends on the key."""
    for path, methods in served.document["paths"].items():
        if re.match("/v1/(models|files|batches)|/v1/responses/input_tokens", path):
            continue
        came = served.ask("PATCH", re.sub(r"\{\w+\}", "nano-banana-2", path))
        assert came.status == 405, path
        assert set(came.headers["Allow"].split(", ")) >= {method.upper() for method in methods}, path
        assert came.page["error"]["message"]


# --- Schemathesis -----------------------------------------------------------------------------------------------------


def _ask(asking: Described, data: st.DataObject, operation: Any, mode: GenerationMode) -> None:
    case = data.draw(operation.as_strategy(generation_mode=mode))
    asking.check(case, asking.send(case, data.draw(st.sampled_from(KEYS))))


def _wrong(asking: Described) -> list[Any]:
    return [operation for operation in asking.operations if operation.body or operation.query]


@settings(QUICK, max_examples=110, phases=[Phase.generate])
@given(data=st.data())
def test_answers_are_as_described(asking: Described, data: st.DataObject) -> None:
    _ask(asking, data, data.draw(st.sampled_from(asking.operations)), GenerationMode.POSITIVE)


@settings(QUICK, max_examples=60, phases=[Phase.generate])
@given(data=st.data())
def test_what_is_no_request_is_refused_as_described(asking: Described, data: st.DataObject) -> None:
    _ask(asking, data, data.draw(st.sampled_from(_wrong(asking))), GenerationMode.NEGATIVE)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_each_operation_by_many_requests(asking: Described) -> None:
    for operation in asking.operations:
        _by_many(asking, operation, GenerationMode.POSITIVE)
        if operation in _wrong(asking):
            _by_many(asking, operation, GenerationMode.NEGATIVE)


def _by_many(asking: Described, operation: Any, mode: GenerationMode) -> None:
    @settings(QUICK, max_examples=60, phases=[Phase.generate])
    @given(data=st.data())
    def law(data: st.DataObject) -> None:
        _ask(asking, data, operation, mode)

    law()


# --- what no description makes ----------------------------------------------------------------------------------------


@settings(QUICK, max_examples=50)
@given(data=st.data())
def test_nothing_breaks_it(served: Served, data: st.DataObject) -> None:
    method, path = data.draw(st.sampled_from(operations(served.document)))
    path = re.sub(r"\{\w+\}", lambda _: data.draw(PARTS), path)
    body = data.draw(BODIES) if method not in {"GET", "HEAD"} else b""
    came = served.ask(method, path, body, {**data.draw(HEADERS), "Content-Type": data.draw(TYPES)})
    assert came.status not in {500, 501, 502}, came.content
    if came.status >= 400 and method != "HEAD":
        assert came.kind.startswith("application/json"), (came.kind, came.content[:300])
        told = came.page[0] if isinstance(came.page, list) else came.page
        assert told["error"]["message"], told


@settings(QUICK, max_examples=30)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD"]),
    path=st.lists(PARTS | st.sampled_from(["v1", "v1beta", "models", "images", ":generateContent"]), max_size=5),
    body=BODIES,
)
def test_nor_do_paths_that_nobody_knows(served: Served, method: str, path: list[str], body: bytes) -> None:
    came = served.ask(method, "/" + "/".join(path), body)
    assert came.status < 500, came.content
    if came.status >= 400 and method != "HEAD":
        assert came.kind.startswith("application/json")
        assert came.page["error"]["message"]


def test_nothing_of_it_was_a_crash(served: Served) -> None:
    assert b"cavendish_crashes_total" not in served.ask("GET", "/metrics").content


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is logged that somebody would have to look into."""
    yield
    records = caplog.get_records("call")
    assert not [record for record in records if record.levelno >= logging.ERROR and "cavendish" in record.name]
