"""Answers: which pictures are delivered, what came besides, what was counted; errors, and how they are said."""

import pytest

from cavendish.model.call import Done, Fetch, Later, Open, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.model.request import Image, ImageRequest, Text
from cavendish.model.usage import Usage
from cavendish.wire.message import Headers, WireResponse
from tests.dialects.openai_wire import STORE, pictured, told

from .cases import IMAGES, TABLE

K = FaultKind


@TABLE.cases("pictures", "streams")
def test_a_picture_is_read(case):
    assert told(TABLE.reply_to(case)) == pictured(case["expect"])


@TABLE.cases("pictures")
@pytest.mark.parametrize("stream", [False, True])
def test_what_was_read_can_be_said_again(case, stream):
    done = TABLE.done_of(case)
    again = TABLE.resent(done, TABLE.ask(case.get("n", 1), stream=stream))
    kept = {name: value for name, value in told(done).items() if name != "drafts" or stream}
    # A draft that follows its picture has no place.
    assert {**told(again), "drafts": []} == {**kept, "drafts": []}


@TABLE.cases("streams")
def test_a_stream_can_be_said_again(case):
    done = TABLE.done_of(case)
    assert told(TABLE.resent(done, TABLE.ask(case.get("n", 1), stream=True))) == told(done)


def test_an_answer_as_openai_says_it():
    blob = STORE.blob(b"\x89PNG\r\n\x1a\n")
    done = Done((Text("A kite, red"), Image(blob=blob)), (1,), Usage(input_tokens=5, output_image_tokens=100))
    call = Open(ImageRequest.of("x", "m", size="1024x1024", quality="low", output_format="png"))
    response = IMAGES.write_reply(done, call)
    assert (response.status, response.stream) == (200, False)
    assert STORE.text(response.body) == {
        "created": 0,
        "size": "1024x1024",
        "quality": "low",
        "output_format": "png",
        "data": [{"b64_json": "iVBORw0KGgo=", "revised_prompt": "A kite, red"}],
        "usage": {
            "input_tokens": 5,
            "output_tokens": 100,
            "total_tokens": 105,
            "input_tokens_details": {"text_tokens": 5, "image_tokens": 0},
            "output_tokens_details": {"image_tokens": 100, "text_tokens": 0},
        },
    }


@pytest.mark.parametrize(
    "references, kind", [((), "image_generation"), ((Image(uri="https://x.example"),), "image_edit")]
)
def test_a_stream_as_openai_says_it(references, kind):
    draft, final = STORE.blob(b"\x89PNG\r\n\x1a\n"), STORE.blob(b"\xff\xd8\xff\xe0", "image/jpeg")
    done = Done((Image(blob=draft), Image(blob=final)), (1,), Usage(input_tokens=5))
    response = IMAGES.write_reply(done, Open(ImageRequest.of("x", "m", references), stream=True))
    partial, completed = STORE.text(response.body)
    assert response.stream
    assert (partial["type"], partial["partial_image_index"]) == (f"{kind}.partial_image", 0)
    assert "usage" not in partial
    assert (completed["type"], completed["b64_json"]) == (f"{kind}.completed", "/9j/4A==")
    assert (partial["output_format"], completed["output_format"]) == ("png", "jpeg")
    assert completed["usage"]["input_tokens"] == 5


def test_missing_pictures_are_told_beside_the_list():
    missing = Fault(K.IMAGE_SAFETY, "no", charged=Charged.UNKNOWN, reason="moderation_blocked", status=200)
    done = Done((Image(uri="https://x.example/1"),), (0,), shortfall=(missing,))
    response = IMAGES.write_reply(done, TABLE.ask(2))
    assert [set(item) for item in response.body["data"]] == [{"url"}]
    again = TABLE.resent(done, TABLE.ask(2))
    assert again.shortfall == (missing,)


def test_the_picture_itself_may_be_the_answer():
    response = WireResponse(200, binary=STORE.blob(b"\x89PNG\r\n\x1a\n"))
    done = IMAGES.read_reply(response, TABLE.ask())
    assert isinstance(done, Done)
    assert done.pictures == (Image(blob=response.binary, media_type="image/png"),)
    assert isinstance(IMAGES.read_reply(WireResponse(200, binary=response.binary, cut=True), TABLE.ask()), Fault)


# --- errors ----------------------------------------------------------------------------------------------------------

DEFAULTS = {"charged": "no", "scope": "call"}


def without_message(fault):
    return {name: value for name, value in told(fault).items() if name != "message"}


@TABLE.cases("errors")
def test_an_error_is_read(case):
    expect = {**DEFAULTS, "status": case["status"], **case["expect"]}
    if "limit_value" in expect:
        expect["limit_value"] = str(expect["limit_value"])
    assert without_message(TABLE.fault_of(case)) == expect


@TABLE.cases("errors")
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_that_is_passed_on_means_the_same(case, stream):
    fault = TABLE.fault_of(case)
    again = TABLE.resent(fault, TABLE.ask(stream=stream))
    assert isinstance(again, Fault)
    kept = ("kind", "charged", "scope", "retry_after_s", "limit", "limit_value", "text", "usage")
    assert {name: getattr(again, name) for name in kept} == {name: getattr(fault, name) for name in kept}
    assert again.message == fault.message or not fault.message
    assert again.reason == fault.reason or not fault.reason


