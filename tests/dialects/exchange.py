"""One exchange of any dialect in tests: cases read from their files, bodies sent as bytes, replies told in words."""

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pybase64
import pytest
from hypothesis import strategies as st

from cavendish.model.blob import Blob
from cavendish.model.call import Call, Cancel, Done, Fetch, Later, Open, Poll, Reply, Ticket
from cavendish.model.fault import Fault
from cavendish.model.request import Image, ImageRequest, Text
from cavendish.model.usage import NOTHING_USED
from cavendish.wire.body import BodyReader
from cavendish.wire.dialect import Dialect
from cavendish.wire.last_turn import one_turn, pictures_of, prompt_of
from cavendish.wire.message import Headers, WireRequest, WireResponse
from cavendish.wire.pour import pour
from cavendish.wire.spill import Spiller, SpillError
from tests.strategies import PICTURES as STORE
from tests.wire.memory import JPEG, PNG, values

CASES = Path(__file__).parents[1] / "cases"
STATUSES = (200, 201, 202, 204, 302, 400, 401, 402, 403, 404, 418, 422, 429, 500, 502, 503, 504, 524)
BYTES = {"<png>": PNG, "<jpeg>": JPEG}
"""The words in a case that stand for the base64 of a picture."""


@dataclass(frozen=True)
class Wire:
    """A dialect, and everything that a test does with it."""

    dialect: Dialect

    def load(self, name: str) -> list[dict[str, Any]]:
        """The cases of a file, their pictures put in."""
        words = (CASES / self.dialect.name / f"{name}.json").read_text("utf-8")
        for mark, data in BYTES.items():
            words = words.replace(mark, pybase64.b64encode(data).decode())
        return json.loads(words)

    def cases(self, *names: str) -> Any:
        """The cases of these files as the parameter ``case``."""
        found = [pytest.param(case, id=case["name"]) for name in names for case in self.load(name)]
        return pytest.mark.parametrize("case", found)

    def reply_to(self, case: dict[str, Any], call: Call | None = None) -> Reply:
        """What the dialect makes of a case."""
        response = arrived(sent(case), case.get("status", 200), Headers.of(case.get("headers", {})), cut=_is_cut(case))
        return self.dialect.read_reply(response, call or call_of(case))

    def fault_of(self, case: dict[str, Any], call: Call | None = None) -> Fault:
        """The fault that a case is."""
        reply = self.reply_to(case, call)
        assert isinstance(reply, Fault), reply
        return reply

    def resent(self, reply: Reply, call: Call) -> Reply:
        """A reply, written, sent as bytes, and read again."""
        return self.dialect.read_reply(delivered(self.dialect.write_reply(reply, call)), call)

    def body_of(self, call: Call) -> Any:
        """The body of a call as JSON."""
        return STORE.text(self.dialect.write_call(call).body)

    def asked_again(self, call: Call) -> Call | Fault:
        """A call, written, sent as bytes, and read again."""
        return self.dialect.read_call(over_the_wire(self.dialect.write_call(call)))

    def check_reading(self, response: WireResponse, call: Call) -> None:
        """Whatever it is, it is read, and can be passed on to another."""
        reply = self.dialect.read_reply(response, call)
        if isinstance(reply, Done):
            assert reply.pictures
            assert len(reply.pictures) == len(reply.finals) == len(set(reply.finals))
        elif isinstance(reply, Later):
            assert reply.after_s >= 0
        else:
            assert reply.retry_after_s is None or reply.retry_after_s >= 0
        list(pour(self.dialect.write_reply(reply, call).body))
        again = self.resent(reply, call)
        assert type(again) is type(reply)
        if isinstance(reply, Done) and isinstance(again, Done):
            assert [shown(image) for image in again.pictures] == [shown(image) for image in reply.pictures]
        if isinstance(reply, Fault) and isinstance(again, Fault) and not isinstance(call, Fetch):
            assert again.kind == reply.kind

    def check_asking(self, request: WireRequest) -> None:
        """Whatever is asked is read, and can be sent on."""
        call = self.dialect.read_call(request)
        if isinstance(call, Fault):
            response = self.dialect.write_reply(call, ask())
            assert response.status >= 400
        elif isinstance(call, Open):
            assert self.asked_again(call) == call


def _is_cut(case: dict[str, Any]) -> bool:
    return case.get("cut", False)


def ask(n: int = 1, *, stream: bool = False, **fields: Any) -> Open:
    """A plain call."""
    return Open(ImageRequest.of("a red kite", fields.pop("model", "model-1"), n=n, **fields), stream)


