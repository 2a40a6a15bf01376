"""Any door in, any wire format out, and back: what was asked arrives, and what was drawn comes back, byte by byte."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavendish.catalog.fit import fit, told
from cavendish.catalog.load import load
from cavendish.catalog.resolve import Resolved
from cavendish.dialects.ark import ArkDialect
from cavendish.dialects.gemini import GeminiDialect
from cavendish.dialects.imagen import ImagenDialect
from cavendish.dialects.openai_chat import OpenaiChatDialect
from cavendish.dialects.openai_images import OpenaiImagesDialect
from cavendish.errors import RequestError
from cavendish.front.gateway.doors.chat_form import ChatForm
from cavendish.front.gateway.doors.gemini_form import GeminiForm, PredictForm
from cavendish.front.gateway.doors.images_form import ImagesForm
from cavendish.front.gateway.doors.responses_form import ResponsesForm
from cavendish.front.gateway.doors.wishes import lifted, meant
from cavendish.front.gateway.jobs.answer import reply_of
from cavendish.front.gateway.wants import Answer
from cavendish.front.routes import speaks
from cavendish.model.blob import Blob
from cavendish.model.call import Done, Open
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest
from cavendish.model.result import Failure, Picture, Route, Slot
from cavendish.wire.dialect import Dialect
from cavendish.wire.message import Field, Form, WireRequest
from cavendish.wire.reading import snake
from tests.dialects.exchange import STORE, delivered
from tests.dialects.openai_wire import over_the_wire
from tests.front.gateway.test_translations import TODAY, some_offers
from tests.strategies import HEADS

CATALOG = load()
MODEL = "nano-banana-2"


@dataclass(frozen=True)
class Wish:
    """What somebody wants, in no format."""

    prompt: str
    pictures: tuple[Blob, ...]
    n: int
    ratio: str
    size: str


def _blob(media_type: str, rest: bytes) -> Blob:
    return STORE.blob(HEADS[media_type] + bytes(40) + rest, media_type)


pictures = st.lists(st.builds(_blob, st.sampled_from(sorted(HEADS)), st.binary(max_size=9)), max_size=3).map(tuple)
prompts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40).filter(str.strip)
wishes = st.builds(
    Wish, prompts, pictures, st.integers(1, 9), st.sampled_from(["1:1", "16:9", "2:3"]), st.sampled_from(["1K", "2K"])
)


# --- in at any door ---------------------------------------------------------------------------------------------------

Write = Callable[[st.DrawFn, Wish], WireRequest]


def _base64(blob: Blob, *, url_safe: bool = False) -> str:
    data = STORE.data[blob.sha256]
    return (pybase64.urlsafe_b64encode(data) if url_safe else pybase64.b64encode(data)).decode()


def _data_url(blob: Blob) -> str:
    return f"data:{blob.media_type};base64,{_base64(blob)}"


def _shape(wish: Wish) -> dict[str, Any]:
    return {"n": wish.n, "size": wish.size, "aspect_ratio": wish.ratio}


def generations(draw: st.DrawFn, wish: Wish) -> WireRequest:
    shown = [_data_url(blob) for blob in wish.pictures]
    spelled = draw(st.sampled_from(["image", "images", "input_references"]))
    named = [{"image_url": url} for url in shown] if draw(st.booleans()) else shown
    further = {spelled: named} if shown else {}
    body = {"model": MODEL, "prompt": wish.prompt, **_shape(wish), **further}
    return WireRequest("POST", draw(st.sampled_from(["/images", "/images/generations"])), body)


def edits(draw: st.DrawFn, wish: Wish) -> WireRequest:
    name = draw(st.sampled_from(["image", "image[]"]))
    words = {"model": MODEL, "prompt": wish.prompt, **{key: str(value) for key, value in _shape(wish).items()}}
    typed = draw(st.booleans())
    files = [Field(name, blob, "a", blob.media_type if typed else "application/octet-stream") for blob in wish.pictures]
    return WireRequest("POST", "/images/edits", Form((*(Field(key, words[key]) for key in words), *files)))


def chat(draw: st.DrawFn, wish: Wish) -> WireRequest:
    shown = [{"type": "image_url", "image_url": {"url": _data_url(blob)}} for blob in wish.pictures]
    content = [*shown, {"type": "text", "text": wish.prompt}] if shown or draw(st.booleans()) else wish.prompt
    shape = {"aspect_ratio": wish.ratio, "image_size": wish.size}
    place: dict[str, Any] = {"image_config": shape}
    if draw(st.booleans()):
        place = {"extra_body": {"google": place}}
    return WireRequest("POST", "/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": content}],
                       "n": wish.n, **place})  # fmt: skip


def responses(draw: st.DrawFn, wish: Wish) -> WireRequest:
    shown = [{"type": "input_image", "image_url": _data_url(blob)} for blob in wish.pictures]
    said = [*shown, {"type": "input_text", "text": wish.prompt}]
    spoken: Any = [{"role": "user", "content": said}] if shown or draw(st.booleans()) else wish.prompt
    tool = {"type": "image_generation", **_shape(wish)}
    return WireRequest("POST", "/responses", {"model": MODEL, "input": spoken, "tools": [tool]})


def gemini(draw: st.DrawFn, wish: Wish) -> WireRequest:
    safe = draw(st.booleans())
    parts = [
        {"inlineData": {"mimeType": blob.media_type, "data": _base64(blob, url_safe=safe)}} for blob in wish.pictures
    ]
    image = {"aspectRatio": wish.ratio, "imageSize": wish.size}
    shape = {"imageConfig": image} if draw(st.booleans()) else {"responseFormat": {"image": image}}
    body = {
        "contents": [{"role": "user", "parts": [*parts, {"text": wish.prompt}]}],
        "generationConfig": {"candidateCount": wish.n, **shape},
    }
    path = draw(st.sampled_from(["/v1", "/v1beta", "/v1beta1/publishers/google"]))
    return WireRequest("POST", f"{path}/models/{MODEL}:generateContent", _spelled(draw, body))


def _spelled(draw: st.DrawFn, value: Any) -> Any:
    """The body with any of its names in snake_case, as Python's SDK and people write them."""
    if isinstance(value, list):
        return [_spelled(draw, entry) for entry in value]
    if not isinstance(value, Mapping):
        return value
    return {snake(name) if draw(st.booleans()) else name: _spelled(draw, entry) for name, entry in value.items()}


