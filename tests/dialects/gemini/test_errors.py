"""Errors: what kind, billed or not, how far it reaches, how long to wait; and errors as we say them."""

import pytest

from cavendish.dialects.gemini import error_object, read_google_error
from cavendish.model.call import Open
from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.model.request import Image, ImageRequest
from cavendish.wire.message import WireResponse

from .cases import GEMINI, MODEL, STORE, ask, cases, fault_of, resent, told

DEFAULTS = {"charged": "no", "scope": "call"}
K = FaultKind


def expected(case):
    words = {**DEFAULTS, "status": case["status"], **case["expect"]}
    return {name: str(value) if name == "limit_value" else value for name, value in words.items()}


def without_message(fault):
    return {name: value for name, value in told(fault).items() if name != "message"}


@cases("errors")
def test_an_error_is_read(case):
    assert without_message(fault_of(case)) == expected(case)


@cases("errors")
def test_an_error_that_is_passed_on_means_the_same(case):
    fault = fault_of(case)
    again = without_message(resent(fault, ask()))
    kept = {name: value for name, value in without_message(fault).items() if name not in {"status", "reason"}}
    assert {name: value for name, value in again.items() if name not in {"status", "reason"}} == kept
    if fault.reason and fault.kind is not K.PROMPT_BLOCKED:  # of blocked prompts Google has words of its own
        assert again["reason"] == fault.reason


MESSAGES = {
    502: ("<html><head><title>502 \n Bad Gateway</title></head></html>", "502 Bad Gateway"),
    500: ("<h1>Oops</h1><p>try  later</p>", "Oops try later"),
    503: ("", "HTTP status 503"),
    200: ("", "an answer without content"),
}


@pytest.mark.parametrize("status", MESSAGES)
def test_words_for_people_are_found_in_what_is_no_json(status):
    raw, words = MESSAGES[status]
    assert fault_of({"status": status, "raw": raw}).message == words


def test_an_answer_beyond_all_limits_says_so():
    fault = GEMINI.read_reply(WireResponse(200, raw=b"{", too_large=True), ask())
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.charged) == (K.MALFORMED, Charged.UNKNOWN)
    assert "larger" in fault.message


def test_a_page_without_end_is_shortened():
    assert len(fault_of({"status": 502, "raw": "x" * 100_000}).message) == 500


@pytest.mark.parametrize("size, kind", [(1_600_000, K.TOO_LARGE), (1_000_000, K.SERVER_ERROR)])
def test_an_unknown_error_is_laid_to_a_large_picture(size, kind):
    reference = Image(blob=STORE.blob(bytes(size)))
    call = Open(ImageRequest.of("sharper", MODEL, (reference,)))
    body = {"error": {"message": "Unknown error.", "type": "shell_api_error", "code": ""}}
    assert fault_of({"status": 500, "body": body}, call).kind is kind


# --- written ---------------------------------------------------------------------------------------------------------

WRITTEN = [
    (Fault(K.INVALID_REQUEST), 400, "INVALID_ARGUMENT"),
    (Fault(K.INVALID_REQUEST, status=501), 400, "INVALID_ARGUMENT"),
    (Fault(K.TOO_LARGE), 413, "INVALID_ARGUMENT"),
    (Fault(K.BAD_KEY), 400, "INVALID_ARGUMENT"),
    (Fault(K.BAD_KEY, status=401), 401, "UNAUTHENTICATED"),
    (Fault(K.FORBIDDEN), 403, "PERMISSION_DENIED"),
    (Fault(K.FORBIDDEN, status=400), 400, "FAILED_PRECONDITION"),
    (Fault(K.MODEL_NOT_FOUND, status=503), 404, "NOT_FOUND"),
    (Fault(K.RATE_LIMITED), 429, "RESOURCE_EXHAUSTED"),
    (Fault(K.NO_CREDIT, status=402), 429, "RESOURCE_EXHAUSTED"),
    (Fault(K.OVERLOADED), 503, "UNAVAILABLE"),
    (Fault(K.TIMEOUT), 504, "DEADLINE_EXCEEDED"),
    (Fault(K.CANCELLED), 499, "CANCELLED"),
    (Fault(K.SERVER_ERROR, status=502), 500, "INTERNAL"),
    (Fault(K.MALFORMED, status=200), 500, "INTERNAL"),
]


@pytest.mark.parametrize("fault, status, word", WRITTEN)
def test_an_error_is_said_as_google_says_it(fault, status, word):
    response = GEMINI.write_reply(fault, ask(stream=True))
    error = response.body["error"]
    assert (response.status, error["code"], error["status"], response.stream) == (status, status, word, False)
    assert error["message"]


def test_a_bad_key_has_the_details_that_clients_look_for():
    details = error_object(Fault(K.BAD_KEY, "API key expired.", reason="API_KEY_EXPIRED"))["details"]
    assert details[0]["reason"] == "API_KEY_EXPIRED"
    assert details[1]["message"] == "API key expired."


def test_a_quota_has_its_details():
    fault = Fault(K.DAY_QUOTA, scope=Scope.MODEL, retry_after_s=0.25, limit="PerDay", limit_value=0)
    details = {d["@type"].rpartition(".")[2]: d for d in error_object(fault, MODEL)["details"]}
    assert details["QuotaFailure"]["violations"] == [
        {"quotaId": "PerDay", "quotaDimensions": {"location": "global", "model": MODEL}, "quotaValue": "0"}
    ]
    assert details["RetryInfo"]["retryDelay"] == "0.25s"
    told = Fault(K.RATE_LIMITED, "Quota exceeded for metric: a.example/b, limit: 3", limit="PerMinute")
    assert error_object(told)["details"][1]["violations"] == [{"quotaId": "PerMinute", "quotaMetric": "a.example/b"}]


WAITS = [(0.25, "0.25s"), (41, "41s"), (0, "0s"), (1e15, "1000000000000000s"), (0.1 + 0.2, "0.3s"), (120.0, "120s")]


@pytest.mark.parametrize("wait_s, words", WAITS)
def test_a_wait_is_a_duration_of_protobuf(wait_s, words):
    details = error_object(Fault(K.OVERLOADED, retry_after_s=wait_s))["details"]
    assert details == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": words}]


def test_an_absurd_wait_can_be_passed_on():
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "9e30"}
    fault = fault_of({"status": 503, "body": {"error": {"code": 503, "details": [info]}}})
    assert resent(fault, ask()) == fault.having(message="overloaded", reason="UNAVAILABLE")


def test_an_unknown_name_is_a_violation_of_its_field():
    line = "Invalid JSON payload received. Unknown name \"n\" at 'generation_config': Cannot find field."
    details = error_object(Fault(K.INVALID_REQUEST, line))["details"]
    assert details[0]["fieldViolations"] == [{"field": "generation_config", "description": line}]


@pytest.mark.parametrize("kind", K)
@pytest.mark.parametrize("charged", Charged)
def test_every_kind_survives_the_way_through_another_cavendish(kind, charged):
    error = error_object(Fault(kind, charged=charged, reason="some_word"))
    again = read_google_error(error, error["code"])
    assert (again.kind, again.charged, again.reason) == (kind, charged, "some_word")
