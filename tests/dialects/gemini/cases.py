"""The wire cases of the Gemini dialect: read from their files, sent through the real reader of bodies, and compared."""

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pybase64
import pytest

from cavendish.dialects.gemini import GeminiDialect
from cavendish.model.call import Call, Done, Open, Reply
from cavendish.model.fault import Fault
from cavendish.model.request import Image, ImageRequest, Part, Text
from cavendish.model.usage import NOTHING_USED
from cavendish.wire.body import BodyReader
from cavendish.wire.message import Headers, WireRequest, WireResponse
from cavendish.wire.spill import Spiller
from tests.strategies import PICTURES

FOLDER = Path(__file__).parents[2] / "cases" / "gemini"
MODEL = "gemini-3.1-flash-image"
GEMINI = GeminiDialect()
STORE = PICTURES
"""Of all pictures that a test reads."""


def dialect_at(path: str, **options: Any) -> GeminiDialect:
    """The dialect as one would set it up to write to this path."""
    match = re.match(r"/(v1(?:beta1?)?)/(?:(.+)/)?models/", path)
    version, place = match.groups() if match else ("v1beta", None)
    return GeminiDialect(cast("Any", version), place=place or "", **options)


def load(name: str) -> list[dict[str, Any]]:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def cases(*names: str) -> Any:
    """The cases of these files as the parameter ``case``."""
    return pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for name in names for c in load(name)])


def ask(n: int = 1, *, stream: bool = False) -> Open:
    return Open(ImageRequest.of("a red kite", MODEL, n=n), stream)


def sent(case: dict[str, Any]) -> bytes:
    """The bytes of the answer: words, events, or JSON."""
    if "raw" in case:
        return case["raw"].encode()
    if "events" in case:
        return events(case["events"])
    return json.dumps(case["body"]).encode()


def response_of(case: dict[str, Any]) -> WireResponse:
    """The answer of a case as it arrives, its pictures set aside."""
    headers = Headers.of(case.get("headers", {}))
    return arrived(sent(case), case.get("status", 200), headers, cut=case.get("cut", False))


def arrived(body: bytes, status: int = 200, headers: Headers = Headers(), *, cut: bool = False) -> WireResponse:  # noqa: B008 (frozen)
    """An answer of these bytes."""
    reader = BodyReader(status, headers, STORE.new_blob)
    reader.feed(body)
    return reader.close(cut=cut)


def resent(reply: Reply, call: Call, dialect: GeminiDialect = GEMINI) -> Reply:
    """A reply, written, sent as bytes, and read again."""
    response = dialect.write_reply(reply, call)
    value = STORE.text(response.body)
    body = events(value) if response.stream else json.dumps(value).encode()
    return GEMINI.read_reply(arrived(body, response.status, response.headers), call)


def events(values: Any) -> bytes:
    """A stream of these values."""
    return b"".join(b"data: %s\r\n\r\n" % json.dumps(value).encode() for value in values)


def reply_to(case: dict[str, Any], call: Call | None = None) -> Done | Fault:
    """What the dialect makes of it."""
    return GEMINI.read_reply(response_of(case), call or ask(case.get("n", 1), stream="events" in case))


def fault_of(case: dict[str, Any], call: Call | None = None) -> Fault:
    """The fault that it is."""
    reply = reply_to(case, call)
    assert isinstance(reply, Fault), reply
    return reply


def done_of(case: dict[str, Any]) -> Done:
    """The pictures that came."""
    reply = reply_to(case)
    assert isinstance(reply, Done), reply
    return reply


def request_of(case: dict[str, Any]) -> WireRequest:
    """The request of a case as it arrives, its pictures set aside."""
    body = None
    if "body" in case:
        spiller = Spiller(STORE.new_blob)
        spiller.feed(json.dumps(case["body"]).encode())
        body = spiller.close()
    return WireRequest(case.get("method", "POST"), case["path"], body, query=tuple(case.get("query", {}).items()))


# --- what a case expects, and what there is --------------------------------------------------------------------------