WRITTEN = [
    (Fault(K.INVALID_REQUEST), 400, "invalid_request_error", "invalid_value"),
    (Fault(K.TOO_LARGE), 413, "invalid_request_error", "request_too_large"),
    (Fault(K.BAD_KEY), 401, "invalid_request_error", "invalid_api_key"),
    (Fault(K.FORBIDDEN), 403, "invalid_request_error", "access_denied"),
    (Fault(K.MODEL_NOT_FOUND, status=503), 404, "invalid_request_error", "model_not_found"),
    (Fault(K.RATE_LIMITED), 429, "requests", "rate_limit_exceeded"),
    (Fault(K.NO_CREDIT, status=402), 429, "insufficient_quota", "insufficient_quota"),
    (Fault(K.PROMPT_BLOCKED, reason="SAFETY"), 400, "image_generation_user_error", "SAFETY"),
    (Fault(K.IMAGE_SAFETY), 400, "image_generation_user_error", "moderation_blocked"),
    (Fault(K.NO_IMAGE), 400, "image_generation_user_error", "no_image"),
    (Fault(K.TEXT_ONLY, status=200), 400, "image_generation_user_error", "no_image"),
    (Fault(K.OVERLOADED), 503, "server_error", "server_error"),
    (Fault(K.MALFORMED, status=200), 500, "server_error", "server_error"),
    (Fault(K.JOB_FAILED), 500, "server_error", "server_error"),
]


@pytest.mark.parametrize("fault, status, kind, code", WRITTEN)
def test_an_error_is_said_as_openai_says_it(fault, status, kind, code):
    response = IMAGES.write_reply(fault, TABLE.ask(stream=True))
    error = response.body["error"]
    assert (response.status, error["type"], error["code"], response.stream) == (status, kind, code, False)
    assert error["message"]
    assert error["param"] is None


def test_a_refusal_says_at_which_stage():
    stages = {K.PROMPT_BLOCKED: "input", K.IMAGE_SAFETY: "output", K.PROHIBITED: "output"}
    for kind, stage in stages.items():
        error = IMAGES.write_reply(Fault(kind), TABLE.ask()).body["error"]
        assert error["moderation_details"]["moderation_stage"] == stage


def test_a_wait_is_in_the_headers():
    fault = Fault(K.RATE_LIMITED, retry_after_s=1.5)
    assert dict(IMAGES.write_reply(fault, TABLE.ask()).headers) == {"Retry-After": "2", "Retry-After-Ms": "1500"}


@pytest.mark.parametrize("kind", K)
@pytest.mark.parametrize("charged", Charged)
def test_every_kind_survives_the_way_through_another_cavendish(kind, charged):
    fault = Fault(kind, "no", charged, Scope.ENDPOINT, reason="some_word", limit="a", limit_value=3, text="I would not")
    again = TABLE.resent(fault, TABLE.ask())
    assert isinstance(again, Fault)
    assert again.having(status=0) == fault


@pytest.mark.parametrize("size, kind", [(1_600_000, K.TOO_LARGE), (1_000_000, K.SERVER_ERROR)])
def test_an_unknown_error_is_laid_to_a_large_picture(size, kind):
    call = Open(ImageRequest.of("sharper", "m", (Image(blob=STORE.blob(bytes(size))),)))
    body = {"error": {"message": "Unknown error.", "type": "shell_api_error", "code": ""}}
    assert TABLE.fault_of({"status": 500, "body": body}, call).kind is kind


def test_an_answer_that_names_no_picture_is_an_error():
    again = TABLE.resent(Done((Text("Nothing."),), ()), TABLE.ask())
    assert isinstance(again, Fault)
    assert (again.kind, again.text) == (K.TEXT_ONLY, "Nothing.")


def test_a_job_that_goes_on_cannot_be_asked_for_again():
    fault = TABLE.resent(Later(Ticket("1"), 5), TABLE.ask())
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.charged) == (K.JOB_EXPIRED, Charged.UNKNOWN)


# --- fetching --------------------------------------------------------------------------------------------------------


def test_a_picture_is_fetched_by_its_address():
    fetch = Fetch("https://oai.example/1.png")
    blob = STORE.blob(b"\x89PNG\r\n\x1a\n")
    done = Done((Image(blob=blob, media_type="image/png"),), (0,))
    assert TABLE.resent(done, fetch) == done
    gone = TABLE.resent(Fault(K.JOB_EXPIRED, "expired", status=403), fetch)
    assert isinstance(gone, Fault)
    assert (gone.kind, gone.status, gone.message) == (K.JOB_EXPIRED, 403, "expired")


def test_an_address_may_ask_to_wait():
    fault = IMAGES.read_reply(WireResponse(429, Headers((("Retry-After", "3"),))), Fetch("https://x.example"))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.retry_after_s) == (K.RATE_LIMITED, 3.0)
