"""Laws: what is written is read, nothing that is read raises, what is not known changes nothing."""

import copy
import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cavendish.dialects.gemini import GeminiDialect
from cavendish.model.call import Call, Done, Open, Support
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, Part
from cavendish.wire.message import Headers, WireRequest
from cavendish.wire.pour import pour
from cavendish.wire.reading import snake
from cavendish.wire.spill import Spiller, SpillError
from tests import strategies
from tests.dialects.exchange import containers, mutated
from tests.wire.memory import values

from .cases import GEMINI, STORE, arrived, ask, asked, dialect_at, events, load, request_of, resent, sent, told

K = FaultKind


# --- requests --------------------------------------------------------------------------------------------------------

extras = st.fixed_dictionaries(
    {},
    optional={
        "safetySettings": st.just([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]),
        "labels": st.dictionaries(st.text(max_size=5), st.text(max_size=5), min_size=1, max_size=2),
        "tools": st.just([{"urlContext": {}}, {"googleSearch": {"timeRangeFilter": {"startTime": "2026"}}}]),
        "generationConfig": st.fixed_dictionaries(
            {"topP": st.floats(0, 1)},
            optional={
                "stopSequences": st.lists(st.text(max_size=5), min_size=1, max_size=2),
                "maxOutputTokens": st.integers(1, 32768),
                "thinkingConfig": st.just({"thinkingBudget": 5}),
                "imageConfig": st.just(
                    {"personGeneration": "ALLOW_ADULT", "imageOutputOptions": {"compressionQuality": 9}}
                ),
            },
        ),
        "watermark": st.booleans(),
        "model": st.text(),
        "store": st.booleans(),
        "modelArmorConfig": st.just({"promptTemplateName": "t"}),
    },
)


def over_the_wire(request: WireRequest) -> WireRequest:
    spiller = Spiller(STORE.new_blob)
    spiller.feed(json.dumps(STORE.text(request.body)).encode())
    return replace(request, body=spiller.close())


def sayable(call: Open, dialect: GeminiDialect) -> Open:
    """The call without what the dialect says it has no word for. Of a picture that is sent, the type is said too."""
    unsaid = {notice.field or "" for notice in dialect.unsupported(call)}
    changes: dict[str, Any] = {name: None for name in ("quality", "output_format") if name in unsaid}
    request = call.request.having(
        turns=tuple(replace(turn, parts=tuple(map(_typed, turn.parts))) for turn in call.request.turns),
        model=call.request.model.removeprefix("models/"),
        extra=_without(call.request.extra, {field.removeprefix("extra.") for field in unsaid}),
        **changes,
    )
    return replace(call, request=request)


def _without(extra: dict[str, Any], unsaid: set[str], path: str = "") -> dict[str, Any]:
    """The extras but for those places, and for what is empty without them."""
    kept: dict[str, Any] = {}
    for name, value in extra.items():
        place = f"{path}{name}"
        if place in unsaid:
            continue
        inner = value
        if isinstance(value, dict):
            inner = _without(value, unsaid, f"{place}.")
        elif isinstance(value, list):
            inner = [_without(entry, unsaid, f"{place}.") if isinstance(entry, dict) else entry for entry in value]
            inner = [entry for entry in inner if entry not in ({}, {"googleSearch": {}})]
        if inner not in ({}, []) or value in ({}, []):
            kept[name] = inner
    return kept


def _typed(part: Part) -> Part:
    if isinstance(part, Image):
        return replace(part, use=None, media_type=part.media_type or (part.blob and part.blob.media_type))
    return part


dialects = st.builds(
    GeminiDialect,
    version=st.sampled_from(["v1", "v1beta", "v1beta1"]),
    spelling=st.sampled_from(["imageConfig", "responseFormat"]),
    place=st.sampled_from(["", "publishers/google", "projects/p:1/locations/global/publishers/google"]),
)


@given(dialect=dialects, call=strategies.opens(extras))
def test_a_call_that_is_written_is_read(dialect, call):
    said = sayable(call, dialect)
    if not said.request.grounding and "tools" in said.request.extra:  # a search among the tools is a search
        said = replace(said, request=said.request.having(grounding=("web",)))
    assert dialect.read_call(over_the_wire(dialect.write_call(call))) == said


# --- answers ---------------------------------------------------------------------------------------------------------

refusals = st.builds(
    lambda kind_and_word, message, text: Fault(
        kind_and_word[0], message, reason=kind_and_word[1], status=200, text=text
    ),
    st.sampled_from([(K.IMAGE_SAFETY, "IMAGE_SAFETY"), (K.NO_IMAGE, "NO_IMAGE"), (K.PROHIBITED, "SPII")]),
    st.text(max_size=20),
    st.text(max_size=20),
)


