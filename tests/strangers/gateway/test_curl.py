"""curl, as scripts call it: every form of key, bodies in pieces or compressed, streams as lines and as an array."""

import base64
import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.strangers.gateway.served import Served

pytestmark = pytest.mark.strangers

PROMPT = "a red kite over the moor"
GOOGLE = {"contents": [{"parts": [{"text": PROMPT}]}]}
MODEL = "nano-banana-2"


def curl(*words: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    program = shutil.which("curl")
    assert program, "curl is not installed"
    command = [program, "-sS", "-w", "\n%{http_code}", *words, *(["--data-binary", "@-"] if body is not None else [])]
    done = subprocess.run(command, input=body, capture_output=True, check=True, timeout=60)
    answer, _, status = done.stdout.rpartition(b"\n")
    return int(status), answer


def candidates(answer: bytes) -> int:
    parts = [part for found in json.loads(answer)["candidates"] for part in found.get("content", {}).get("parts", ())]
    return len([base64.b64decode(part["inlineData"]["data"], validate=True) for part in parts if "inlineData" in part])


KEYS = {
    "google's header": ("-H", "x-goog-api-key: {key}"),
    "a bearer's": ("-H", "Authorization: Bearer {key}"),
    "the query": ("?key={key}",),
}


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("form", KEYS)
def test_every_form_of_key_at_google_s_door(served: Served, form: str, version: str) -> None:
    *header, last = (word.format(key=served.key) for word in KEYS[form])
    query, words = ("", [*header, last]) if header else (last, [])
    url = f"{served.url}/{version}/models/{MODEL}:generateContent{query}"
    status, answer = curl(*words, "-H", "Content-Type: application/json", url, body=json.dumps(GOOGLE).encode())
    assert (status, candidates(answer)) == (200, 1)


@pytest.mark.parametrize("form", ["chunked", "compressed", "without a type"])
def test_every_form_of_body(served: Served, form: str) -> None:
    body = json.dumps({"model": MODEL, "prompt": PROMPT, "n": 2}).encode()
    words = {
        "chunked": ["-H", "Content-Type: application/json", "-H", "Transfer-Encoding: chunked"],
        "compressed": ["-H", "Content-Type: application/json", "-H", "Content-Encoding: gzip"],
        "without a type": [],
    }[form]
    body = gzip.compress(body) if form == "compressed" else body
    url = f"{served.url}/v1/images/generations"
    status, answer = curl("-H", f"Authorization: Bearer {served.key}", *words, url, body=body)
    assert (status, len(json.loads(answer).get("data", ()))) == (200, 2), answer


def test_a_stream_of_google_s_without_events_is_an_array(served: Served) -> None:
    url = f"{served.url}/v1beta/models/{MODEL}:streamGenerateContent?key={served.key}"
    status, answer = curl("-H", "Content-Type: application/json", url, body=json.dumps(GOOGLE).encode())
    chunks: list[dict[str, Any]] = json.loads(answer)
    assert status == 200
    assert sum(candidates(json.dumps(chunk).encode()) for chunk in chunks if "candidates" in chunk) == 1


def test_an_edit_with_a_picture_from_a_file(served: Served, tmp_path: Path) -> None:
    key = ("-H", f"Authorization: Bearer {served.key}")
    body = json.dumps({"model": MODEL, "prompt": PROMPT}).encode()
    _, answer = curl(*key, f"{served.url}/v1/images/generations", body=body)
    photo = tmp_path / "kite.jpg"
    photo.write_bytes(base64.b64decode(json.loads(answer)["data"][0]["b64_json"]))
    form = ("-F", f"image[]=@{photo}", "-F", "prompt=make it night", "-F", f"model={MODEL}", "-F", "n=2")
    status, answer = curl(*key, *form, f"{served.url}/v1/images/edits")
    assert (status, len(json.loads(answer)["data"])) == (200, 2)


def test_without_a_key_nothing_is_drawn(served: Served) -> None:
    json_body = ("-H", "Content-Type: application/json")
    status, answer = curl(*json_body, f"{served.url}/v1/images/generations", body=b'{"prompt": "a kite"}')
    assert (status, json.loads(answer)["error"]["code"]) == (401, "invalid_api_key")
    url = f"{served.url}/v1beta/models/{MODEL}:generateContent"
    status, answer = curl(*json_body, url, body=json.dumps(GOOGLE).encode())
    assert (status, json.loads(answer)["error"]["status"]) == (401, "UNAUTHENTICATED")
