"""Laws of the dialect of Black Forest Labs: what is written is read, nothing that is read raises."""

import copy
import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cavendish.dialects.bfl import BflDialect
from cavendish.model.call import Done, Fetch, Later, Poll, Ticket
from cavendish.model.fault import Fault
from cavendish.model.request import Role, Turn, Use
from cavendish.model.usage import Usage
from cavendish.wire.last_turn import picture_for, pictures_of
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

BFL = Wire(BflDialect())

extras = st.fixed_dictionaries(
    {},
    optional={
        "safety_tolerance": st.integers(0, 6),
        "raw": st.booleans(),
        "steps": st.integers(1, 50),
        "top": st.integers(0, 2048),
        "unheard": st.integers(),
    },
)


def in_places(call):
    """The pictures in the order of their places: references, the one for style, the mask."""
    request = call.request
    styles = [image for image in request.references if image.use is Use.STYLE]
    style = picture_for(request, Use.STYLE) if len(styles) == 1 else None
    mask = picture_for(request, Use.MASK)
    pictures = list(pictures_of(request, *((Use.STYLE,) if style else ())))
    pictures += [replace(style, use=Use.STYLE)] if style else []
    pictures += [replace(mask, use=Use.MASK)] if mask else []
    words = sayable(BFL.dialect, call, "system").request.turns[0].parts[-1:] if request.prompt else ()
    return (Turn(Role.USER, (*pictures, *words)),)


@given(call=strategies.opens(extras))
def test_a_call_that_is_written_is_read(call):
    weighed = with_weight(call)
    said = sayable(BFL.dialect, weighed, "system", "n")
    again = BFL.asked_again(weighed)
    # A border, or a mask, needs something that it is the border or the mask of.
    assert again == replace(said, request=said.request.having(turns=in_places(weighed)), stream=False)


tickets = st.builds(
    lambda identity, cost: Ticket(identity, "https://api.bfl.ai/v1/get_result?id=1", {"cost": cost / 100}),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=9),
    st.integers(0, 10_000),
)


@given(ticket=tickets, waits=st.integers(0, 10**6))
def test_a_task_that_is_written_is_read(ticket, waits):
    usage = Usage(cost_nusd=round(ticket.data["cost"] * 10**7))
    later = Later(ticket, waits / 1000, usage)
    assert BFL.resent(later, ask()) == later
    assert BFL.resent(later, Poll(ticket)) == later


@given(ticket=tickets, image=strategies.images(thought=False).map(weighty))
def test_a_picture_that_is_written_is_read(ticket, image):
    usage = Usage(images=1, cost_nusd=round(ticket.data["cost"] * 10**7))
    done = Done((image,), (0,), usage, finish="Ready", response_id=ticket.id)
    assert BFL.resent(done, Poll(ticket)) == done


@given(fault=strategies.faults, poll=st.booleans())
def test_a_fault_that_is_written_is_read(fault, poll):
    again = BFL.resent(fault, Poll(Ticket("1")) if poll else ask())
    assert isinstance(again, Fault)
    unsaid = {"status": 0, "reason": fault.reason or again.reason, "message": fault.message or again.message}
    assert again.having(**unsaid) == fault.having(**unsaid)


# --- strangers -------------------------------------------------------------------------------------------------------

NAMES = (
    "id", "polling_url", "cost", "status", "state", "result", "sample", "progress", "details", "detail", "loc", "msg",
    "type", "message", "error", "cavendish", "kind", "charged", "prompt", "width", "height", "image", "mask",
    "input_image", "input_image_2", "image_prompt", "top", "seed", "aspect_ratio", "output_format", "webhook_url",
)  # fmt: skip
WORDS = (
    "Pending", "Ready", "Error", "Request Moderated", "Content Moderated", "Task not found", "completed", "body",
    "https://x.example", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB", "1e400", "prompt_blocked", "yes", "24 active tasks",
)  # fmt: skip
others = json_of_sorts(NAMES, WORDS)
replies = [case for name in ("tasks", "pictures", "errors") for case in BFL.load(name) if "raw" not in case]
bodies = [case["body"] for case in replies]
requests = [case["body"] for name in ("requests", "refused_requests") for case in BFL.load(name)]
calls = st.sampled_from([ask(), Poll(Ticket("1")), Poll(Ticket("1", data={"cost": "x"})), Fetch("https://x.example")])


@given(body=others | mutated(bodies, others), status=st.sampled_from(STATUSES), call=calls, cut=st.booleans())
def test_any_json_is_an_answer(body, status, call, cut):
    BFL.check_reading(arrived(json.dumps(body).encode(), status, cut=cut), call)


@given(body=st.binary(max_size=600), status=st.integers(100, 999), wait=st.text(max_size=20), call=calls)
def test_any_bytes_are_an_answer(body, status, wait, call):
    headers = Headers((("Retry-After", wait), ("Date", wait), ("retry-after-ms", wait)))
    BFL.check_reading(arrived(body, status, headers), call)


paths = st.sampled_from(["/v1/flux-2-pro", "/v1/get_result?id=1"]) | st.text(max_size=30)


@given(body=others | mutated(requests, others), path=paths, method=st.sampled_from(["POST", "GET", "PUT"]))
def test_any_request_is_read_and_can_be_sent_on(body, path, method):
    if request := spilled_or_none(method, path, body):
        BFL.check_asking(request)


@given(case=st.sampled_from(replies), data=st.data())
def test_unknown_members_change_nothing(case, data):
    changed = copy.deepcopy(case)
    holders = [entry for entry in containers(changed["body"]) if isinstance(entry, dict)]
    for holder in data.draw(st.lists(st.sampled_from(holders), max_size=4)) if holders else ():
        holder[data.draw(st.sampled_from(["unheardOf", "x-new", "0"]))] = data.draw(others)
    assert told(BFL.reply_to(changed, call_of(case))) == told(BFL.reply_to(case))