def call_of(case: dict[str, Any]) -> Call:
    """The call that a case answers: ``call`` is what it does, ``n`` how many pictures are asked for."""
    ticket = Ticket(**case["ticket"]) if "ticket" in case else Ticket("job-1", "https://queue.example/job-1")
    match case.get("call", "open"):
        case "poll":
            return Poll(ticket)
        case "cancel":
            return Cancel(ticket)
        case "fetch":
            return Fetch(case.get("url", "https://files.example/1"))
        case _:
            model = {"model": case["model"]} if "model" in case else {}
            return ask(case.get("n", 1), stream=case.get("stream", "events" in case), **model)


# --- bytes -----------------------------------------------------------------------------------------------------------


def sent(case: dict[str, Any]) -> bytes:
    """The bytes of the answer: words, events, or JSON."""
    if "raw" in case:
        return case["raw"].encode()
    if "events" in case:
        return as_events(case["events"])
    return json.dumps(case["body"]).encode()


def as_events(entries: Any) -> bytes:
    """A stream of these values."""
    return b"".join(b"data: %s\r\n\r\n" % json.dumps(entry).encode() for entry in entries) + b"data: [DONE]\n\n"


def arrived(
    body: bytes,
    status: int = 200,
    headers: Headers = Headers(),  # noqa: B008 (frozen)
    *,
    cut: bool = False,
) -> WireResponse:
    """An answer of these bytes."""
    reader = BodyReader(status, headers, STORE.new_blob)
    reader.feed(body)
    return reader.close(cut=cut)


def delivered(response: WireResponse) -> WireResponse:
    """What was written, as the other side receives it."""
    if response.binary is not None:
        return response
    if response.body is None:
        return arrived(response.raw, response.status, response.headers)
    value = STORE.text(response.body)
    body = as_events(value) if response.stream else json.dumps(value).encode()
    return arrived(body, response.status, response.headers)


def over_the_wire(request: WireRequest) -> WireRequest:
    """A request as the other side receives it, its pictures set aside."""
    if request.body is None:
        return request
    spiller = Spiller(STORE.new_blob)
    spiller.feed(json.dumps(STORE.text(request.body)).encode())
    return replace(request, body=spiller.close())


def request_of(case: dict[str, Any]) -> WireRequest:
    """The request of a case as it arrives."""
    query = tuple(case.get("query", {}).items())
    request = WireRequest(case.get("method", "POST"), case["path"], case.get("body"), query=query)
    return over_the_wire(request)


def spilled_or_none(method: str, path: str, body: Any) -> WireRequest | None:
    """A request of any body; ``None`` where the body is no JSON: infinity, a half of a surrogate pair."""
    try:
        return over_the_wire(WireRequest(method, path, body))
    except SpillError:
        return None


# --- what there is, in words -----------------------------------------------------------------------------------------


def shown(part: Any) -> str:
    """A part in one word."""
    if isinstance(part, Text):
        return part.text
    return part.uri or f"sha256:{part.blob.sha256}"


def told(reply: Reply) -> dict[str, Any]:
    """A reply in the words of the cases, with all that is not at its default."""
    match reply:
        case Done():
            members = _told_done(reply)
        case Later(ticket, after_s, usage):
            members = {"later": {"id": ticket.id, "url": ticket.url, "data": dict(ticket.data)}, "after_s": after_s}
            members |= {"usage": _used(usage)}
        case Fault():
            members = _told_fault(reply)
    return {name: value for name, value in members.items() if value not in ([], "", None, {}, 0)}


def _told_done(done: Done) -> dict[str, Any]:
    return {
        "finals": [shown(picture) for picture in done.pictures],
        "extras": [shown(part) for part in done.extras],
        "usage": _used(done.usage),
        "finish": done.finish,
        "answered_by": done.answered_by,
        "response_id": done.response_id,
        "shortfall": [fault.kind.value for fault in done.shortfall],
        "notices": [notice.code for notice in done.notices],
    }


def _told_fault(fault: Fault) -> dict[str, Any]:
    words = {name: value for name, value in asdict(fault).items() if name not in {"usage", "limit_value"}}
    value = None if fault.limit_value is None else str(fault.limit_value)
    return {**words, "limit_value": value, "usage": _used(fault.usage)}


def _used(usage: Any) -> dict[str, Any]:
    nothing = asdict(NOTHING_USED)
    return {name: value for name, value in asdict(usage).items() if value != nothing[name]}


