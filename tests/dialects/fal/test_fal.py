"""fal: its cases both ways, in the queue and directly."""

from dataclasses import replace

import pytest

from cavendish.dialects.fal import FalDialect
from cavendish.dialects.fal.types import MEANINGS
from cavendish.model.call import Cancel, Done, Fetch, Later, Open, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.model.request import Image, Text, Use
from cavendish.model.usage import Usage
from cavendish.wire.message import WireRequest, WireResponse
from tests.dialects.exchange import STORE, Wire, ask, asked, asks_for, call_of, pictured, request_of, told
from tests.wire.memory import PNG

FAL = Wire(FalDialect(edits=("fal-ai/nano-banana-2",)))
K = FaultKind
STATUS_URL = "https://queue.fal.run/fal-ai/flux-pro/requests/764c/status"
TICKET = Ticket("764c", STATUS_URL)
ENDED = replace(TICKET, data={"completed": True})
PICTURE = Done((Image(uri="https://v3.fal.media/a.png"),), (0,), Usage(images=1))


# --- requests --------------------------------------------------------------------------------------------------------


@FAL.cases("requests")
def test_a_request_is_read(case):
    assert asked(FAL.dialect.read_call(request_of(case))) == asks_for(case["expect"])


@FAL.cases("requests")
def test_a_request_that_is_read_is_written_alike(case):
    call = FAL.dialect.read_call(request_of(case))
    assert isinstance(call, Open)
    assert FAL.body_of(call) == case["body"]
    assert FAL.dialect.write_call(call).path == case["path"].removeprefix("https://queue.fal.run")
    assert FAL.dialect.unsupported(call) == ()


@FAL.cases("refused_requests")
def test_a_request_that_would_be_refused_is_refused(case):
    fault = FAL.dialect.read_call(request_of(case))
    assert fault == Fault(K.INVALID_REQUEST, case["message"], reason="value_error", status=422)
    assert FAL.resent(fault, ask()) == fault


def test_a_mask_is_told_from_a_reference():
    call = FAL.dialect.read_call(request_of(FAL.load("requests")[-1]))
    assert isinstance(call, Open)
    assert [image.use for image in call.request.references] == [None, Use.MASK]


def test_one_picture_may_come_under_its_own_name():
    body = {"prompt": "x", "image_url": "https://x.example/1"}
    assert asked(FAL.dialect.read_call(WireRequest("POST", "/m", body)))["images"] == ["https://x.example/1"]


@pytest.mark.parametrize("method, path", [("DELETE", "/m"), ("POST", "/"), ("PUT", "/a/b/requests/1")])
def test_what_is_not_served_is_not_found(method, path):
    fault = FAL.dialect.read_call(WireRequest(method, path, {"prompt": "x"}))
    assert isinstance(fault, Fault)
    assert (fault.kind, FAL.dialect.write_reply(fault, ask()).status) == (K.MODEL_NOT_FOUND, 404)


UNSAID = {
    "system": {"system": "be brief"},
    "thinking": {"thinking": "high"},
    "grounding": {"grounding": ("web",)},
    "temperature": {"temperature": 1.0},
    "quality": {"quality": "high"},
    "extra.unheard": {"extra": {"unheard": 1}},
}


@pytest.mark.parametrize("field", UNSAID)
def test_what_cannot_be_said_is_told(field):
    assert [notice.field for notice in FAL.dialect.unsupported(ask(**UNSAID[field]))] == [field]


# --- the queue -------------------------------------------------------------------------------------------------------


CALLS = [
    (Poll(TICKET), WireRequest("GET", STATUS_URL)),
    (Poll(ENDED), WireRequest("GET", STATUS_URL.removesuffix("/status"))),
    (Cancel(TICKET), WireRequest("PUT", STATUS_URL.removesuffix("status") + "cancel")),
    (Cancel(ENDED), WireRequest("PUT", STATUS_URL.removesuffix("status") + "cancel")),
    (Fetch("https://v3.fal.media/a.png"), WireRequest("GET", "https://v3.fal.media/a.png")),
    (Poll(Ticket("1")), WireRequest("GET", "/requests/1/status")),
    (Poll(Ticket("1", "s", {"completed": True, "response_url": "r"})), WireRequest("GET", "r")),
    (Cancel(Ticket("1", "s", {"cancel_url": "c"})), WireRequest("PUT", "c")),
]


@pytest.mark.parametrize("call, request_", CALLS)
def test_a_request_is_asked_for_where_its_answer_said(call, request_):
    assert FAL.dialect.write_call(call) == request_
    assert FAL.dialect.unsupported(call) == ()


@pytest.mark.parametrize("call", [Poll(TICKET), Poll(ENDED), Cancel(TICKET), Fetch("https://v3.fal.media/a.png?x=1")])
def test_a_question_that_is_written_is_read(call):
    assert FAL.asked_again(call) == call


def test_the_logs_change_nothing_about_a_question():
    request = WireRequest("GET", STATUS_URL, query=(("logs", "1"),))
    assert FAL.dialect.read_call(request) == Poll(TICKET)


