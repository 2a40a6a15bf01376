"""Imagen: its cases both ways, and what it says of fields that it has no word for."""

import pytest

from cavendish.dialects.imagen import ImagenDialect
from cavendish.model.call import Cancel, Done, Fetch, Later, Open, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, ImageRequest
from cavendish.wire.message import WireRequest
from tests.dialects.exchange import STORE, Wire, ask, asked, call_of, pictured, request_of, told
from tests.wire.memory import PNG

IMAGEN = Wire(ImagenDialect())
K = FaultKind


def speaking(case):
    return ImagenDialect(surface=case.get("surface", "developer"))


# --- requests --------------------------------------------------------------------------------------------------------


@IMAGEN.cases("requests")
def test_a_request_is_read(case):
    assert asked(speaking(case).read_call(request_of(case))) == case["expect"]


@IMAGEN.cases("requests")
def test_a_request_that_is_read_is_written_alike(case):
    dialect = speaking(case)
    call = dialect.read_call(request_of(case))
    assert isinstance(call, Open)
    body = Wire(dialect).body_of(call)
    # Google's default is not to say why a picture is missing, and ours is to ask.
    expected = {**case["body"], "parameters": {"includeRaiReason": False, **case["body"]["parameters"]}}
    assert body == expected
    assert dialect.unsupported(call) == ()


@IMAGEN.cases("refused_requests")
def test_a_request_that_google_would_refuse_is_refused(case):
    fault = IMAGEN.dialect.read_call(request_of(case))
    assert isinstance(fault, Fault)
    assert case["about"] in fault.message
    assert IMAGEN.resent(fault, ask()) == fault


def test_the_count_and_the_wish_for_reasons_are_always_said():
    assert IMAGEN.body_of(ask())["parameters"] == {"sampleCount": 1, "includeRaiReason": True}


def test_four_come_when_no_count_is_said():
    body = {"instances": [{"prompt": "x"}]}
    call = IMAGEN.dialect.read_call(WireRequest("POST", "/v1beta/models/m:predict", body))
    assert isinstance(call, Open)
    assert call.request.n == 4


@pytest.mark.parametrize("version, path", [("v1", "/v1/models/m:predict"), ("", "/models/m:predict")])
def test_the_version_is_the_beginning_of_the_path(version, path):
    wire = Wire(ImagenDialect(version=version))
    assert wire.dialect.write_call(ask(model="models/m")).path == path
    assert wire.asked_again(ask(model="m")) == ask(model="m")


@pytest.mark.parametrize(
    "method, path", [("POST", "/v1beta/models/m:generateContent"), ("PUT", "/v1/models/m:predict")]
)
def test_what_is_not_served_is_not_found(method, path):
    fault = IMAGEN.dialect.read_call(WireRequest(method, path, {}))
    assert isinstance(fault, Fault)
    assert (fault.kind, IMAGEN.dialect.write_reply(fault, ask()).status) == (K.MODEL_NOT_FOUND, 404)


UNSAID = {
    "seed": {"seed": 0},
    "system": {"system": "be brief"},
    "thinking": {"thinking": "high"},
    "grounding": {"grounding": ("web",)},
    "temperature": {"temperature": 1.0},
    "quality": {"quality": "high"},
    "extra.negativePrompt": {"extra": {"negativePrompt": "rain"}},
}


@pytest.mark.parametrize("field", UNSAID)
def test_what_cannot_be_said_is_told(field):
    assert [notice.field for notice in IMAGEN.dialect.unsupported(ask(**UNSAID[field]))] == [field]
    told_of = [notice.field for notice in ImagenDialect(surface="vertex").unsupported(ask(**UNSAID[field]))]
    assert told_of == ([] if field in {"seed", "extra.negativePrompt"} else [field])


def test_no_pictures_go_in():
    call = Open(ImageRequest.of("x", "m", (Image(uri="https://x.example/1"),)))
    assert [notice.field for notice in IMAGEN.dialect.unsupported(call)] == ["references"]
    assert IMAGEN.body_of(call)["instances"] == [{"prompt": "x"}]


@pytest.mark.parametrize("call", [Poll(Ticket("1")), Cancel(Ticket("1"))])
def test_there_are_no_stored_jobs(call):
    with pytest.raises(ValueError, match="no stored jobs"):
        IMAGEN.dialect.write_call(call)
    assert IMAGEN.dialect.unsupported(call) == ()


# --- answers ---------------------------------------------------------------------------------------------------------


@IMAGEN.cases("pictures")
def test_an_answer_is_read(case):
    assert told(IMAGEN.reply_to(case)) == pictured(case["expect"])


@IMAGEN.cases("pictures")
def test_an_answer_can_be_said_again(case):
    done = IMAGEN.reply_to(case)
    assert IMAGEN.resent(done, call_of(case)) == done


@IMAGEN.cases("errors")
def test_an_error_is_read(case):
    expected = {"charged": "no", "scope": "call", "status": case.get("status", 200), **case["expect"]}
    assert told(IMAGEN.fault_of(case)) == expected


@IMAGEN.cases("errors")
def test_an_error_that_is_passed_on_means_the_same(case):
    fault = IMAGEN.fault_of(case)
    again = IMAGEN.resent(fault, call_of(case))
    assert isinstance(again, Fault)
    assert again.having(status=fault.status, reason=fault.reason) == fault


def test_the_code_of_a_filter_is_its_reason():
    refused = Fault(K.IMAGE_SAFETY, "Support codes: 1, 2")
    again = IMAGEN.resent(Done((Image(uri="gs://a/b"),), (0,), shortfall=(refused,)), ask(2))
    assert isinstance(again, Done)
    assert [fault.reason for fault in again.shortfall] == ["1, 2"]


def test_more_pictures_than_asked_for_are_not_thrown_away():
    predictions = [{"gcsUri": f"gs://a/{i}"} for i in range(3)]
    done = IMAGEN.reply_to({"body": {"predictions": predictions}, "n": 2})
    assert isinstance(done, Done)
    assert (len(done.pictures), len(done.extras)) == (2, 1)


def test_a_job_cannot_be_promised():
    again = IMAGEN.resent(Later(Ticket("1"), 5.0), ask())
    assert isinstance(again, Fault)
    assert (again.kind, again.charged) == (K.JOB_EXPIRED, Charged.UNKNOWN)


def test_a_picture_is_fetched_by_its_address():
    call = Fetch("https://x.example/a.png?sig=1")
    assert IMAGEN.asked_again(call) == call
    done = Done((Image(blob=STORE.blob(PNG), media_type="image/png"),), (0,))
    assert IMAGEN.resent(done, call) == done
    gone = IMAGEN.resent(Fault(K.JOB_EXPIRED), call)
    assert isinstance(gone, Fault)
    assert gone.kind is K.JOB_EXPIRED


# --- the count --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said, read", [({}, 4), ({"sampleCount": 100}, 100), ({"sampleCount": 101}, None)])
def test_a_server_may_read_larger_counts(said, read):
    body = {"instances": [{"prompt": "a kite"}], "parameters": said}
    call = ImagenDialect(max_n=100).read_call(WireRequest("POST", "/v1beta/models/m:predict", body))
    if read is None:
        assert isinstance(call, Fault)
        assert "from 1 to 100" in call.message
    else:
        assert isinstance(call, Open)
        assert call.request.n == read


def test_a_server_may_read_smaller_counts_only():
    body = {"instances": [{"prompt": "a kite"}], "parameters": {}}
    call = ImagenDialect(max_n=2).read_call(WireRequest("POST", "/v1beta/models/m:predict", body))
    assert isinstance(call, Open)
    assert call.request.n == 2
