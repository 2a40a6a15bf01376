"""Answers: wherever a picture hides it is found; refusals and errors; and how all of it is said."""

from dataclasses import replace

import pytest

from cavendish.dialects.openai_chat import OpenaiChatDialect
from cavendish.model.call import Done, Fetch, Later, Open, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.model.request import Image, ImageRequest, Text
from cavendish.model.usage import Usage
from cavendish.wire.message import WireResponse
from tests.dialects.openai_wire import STORE, pictured, told

from .cases import CHAT, TABLE

K = FaultKind
ANSWERS = ("images", "markdown", "both")
DEFAULTS = {"charged": "no", "scope": "call", "status": 200}
PNG = STORE.blob(b"\x89PNG\r\n\x1a\n" + bytes(40))


@TABLE.cases("pictures", "streams")
def test_a_picture_is_read(case):
    assert told(TABLE.reply_to(case)) == pictured(case["expect"])


@TABLE.cases("pictures", "streams")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answers", ["images", "both"])
def test_what_was_read_can_be_said_again(case, stream, answers):
    done = TABLE.done_of(case)
    again = TABLE.resent(done, TABLE.ask(case.get("n", 1), stream=stream), OpenaiChatDialect(answers=answers))
    assert {**told(again), "text": _bare(told(again))} == {
        **told(done),
        "text": _bare(told(done)),
        "finish": done.finish or "stop",
    }


def _bare(words):
    """Texts of one choice are one."""
    return "".join(words.get("text", "").split())


@TABLE.cases("refusals")
def test_a_refusal_is_read(case):
    assert told(TABLE.reply_to(case)) == {**DEFAULTS, **pictured(case["expect"])}


@TABLE.cases("refusals")
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_can_be_said_again(case, stream):
    fault = TABLE.fault_of(case)
    again = TABLE.resent(fault, TABLE.ask(stream=stream))
    kept = {name: value for name, value in told(fault).items() if name != "status"}
    assert {**told(again), "reason": "", "status": ""} == {**kept, "reason": "", "status": ""}
    assert told(again).get("reason") == fault.reason or not fault.reason


@TABLE.cases("errors")
def test_an_error_is_read(case):
    fault = TABLE.fault_of(case)
    expect = {"charged": "no", "scope": "call", "status": case["status"], **case["expect"]}
    assert {name: value for name, value in told(fault).items() if name != "message"} == expect


@TABLE.cases("errors")
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_that_is_passed_on_means_the_same(case, stream):
    fault = TABLE.fault_of(case)
    again = TABLE.resent(fault, TABLE.ask(stream=stream))
    kept = ("kind", "charged", "scope", "retry_after_s", "limit", "limit_value", "text", "usage")
    assert {name: getattr(again, name) for name in kept} == {name: getattr(fault, name) for name in kept}


# --- said ------------------------------------------------------------------------------------------------------------

DONE = Done(
    (Text("Planning", thought=True), Text("Here it is."), Image(uri="https://x.example/draft"), Image(blob=PNG)),
    (3,),
    Usage(input_tokens=5, output_image_tokens=1290, thought_tokens=7),
    finish="stop",
    answered_by="m",
    response_id="r-1",
)


def test_an_answer_as_openrouter_says_it():
    response = CHAT.write_reply(DONE, TABLE.ask())
    assert (response.status, response.stream) == (200, False)
    url = "data:image/png;base64," + STORE.text({"of": _spilled(PNG)})["of"]
    assert STORE.text(response.body) == {
        "id": "r-1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Here it is.",
                    "images": [
                        {"type": "image_url", "image_url": {"url": "https://x.example/draft"}, "index": 0},
                        {"type": "image_url", "image_url": {"url": url}, "index": 1},
                    ],
                    "reasoning": "Planning",
                },
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 1297,
            "total_tokens": 1302,
            "prompt_tokens_details": {"text_tokens": 5, "image_tokens": 0, "cached_tokens": 0},
            "completion_tokens_details": {"image_tokens": 1290, "text_tokens": 0, "reasoning_tokens": 7},
        },
    }


def _spilled(blob):
    from cavendish.wire.message import Spilled

    return Spilled((blob,))


@pytest.mark.parametrize("answers", ["markdown", "both"])
def test_an_answer_as_relays_say_it(answers):
    response = OpenaiChatDialect(answers=answers).write_reply(DONE, TABLE.ask())
    message = STORE.text(response.body)["choices"][0]["message"]
    assert message["content"].startswith(
        "Here it is.\n\n![image](https://x.example/draft)\n\n![image](data:image/png;base64,iVBORw0KGgo"
    )
    assert ("images" in message) is (answers == "both")