FORMS: dict[str, tuple[Write, Dialect]] = {
    "generations": (generations, ImagesForm(spelling="server", max_n=100)),
    "edits": (edits, ImagesForm(spelling="server", max_n=100)),
    "chat": (chat, ChatForm()),
    "responses": (responses, ResponsesForm()),
    "gemini": (gemini, GeminiForm()),
}
every_door = pytest.mark.parametrize("door", FORMS)


def entered(draw: st.DrawFn, door: str, wish: Wish) -> ImageRequest:
    write, form = FORMS[door]
    call = form.read_call(over_the_wire(write(draw, wish)))
    assert isinstance(call, Open), call
    return call.request


def shown(request: ImageRequest) -> list[str]:
    """The pictures that a request shows, as the hashes of their bytes."""
    return [image.blob.sha256 if image.blob else image.uri or "" for image in request.references]


@every_door
@settings(max_examples=max(settings().max_examples // 2, 1))
@given(wish=wishes, data=st.data())
def test_what_comes_in_is_what_was_wanted(door: str, wish: Wish, data: st.DataObject) -> None:
    request = entered(data.draw, door, wish)
    assert request.prompt == wish.prompt
    assert shown(request) == [blob.sha256 for blob in wish.pictures]
    assert (request.n, request.size, request.aspect_ratio) == (wish.n, wish.size, wish.ratio)
    assert request.model == MODEL


@settings(max_examples=max(settings().max_examples // 3, 1))
@given(wish=wishes, data=st.data())
def test_all_doors_mean_the_same(wish: Wish, data: st.DataObject) -> None:
    requests = [entered(data.draw, door, wish).having(extra={}) for door in FORMS]
    told = {(one.prompt, one.n, one.size, one.aspect_ratio, one.model, *shown(one)) for one in requests}
    assert len(told) == 1


def test_predict_too() -> None:
    body = {"instances": [{"prompt": " a kite\n"}], "parameters": {"sampleCount": 3, "aspectRatio": "16:9", "seed": 7,
            "sampleImageSize": "2K", "unheardOf": {"a": 1}}}  # fmt: skip
    for surface in ("developer", "vertex"):
        form = PredictForm(surface=surface, max_n=9)
        call = form.read_call(WireRequest("POST", f"/v1beta/models/{MODEL}:predict", body))
        assert isinstance(call, Open)
        request = call.request
        assert (request.prompt, request.n, request.aspect_ratio, request.size) == (" a kite\n", 3, "16:9", "2K")
        assert (request.seed, request.extra) == (7, {"unheardOf": {"a": 1}})
        told = {notice.field for notice in form.unsupported(call)}
        assert "extra.unheardOf" in told
        assert ("seed" in told) is (surface == "developer")


# --- out to any model -------------------------------------------------------------------------------------------------


def _sent(request: ImageRequest, resolved: Resolved, dialect: Dialect) -> tuple[ImageRequest, set[str]] | None:
    """A request as the provider reads it, and the fields of which something was told; ``None`` where it is refused."""
    try:
        wish = meant(lifted(request), resolved, dialect, stream=False)
        fitted = fit(wish.request, resolved)
    except RequestError as error:
        return None if error.field and str(error) else pytest.fail("refused without a reason")
    going = Open(told(fitted.request.having(n=1, model=resolved.route.wire_model), resolved))
    notices = (*wish.changed, *wish.told, *fitted.notices, *dialect.unsupported(going))
    again = dialect.read_call(over_the_wire(dialect.write_call(going)))
    assert isinstance(again, Open), again
    return again.request, {(notice.field or "").removeprefix("extra.") for notice in notices}


@pytest.mark.parametrize("model, endpoint", some_offers())
@settings(max_examples=max(settings().max_examples // 10, 1))
@given(door=st.sampled_from(sorted(FORMS)), wish=wishes, data=st.data())
def test_what_goes_out_is_what_came_in(model: str, endpoint: str, door: str, wish: Wish, data: st.DataObject) -> None:
    resolved = CATALOG.resolve(model, endpoint, TODAY)
    came = _sent(entered(data.draw, door, wish).having(model=model), resolved, speaks(resolved.endpoint))
    if came is None:
        return  # and why was told
    request, fields = came
    assert wish.prompt in request.prompt
    if not fields & {"references", "order"}:
        assert shown(request) == [blob.sha256 for blob in wish.pictures]


# --- and back ---------------------------------------------------------------------------------------------------------

PROVIDERS: dict[str, Dialect] = {
    "gemini": GeminiDialect(),
    "openai": OpenaiImagesDialect(),
    "chat": OpenaiChatDialect(),
    "ark": ArkDialect(),
    "imagen": ImagenDialect(),
}
CLIENTS: dict[str, Dialect] = {
    "generations": OpenaiImagesDialect(max_n=100),
    "chat": OpenaiChatDialect(),
    "gemini": GeminiDialect(),
    "predict": ImagenDialect(max_n=100),
}
"""Who asks at a door, and reads its answers as that API's client does."""

ROUTE = Route("sim", "model-1", "model-1")
ASKED = ImageRequest.of("a kite", MODEL)


def _drawn(provider: str, blob: Blob, ordinal: int) -> Picture:
    """A picture as it comes from a provider."""
    dialect = PROVIDERS[provider]
    image = Image(blob=blob, media_type=blob.media_type)
    reply = dialect.read_reply(delivered(dialect.write_reply(Done((image,), (0,)), Open(ASKED))), Open(ASKED))
    assert isinstance(reply, Done), reply
    came = reply.pictures[0]
    assert came.blob is not None
    return Picture(Slot(f"j.{ordinal}", "j", 0, ordinal, ASKED), came.blob, 8, 8, ROUTE, attempts=1, cost_nusd=0)


def _answered(door: str, drawn: Sequence[Picture], missing: Sequence[Fault] = ()) -> Any:
    asked = ASKED.having(n=len(drawn) + len(missing))
    failures = [Failure(Slot(f"j.{i}", "j", 0, i, asked), fault, 1) for i, fault in enumerate(missing, len(drawn))]
    form = PredictForm(max_n=100) if door == "predict" else FORMS[door][1]
    return form.write_reply(reply_of(Answer("j", asked, (*drawn, *failures))), Open(asked))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("provider", PROVIDERS)
@settings(max_examples=max(settings().max_examples // 10, 1))
@given(blobs=st.lists(st.builds(_blob, st.sampled_from(sorted(HEADS)), st.binary(max_size=9)), min_size=1, max_size=5))
def test_what_was_drawn_comes_back(provider: str, client: str, blobs: list[Blob]) -> None:
    drawn = [_drawn(provider, blob, ordinal) for ordinal, blob in enumerate(blobs)]
    reply = CLIENTS[client].read_reply(delivered(_answered(client, drawn)), Open(ASKED.having(n=len(blobs))))
    assert isinstance(reply, Done), reply
    assert [image.blob.sha256 for image in reply.pictures if image.blob] == [blob.sha256 for blob in blobs]
    assert not reply.shortfall


def test_responses_too() -> None:
    blobs = [_blob("image/png", bytes([number])) for number in range(4)]
    body = STORE.text(_answered("responses", [_drawn("gemini", blob, i) for i, blob in enumerate(blobs)]).body)
    calls = [item for item in body["output"] if item["type"] == "image_generation_call"]
    assert [call["result"] for call in calls] == [_base64(blob) for blob in blobs]


# --- refusals ---------------------------------------------------------------------------------------------------------

OF_OPENAI = ("generations", "edits", "chat", "responses")
REFUSED = (FaultKind.PROMPT_BLOCKED, FaultKind.PROHIBITED, FaultKind.IMAGE_SAFETY)
WORDS = ("", "SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "sensitive_words_detected", "content_filter", "Moderated")


@pytest.mark.parametrize("door", OF_OPENAI)
@pytest.mark.parametrize("kind, word", [*itertools.product(REFUSED, WORDS)])
def test_a_refusal_has_the_code_that_openai_s_clients_know(door: str, kind: FaultKind, word: str) -> None:
    fault = Fault(kind, "not this one", reason=word)
    response = _answered(door, [], [fault])
    assert response.status == 400
    assert response.body["error"]["code"] == "moderation_blocked"
    assert "not this one" in response.body["error"]["message"]


@pytest.mark.parametrize("door", OF_OPENAI)
@pytest.mark.parametrize("kind, word", [*itertools.product(REFUSED, WORDS)])
def test_also_beside_pictures_that_came(door: str, kind: FaultKind, word: str) -> None:
    drawn = [_drawn("gemini", _blob("image/png", b"1"), 0)]
    response = _answered(door, drawn, [Fault(kind, "not this one", reason=word)])
    assert response.status == 200
    body = response.body
    missing = body.get("failures") or body["cavendish"]["missing"]
    assert [entry["code"] for entry in missing] == ["moderation_blocked"]


@pytest.mark.parametrize("door", OF_OPENAI)
@pytest.mark.parametrize("kind", FaultKind)
def test_no_code_is_another_provider_s(door: str, kind: FaultKind) -> None:
    response = _answered(door, [], [Fault(kind, "why", reason="UPSTREAM_WORD")])
    assert response.status >= 400
    assert response.body["error"]["code"] == response.body["error"]["code"].lower()
    assert (
        "why" in response.body["error"]["message"] or kind.value.replace("_", " ") in response.body["error"]["message"]
    )
