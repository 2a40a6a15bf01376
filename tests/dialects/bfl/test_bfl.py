"""Black Forest Labs: its cases both ways, from the task to the picture."""

from dataclasses import replace

import pytest

from cavendish.dialects.bfl import BflDialect
from cavendish.model.call import Cancel, Done, Fetch, Later, Open, Poll, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use
from cavendish.model.usage import Usage
from cavendish.wire.message import WireRequest
from tests.dialects.exchange import STORE, Wire, ask, asked, asks_for, call_of, pictured, request_of, told
from tests.wire.memory import PNG

BFL = Wire(BflDialect())
K = FaultKind
TICKET = Ticket("8f0c", "https://api.us2.bfl.ai/v1/get_result?id=8f0c", {"cost": 4.0})


# --- requests --------------------------------------------------------------------------------------------------------


@BFL.cases("requests")
def test_a_request_is_read(case):
    call = BFL.dialect.read_call(request_of(case))
    expected = dict(case["expect"])
    uses = expected.pop("uses", [None] * len(expected.get("images", ())))
    assert asked(call) == asks_for(expected)
    assert isinstance(call, Open)
    assert [image.use for image in call.request.references] == uses


@BFL.cases("requests")
def test_a_request_that_is_read_is_written_alike(case):
    call = BFL.dialect.read_call(request_of(case))
    assert isinstance(call, Open)
    assert BFL.body_of(call) == case["body"]
    assert BFL.dialect.write_call(call).path == case["path"].removeprefix("https://api.eu.bfl.ai")
    assert BFL.dialect.unsupported(call) == ()


@BFL.cases("refused_requests")
def test_a_request_that_would_be_refused_is_refused(case):
    fault = BFL.dialect.read_call(request_of(case))
    assert fault == Fault(K.INVALID_REQUEST, case["message"], status=422)
    again = BFL.resent(fault, ask())
    assert isinstance(again, Fault)
    assert (again.kind, again.message) == (K.INVALID_REQUEST, case["message"])


@pytest.mark.parametrize(
    "method, path", [("PUT", "/v1/m"), ("POST", "/v2/m"), ("POST", "/v1/get_result"), ("POST", "/")]
)
def test_what_is_not_served_is_not_found(method, path):
    fault = BFL.dialect.read_call(WireRequest(method, path, {"prompt": "x"}))
    assert isinstance(fault, Fault)
    assert (fault.kind, BFL.dialect.write_reply(fault, ask()).status) == (K.MODEL_NOT_FOUND, 404)


UNSAID = {
    "size": {"size": "2K"},
    "system": {"system": "be brief"},
    "thinking": {"thinking": "high"},
    "grounding": {"grounding": ("web",)},
    "temperature": {"temperature": 1.0},
    "quality": {"quality": "high"},
    "extra.webhook_secret": {"extra": {"webhook_secret": "s"}},
    "n": {"n": 2},
}


@pytest.mark.parametrize("field", UNSAID)
def test_what_cannot_be_said_is_told(field):
    assert [notice.field for notice in BFL.dialect.unsupported(ask(**UNSAID[field]))] == [field]


def with_uses(*uses):
    images = tuple(Image(uri=f"https://x.example/{i}", use=use) for i, use in enumerate(uses))
    return Open(ImageRequest.of("x", "m", images))


def test_every_picture_has_a_place_of_its_own():
    body = BFL.body_of(with_uses(None, Use.MASK, Use.STYLE, None))
    assert {name: value[-1] for name, value in body.items() if name != "prompt"} == {
        "image": "0", "mask": "1", "image_prompt": "2", "input_image": "3",
    }  # fmt: skip


@pytest.mark.parametrize(
    "uses, told_of",
    [((Use.STYLE,), []), ((Use.STYLE, Use.STYLE), ["use"]), ((Use.PERSON,), ["use"]), ((Use.MASK,), [])],
)
def test_uses_that_cannot_be_said_are_told(uses, told_of):
    call = with_uses(*uses)
    assert [notice.field for notice in BFL.dialect.unsupported(call)] == told_of
    if Use.MASK not in uses and told_of:  # sent all the same, as references like others
        assert len([name for name in BFL.body_of(call) if name.startswith("input_image")]) == len(uses)


def test_a_conversation_goes_on_from_its_latest_picture():
    drawn = Image(uri="https://x.example/drawn")
    turns = (
        Turn(Role.USER, (Text("a kite"),)),
        Turn(Role.MODEL, (drawn, Image(uri="https://x.example/mask", use=Use.MASK))),
        Turn(Role.USER, (Text("make it night"),)),
    )
    call = Open(ImageRequest(turns=turns, model="m"))
    assert BFL.body_of(call) == {"prompt": "make it night", "input_image": drawn.uri}
    assert [notice.field for notice in BFL.dialect.unsupported(call)] == ["turns"]


# --- tasks -----------------------------------------------------------------------------------------------------------


