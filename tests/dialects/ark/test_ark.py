"""Ark: its cases both ways, and what it says of fields that it has no word for."""

import pytest

from cavendish.dialects.ark import ArkDialect
from cavendish.dialects.ark.codes import CODE_OF, CODES, meaning_of
from cavendish.model.call import Cancel, Done, Fetch, Later, Open, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Notice, Role, Text, Turn, Use
from cavendish.wire.message import WireRequest
from tests.dialects.exchange import STORE, Wire, arrived, as_events, ask, asked, asks_for, pictured, request_of, told
from tests.wire.memory import PNG

ARK = Wire(ArkDialect())
K = FaultKind


# --- requests --------------------------------------------------------------------------------------------------------


@ARK.cases("requests")
def test_a_request_is_read(case):
    assert asked(ARK.dialect.read_call(request_of(case))) == asks_for(case["expect"])


@ARK.cases("requests")
def test_a_request_that_is_read_is_written_alike(case):
    call = ARK.dialect.read_call(request_of(case))
    assert isinstance(call, Open)
    # What Ark takes for said when it is not said, we say.
    unsaid = {"response_format": "url", "watermark": True}
    assert ARK.body_of(call) == {**unsaid, **case["body"]}


@ARK.cases("refused_requests")
def test_a_request_that_ark_would_refuse_is_refused(case):
    fault = ARK.dialect.read_call(request_of(case))
    assert isinstance(fault, Fault)
    assert fault.reason == case["reason"]
    assert ARK.resent(fault, ask()) == fault


def test_no_mark_is_drawn_unless_asked_for():
    body = ARK.body_of(ask())
    assert body["watermark"] is False
    assert ARK.body_of(ask(extra={"watermark": True}))["watermark"] is True


def test_one_picture_is_no_group():
    # Models without groups refuse the very word.
    assert not [name for name in ARK.body_of(ask()) if name.startswith("sequential")]


def test_a_group_without_a_number_is_as_large_as_groups_get():
    body = {"model": "m", "prompt": "x", "sequential_image_generation": "auto", "image": ["https://x.example/1"]}
    call = ARK.dialect.read_call(WireRequest("POST", "/images/generations", body))
    assert isinstance(call, Open)
    assert call.request.n == 14


UNSAID = {
    "aspect_ratio": {"aspect_ratio": "16:9", "size": "2K"},
    "system": {"system": "be brief"},
    "thinking": {"thinking": "high"},
    "include_thoughts": {"include_thoughts": True},
    "modalities": {"modalities": ("TEXT", "IMAGE")},
    "grounding": {"grounding": ("web", "image")},
    "temperature": {"temperature": 0.0},
    "quality": {"quality": "high"},
    "extra.unheard": {"extra": {"unheard": 1}},
}


@pytest.mark.parametrize("field", UNSAID)
def test_what_cannot_be_said_is_told(field):
    assert [notice.field for notice in ARK.dialect.unsupported(ask(**UNSAID[field]))] == [field]


SAID = [
    {"size": "2K", "seed": 0, "output_format": "png", "grounding": ("web",), "modalities": ("IMAGE",)},
    {"aspect_ratio": "16:9", "size": "1312x736"},
    {"aspect_ratio": "3:4", "size": "1728x2304"},
]


@pytest.mark.parametrize("fields", SAID)
def test_what_can_be_said_needs_no_notice(fields):
    assert ARK.dialect.unsupported(ask(**fields)) == ()


def test_a_conversation_becomes_its_last_words_and_its_latest_picture():
    drawn, named = Image(uri="https://x.example/drawn"), Image(uri="https://x.example/old")
    turns = (
        Turn(Role.USER, (named, Text("a kite"))),
        Turn(Role.MODEL, (Image(uri="https://x.example/thought", thought=True), drawn)),
        Turn(Role.USER, (Text("make it"), Text("night"))),
    )
    call = Open(ImageRequest(turns=turns, model="m"))
    body = ARK.body_of(call)
    assert (body["prompt"], body["image"]) == ("make it\nnight", "https://x.example/drawn")
    assert [notice.field for notice in ARK.dialect.unsupported(call)] == ["turns", "order"]


def test_what_a_picture_is_for_cannot_be_said():
    request = ImageRequest.of("x", "m", (Image(uri="https://x.example/1", use=Use.STYLE),))
    (notice,) = ARK.dialect.unsupported(Open(request))
    assert notice == Notice("unsupported", "use cannot be said to Ark and is left out", "use")


def test_a_mask_is_not_taken_for_a_reference():
    mask, picture = Image(uri="https://x.example/mask", use=Use.MASK), Image(uri="https://x.example/1")
    call = Open(ImageRequest.of("x", "m", (picture, mask)))
    assert ARK.body_of(call)["image"] == picture.uri
    assert [notice.field for notice in ARK.dialect.unsupported(call)] == ["mask"]


@pytest.mark.parametrize("call", [Poll(Ticket("1")), Cancel(Ticket("1"))])
def test_there_are_no_stored_jobs(call):
    with pytest.raises(ValueError, match="no stored jobs"):
        ARK.dialect.write_call(call)
    assert ARK.dialect.unsupported(call) == ()


