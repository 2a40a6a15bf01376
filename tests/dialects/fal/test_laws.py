"""Laws of the fal dialect: what is written is read, nothing that is read raises, what is not known changes nothing."""

import copy
import json
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from cavendish.dialects.fal import FalDialect
from cavendish.dialects.fal.result import NSFW
from cavendish.model.call import Cancel, Done, Fetch, Later, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, Text, Use
from cavendish.model.usage import Usage
from cavendish.wire.last_turn import one_turn, picture_for, pictures_of, prompt_of
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
    with_weight,
)

FAL = Wire(FalDialect(edits=("fal-ai/nano-banana-2", "a")))
MOST = 4

extras = st.fixed_dictionaries(
    {},
    optional={
        "safety_tolerance": st.sampled_from(["1", "6"]),
        "sync_mode": st.booleans(),
        "guidance_scale": st.floats(0, 10),
        "unheard": st.integers(),
    },
)


@given(call=strategies.opens(extras))
def test_a_call_that_is_written_is_read(call):
    weighed = with_weight(call)
    request = weighed.request
    mask = picture_for(request, Use.MASK)
    turns = one_turn(prompt_of(request), [*pictures_of(request), *([replace(mask, use=Use.MASK)] if mask else [])])
    said = sayable(FAL.dialect, weighed, "system")
    again = FAL.asked_again(weighed)
    if request.n > MOST:
        assert isinstance(again, Fault)
        assert "num_images" in again.message
    else:
        assert again == replace(said, request=said.request.having(turns=turns), stream=False)


tickets = st.builds(
    lambda identity: Ticket(identity, f"https://queue.fal.run/a/b/requests/{identity}/status"),
    st.text(st.sampled_from("0aZ-"), min_size=1, max_size=9),
)


@given(ticket=tickets, waits=st.integers(1, 10**6))
def test_a_request_that_is_written_is_read(ticket, waits):
    later = Later(ticket, waits / 1000)
    assert FAL.resent(later, ask()) == later
    assert FAL.resent(later, Poll(ticket)) == later
    assert FAL.asked_again(Cancel(ticket)) == Cancel(ticket)


black = Fault(
    FaultKind.IMAGE_SAFETY,
    "the picture was blacked out by the safety checker",
    Charged.UNKNOWN,
    reason=NSFW,
    status=200,
)


@given(
    images=st.lists(strategies.images(thought=False).map(weighty), min_size=1, max_size=4),
    refused=st.integers(0, 2),
    said=st.text(max_size=9),
    queued=st.booleans(),
)
def test_a_result_that_is_written_is_read(images, refused, said, queued):
    count = len(images)
    parts = (*images, *((Text(said),) if said else ()))
    done = Done(
        parts, tuple(range(count)), Usage(images=count + refused), response_id="r", shortfall=(black,) * refused
    )
    ended = Poll(Ticket("1", "https://q.example/a/requests/1/status", {"completed": True}))
    assert FAL.resent(done, ended if queued else ask(count + refused)) == done


@given(fault=strategies.faults, ended=st.booleans(), poll=st.booleans())
def test_a_fault_that_is_written_is_read(fault, ended, poll):
    assume(not poll or fault.kind is not FaultKind.MODEL_NOT_FOUND)  # a request that was taken had its model
    ticket = Ticket("1", "https://q.example/a/requests/1/status", {"completed": True} if ended else {})
    again = FAL.resent(fault, Poll(ticket) if poll else ask())
    assert isinstance(again, Fault)
    unsaid = {"status": 0, "reason": fault.reason or again.reason, "message": ""}
    assert again.having(**unsaid) == fault.having(**unsaid)
    assert fault.message in again.message


# --- strangers -------------------------------------------------------------------------------------------------------

NAMES = (
    "status", "request_id", "status_url", "response_url", "cancel_url", "error", "error_type", "detail", "loc", "msg",
    "type", "images", "image", "url", "content_type", "has_nsfw_concepts", "description", "cavendish", "kind", "scope",
    "prompt", "num_images", "image_size", "width", "height", "resolution", "image_urls", "mask_url", "seed", "raw",
)  # fmt: skip
WORDS = (
    "IN_QUEUE", "IN_PROGRESS", "COMPLETED", "OK", "ALREADY_COMPLETED", "runner_disconnected", "body", "prompt",
    "https://x.example", "content_policy_violation", "Request is still in progress",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB",
    "square_hd", "0.5K", "model_not_found", "cancelled", "Exhausted balance", "1e400",
)  # fmt: skip
others = json_of_sorts(NAMES, WORDS)
replies = [case for name in ("queue", "pictures", "errors") for case in FAL.load(name) if "raw" not in case]
bodies = [case["body"] for case in replies]
requests = [case["body"] for name in ("requests", "refused_requests") for case in FAL.load(name)]
ticket_ = Ticket("1", "https://q.example/a/requests/1/status")
calls = st.sampled_from(
    [
        ask(),
        ask(3),
        Poll(Ticket("1")),
        Poll(ticket_),
        Poll(replace(ticket_, data={"completed": True})),
        Cancel(ticket_),
        Fetch("https://x.example"),
    ]
)


@given(body=others | mutated(bodies, others), status=st.sampled_from(STATUSES), call=calls, cut=st.booleans())
def test_any_json_is_an_answer(body, status, call, cut):
    FAL.check_reading(arrived(json.dumps(body).encode(), status, cut=cut), call)


@given(body=st.binary(max_size=600), status=st.integers(100, 999), wait=st.text(max_size=20), call=calls)
def test_any_bytes_are_an_answer(body, status, wait, call):
    named = [(name, wait) for name in ("Retry-After", "Date", "retry-after-ms", "X-Fal-Error-Type", "X-Fal-Retryable")]
    FAL.check_reading(arrived(body, status, Headers(tuple(named))), call)


paths = st.sampled_from(["/fal-ai/flux-pro/v1.1", "/a/edit", "/a/requests/1/cancel"]) | st.text(max_size=30)


@given(body=others | mutated(requests, others), path=paths, method=st.sampled_from(["POST", "GET", "PUT"]))
def test_any_request_is_read_and_can_be_sent_on(body, path, method):
    if request := spilled_or_none(method, path, body):
        FAL.check_asking(request)


@given(case=st.sampled_from(replies), data=st.data())
def test_unknown_members_change_nothing(case, data):
    changed = copy.deepcopy(case)
    holders = [entry for entry in containers(changed["body"]) if isinstance(entry, dict)]
    for holder in data.draw(st.lists(st.sampled_from(holders), max_size=4)):
        holder[data.draw(st.sampled_from(["unheardOf", "x-new", "0"]))] = data.draw(others)
    assert told(FAL.reply_to(changed, call_of(case))) == told(FAL.reply_to(case))


def test_a_picture_with_a_type_of_its_own_is_an_address_all_the_same():
    image = Image(uri="https://x.example/1", media_type="image/webp")
    assert FAL.resent(Done((image,), (0,), Usage(images=1)), ask()) == Done((image,), (0,), Usage(images=1))
