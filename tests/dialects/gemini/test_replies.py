"""Answers with pictures: which one is delivered, what came besides, what was counted."""

import pybase64
import pytest

from cavendish.dialects.gemini.parts import write_part
from cavendish.model.blob import Blob
from cavendish.model.call import Done, Later, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, Text
from cavendish.wire.message import WireResponse

from .cases import GEMINI, STORE, ask, cases, done_of, fault_of, pictured, reply_to, resent, told


@cases("pictures")
def test_a_picture_is_read(case):
    assert told(reply_to(case)) == pictured(case["expect"])


@cases("pictures")
@pytest.mark.parametrize("stream", [False, True])
def test_what_was_read_can_be_said_again(case, stream):
    done = done_of(case)
    again = resent(done, ask(case.get("n", 1), stream=stream))
    assert told(again) == {**told(done), "finish": done.finish or "STOP"}  # a gateway always says how it ended


@cases("refusals")
def test_a_refusal_is_read(case):
    assert told(reply_to(case)) == {"status": 200, "charged": "no", "scope": "call", **pictured(case["expect"])}


@cases("refusals")
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_can_be_said_again(case, stream):
    fault = fault_of(case)
    assert told(resent(fault, ask(stream=stream))) == {**told(fault), "reason": fault.reason or case["said"]}


# --- every word that Google has for the end of an answer -------------------------------------------------------------

FINISHES = {
    "STOP": "no_image",
    "FINISH_REASON_UNSPECIFIED": "no_image",
    "NO_IMAGE": "no_image",
    "CONTINUATION": "no_image",
    "A_NEW_WORD": "no_image",
    "IMAGE_OTHER": "image_other",
    "OTHER": "image_other",
    "IMAGE_SAFETY": "image_safety",
    "IMAGE_PROHIBITED_CONTENT": "prohibited",
    "PROHIBITED_CONTENT": "prohibited",
    "SAFETY": "prohibited",
    "RECITATION": "prohibited",
    "IMAGE_RECITATION": "prohibited",
    "BLOCKLIST": "prohibited",
    "SPII": "prohibited",
    "MODEL_ARMOR": "prohibited",
    "ESCALATION": "prohibited",
    "PUP_LIMITED_DISABLED": "prohibited",
    "LANGUAGE": "invalid_request",
    "MAX_TOKENS": "max_tokens",
    "MISSING_THOUGHT_SIGNATURE": "lost_signature",
    "MALFORMED_FUNCTION_CALL": "malformed",
    "MALFORMED_RESPONSE": "malformed",
    "UNEXPECTED_TOOL_CALL": "malformed",
    "TOO_MANY_TOOL_CALLS": "malformed",
}
"""google-genai 3.4.0, FinishReason."""
WITHHELD = {"image_other", "image_safety", "prohibited", "no_image"}
BLOCKS = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK")


def candidate(finish, *parts):
    return {"body": {"candidates": [{"content": {"parts": list(parts)}, "finishReason": finish}]}}


@pytest.mark.parametrize("finish", FINISHES)
def test_an_answer_without_a_picture_ends_with(finish):
    fault = fault_of(candidate(finish))
    assert (fault.kind, fault.reason, fault.status) == (FINISHES[finish], finish, 200)
    assert fault_of(candidate(finish.lower())) == fault
    said = "NO_IMAGE" if finish in {"A_NEW_WORD", "FINISH_REASON_UNSPECIFIED"} else finish
    assert resent(fault, ask()) == fault.having(reason=said)


@pytest.mark.parametrize("finish", FINISHES)
def test_a_picture_counts_unless_it_was_withheld(finish):
    withheld = FINISHES[finish] in WITHHELD and finish not in {
        "STOP", "OTHER", "CONTINUATION", "FINISH_REASON_UNSPECIFIED", "A_NEW_WORD",
    }  # fmt: skip
    reply = reply_to(candidate(finish, {"inlineData": {"data": "/9j/4AAA"}}))
    assert isinstance(reply, Fault if withheld else Done)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_blocked_prompt_says_why(block, stream):
    fault = fault_of({"body": {"promptFeedback": {"blockReason": block}}})
    assert fault == Fault(FaultKind.PROMPT_BLOCKED, reason=block, status=200)
    assert resent(fault, ask(stream=stream)) == fault


def test_an_unspecified_block_is_none():
    assert fault_of({"body": {"promptFeedback": {"blockReason": "BLOCKED_REASON_UNSPECIFIED"}}}).kind == "no_image"


# --- bytes -----------------------------------------------------------------------------------------------------------


def test_the_bytes_say_what_a_picture_is():
    (picture,) = done_of(candidate("STOP", {"inlineData": {"mimeType": "image/png", "data": "/9j/4AAA"}})).pictures
    assert picture.blob is not None
    assert (picture.media_type, picture.blob.media_type) == ("image/png", "image/jpeg")


@pytest.mark.parametrize("encode", [pybase64.b64encode, pybase64.urlsafe_b64encode])
def test_a_signature_larger_than_its_picture_is_set_aside_and_goes_back(encode):
    signature = bytes(range(256)) * 20
    part = {"inlineData": {"data": "/9j/4AAA"}, "thoughtSignature": encode(signature).decode()}
    (picture,) = done_of(candidate("STOP", part)).pictures
    assert isinstance(picture.signature, Blob)
    assert STORE.data[picture.signature.sha256] == signature
    assert STORE.text(write_part(picture)["thoughtSignature"]) == pybase64.b64encode(signature).decode()


def test_a_relay_may_answer_with_the_picture_itself():
    response = WireResponse(200, binary=STORE.blob(b"\x89PNG\r\n\x1a\n"))
    done = GEMINI.read_reply(response, ask())
    assert isinstance(done, Done)
    assert done.pictures == (Image(blob=response.binary, media_type="image/png"),)
    assert isinstance(GEMINI.read_reply(WireResponse(200, binary=response.binary, cut=True), ask()), Fault)


def test_base64_of_no_picture_among_words_is_none():
    words = "Here: data:text/plain;base64," + "QUJD" * 300 + " and " + "data:;base64," + "QUJD" * 300
    assert isinstance(reply_to(candidate("STOP", {"text": words})), Fault)


# --- what a gateway has to say that Google has no words for ----------------------------------------------------------


def test_a_draft_after_the_final_picture_goes_before_it():
    final, draft = Image(uri="https://x.example/final"), Image(uri="https://x.example/draft")
    again = resent(Done((final, Text("There."), draft), (0,)), ask())
    assert isinstance(again, Done)
    assert (again.pictures, again.parts) == ((final,), (draft, final, Text("There.")))


def test_a_finish_word_that_would_withhold_the_picture_is_not_said():
    again = resent(Done((Image(uri="https://x.example/1"),), (0,), finish="IMAGE_SAFETY"), ask())
    assert isinstance(again, Done)
    assert again.finish == "STOP"


def test_an_answer_that_names_no_final_picture_can_be_said():
    again = resent(Done((Text("Nothing."),), ()), ask())
    assert isinstance(again, Fault)
    assert (again.kind, again.text) == (FaultKind.TEXT_ONLY, "Nothing.")


def test_a_job_that_goes_on_cannot_be_asked_for_again():
    fault = resent(Later(Ticket("1"), 5), ask())
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.charged) == (FaultKind.JOB_EXPIRED, Charged.UNKNOWN)