def test_a_picture_is_fetched_by_its_address():
    call = Fetch("https://x.example/a.png?sig=1")
    assert ARK.asked_again(call) == call
    done = Done((Image(blob=STORE.blob(PNG), media_type="image/png"),), (0,))
    assert ARK.resent(done, call) == done
    gone = ARK.resent(Fault(K.JOB_EXPIRED), call)
    assert isinstance(gone, Fault)
    assert (gone.kind, gone.charged) == (K.JOB_EXPIRED, Charged.NO)


# --- answers ---------------------------------------------------------------------------------------------------------


@ARK.cases("pictures", "streams")
def test_an_answer_is_read(case):
    assert told(ARK.reply_to(case)) == pictured(case["expect"])


@ARK.cases("pictures", "streams")
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_can_be_said_again(case, stream):
    done = ARK.reply_to(case)
    assert isinstance(done, Done)
    again = told(ARK.resent(done, ask(case.get("n", 1), stream=stream)))
    expected = told(done)
    if not done.usage.images:  # we always count
        expected["usage"] = {**expected.get("usage", {}), "images": len(done.pictures)}
    assert again == expected


@ARK.cases("errors")
def test_an_error_is_read(case):
    fault = ARK.fault_of(case)
    expected = {"charged": "no", "scope": "call", "status": case.get("status", 200), **case["expect"]}
    read = told(fault)
    if "message" not in case["expect"]:
        read.pop("message", None)
    assert read == expected


@ARK.cases("errors")
def test_an_error_that_is_passed_on_means_the_same(case):
    fault = ARK.fault_of(case)
    again = ARK.resent(fault, ask())
    assert isinstance(again, Fault)
    assert again.having(status=fault.status) == fault.having(reason=fault.reason or again.reason)


@pytest.mark.parametrize("code", CODES)
def test_a_code_that_is_written_comes_with_its_status(code):
    meaning = CODES[code]
    response = ARK.dialect.write_reply(Fault(meaning.kind, reason=code, scope=meaning.scope), ask(stream=True))
    assert (response.status, response.body["error"]["code"], response.stream) == (meaning.status, code, False)


@pytest.mark.parametrize("kind", CODE_OF)
def test_a_kind_has_a_code_that_ark_knows(kind):
    meaning = meaning_of(CODE_OF[kind])
    assert meaning is not None
    assert meaning.kind is kind or kind in {
        K.TOO_LARGE, K.LOST_SIGNATURE, K.PROHIBITED, K.DAY_QUOTA, K.SPEND_LIMIT, K.BUDGET,
    }  # fmt: skip


def test_another_client_sees_only_arks_own_members_where_they_say_it_all():
    fault = Fault(K.RATE_LIMITED, reason="RequestBurstTooFast", limit="RequestBurstTooFast")
    told_all = ARK.dialect.write_reply(fault.having(scope="model"), ask()).body["error"]
    assert set(told_all) == {"code", "message", "param", "type"}
    assert "cavendish" in ARK.dialect.write_reply(fault, ask()).body["error"]


def test_a_stream_that_broke_keeps_what_came():
    events = ARK.load("streams")[0]["events"][:2]
    done = ARK.dialect.read_reply(arrived(as_events(events)[:-14] + b"event: im", cut=True), ask(3, stream=True))
    assert isinstance(done, Done)
    assert len(done.pictures) == 2
    (fault,) = done.shortfall
    assert (fault.kind, fault.charged) == (K.CUT, Charged.UNKNOWN)


def test_a_stream_that_broke_after_its_last_word_is_whole():
    events = ARK.load("streams")[0]["events"]
    whole = ARK.dialect.read_reply(arrived(as_events(events)), ask(3, stream=True))
    cut = ARK.dialect.read_reply(arrived(as_events(events)[:-14], cut=True), ask(3, stream=True))
    assert cut == whole


def test_layers_are_kept_beside_their_picture():
    call = ask(extra={"layer_decomposition": True})
    data = [{"url": f"https://x.example/{i}", "z_index": i} for i in range(3)]
    done = ARK.reply_to({"body": {"data": data, "usage": {"generated_images": 3}}}, call)
    assert isinstance(done, Done)
    assert [image.uri for image in done.pictures] == ["https://x.example/0"]
    assert len(done.extras) == 2
    assert ARK.resent(done, call) == done.__class__(done.parts, (0,), done.usage, answered_by="model-1")


def test_more_pictures_than_asked_for_are_not_thrown_away():
    data = [{"url": f"https://x.example/{i}"} for i in range(3)]
    done = ARK.reply_to({"body": {"data": data}, "n": 2})
    assert isinstance(done, Done)
    assert (len(done.pictures), len(done.extras)) == (2, 1)


def test_a_job_cannot_be_promised():
    again = ARK.resent(Later(Ticket("1"), 5.0), ask())
    assert isinstance(again, Fault)
    assert (again.kind, again.charged) == (K.JOB_EXPIRED, Charged.UNKNOWN)


@pytest.mark.parametrize("identity", ["", "é", "a\nb", " a"])
def test_an_id_that_is_no_header_is_left_out(identity):
    done = Done((Image(uri="https://x.example"),), (0,), response_id=identity)
    again = ARK.resent(done, ask())
    assert isinstance(again, Done)
    assert again.response_id == ""