@FAL.cases("queue", "pictures")
def test_an_answer_is_read(case):
    assert told(FAL.reply_to(case)) == pictured(case["expect"])


@FAL.cases("queue", "pictures")
def test_an_answer_can_be_said_again(case):
    reply, call = FAL.reply_to(case), call_of(case)
    again = FAL.resent(reply, call)
    assert type(again) is type(reply)
    if isinstance(again, Later) and isinstance(reply, Later):
        assert (again.ticket, again.after_s) == (reply.ticket, reply.after_s)
    else:
        assert told(again) == told(reply)


@FAL.cases("errors")
def test_an_error_is_read(case):
    expected = {"charged": "no", "scope": "call", "status": case.get("status", 200), **case["expect"]}
    assert told(FAL.fault_of(case)) == expected


@FAL.cases("errors")
def test_an_error_that_is_passed_on_means_the_same(case):
    fault = FAL.fault_of(case)
    again = FAL.resent(fault, call_of(case))
    assert isinstance(again, Fault)
    unsaid = {"status": 0, "message": "", "reason": fault.reason or again.reason}
    assert again.having(**unsaid) == fault.having(**unsaid)
    assert fault.message.split(": ")[-1] in again.message


def test_a_picture_is_announced_before_it_is_given():
    status = FAL.resent(PICTURE, Poll(TICKET))
    assert status == Later(ENDED, 0.0)
    assert FAL.resent(PICTURE, Poll(ENDED)) == replace(PICTURE, response_id="764c")


def test_what_waits_and_what_has_ended_have_statuses_of_their_own():
    waiting = FAL.dialect.write_reply(Later(TICKET, 1.0), Poll(TICKET))
    completed = FAL.dialect.write_reply(Later(ENDED, 0.0), Poll(TICKET))
    assert (waiting.status, completed.status) == (202, 200)


def test_a_platform_that_failed_ends_its_request():
    fault = Fault(K.SERVER_ERROR, "gone", reason="runner_disconnected")
    response = FAL.dialect.write_reply(fault, Poll(TICKET))
    assert (response.status, told(FAL.resent(fault, Poll(TICKET)))["reason"]) == (200, "runner_disconnected")
    assert FAL.dialect.write_reply(fault, Poll(ENDED)).status == 503


def test_a_request_that_ended_has_no_status_for_a_result():
    fault = FAL.dialect.read_reply(WireResponse(200, body={"status": "COMPLETED"}), Poll(ENDED))
    assert isinstance(fault, Fault)
    assert fault.kind is K.MALFORMED


def test_a_picture_that_is_there_cannot_be_given_up():
    assert FAL.resent(PICTURE, Cancel(TICKET)) == Later(ENDED, 0.0)


def test_giving_up_may_fail_like_anything():
    fault = FAL.resent(Fault(K.OVERLOADED, "later", retry_after_s=2.5), Cancel(TICKET))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.retry_after_s) == (K.OVERLOADED, 2.5)


def test_more_pictures_than_asked_for_are_not_thrown_away():
    done = FAL.reply_to({"body": {"images": [{"url": f"https://x.example/{i}"} for i in range(3)]}, "n": 2})
    assert isinstance(done, Done)
    assert (len(done.pictures), len(done.extras)) == (2, 1)
    assert FAL.resent(done, ask(2)) == done


def test_words_and_types_of_pictures_are_kept():
    images = (Image(uri="https://x.example/1", media_type="image/webp"), Image(uri="https://x.example/2"))
    done = Done((*images, Text("two")), (0, 1), Usage(images=2))
    assert FAL.resent(done, ask(2)) == done


def test_a_picture_is_fetched_by_its_address():
    call = Fetch("https://v3.fal.media/a.png")
    done = Done((Image(blob=STORE.blob(PNG), media_type="image/png"),), (0,))
    assert FAL.resent(done, call) == done
    for reply, kind in [(Fault(K.JOB_EXPIRED), K.JOB_EXPIRED), (Later(TICKET, 2), K.OVERLOADED)]:
        again = FAL.resent(reply, call)
        assert isinstance(again, Fault)
        assert again.kind is kind


@pytest.mark.parametrize("said", MEANINGS)
def test_a_type_comes_with_its_status(said):
    meaning = MEANINGS[said]
    fault = Fault(meaning.kind, "m", meaning.charged, meaning.scope, reason=said)
    response = FAL.dialect.write_reply(fault, ask())
    assert response.status == meaning.status
    again = FAL.resent(fault, ask())
    assert isinstance(again, Fault)
    assert (again.kind, again.reason, again.charged, again.scope) == (*_kept(fault),)


def _kept(fault):
    return fault.kind, fault.reason, fault.charged, fault.scope


def test_a_fault_that_fal_has_no_word_for_is_told_beside_it():
    fault = Fault(K.NO_QUOTA, charged=Charged.YES, scope=Scope.MODEL, usage=Usage(images=1))
    again = FAL.resent(fault, ask())
    assert isinstance(again, Fault)
    assert again.having(status=0, message="") == fault
