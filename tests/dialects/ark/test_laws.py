"""Laws of the Ark dialect: what is written is read, nothing that is read raises, what is not known changes nothing."""

import copy
import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cavendish.dialects.ark import ArkDialect
from cavendish.model.call import Done
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.usage import Usage
from cavendish.wire.message import Headers
from tests import strategies
from tests.dialects.exchange import (
    STATUSES,
    Wire,
    arrived,
    as_events,
    ask,
    containers,
    json_of_sorts,
    mutated,
    sayable,
    spilled_or_none,
    told,
    weighty,
    with_weight,
)

ARK = Wire(ArkDialect())

extras = st.fixed_dictionaries(
    {},
    optional={
        "watermark": st.just(True),
        "optimize_prompt_options": st.just({"mode": "fast"}),
        "background": st.sampled_from(["opaque", "transparent"]),
        "tools": st.just([{"type": "another"}]),
        "guidance_scale": st.floats(0, 10),
        "unheard": st.integers(),
    },
)
dialects = st.builds(ArkDialect, response_format=st.sampled_from(["b64_json", "url"]))


@given(dialect=dialects, call=strategies.opens(extras))
def test_a_call_that_is_written_is_read(dialect, call):
    said = sayable(dialect, with_weight(call), "system", "aspect_ratio")
    again = Wire(dialect).asked_again(with_weight(call))
    if not said.request.prompt:
        assert isinstance(again, Fault)
    elif "grounding" in {notice.field for notice in dialect.unsupported(call)}:
        web = ("web",) if "web" in call.request.grounding else ()
        assert again == replace(said, request=said.request.having(grounding=web))
    else:
        assert again == said


refusals = st.builds(
    lambda code, message: Fault(FaultKind.IMAGE_SAFETY, message, reason=code, status=200),
    st.sampled_from(["OutputImageSensitiveContentDetected", "OutputImageRiskDetection"]),
    st.text(max_size=20),
)
pictures = st.lists(strategies.images(thought=False).map(weighty), min_size=1, max_size=5).map(tuple)


@given(
    images=pictures,
    refused=st.lists(refusals, max_size=2).map(tuple),
    counted=st.builds(Usage, strategies.tokens, output_image_tokens=strategies.tokens, searches=st.integers(0, 3)),
    model=st.text(min_size=1, max_size=9),
    stream=st.booleans(),
)
def test_an_answer_that_is_written_is_read(images, refused, counted, model, stream):
    finals = tuple(range(len(images)))
    usage = replace(counted, images=len(images))
    done = Done(images, finals, usage, answered_by=model, response_id="r-1", shortfall=refused)
    assert ARK.resent(done, ask(len(images) + len(refused), stream=stream)) == done


@given(fault=strategies.faults, stream=st.booleans())
def test_a_fault_that_is_written_is_read(fault, stream):
    again = ARK.resent(fault, ask(stream=stream))
    assert isinstance(again, Fault)
    assert again.having(status=fault.status, reason=fault.reason or again.reason) == fault.having(
        reason=fault.reason or again.reason
    )


# --- strangers -------------------------------------------------------------------------------------------------------

NAMES = (
    "data", "url", "b64_json", "size", "error", "code", "message", "type", "param", "usage", "generated_images",
    "output_tokens", "total_tokens", "tool_usage", "web_search", "model", "created", "image_index", "cavendish", "kind",
    "charged", "scope", "limitValue", "retry_after_s", "prompt", "image", "sequential_image_generation",
    "sequential_image_generation_options", "max_images", "stream", "watermark", "tools", "seed", "response_format",
)  # fmt: skip
WORDS = (
    "image_generation.partial_succeeded", "image_generation.partial_failed", "image_generation.completed", "auto",
    "OutputImageSensitiveContentDetected", "ServerOverloaded", "InvalidParameter.", "no_credit", "yes", "https://x.example",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB", "data:image/png;base64,AAAA", "1e400", "web_search",
)  # fmt: skip
others = json_of_sorts(NAMES, WORDS)
replies = [case for name in ("pictures", "streams", "errors") for case in ARK.load(name) if "raw" not in case]
bodies = [case.get("body", case.get("events")) for case in replies]
requests = [case["body"] for name in ("requests", "refused_requests") for case in ARK.load(name)]
calls = st.builds(ask, st.integers(-1, 5), stream=st.booleans())


@given(body=others | mutated(bodies, others), status=st.sampled_from(STATUSES), call=calls, cut=st.booleans())
def test_any_json_is_an_answer(body, status, call, cut):
    data = as_events(body) if call.stream and isinstance(body, list) else json.dumps(body).encode()
    ARK.check_reading(arrived(data, status, cut=cut), call)


@given(body=st.binary(max_size=600), status=st.integers(100, 999), wait=st.text(max_size=20), call=calls)
def test_any_bytes_are_an_answer(body, status, wait, call):
    headers = Headers((("Retry-After", wait), ("Date", wait), ("retry-after-ms", wait)))
    ARK.check_reading(arrived(body, status, headers), call)


paths = st.sampled_from(["/images/generations", "/api/v3/images/generations"]) | st.text(max_size=30)


@given(body=others | mutated(requests, others), path=paths, method=st.sampled_from(["POST", "GET", "PUT"]))
def test_any_request_is_read_and_can_be_sent_on(body, path, method):
    if request := spilled_or_none(method, path, body):
        ARK.check_asking(request)


@given(case=st.sampled_from(replies), data=st.data())
def test_unknown_members_change_nothing(case, data):
    changed = copy.deepcopy(case)
    holders = [entry for entry in containers(changed.get("body", changed.get("events"))) if isinstance(entry, dict)]
    for holder in data.draw(st.lists(st.sampled_from(holders), max_size=4)):
        holder[data.draw(st.sampled_from(["unheardOf", "x-new", "0"]))] = data.draw(others)
    assert told(ARK.reply_to(changed)) == told(ARK.reply_to(case))
