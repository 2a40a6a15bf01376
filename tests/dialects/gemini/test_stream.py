"""Streams: events put together, answers taken apart."""

import pytest

from cavendish.model.call import Done
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, Text
from cavendish.model.usage import Usage
from cavendish.wire.message import Spilled

from .cases import GEMINI, STORE, ask, cases, done_of, events, pictured, reply_to, told

PICTURE = STORE.blob(b"\xff\xd8\xff\xe0a", "image/jpeg")


@cases("streams")
def test_a_stream_is_read(case):
    found = told(reply_to(case))
    if "kind" in case["expect"]:
        found.pop("message", None)
        assert found == {"status": 200, "charged": "no", "scope": "call", **case["expect"]}
    else:
        assert found == pictured(case["expect"])


def written(reply):
    response = GEMINI.write_reply(reply, ask(stream=True))
    assert (response.status, response.stream) == (200, True)
    return response.body


def test_a_picture_is_one_event_and_words_are_two():
    done = Done(
        parts=(Text("Hm.", thought=True), Text("Here", signature="QUFB"), Image(blob=PICTURE)),
        finals=(2,),
        usage=Usage(input_tokens=4, output_image_tokens=1120),
        answered_by="m",
        response_id="r",
    )
    body = written(done)
    assert [event["candidates"][0].get("content", {}).get("parts") for event in body] == [
        [{"text": "H", "thought": True}],
        [{"text": "m.", "thought": True}, {"text": "Here", "thoughtSignature": "QUFB"}],
        [{"inlineData": {"mimeType": "image/jpeg", "data": Spilled((PICTURE,))}}],
        None,
    ]
    assert all((event["modelVersion"], event["responseId"]) == ("m", "r") for event in body)
    assert ["usageMetadata" in event for event in body] == [False, False, False, True]
    assert body[-1]["candidates"] == [{"finishReason": "STOP", "index": 0}]


@pytest.mark.parametrize("kind", [FaultKind.PROMPT_BLOCKED, FaultKind.IMAGE_SAFETY, FaultKind.TEXT_ONLY])
def test_a_refusal_is_one_event(kind):
    assert len(written(Fault(kind))) == 1


def test_the_last_usage_counts_and_an_empty_one_does_not():
    first = {"promptTokenCount": 1, "candidatesTokenCount": 1120}
    picture = {"content": {"parts": [{"inlineData": {"data": "/9j/4AAA"}}]}}
    values = [{"candidates": [picture], "usageMetadata": first}, {"usageMetadata": {}}]
    assert done_of({"raw": events(values).decode()}).usage == Usage(input_tokens=1, output_image_tokens=1120)