def test_a_stream_says_what_was_used_at_its_end():
    response = CHAT.write_reply(DONE, TABLE.ask(stream=True))
    assert response.stream
    *deltas, usage = STORE.text(response.body)
    assert {event["object"] for event in deltas} == {"chat.completion.chunk"}
    assert [sorted(event["choices"][0]["delta"]) for event in deltas] == [
        ["content", "reasoning", "role"],
        ["content", "role"],
        ["content", "role"],
        ["content", "images", "role"],
        ["content", "images", "role"],
        [],
    ]
    assert deltas[-1]["choices"][0]["finish_reason"] == "stop"
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 1302)


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("stream", [False, True])
def test_pictures_come_back_from_wherever_they_are_put(answers, stream):
    again = TABLE.resent(DONE, TABLE.ask(stream=stream), OpenaiChatDialect(answers=answers))
    assert isinstance(again, Done)
    assert [picture.blob for picture in again.pictures] == [PNG]
    assert again.usage == DONE.usage


def test_each_picture_is_a_choice_and_so_is_each_that_is_missing():
    missing = Fault(K.SERVER_ERROR, "upset", charged=Charged.NO, status=200)
    done = replace(DONE, finals=(2, 3), shortfall=(missing,))
    response = CHAT.write_reply(done, TABLE.ask(3))
    assert [choice["finish_reason"] for choice in response.body["choices"]] == ["stop", "stop", "error"]
    again = TABLE.resent(done, TABLE.ask(3))
    assert isinstance(again, Done)
    assert (len(again.pictures), again.shortfall[0].kind, again.shortfall[0].charged) == (2, K.SERVER_ERROR, "no")


def test_a_finish_word_that_would_withhold_the_picture_is_not_said():
    again = TABLE.resent(replace(DONE, finish="IMAGE_SAFETY"), TABLE.ask())
    assert isinstance(again, Done)
    assert again.finish == "stop"


FINISHES = {
    K.TEXT_ONLY: "stop",
    K.NO_IMAGE: "stop",
    K.IMAGE_OTHER: "stop",
    K.IMAGE_SAFETY: "content_filter",
    K.PROHIBITED: "content_filter",
    K.MAX_TOKENS: "length",
}


@pytest.mark.parametrize("kind", FINISHES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_has_status_200_and_its_finish_word(kind, stream):
    response = CHAT.write_reply(Fault(kind), TABLE.ask(stream=stream))
    assert response.status == 200
    choice = (response.body[-1] if stream else response.body)["choices"][0]
    assert choice["finish_reason"] == FINISHES[kind]


def test_a_blocked_prompt_is_an_error():
    assert CHAT.write_reply(Fault(K.PROMPT_BLOCKED), TABLE.ask()).status == 400


@pytest.mark.parametrize("kind", K)
@pytest.mark.parametrize("charged", Charged)
@pytest.mark.parametrize("stream", [False, True])
def test_every_kind_survives_the_way_through_another_cavendish(kind, charged, stream):
    fault = Fault(kind, "no", charged, Scope.ENDPOINT, reason="some_word", limit="a", limit_value=3, text="I would not")
    again = TABLE.resent(fault, TABLE.ask(stream=stream))
    assert isinstance(again, Fault)
    assert again.having(status=0) == fault


# --- what is delivered -----------------------------------------------------------------------------------------------


def test_the_picture_itself_may_be_the_answer():
    done = CHAT.read_reply(WireResponse(200, binary=PNG), TABLE.ask())
    assert done == Done((Image(blob=PNG, media_type="image/png"),), (0,))
    assert isinstance(CHAT.read_reply(WireResponse(200, binary=PNG, cut=True), TABLE.ask()), Fault)


@pytest.mark.parametrize("size, kind", [(1_600_000, K.TOO_LARGE), (1_000_000, K.SERVER_ERROR)])
@pytest.mark.parametrize("status", [200, 500])
def test_an_unknown_error_is_laid_to_a_large_picture(size, kind, status):
    call = Open(ImageRequest.of("sharper", "m", (Image(blob=STORE.blob(bytes(size))),)))
    body = {"error": {"message": "Unknown error.", "type": "shell_api_error", "code": ""}}
    assert TABLE.fault_of({"status": status, "body": body}, call).kind is kind


def test_an_answer_that_names_no_picture_is_a_refusal():
    again = TABLE.resent(Done((Text("Nothing."),), ()), TABLE.ask())
    assert isinstance(again, Fault)
    assert (again.kind, again.text) == (K.TEXT_ONLY, "Nothing.")


def test_a_job_that_goes_on_cannot_be_asked_for_again():
    fault = TABLE.resent(Later(Ticket("1"), 5), TABLE.ask())
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.charged) == (K.JOB_EXPIRED, Charged.UNKNOWN)


def test_a_picture_is_fetched_by_its_address():
    fetch = Fetch("https://cdn.example/1.png")
    done = Done((Image(blob=PNG, media_type="image/png"),), (0,))
    assert TABLE.resent(done, fetch) == done
    gone = TABLE.resent(Fault(K.JOB_EXPIRED, "expired", status=403), fetch)
    assert isinstance(gone, Fault)
    assert (gone.kind, gone.status) == (K.JOB_EXPIRED, 403)
