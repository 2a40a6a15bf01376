"""What the real SDKs were recorded to send, and what we write for the same wish: field by field the same.

And the other way round: what the SDK sends is read as that wish. Differences are allowed only from ``MEANT``, each
with its reason, and each of them must occur.
"""

import json
from pathlib import Path
from typing import Any

import pybase64
import pytest

from cavendish.wire.message import Field, Form, WireRequest
from tests.dialects.openai_wire import over_the_wire
from tests.strangers.facts import Allowed, Facts, differences, flat
from tests.strangers.wishes import BYTES, STORE, shown, speaker, wished

FOLDER = Path(__file__).parent / "recorded"
CASES = [(path.stem, case) for path in sorted(FOLDER.glob("*.json")) for case in json.loads(path.read_text("utf-8"))]

each = pytest.mark.parametrize("case", [pytest.param(case, id=f"{stem}: {case['name']}") for stem, case in CASES])
NOTHING, ANYTHING = r'"\(nothing\)"', ".*"
MEANT = (
    Allowed(r"body\.generationConfig", r"\{\}", NOTHING, "an object with nothing in it says nothing"),
    Allowed(
        r"body\.systemInstruction\.role", '"user"', NOTHING, "who instructs is not looked at; Google's guides say none"
    ),
    Allowed(
        r"body\.parameters\.includeRaiReason",
        NOTHING,
        "true",
        "without it, a picture that was filtered is merely missing",
    ),
    Allowed(
        r"form\..*\.filename",
        ANYTHING,
        '"(image-\\d|mask)\\.\\w+"',
        "the name of a file on our disk is nobody's business",
    ),
    Allowed(
        r"form\..*\.type",
        '"application/octet-stream"',
        '"image/png"',
        "of bytes alone the SDK does not know what they are",
    ),
)


@each
def test_for_the_same_wish_we_send_what_the_sdk_sends(case):
    found = differences(_theirs(case), _ours(case))
    assert [entry for entry in found if not any(allowed.covers(entry) for allowed in MEANT)] == []


def test_each_difference_that_is_allowed_occurs():
    found = [entry for _, case in CASES for entry in differences(_theirs(case), _ours(case))]
    assert [allowed for allowed in MEANT if not any(map(allowed.covers, found))] == []


@each
def test_what_the_sdk_sends_is_read_as_the_wish(case):
    """``reads``: what is told by a request, but was no part of the wish: a default, or a word that says nothing."""
    speaks, request = case["speaks"], case["request"]
    path = request["path"].removeprefix(speaks.get("base", ""))
    sent = WireRequest(request["method"], path, _body(request), query=tuple(request.get("query", {}).items()))
    assert speaker(speaks).read_call(over_the_wire(sent)) == wished({**case["wish"], **case.get("reads", {})})


def _body(request: dict[str, Any]) -> Any:
    """The body with its pictures put in."""
    if "form" in request:
        return Form(tuple(_filled(*field) for field in request["form"]))
    words = json.dumps(request["body"])
    for mark, data in BYTES.items():
        words = words.replace(mark, pybase64.b64encode(data).decode())
    return json.loads(words)


def _filled(name: str, value: str, filename: str = "", media_type: str = "") -> Field:
    if not filename:
        return Field(name, value)
    return Field(name, STORE.blob(BYTES[value], f"image/{value.strip('<>')}"), filename, media_type)


def _theirs(case: dict[str, Any]) -> Facts:
    request = case["request"]
    facts = {"method": request["method"], "path": request["path"]}
    facts |= {f"query.{name}": value for name, value in request.get("query", {}).items()}
    if "form" in request:
        return facts | _fields(request["form"])
    return facts | dict(flat(request["body"], shown))


def _ours(case: dict[str, Any]) -> Facts:
    written = speaker(case["speaks"]).write_call(wished(case["wish"]))
    facts = {"method": written.method, "path": case["speaks"].get("base", "") + written.path}
    facts |= {f"query.{name}": value for name, value in written.query}
    if isinstance(written.body, Form):
        return facts | _fields([_field(field) for field in written.body.fields])
    return facts | dict(flat(STORE.text(written.body), shown))


def _field(field: Any) -> list[str]:
    if isinstance(field.value, str):
        return [field.name, field.value]
    return [field.name, shown(STORE.data[field.value.sha256]), field.filename, field.media_type]


def _fields(fields: list[list[str]]) -> Facts:
    facts: dict[str, str] = {}
    for name, value, *of_file in fields:
        number = sum(place.endswith("]") and place.startswith(f"form.{name}[") for place in facts)
        facts[f"form.{name}[{number}]"] = value
        facts |= {f"form.{name}[{number}].{k}": v for k, v in zip(("filename", "type"), of_file, strict=False)}
    return facts