supports = st.builds(
    lambda text, places, numbers, score: Support(text, places, *numbers, scores=(score,) * len(places)),
    st.text(max_size=9),
    st.lists(st.integers(0, 2), min_size=1, max_size=2).map(tuple),
    st.tuples(*[st.integers(0, 99)] * 3),
    st.floats(0, 1),
)


@given(
    done=strategies.dones(st.sampled_from(["STOP", "MAX_TOKENS", "OTHER"]), refusals),
    stream=st.booleans(),
    tier=st.sampled_from(["", "standard", "flex", "provisioned", "unheard"]),
    support=supports,
    dialect=dialects,
)
def test_an_answer_that_is_written_is_read(done, stream, tier, support, dialect):
    note = done.grounding
    searches = len(note.web_queries) + len(note.image_queries) if note else 0  # the usage itself does not say
    if note and len(note.sources) > max(support.sources):
        note = replace(note, supports=(support,))
    done = replace(
        done,
        parts=tuple(map(_typed, done.parts)),
        usage=replace(done.usage, searches=searches),
        grounding=note,
        tier=tier,
    )
    call = ask(len(done.finals) + len(done.shortfall), stream=stream)
    assert resent(done, call, dialect) == done


WITHOUT_PICTURE = (
    K.TEXT_ONLY, K.NO_IMAGE, K.IMAGE_SAFETY, K.IMAGE_OTHER, K.PROHIBITED, K.MAX_TOKENS, K.PROMPT_BLOCKED,
)  # fmt: skip
"""Answers with status 200."""


@given(kind=st.sampled_from(WITHOUT_PICTURE), fault=strategies.faults, stream=st.booleans())
def test_a_refusal_that_is_written_is_read(kind, fault, stream):
    text = "" if kind in {K.PROMPT_BLOCKED, K.NO_IMAGE} else "I would rather not"
    fault = replace(fault, kind=kind, text=text)
    again = resent(fault, ask(stream=stream))
    assert isinstance(again, Fault)
    assert (again.kind, again.message, again.text, again.usage) == (kind, fault.message, text, fault.usage)


errors = strategies.faults.filter(lambda fault: fault.kind not in WITHOUT_PICTURE)
plain_errors = errors.map(lambda fault: replace(fault, message="", charged=Charged.NO, reason="", limit=""))


@given(fault=errors | plain_errors, stream=st.booleans())
def test_an_error_that_is_written_is_read(fault, stream):
    again = resent(fault, ask(stream=stream))
    assert isinstance(again, Fault)
    kept = ("kind", "charged", "scope", "retry_after_s", "limit", "limit_value")
    assert {name: getattr(again, name) for name in kept} == {name: getattr(fault, name) for name in kept}
    assert again.message == fault.message or not fault.message
    assert again.reason == fault.reason or not fault.reason


# --- strangers -------------------------------------------------------------------------------------------------------

NAMES = (
    "candidates", "content", "parts", "text", "inlineData", "inline_data", "data", "mimeType", "fileData", "fileUri",
    "thought", "thoughtSignature", "finishReason", "finishMessage", "index", "promptFeedback", "blockReason",
    "usageMetadata", "promptTokenCount", "candidatesTokenCount", "candidatesTokensDetails", "modality", "tokenCount",
    "groundingMetadata", "groundingChunks", "web", "uri", "webSearchQueries", "error", "code", "status", "message",
    "details", "@type", "violations", "quotaId", "quotaValue", "quotaDimensions", "retryDelay", "reason", "domain",
    "metadata", "param", "type", "contents", "role", "generationConfig", "responseFormat", "imageConfig", "image",
    "aspectRatio", "imageSize", "thinkingConfig", "thinkingLevel", "seed", "candidateCount", "responseModalities",
    "tools", "googleSearch", "searchTypes", "systemInstruction", "labels",
)  # fmt: skip
WORDS = (
    "STOP", "IMAGE_SAFETY", "SAFETY", "IMAGE", "user", "model", "RESOURCE_EXHAUSTED", "1K", "429", "1e400", "41s",
    "9e30", "cavendish", "no_credit", "https://x.example/a.png", "/9j/4AAA", "Please retry in 1h2m3.5s",
    "type.googleapis.com/google.rpc.QuotaFailure", "type.googleapis.com/google.rpc.RetryInfo",
    "type.googleapis.com/google.rpc.ErrorInfo",
)  # fmt: skip
leaves = st.one_of(values, st.sampled_from(WORDS), st.integers(), st.just([]), st.just({}))
json_of_sorts = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)
statuses = st.sampled_from([200, 201, 204, 302, 400, 401, 404, 418, 429, 500, 502, 503, 524, 600])
replies = [case for name in ("pictures", "refusals", "errors", "streams") for case in load(name)]
requests = load("requests")
bodies = [case.get("body", case.get("events")) for case in replies if "raw" not in case]
changed_replies = mutated(bodies, json_of_sorts)
calls = st.builds(ask, st.integers(-1, 5), stream=st.booleans())