def test_a_task_is_asked_for_where_its_answer_said():
    assert BFL.dialect.write_call(Poll(TICKET)) == WireRequest("GET", TICKET.url)
    assert BFL.asked_again(Poll(TICKET)) == Poll(replace(TICKET, data={}))


def test_a_task_without_an_address_is_asked_for_by_its_id():
    assert BFL.asked_again(Poll(Ticket("8f 0c"))) == Poll(Ticket("8f 0c"))


def test_a_task_cannot_be_cancelled():
    with pytest.raises(ValueError, match="cannot be cancelled"):
        BFL.dialect.write_call(Cancel(TICKET))
    assert BFL.dialect.unsupported(Cancel(TICKET)) == ()


@BFL.cases("tasks", "pictures")
def test_an_answer_is_read(case):
    assert told(BFL.reply_to(case)) == pictured(case["expect"])


@BFL.cases("tasks", "pictures")
def test_an_answer_can_be_said_again(case):
    reply = BFL.reply_to(case)
    again = BFL.resent(reply, call_of(case))
    if isinstance(reply, Done):  # the task's own id is that of its ticket
        reply = replace(reply, response_id=reply.response_id and "8f0c")
    assert again == reply


@BFL.cases("errors")
def test_an_error_is_read(case):
    expected = {"charged": "no", "scope": "call", "status": case.get("status", 200), **case["expect"]}
    assert told(BFL.fault_of(case)) == expected


@BFL.cases("errors")
def test_an_error_that_is_passed_on_means_the_same(case):
    fault = BFL.fault_of(case)
    again = BFL.resent(fault, call_of(case))
    assert isinstance(again, Fault)
    assert again.having(status=fault.status) == fault


WRITTEN = [
    (Fault(K.NO_CREDIT), 402),
    (Fault(K.BAD_KEY), 403),
    (Fault(K.INVALID_REQUEST), 422),
    (Fault(K.RATE_LIMITED), 429),
    (Fault(K.OVERLOADED), 503),
    (Fault(K.JOB_FAILED), 500),
]


@pytest.mark.parametrize("fault, status", WRITTEN)
def test_an_error_has_the_status_that_clients_look_for(fault, status):
    assert BFL.dialect.write_reply(fault, ask()).status == status


@pytest.mark.parametrize(
    "details, message",
    [
        ({"Reasons": ["Violence", "Gore"], "score": 3}, "Violence; Gore"),
        ({"Moderation Reasons": ["Violence"], "Policy": "v2"}, "Violence"),
        ({}, "Content Moderated"),
    ],
)
def test_reasons_are_told_under_whatever_name_when_the_known_ones_are_missing(details, message):
    body = {"id": "8f0c", "status": "Content Moderated", "details": details}
    assert BFL.fault_of({"body": body}, Poll(TICKET)).message == message


def test_what_a_task_cost_is_kept_until_its_picture_is_there():
    later = BFL.resent(Later(Ticket("1", "https://x.example/1", {"cost": 6.0}), 5.5), ask())
    assert isinstance(later, Later)
    assert (later.after_s, later.usage.cost_nusd) == (5.5, 60_000_000)
    done = BFL.resent(Done((Image(uri="https://x.example/a"),), (0,)), Poll(later.ticket))
    assert isinstance(done, Done)
    assert done.usage.cost_nusd == 60_000_000


def test_a_price_beyond_all_prices_is_none():
    later = BFL.reply_to({"body": {"id": "1", "cost": 1e300}})
    assert isinstance(later, Later)
    assert (later.usage.cost_nusd, later.ticket.data) == (None, {})


def test_a_picture_that_is_there_at_once_is_said_with_its_price():
    done = Done((Image(uri="https://x.example/a"),), (0,), Usage(images=1, cost_nusd=40_000_000), "Ready", "", "1")
    assert BFL.resent(done, ask()) == done


def test_a_service_that_answers_at_once_is_taken_at_its_word():
    done = BFL.reply_to({"body": {"id": "1", "status": "Ready", "result": {"sample": "https://x.example/a"}}})
    assert isinstance(done, Done)
    fault = BFL.reply_to({"body": {"status": "Pending"}})
    assert isinstance(fault, Fault)


def test_the_picture_is_fetched_and_dies_after_ten_minutes():
    call = Fetch("https://delivery.example/a.jpeg?sig=1")
    assert BFL.asked_again(call) == call
    done = Done((Image(blob=STORE.blob(PNG), media_type="image/png"),), (0,))
    assert BFL.resent(done, call) == done
    for reply, kind in [(Fault(K.JOB_EXPIRED), K.JOB_EXPIRED), (Later(TICKET, 2), K.OVERLOADED)]:
        again = BFL.resent(reply, call)
        assert isinstance(again, Fault)
        assert again.kind is kind


def test_an_address_that_is_none_is_no_question_about_a_task():
    assert BFL.dialect.read_call(WireRequest("GET", "https://[x")) == Fetch("https://[x")