def pictured(expected: dict[str, Any]) -> dict[str, Any]:
    """What a case expects, its base64 as the hash of the bytes."""
    words = {name: [_hashed(e) for e in v] if name in {"finals", "extras"} else v for name, v in expected.items()}
    return {name: value for name, value in words.items() if value != {}}


def _hashed(entry: str) -> str:
    if not entry.startswith(("/9j/", "iVBOR")):
        return entry
    return "sha256:" + hashlib.sha256(pybase64.b64decode(entry)).hexdigest()


_WORDS = (
    "model", "size", "aspect_ratio", "system", "thinking", "include_thoughts", "seed", "temperature", "quality",
    "output_format", "extra",
)  # fmt: skip


def asked(call: Call | Fault) -> dict[str, Any]:
    """An ``Open`` in the words of the cases, with all that is not at its default."""
    assert isinstance(call, Open), call
    request = call.request
    members = {
        "prompt": request.prompt,
        "images": [shown(image) for image in request.references],
        "n": 0 if request.n == 1 else request.n,
        "stream": call.stream,
        "grounding": list(request.grounding),
        **{name: getattr(request, name) for name in _WORDS},
    }
    return {name: value for name, value in members.items() if value not in ([], "", None, {}, 0)}


def asks_for(expected: dict[str, Any]) -> dict[str, Any]:
    """What a request case expects, its base64 as the hash of the bytes."""
    return {**expected, "images": list(map(_hashed, expected["images"]))} if "images" in expected else expected


# --- what a format without conversations can say ---------------------------------------------------------------------


def weighty(image: Image) -> Image:
    """A picture as formats without its type pass it on: enough bytes to be told from words, and the type they show."""
    if image.blob is None:
        return Image(uri=image.uri, thought=image.thought, use=image.use)
    blob = _with_bytes(image.blob)
    return Image(blob=blob, media_type=blob.media_type, thought=image.thought, use=image.use)


ENOUGH_BYTES = 40


def _with_bytes(blob: Blob) -> Blob:
    if blob.size >= ENOUGH_BYTES:
        return blob
    return STORE.blob(STORE.data[blob.sha256] + bytes(ENOUGH_BYTES), blob.media_type)


def sayable(dialect: Dialect, call: Open, *never: str) -> Open:
    """The call without what the dialect says it has no word for, and without what is ``never`` said as such."""
    fields = {*never, *(notice.field or "" for notice in dialect.unsupported(call))}
    empty: dict[str, Any] = dict.fromkeys(fields & set(asdict(call.request)))
    empty |= {name: value for name, value in _EMPTY.items() if name in fields}
    empty.pop("turns", None)
    request = call.request.having(
        **{**empty, "include_thoughts": False, "modalities": None},
        turns=one_turn(prompt_of(call.request), map(weighty, pictures_of(call.request))),
        extra={name: value for name, value in call.request.extra.items() if f"extra.{name}" not in fields},
    )
    return replace(call, request=request)


_EMPTY: Mapping[str, Any] = {"grounding": (), "n": 1}


def with_weight(call: Open) -> Open:
    """The call with pictures of enough bytes."""
    turns = tuple(
        replace(turn, parts=tuple(weighty(p) if isinstance(p, Image) else p for p in turn.parts))
        for turn in call.request.turns
    )
    return replace(call, request=call.request.having(turns=turns))


# --- strangers -------------------------------------------------------------------------------------------------------


def json_of_sorts(names: tuple[str, ...], words: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """JSON in which the names and words of a format stand anywhere."""
    leaves = st.one_of(values, st.sampled_from(words), st.integers(), st.just([]), st.just({}))
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=4),
        max_leaves=20,
    )


@st.composite
def mutated(draw: st.DrawFn, bodies: list[Any], others: st.SearchStrategy[Any]) -> Any:
    """A real body in which some values are others, twice there, or gone."""
    body = copy.deepcopy(draw(st.sampled_from(bodies)))
    for _ in range(draw(st.integers(1, 3))):
        holders = [entry for entry in containers(body) if entry]
        if not holders:
            break
        holder = draw(st.sampled_from(holders))
        key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        match draw(st.sampled_from(["other", "gone", "twice"])):
            case "gone":
                del holder[key]
            case "twice" if isinstance(holder, list):
                holder.append(holder[key])
            case _:
                holder[key] = draw(others)
    return body


def containers(value: Any) -> list[Any]:
    """All objects and lists within, the outermost first."""
    if not isinstance(value, dict | list):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [value, *(found for entry in inner for found in containers(entry))]
