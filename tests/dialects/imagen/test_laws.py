"""Laws of the Imagen dialect: what is written is read, nothing raises, what is not known changes nothing."""

import copy
import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cavendish.dialects.imagen import ImagenDialect
from cavendish.dialects.imagen.reply import FILTERED
from cavendish.model.call import Done
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.usage import Usage
from cavendish.wire.last_turn import one_turn, prompt_of
from cavendish.wire.message import Headers
from tests import strategies
from tests.dialects.exchange import (
    STATUSES,
    Wire,
    arrived,
    ask,
    call_of,
    containers,
    json_of_sorts,
    mutated,
    sayable,
    spilled_or_none,
    told,
    weighty,
)

IMAGEN = Wire(ImagenDialect())
MOST = 4

extras = st.fixed_dictionaries(
    {},
    optional={
        "personGeneration": st.sampled_from(["allow_adult", "dont_allow"]),
        "includeRaiReason": st.just(False),
        "guidanceScale": st.floats(0, 10),
        "outputOptions": st.just({"compressionQuality": 80}),
        "negativePrompt": st.text(max_size=9),
        "labels": st.just({"team": "a"}),
        "unheard": st.integers(),
    },
)
dialects = st.builds(
    ImagenDialect, version=st.sampled_from(["v1", "v1beta", ""]), surface=st.sampled_from(["developer", "vertex"])
)


@given(dialect=dialects, call=strategies.opens(extras))
def test_a_call_that_is_written_is_read(dialect, call):
    said = sayable(dialect, call, "system")
    turns = one_turn(prompt_of(call.request), ())
    model = call.request.model.removeprefix("models/")
    again = Wire(dialect).asked_again(call)
    if call.request.n > MOST or not call.request.prompt:
        assert isinstance(again, Fault)
        assert again.kind is FaultKind.INVALID_REQUEST
    else:
        assert again == replace(said, request=said.request.having(turns=turns, model=model), stream=False)


refusals = st.builds(
    lambda code: Fault(
        FaultKind.IMAGE_SAFETY, f"Filtered. Support codes: {code}", Charged.UNKNOWN, reason=str(code), status=200
    ),
    st.integers(10**7, 10**8 - 1),
)


@given(
    images=st.lists(strategies.images(thought=False), min_size=1, max_size=4).map(lambda i: tuple(map(weighty, i))),
    refused=st.lists(refusals, max_size=2).map(tuple),
    model=st.text(max_size=9),
)
def test_an_answer_that_is_written_is_read(images, refused, model):
    usage = Usage(images=len(images))
    done = Done(images, tuple(range(len(images))), usage, answered_by=model, shortfall=refused)
    assert IMAGEN.resent(done, ask(len(images) + len(refused))) == done


@given(fault=strategies.faults)
def test_a_fault_that_is_written_is_read(fault):
    again = IMAGEN.resent(fault, ask())
    assert isinstance(again, Fault)
    kept = ("kind", "charged", "scope", "retry_after_s", "limit", "limit_value")
    assert {name: getattr(again, name) for name in kept} == {name: getattr(fault, name) for name in kept}
    assert again.message == fault.message or not fault.message
    assert again.reason == fault.reason or not fault.reason
    if fault.kind in FILTERED and fault.retry_after_s is None:
        assert (again.usage, again.text) == (fault.usage, fault.text)


# --- strangers -------------------------------------------------------------------------------------------------------

NAMES = (
    "predictions", "mimeType", "bytesBase64Encoded", "raiFilteredReason", "safetyAttributes", "gcsUri",
    "model", "error", "code", "status", "message", "details", "@type", "reason", "domain", "metadata", "cavendish",
    "kind", "charged",
    "instances", "prompt", "parameters", "sampleCount", "aspectRatio", "sampleImageSize", "outputOptions", "seed",
    "includeRaiReason", "labels", "compressionQuality",
)  # fmt: skip
WORDS = (
    "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "Support codes: 1", "The prompt could not be submitted", "gs://a/b",
    "image/png", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB", "cavendish", "no_credit", "429", "1e400", "API key not valid",
    "type.googleapis.com/google.rpc.ErrorInfo",
)  # fmt: skip
others = json_of_sorts(NAMES, WORDS)
replies = [case for name in ("pictures", "errors") for case in IMAGEN.load(name) if "raw" not in case]
bodies = [case["body"] for case in replies]
requests = [case["body"] for name in ("requests", "refused_requests") for case in IMAGEN.load(name)]
calls = st.builds(ask, st.integers(-1, 5))


@given(body=others | mutated(bodies, others), status=st.sampled_from(STATUSES), call=calls, cut=st.booleans())
def test_any_json_is_an_answer(body, status, call, cut):
    IMAGEN.check_reading(arrived(json.dumps(body).encode(), status, cut=cut), call)


@given(body=st.binary(max_size=600), status=st.integers(100, 999), wait=st.text(max_size=20), call=calls)
def test_any_bytes_are_an_answer(body, status, wait, call):
    headers = Headers((("Retry-After", wait), ("Date", wait), ("retry-after-ms", wait)))
    IMAGEN.check_reading(arrived(body, status, headers), call)


paths = st.sampled_from(["/v1beta/models/m:predict", "/v1/publishers/google/models/m:predict"]) | st.text(max_size=30)


@given(body=others | mutated(requests, others), path=paths, method=st.sampled_from(["POST", "GET", "PUT"]))
def test_any_request_is_read_and_can_be_sent_on(body, path, method):
    if request := spilled_or_none(method, path, body):
        IMAGEN.check_asking(request)


@given(case=st.sampled_from([case for case in replies if case["body"] != {}]), data=st.data())
def test_unknown_members_change_nothing(case, data):
    changed = copy.deepcopy(case)
    holders = [entry for entry in containers(changed["body"]) if isinstance(entry, dict)]
    for holder in data.draw(st.lists(st.sampled_from(holders), max_size=4)):
        holder[data.draw(st.sampled_from(["unheardOf", "x-new", "0"]))] = data.draw(others)
    assert told(IMAGEN.reply_to(changed, call_of(case))) == told(IMAGEN.reply_to(case))
