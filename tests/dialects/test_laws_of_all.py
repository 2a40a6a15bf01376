"""The laws of every registered dialect: registering one is enough to have them checked, with its own cases.

What is said here holds for any format. What a format can say beyond it, its own tests say.
"""

import copy
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavendish.catalog.load import load
from cavendish.dialects.by_name import DIALECTS
from cavendish.front.routes import speaks
from cavendish.model.call import Cancel, Done, Fetch, Later, Open, Poll, Reply, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn
from cavendish.model.usage import Usage
from cavendish.wire.dialect import Dialect
from cavendish.wire.message import Headers, WireRequest, WireResponse
from cavendish.wire.request_body import outgoing
from tests import strategies
from tests.dialects.exchange import (
    BYTES,
    STATUSES,
    STORE,
    arrived,
    as_events,
    call_of,
    containers,
    json_of_sorts,
    mutated,
    pybase64,
    spilled_or_none,
    told,
    weighty,
)
from tests.dialects.openai_wire import over_the_wire, rearrived, request_of

FEW = settings(max_examples=max(settings().max_examples // 4, 1))
"""Each dialect has laws of its own, which look closer."""

CASES = Path(__file__).parents[1] / "cases"
TICKET = Ticket("job-1", "https://queue.example/job-1")
FILES = {name: sorted((CASES / name).glob("*.json")) for name in DIALECTS}


def dialects() -> dict[str, Dialect]:
    """Each dialect as it is by itself, and as the endpoints of the catalog have it."""
    found: dict[str, Dialect] = {name: make() for name, make in DIALECTS.items()}
    for endpoint in load().endpoints.values():
        found.setdefault(f"{endpoint.dialect} at {endpoint.name}", speaks(endpoint))
    return found


EACH = dialects()
each = pytest.mark.parametrize("dialect", [pytest.param(dialect, id=name) for name, dialect in EACH.items()])
plainly = pytest.mark.parametrize("name", DIALECTS)


# --- cases -----------------------------------------------------------------------------------------------------------


def cases(name: str, *, requests: bool) -> list[dict[str, Any]]:
    """All cases of answers, or of requests."""
    return [case for path in FILES[name] if ("requests" in path.stem) is requests for case in _loaded(path)]


def _loaded(path: Path) -> list[dict[str, Any]]:
    words = path.read_text("utf-8")
    for mark, data in BYTES.items():
        words = words.replace(mark, pybase64.b64encode(data).decode())
    return json.loads(words)


def bodies(name: str, *, requests: bool) -> list[Any]:
    found = (case.get("body", case.get("events")) for case in cases(name, requests=requests))
    return [body for body in found if body is not None]


def vocabulary(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of members in a dialect's cases, and the words that stand there."""
    names, words = set[str](), {"", "https://x.example/a.png"}
    for body in (*bodies(name, requests=False), *bodies(name, requests=True)):
        for holder in containers(body):
            names |= set(holder) if isinstance(holder, dict) else set()
            values = holder.values() if isinstance(holder, dict) else holder
            words |= {value for value in values if isinstance(value, str) and len(value) < 200}
    return tuple(sorted(names)), tuple(sorted(words))


SORTS = {name: json_of_sorts(*vocabulary(name)) for name in DIALECTS}


@plainly
def test_it_has_cases_and_each_says_where_it_is_from(name):
    stems = {path.stem for path in FILES[name]}
    assert {"requests", "pictures", "errors"} <= stems
    for path in FILES[name]:
        table = _loaded(path)
        assert len({case["name"] for case in table}) == len(table) > 0, path
        assert all(case["source"] and case["date"].startswith("202") and "verified" in case for case in table), path


@plainly
def test_all_requests_of_its_cases_are_read(name):
    dialect = DIALECTS[name]()
    found = [(case, dialect.read_call(request_of(case))) for case in _loaded(CASES / name / "requests.json")]
    assert not [case["name"] for case, call in found if isinstance(call, Fault)]


# --- the dialect as a value ------------------------------------------------------------------------------------------


@plainly
def test_it_is_a_value_that_knows_its_name(name):
    one, other = DIALECTS[name](), DIALECTS[name]()
    assert one.name == name
    assert one == other
    assert dataclasses.is_dataclass(one)
    field = dataclasses.fields(one)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(one, field, None)


@each
def test_a_plain_wish_is_said_without_a_notice(dialect):
    for stream in (False, True):
        call = Open(ImageRequest.of("a red kite", "model-1"), stream)
        assert not dialect.unsupported(call)
        request = dialect.write_call(call)
        assert (request.method, request.path[:1]) == ("POST", "/")


@each
def test_a_picture_is_fetched_where_the_answer_said_without_a_word_of_ours(dialect):
    for url in ("https://x.example/a?sig=a%2Bb", "http://127.0.0.1:1/pictures/1.png"):
        assert dialect.write_call(Fetch(url)) == WireRequest("GET", url)
        assert not dialect.unsupported(Fetch(url))


@each
@pytest.mark.parametrize("call", [Poll(TICKET), Cancel(TICKET)])
def test_a_job_is_asked_for_or_refused_before_anything_is_sent(dialect, call):
    try:
        request = dialect.write_call(call)
    except ValueError:
        return
    assert request.body is None
    assert "job-1" in request.path or ("id", "job-1") in request.query


# --- calls -----------------------------------------------------------------------------------------------------------

FIELDS = (
    "n", "size", "aspect_ratio", "system", "thinking", "include_thoughts", "grounding", "seed", "temperature",
    "quality", "output_format",
)  # fmt: skip
models = st.sampled_from(["model-1", "gemini-3.1-flash-image", "org/model-1"])


@st.composite
def wishes(draw: st.DrawFn) -> Open:
    """A call with pictures of enough bytes, a prompt, and a model that any format can name."""
    request = draw(strategies.requests(st.dictionaries(st.sampled_from(["unheardOf", "x-new"]), st.booleans())))
    turns = [dataclasses.replace(turn, parts=tuple(map(_weighty, turn.parts))) for turn in request.turns]
    # The user has the last word: pictures of a model's last turn have, in some formats, no turn to go with.
    turns[-1] = Turn(Role.USER, (*turns[-1].parts, Text("a red kite")))
    # How many pictures a call may ask for is a fact about models; every format that counts takes four.
    return Open(request.having(turns=tuple(turns), model=draw(models), n=min(request.n, 4)), draw(st.booleans()))


def _weighty(part: Any) -> Any:
    return weighty(part) if isinstance(part, Image) else part


@each
@given(call=wishes())
@FEW
def test_nothing_is_lost_without_a_notice(dialect, call):
    notices = dialect.unsupported(call)
    unsaid = {notice.field for notice in notices}
    assert all(notice.code and notice.text and notice.field for notice in notices)
    again = dialect.read_call(over_the_wire(dialect.write_call(call)))
    assert isinstance(again, Open), again
    asked, said = call.request, again.request
    assert said.model == asked.model
    assert said.prompt.endswith("a red kite")
    for name in FIELDS:
        value = getattr(asked, name)
        if name not in unsaid and value not in (None, False, (), "") and not _stands_for_nothing(dialect, name, value):
            assert getattr(said, name) == value, name
    assert {f"extra.{name}" for name in asked.extra} - unsaid == {f"extra.{name}" for name in said.extra}
    if not unsaid & {"turns", "use", "mask", "references"}:
        kept = {image.blob or image.uri for image in said.references}
        assert {image.blob or image.uri for image in asked.references if not image.thought} <= kept


def _stands_for_nothing(dialect: Dialect, name: str, value: Any) -> bool:
    """The plain id of a model is the one for 1K, where sizes are part of the id."""
    return (name, value, getattr(dialect, "size_in", "")) == ("size", "1K", "suffix")


@each
@given(call=wishes())
@FEW
def test_what_was_read_is_all_that_is_said(dialect, call):
    once = dialect.read_call(over_the_wire(dialect.write_call(call)))
    assert isinstance(once, Open)
    assert dialect.read_call(over_the_wire(dialect.write_call(once))) == once


@plainly
@given(data=st.data(), method=st.sampled_from(["POST", "GET", "PUT", "DELETE"]))
@FEW
def test_any_request_is_read_and_can_be_sent_on(name, data, method):
    dialect = DIALECTS[name]()
    paths = [case["path"] for case in cases(name, requests=True)]
    path = data.draw(st.sampled_from(paths) | st.text(max_size=30))
    found = [body for body in bodies(name, requests=True) if isinstance(body, dict)]
    body = data.draw(SORTS[name] | mutated(found, SORTS[name]))
    request = spilled_or_none(method, path, body)
    call = None if request is None else dialect.read_call(request)
    if isinstance(call, Open):
        written = dialect.write_call(call)
        again = dialect.read_call(over_the_wire(dataclasses.replace(written, path=_same_place(path, written.path))))
        assert again == call or _has_scraps(call)
    elif isinstance(call, Fault):
        assert dialect.write_reply(call, Open(ImageRequest.of("", "model-1"))).status >= 400


def _same_place(path: str, written: str) -> str:
    """Some formats take more on the path that a request came by than on the one that they write."""
    return path if path.rpartition("/")[2] == written.rpartition("/")[2] else written


def _has_scraps(call: Open) -> bool:
    """Whether a picture has too few bytes to be told from words in a data URI."""
    parts = [part for turn in call.request.turns for part in turn.parts]
    return any(isinstance(part, Image) and part.blob is not None and part.blob.size < 24 for part in parts)


# --- answers ---------------------------------------------------------------------------------------------------------

opened = st.builds(
    lambda n, stream: Open(ImageRequest.of("a red kite", "model-1", n=n), stream), st.integers(-1, 5), st.booleans()
)
calls = opened | st.sampled_from([Poll(TICKET), Cancel(TICKET), Fetch("https://x.example/a")])


def check_reading(dialect: Dialect, response: WireResponse, call: Any) -> None:
    """Whatever it is, it is read, and can be passed on to another."""
    reply = dialect.read_reply(response, call)
    if isinstance(reply, Done):
        assert reply.pictures
        assert len(reply.pictures) == len(reply.finals) == len(set(reply.finals))
        assert not any(picture.thought for picture in reply.pictures)
    elif isinstance(reply, Later):
        assert reply.after_s >= 0
        assert reply.ticket.id
    else:
        assert reply.retry_after_s is None or reply.retry_after_s >= 0
    written = dialect.write_reply(reply, call)
    assert 100 <= written.status < 1000
    outgoing(written.body)


@plainly
@given(data=st.data(), status=st.sampled_from(STATUSES), call=calls, cut=st.booleans(), streamed=st.booleans())
@FEW
def test_any_json_is_an_answer(name, data, status, call, cut, streamed):
    body = data.draw(SORTS[name] | mutated(bodies(name, requests=False), SORTS[name]))
    sent = as_events(body) if streamed and isinstance(body, list) else json.dumps(body).encode()
    check_reading(DIALECTS[name](), arrived(sent, status, cut=cut), call)


@plainly
@given(
    body=st.binary(max_size=400),
    status=st.integers(100, 999),
    wait=st.text(max_size=20) | st.sampled_from(["41", "1e400", "-1", "nan", "Sat, 21 Nov 2026 04:00:00 GMT"]),
    call=calls,
    cut=st.booleans(),
)
@FEW
def test_any_bytes_are_an_answer(name, body, status, wait, call, cut):
    headers = Headers((("Retry-After", wait), ("Date", wait), ("retry-after-ms", wait), ("x-ratelimit-reset", wait)))
    check_reading(DIALECTS[name](), arrived(body, status, headers, cut=cut), call)


@plainly
@given(data=st.data())
@FEW
def test_unknown_members_change_nothing(name, data):
    whole = [case for case in cases(name, requests=False) if "raw" not in case]
    case = data.draw(st.sampled_from(whole))
    changed = copy.deepcopy(case)
    # An object with nothing in it may mean just that.
    holders = [entry for entry in containers(_content(changed)) if isinstance(entry, dict) and entry]
    for holder in data.draw(st.lists(st.sampled_from(holders), max_size=4)) if holders else ():
        unheard = data.draw(st.sampled_from(["unheardOf", "x-new", "0"]))
        holder[unheard] = data.draw(st.none() | st.integers() | st.text(max_size=9) | st.just([{"a": [1]}]))
    assert told(_reply_to(name, changed)) == told(_reply_to(name, case))


def _content(case: dict[str, Any]) -> Any:
    return case["events"] if "events" in case else case["body"]


def _reply_to(name: str, case: dict[str, Any]) -> Reply:
    content = _content(case)
    sent = as_events(content) if "events" in case else json.dumps(content).encode()
    headers = Headers.of(case.get("headers", {}))
    response = arrived(sent, case.get("status", 200), headers, cut=case.get("cut", False))
    return DIALECTS[name]().read_reply(response, call_of(case))


# --- replies that are written ----------------------------------------------------------------------------------------


def resent(dialect: Dialect, reply: Reply, call: Any) -> Reply:
    return dialect.read_reply(rearrived(dialect.write_reply(reply, call)), call)


def pictures() -> Iterator[Image]:
    for head in strategies.HEADS:
        blob = STORE.blob(strategies.HEADS[head] + bytes(40), head)
        yield Image(blob=blob, media_type=head)
    yield Image(uri="https://x.example/1.png")


@each
@pytest.mark.parametrize("picture", [pytest.param(p, id=p.media_type or "address") for p in pictures()])
@pytest.mark.parametrize("stream", [False, True])
def test_a_picture_that_is_written_is_read(dialect, picture, stream):
    call = Open(ImageRequest.of("a red kite", "model-1"), stream)
    again = resent(dialect, Done((picture,), (0,)), call)
    if isinstance(again, Later):  # a job: its end is asked for
        again = resent(dialect, Done((picture,), (0,)), Poll(again.ticket))
    assert isinstance(again, Done), again
    (found,) = again.pictures
    assert (found.blob, found.uri) == (picture.blob, picture.uri)


@each
def test_a_picture_that_was_fetched_is_the_picture(dialect):
    fetch = Fetch("https://x.example/1.png")
    (picture, *_) = pictures()
    done = resent(dialect, Done((picture,), (0,)), fetch)
    assert isinstance(done, Done)
    assert [found.blob for found in done.pictures] == [picture.blob]
    gone = resent(dialect, Fault(FaultKind.JOB_EXPIRED, "expired", status=403), fetch)
    assert isinstance(gone, Fault)


@each
@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_that_is_written_is_read_as_one_of_its_kind(dialect, kind, stream):
    call = Open(ImageRequest.of("a red kite", "model-1"), stream)
    again = resent(dialect, Fault(kind, "No.", text="" if kind is FaultKind.NO_IMAGE else "I would not."), call)
    assert isinstance(again, Fault)
    assert again.kind is kind


@each
@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMITED, FaultKind.DAY_QUOTA, FaultKind.OVERLOADED])
@pytest.mark.parametrize("wait_s", [None, 0.0, 0.25, 41.0, 6776.4])
def test_a_wait_is_passed_on_to_the_millisecond(dialect, kind, wait_s):
    again = resent(dialect, Fault(kind, "Wait.", retry_after_s=wait_s), Open(ImageRequest.of("x", "model-1")))
    assert isinstance(again, Fault)
    assert again.retry_after_s == pytest.approx(wait_s, abs=0.001)


@each
def test_an_answer_without_a_picture_is_a_fault(dialect):
    call = Open(ImageRequest.of("a red kite", "model-1"))
    again = resent(dialect, Done((Text("I would not."),), (), Usage(output_text_tokens=5)), call)
    assert isinstance(again, Fault)


@each
def test_a_line_that_broke_before_the_answer_may_have_been_billed(dialect):
    call = Open(ImageRequest.of("a red kite", "model-1"))
    fault = dialect.read_reply(arrived(b"", 200, cut=True), call)
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.charged) == (FaultKind.CUT, "unknown")


@each
@pytest.mark.parametrize(
    "status, kind",
    [(401, "bad_key"), (402, "no_credit"), (413, "too_large"), (429, "rate_limited"), (503, "overloaded")],
)
def test_a_page_of_a_proxy_is_told_by_its_status(dialect, status, kind):
    page = b"<html><head><title>No.</title></head></html>"
    fault = dialect.read_reply(arrived(page, status), Open(ImageRequest.of("x", "model-1")))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.message, fault.status) == (kind, "No.", status)
