"""What google-genai was recorded to send to the Batch and Files APIs, and what we write: field by field the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from cavendish.dialects.gemini.batch import GeminiBatch, JobWish
from cavendish.dialects.gemini.batch_files import GeminiFiles
from cavendish.model.job import JobLine
from cavendish.wire.message import WireRequest
from tests.strangers.contract import problems
from tests.strangers.facts import Allowed, Facts, differences, flat
from tests.strangers.wishes import STORE, wished

CASES = json.loads((Path(__file__).parent / "recorded" / "jobs" / "google.json").read_text("utf-8"))
NOTHING = r'"\(nothing\)"'
MEANT = (
    Allowed(r"query\.pageSize", '"50"', '"100"', "fewer pages; the caller of the SDK chose its number"),
    Allowed("body", "null", r"\{\}", "no body and an empty one mean the same; the SDK for JavaScript sends the latter"),
    Allowed(r"body\.file\.sizeBytes", r"\d+", r'"\d+"', "a 64-bit number is written as a string in proto3 JSON"),
    Allowed(
        r"body\.file\.mimeType|header\.X-Goog-Upload-Header-Content-Type",
        '"jsonl"',
        '"application/jsonl"',
        "Google's guides have both",
    ),
)
each = pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])


@each
def test_for_the_same_wish_we_send_what_the_sdk_sends(case):
    found = differences(_theirs(case["request"]), _ours(case))
    assert [entry for entry in found if not any(allowed.covers(entry) for allowed in MEANT)] == []


def test_each_difference_that_is_allowed_occurs():
    found = [entry for case in CASES for entry in differences(_theirs(case["request"]), _ours(case))]
    assert [allowed for allowed in MEANT if not any(map(allowed.covers, found))] == []


def test_each_line_of_a_job_is_a_request_in_googles_words():
    (wish,) = [case["wish"] for case in CASES if "lines" in case["wish"]]
    for line in _lines(wish):
        written = STORE.text(GeminiBatch().write_line(line))
        assert problems(written["request"], "GenerateContentRequest") == []


def _theirs(request: dict[str, Any]) -> Facts:
    return _facts(
        request["method"], request["path"], request.get("query", {}), request.get("headers", {}), request["body"]
    )


def _ours(case: dict[str, Any]) -> Facts:
    written = _written(case["wish"], case["speaks"]["version"])
    return _facts(written.method, written.path, dict(written.query), dict(written.headers), STORE.text(written.body))


def _facts(method: str, path: str, query: Any, headers: Any, body: Any) -> Facts:
    facts = {"method": method, "path": path, **{f"query.{name}": value for name, value in query.items()}}
    return facts | {f"header.{name}": value for name, value in headers.items()} | dict(flat(body))


def _written(wish: dict[str, Any], version: Any) -> WireRequest:
    batch, files = GeminiBatch(version), GeminiFiles(version)
    match wish["asks"]:
        case "create":
            job = JobWish(wish["model"], wish["name"], _lines(wish), wish.get("file", ""))
            return batch.write_create(job)
        case "look":
            return batch.write_look(wish["id"])
        case "list":
            return batch.write_list()
        case "cancel":
            return batch.write_cancel(wish["id"])
        case "download":
            return batch.write_download(wish["id"])
        case "upload":
            return files.write_start(wish["name"], wish["type"], wish["size"])
        case _:
            return files.write_delete(wish["id"])


def _lines(wish: dict[str, Any]) -> tuple[JobLine, ...]:
    lines = [dict(line) for line in wish.get("lines", ())]
    return tuple(JobLine(line.pop("key"), wished({"model": wish["model"], **line}).request) for line in lines)
