"""Drafts are shown while their picture is drawn, and once: at each door that has events for them."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import openai
import pytest
import pytest_asyncio
from aiohttp import web

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.doors.responses_form import Drawn, draft_of, ending_of, wish_of
from cavendish.model.call import Open
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest
from cavendish.sim import line

MODEL = "gpt-image-2"
PROMPT = "a red kite [sim:trickle]"
DRAFTS = 2


class Painter:
    """The provider's line: after the last draft it waits until it is told to finish."""

    def __init__(self) -> None:
        self.finish = asyncio.Event()

    async def send(self, answer: web.StreamResponse, pieces: Iterable[bytes]) -> None:
        head, event, last = b"".join(pieces).rpartition(b"event: ")
        await answer.write(head)
        await self.finish.wait()
        await answer.write(event + last)


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> Painter:
    painter = Painter()
    monkeypatch.setattr(line, "_trickle", painter.send)
    return painter


@pytest_asyncio.fixture
async def client(gateway: Gateway, painter: Painter) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{gateway.url}/v1", max_retries=0) as client:
        yield client
    painter.finish.set()


async def watched(stream: Any, painter: Painter, last_draft: str) -> list[Any]:
    """All events. The picture is finished when the last draft was seen, and not before."""
    events: list[Any] = []
    async with asyncio.timeout(10):
        async for event in stream:
            events.append(event)
            if [event.type for event in events].count(last_draft) == DRAFTS:
                painter.finish.set()
    return events


async def test_images_show_them_while_they_are_drawn(client: openai.AsyncOpenAI, painter: Painter) -> None:
    stream = await client.images.generate(model=MODEL, prompt=PROMPT, stream=True, partial_images=DRAFTS)
    events = await watched(stream, painter, "image_generation.partial_image")
    assert [event.type.partition(".")[2] for event in events] == ["partial_image", "partial_image", "completed"]
    assert [event.partial_image_index for event in events[:DRAFTS]] == [0, 1]
    assert len({base64.b64decode(event.b64_json, validate=True) for event in events}) == DRAFTS + 1
    assert events[0].created_at > 0


async def test_responses_open_the_call_with_the_first_of_them(client: openai.AsyncOpenAI, painter: Painter) -> None:
    tool: Any = {"type": "image_generation", "partial_images": DRAFTS}
    stream = await client.responses.create(model=MODEL, input=PROMPT, tools=[tool], stream=True)
    events = await watched(stream, painter, "response.image_generation_call.partial_image")
    assert [event.type.removeprefix("response.").removeprefix("image_generation_call.") for event in events] == [
        "created", "in_progress", "output_item.added", "in_progress", "generating", "partial_image", "partial_image",
        "completed", "output_item.done", "completed",
    ]  # fmt: skip
    assert [event.sequence_number for event in events] == list(range(len(events)))
    drawn = events[-1].response.output[0]
    assert {event.item_id for event in events[3:8]} == {events[2].item.id} == {drawn.id}
    again = [event async for event in await client.responses.retrieve(events[0].response.id, stream=True)]
    assert [event.to_dict() for event in again] == [event.to_dict() for event in events]


def test_a_draft_without_its_picture_is_a_call_that_failed() -> None:
    wish = replace(wish_of(Open(ImageRequest.of("a red kite", MODEL))), job="j")
    events = [*draft_of("j", 0, Image(), 0, wish), *draft_of("j", 1, Image(), 0, wish)]
    fault = Fault(FaultKind.IMAGE_SAFETY, "refused")
    events += ending_of(Drawn((Image(),), (0,), response_id="j", shortfall=(fault,)), wish)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    done = [event["item"]["status"] for event in events if event["type"] == "response.output_item.done"]
    assert done == ["failed", "failed"]
    response = next(event["response"] for event in events if event["type"] == "response.incomplete")
    assert [item["status"] for item in response["output"]] == ["failed", "failed"]
    assert events[-1]["type"] == "error"


async def test_two_who_wait_for_the_same_are_both_shown_them(client: openai.AsyncOpenAI, painter: Painter) -> None:
    tool: Any = {"type": "image_generation", "partial_images": DRAFTS}
    stream = await client.responses.create(model=MODEL, input=PROMPT, tools=[tool], stream=True, background=True)
    first = await anext(stream)
    again = await client.responses.retrieve(first.response.id, stream=True)  # type: ignore[union-attr]
    last = "response.image_generation_call.partial_image"
    one, other = await asyncio.gather(watched(stream, painter, last), watched(again, painter, last))
    assert [event.to_dict() for event in (first, *one)] == [event.to_dict() for event in other]


async def test_nothing_of_them_is_left(client: openai.AsyncOpenAI, painter: Painter, gateway: Gateway) -> None:
    before = {path for path in gateway._options.folder.rglob("*") if path.is_file()}
    stream = await client.images.generate(model=MODEL, prompt=PROMPT, stream=True, partial_images=DRAFTS)
    await watched(stream, painter, "image_generation.partial_image")
    after = {path for path in gateway._options.folder.rglob("*") if path.is_file()}
    # The picture, and its drafts as the books have them.
    assert len(after - before) == DRAFTS + 1