def told(reply: Reply) -> dict[str, Any]:
    """A reply in the words of the cases, with all that is not at its default."""
    members = _told_done(reply) if isinstance(reply, Done) else _told_fault(reply)
    return {name: value for name, value in members.items() if value not in ([], "", None, {}, 0)}


def _told_done(done: Done) -> dict[str, Any]:
    drafts = [p for p in done.extras if isinstance(p, Image) and not p.thought]
    return {
        "finals": [_shown(picture) for picture in done.pictures],
        "drafts": [_shown(part) for part in drafts],
        "thoughts": [_shown(part) for part in done.parts if part.thought],
        "text": done.text,
        "signatures": _signatures(done.parts),
        "usage": _changed(asdict(done.usage)),
        "finish": done.finish,
        "answered_by": done.answered_by,
        "response_id": done.response_id,
        "grounding": _plain(done.grounding),
        "shortfall": [fault.kind.value for fault in done.shortfall],
        "tier": done.tier,
    }


def _told_fault(reply: Reply) -> dict[str, Any]:
    assert isinstance(reply, Fault)
    return {
        "kind": reply.kind.value,
        "message": reply.message,
        "charged": reply.charged.value,
        "scope": reply.scope.value,
        "retry_after_s": reply.retry_after_s,
        "reason": reply.reason,
        "status": reply.status,
        "limit": reply.limit,
        "limit_value": None if reply.limit_value is None else str(reply.limit_value),
        "text": reply.text,
        "usage": _changed(asdict(reply.usage)),
    }


def _signatures(parts: tuple[Part, ...]) -> list[Any]:
    found = [part.signature for part in parts]
    return found if any(found) else []


def _plain(note: Any) -> dict[str, Any]:
    if note is None:
        return {}
    plain = json.loads(json.dumps(asdict(note)))
    plain["sources"] = [{name: value for name, value in source.items() if value} for source in plain["sources"]]
    return {name: value for name, value in plain.items() if value}


def _changed(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in usage.items() if value != asdict(NOTHING_USED)[name]}


def _shown(part: Part) -> str:
    if isinstance(part, Text):
        return part.text
    return part.uri or f"sha256:{part.blob.sha256 if part.blob else None}"


def pictured(expected: dict[str, Any]) -> dict[str, Any]:
    """What a case expects, its base64 as the hash of the bytes."""
    shown = dict(expected)
    for name in ("finals", "drafts", "thoughts"):
        if name in shown:
            shown[name] = [_hashed(entry) for entry in shown[name]]
    if "limit_value" in shown:
        shown["limit_value"] = str(shown["limit_value"])
    return {name: value for name, value in shown.items() if value != {}}


def _hashed(entry: str) -> str:
    if not entry.startswith(("/9j/", "iVBOR", "UklGR")):
        return entry
    return "sha256:" + hashlib.sha256(pybase64.b64decode(entry, validate=True)).hexdigest()


# --- requests --------------------------------------------------------------------------------------------------------


def asked(call: Call | Fault) -> dict[str, Any]:
    """A call in the words of the cases, with all that is not at its default."""
    assert isinstance(call, Open), call
    request = call.request
    members = {
        "turns": [[turn.role.value, *map(_shown, turn.parts)] for turn in request.turns],
        "signatures": _signatures(tuple(part for turn in request.turns for part in turn.parts)),
        "n": 0 if request.n == 1 else request.n,
        "stream": call.stream,
        **{name: list(getattr(request, name) or ()) for name in ("modalities", "grounding")},
        **{name: getattr(request, name) for name in _WORDS},
    }
    return {name: value for name, value in members.items() if value not in ([], "", None, {}, 0)}


_WORDS = (
    "model", "size", "aspect_ratio", "system", "thinking", "include_thoughts", "seed", "temperature", "quality",
    "output_format", "extra",
)  # fmt: skip


def pictured_turns(expected: dict[str, Any]) -> dict[str, Any]:
    """What a case expects, its base64 as the hash of the bytes."""
    return {**expected, "turns": [[role, *map(_hashed, parts)] for role, *parts in expected["turns"]]}
