"""Any model behind any door: what it cannot do is told in a header and in the body, or is an error to who is strict."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from google import genai
from google.genai import types

from cavendish.front.gateway.app import Gateway
from cavendish.model.call import Open
from cavendish.model.request import Image, ImageRequest, Role, Text
from cavendish.sim.provider import SimProvider
from tests.front.gateway.test_files import google
from tests.front.gateway.test_gemini_sdk import drawn

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

STRICT = {"x-cavendish-strict": "true"}
WISHES = {
    "aspectRatio": ("imageConfig", "5:2"),
    "imageSize": ("imageConfig", "8K"),
    "thinkingLevel": ("thinkingConfig", "high"),
}


@pytest_asyncio.fixture
async def line(gateway: Gateway) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway.url) as session:
        yield session


@pytest_asyncio.fixture
async def client(gateway: Gateway) -> AsyncIterator[Any]:
    made: genai.client.AsyncClient = google(gateway).aio
    yield made
    await made.aclose()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ImageRequest]:
    """What the provider was asked, in order."""
    found: list[ImageRequest] = []
    handle = SimProvider.handle

    def noting(self: SimProvider, call: Any, *rest: Any) -> Any:
        found.extend([call.request] if isinstance(call, Open) else [])
        return handle(self, call, *rest)

    monkeypatch.setattr(SimProvider, "handle", noting)
    return found


async def ask(line: aiohttp.ClientSession, model: str, strict: bool, **generation: Any) -> tuple[int, Any, list[Any]]:
    body = {"contents": [{"parts": [{"text": "a red kite"}]}], "generationConfig": generation}
    headers = STRICT if strict else {}
    async with line.post(f"/v1beta/models/{model}:generateContent", json=body, headers=headers) as answer:
        return answer.status, await answer.json(), json.loads(answer.headers.get("x-cavendish-notices", "[]"))


async def test_what_google_s_models_can_and_another_cannot_is_told_twice(line) -> None:
    generation = {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "5:2", "imageSize": "8K"},
        "thinkingConfig": {"thinkingLevel": "HIGH"},
        "candidateCount": 2,
    }
    for model in ("flux-2-pro", "gpt-image-2", "seedream-4.5"):
        status, body, notices = await ask(line, model, False, **generation)
        assert (status, len(body["candidates"])) == (200, 2)
        told = {notice["code"] for notice in notices}
        assert told >= {"ratio_nearest", "size_nearest", "thinking_left_out", "words_left_out"}, model
        assert {notice["code"] for notice in body["cavendish"]["notices"]} == told


async def test_each_of_them_is_an_error_to_who_is_strict(line) -> None:
    for member, (place, word) in WISHES.items():
        status, body, _ = await ask(line, "flux-2-pro", True, **{place: {member: word}})
        assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert "(strict)" in body["error"]["message"]


async def test_what_a_model_can_do_changes_nothing(line) -> None:
    generation = {
        "imageConfig": {"aspectRatio": "21:9", "imageSize": "2K"},
        "thinkingConfig": {"thinkingLevel": "high"},
    }
    status, body, notices = await ask(line, "nano-banana-2.1", True, **generation)
    assert (status, notices, "cavendish" in body) == (200, [], False)
    assert body["candidates"][0]["content"]["parts"]


async def test_a_stream_tells_it_in_its_last_event(line) -> None:
    body = {
        "contents": [{"parts": [{"text": "a red kite"}]}],
        "generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}},
    }
    path = "/v1beta/models/flux-2-pro:streamGenerateContent"
    async with line.post(f"{path}?alt=sse", json=body) as answer:
        rows = (await answer.text()).splitlines()
    async with line.post(path, json=body) as answer:
        listed = await answer.json()
    for events in ([json.loads(row[6:]) for row in rows if row.startswith("data: ")], listed):
        assert [notice["code"] for notice in events[-1]["cavendish"]["notices"]] == ["thinking_left_out"]
        assert all("cavendish" not in event for event in events[:-1])


async def test_a_search_is_left_out_where_nothing_searches(line) -> None:
    body = {"contents": [{"parts": [{"text": "a red kite"}]}], "tools": [{"googleSearch": {}}]}
    async with line.post("/v1beta/models/flux-2-pro:generateContent", json=body) as answer:
        assert answer.status == 200
        assert [notice["code"] for notice in (await answer.json())["cavendish"]["notices"]] == ["grounding_left_out"]
    async with line.post("/v1beta/models/flux-2-pro:generateContent", json=body, headers=STRICT) as answer:
        assert answer.status == 400


YIELDED = (
    ({"reasoning_effort": "low"}, ["thinking_nearest"]),
    ({"aspect_ratio": "5:2"}, ["ratio_nearest"]),
    ({"image_size": "512"}, ["size_nearest"]),
    ({"size": "auto", "quality": "auto", "aspect_ratio": "auto"}, []),
)


async def test_openai_s_door_yields_in_the_same_way(line) -> None:
    for wish, codes in YIELDED:
        body = {"model": "nano-banana-2.1", "prompt": "a red kite", **wish}
        async with line.post("/v1/images/generations", json=body) as answer:
            assert answer.status == 200, await answer.text()
            notices = (await answer.json()).get("cavendish", {}).get("notices", [])
            assert [notice["code"] for notice in notices] == codes


# --- conversations ---------------------------------------------------------------------------------------------------


async def test_a_conversation_goes_from_one_maker_s_model_to_another_s(client, asked: list[ImageRequest]) -> None:
    turns: list[types.Content] = []
    for model in ("flux-2-pro", "nano-banana-2", "gpt-image-2", "nano-banana-2"):
        turns.append(types.Content(role="user", parts=[types.Part(text=f"for {model}")]))
        answer = await client.models.generate_content(model=model, contents=turns)
        assert len(drawn(answer)) == 1
        turns.append(answer.candidates[0].content)
    shown = [sum(isinstance(part, Image) for turn in request.turns for part in turn.parts) for request in asked]
    assert shown == [0, 1, 1, 3]


async def test_a_signature_that_a_client_dropped_is_found_again(client, asked: list[ImageRequest]) -> None:
    words = types.Content(role="user", parts=[types.Part(text="a red kite")])
    answer = await client.models.generate_content(model="nano-banana-2", contents=[words])
    given = answer.candidates[0].content
    signature = next(part.thought_signature for part in given.parts if part.inline_data)
    for part in given.parts:
        part.thought_signature = None
    further = types.Content(role="user", parts=[types.Part(text="at night")])
    answer = await client.models.generate_content(model="nano-banana-2", contents=[words, given, further])
    assert len(drawn(answer)) == 1
    back = next(turn for turn in asked[-1].turns if turn.role is Role.MODEL)
    assert signature
    assert [part.signature for part in back.parts if not isinstance(part, Text)] == [
        base64.b64encode(signature).decode()
    ]


# --- what a picture is grounded on -----------------------------------------------------------------------------------


async def test_sources_come_out_at_every_door(line) -> None:
    words: dict[str, Any] = {"model": "nano-banana-2.1", "modalities": ["text", "image"]}
    chat = {**words, "messages": [{"role": "user", "content": "the tallest building"}], "web_search_options": {}}
    asked = {
        "/v1/images/generations": {"model": words["model"], "prompt": "the tallest building", "grounding": True},
        "/v1/chat/completions": chat,
        "/v1/responses": {**words, "input": "the tallest building", "tools": [{"type": "web_search"}]},
    }
    for path, body in asked.items():
        async with line.post(path, json=body) as answer:
            grounding = (await answer.json())["grounding"]
        assert grounding["sources"][0]["page"], path
        assert grounding["attribution"], path


async def test_chats_cite_the_pages(line) -> None:
    body = {
        "model": "nano-banana-2.1",
        "messages": [{"role": "user", "content": "the tallest building"}],
        "web_search_options": {},
    }
    async with line.post("/v1/chat/completions", json=body) as answer:
        message = (await answer.json())["choices"][0]["message"]
    assert message["annotations"][0]["url_citation"]["url"].startswith("https://")
    async with line.post("/v1/chat/completions", json={**body, "stream": True}) as answer:
        rows = [row[6:] for row in (await answer.text()).splitlines() if row.startswith("data: {")]
    deltas = [choice["delta"] for row in rows for choice in json.loads(row)["choices"]]
    assert [delta["annotations"] for delta in deltas if "annotations" in delta] == [message["annotations"]]
    assert any("grounding" in json.loads(row) for row in rows)