def check_reading(body: bytes, status: int, headers: Headers, call: Call, *, cut: bool) -> None:
    """Whatever it is, it is read, and can be passed on to another."""
    reply = GEMINI.read_reply(arrived(body, status, headers, cut=cut), call)
    if isinstance(reply, Done):
        assert reply.pictures
        assert len(reply.pictures) == len(reply.finals) == len(set(reply.finals))
        assert not any(picture.thought for picture in reply.pictures)
    else:
        assert reply.retry_after_s is None or reply.retry_after_s >= 0
    response = GEMINI.write_reply(reply, call)
    list(pour(response.body))
    again = resent(reply, call)
    assert type(again) is type(reply)
    if isinstance(reply, Done) and isinstance(again, Done):
        assert again.pictures == tuple(map(_typed, reply.pictures))


@given(
    body=json_of_sorts | changed_replies,
    status=statuses,
    call=calls,
    cut=st.booleans(),
    as_events=st.booleans(),
)
def test_any_json_is_an_answer(body, status, call, cut, as_events):
    data = events(body) if as_events and isinstance(body, list) else json.dumps(body).encode()
    check_reading(data, status, Headers(), call, cut=cut)


@given(
    body=st.binary(max_size=600),
    status=st.integers(100, 999),
    wait=st.text(max_size=20) | st.sampled_from(WORDS),
    call=calls,
    cut=st.booleans(),
)
def test_any_bytes_are_an_answer(body, status, wait, call, cut):
    headers = Headers((("Retry-After", wait), ("Date", wait), ("retry-after-ms", wait)))
    check_reading(body, status, headers, call, cut=cut)


paths = st.sampled_from([case["path"] for case in requests]) | st.text(max_size=30)
changed_requests = mutated([case["body"] for case in requests], json_of_sorts)


@given(
    body=json_of_sorts | changed_requests,
    path=paths,
    method=st.sampled_from(["POST", "GET", "PATCH"]),
)
def test_any_request_is_read_and_can_be_sent_on(body, path, method):
    try:
        request = over_the_wire(WireRequest(method, path, body))
    except SpillError:  # no JSON: infinity, a half of a surrogate pair
        return
    call = GEMINI.read_call(request)
    if isinstance(call, Open):
        written = dialect_at(path).write_call(call)
        list(pour(written.body))
        assert GEMINI.read_call(replace(over_the_wire(written), path=path)) == call


@given(case=st.sampled_from([case for case in replies if "raw" not in case]), data=st.data())
def test_unknown_members_change_nothing(case, data):
    changed = copy.deepcopy(case)
    holders = [entry for entry in containers(changed.get("body", changed.get("events"))) if isinstance(entry, dict)]
    for holder in data.draw(st.lists(st.sampled_from(holders), max_size=4)):
        holder[data.draw(st.sampled_from(["unheardOf", "x-new", "0"]))] = data.draw(json_of_sorts)
    assert told(reply_of(changed)) == told(reply_of(case))


def reply_of(case: dict[str, Any]) -> Done | Fault:
    return GEMINI.read_reply(arrived(sent(case), case.get("status", 200)), ask(case.get("n", 1)))


# --- casing ----------------------------------------------------------------------------------------------------------


def in_snake_case(value: Any) -> Any:
    if isinstance(value, dict):
        return {snake(name): in_snake_case(entry) for name, entry in value.items()}
    return [in_snake_case(entry) for entry in value] if isinstance(value, list) else value


def test_snake_case_answers_are_read_alike():
    for case in replies:
        assert told(reply_of(in_snake_case(case))) == told(reply_of(case)), case["name"]


def test_snake_case_requests_are_read_alike():
    for case in requests:
        read, other = (asked(GEMINI.read_call(request_of(each))) for each in (case, in_snake_case(case)))
        assert _without_extra(read) == _without_extra(other), case["name"]
        assert set(read.get("extra", ())) == set(other.get("extra", ()))


def _without_extra(members: dict[str, Any]) -> dict[str, Any]:
    """What is only passed on keeps the names that it came with."""
    return {name: value for name, value in members.items() if name != "extra"}
