"""The installed openai, asked for a wish, and our client for the same one: what crosses the line is the same."""

from typing import Any

import openai
import pytest

from cavendish.catalog.cards import EndpointCard
from cavendish.dialects.openai_chat import OpenaiChatDialect
from cavendish.dialects.openai_images import OpenaiImagesDialect
from cavendish.model.call import Open
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use
from tests.strangers.facts import Allowed, differences, facts_of
from tests.strangers.line import KEY, PICTURE, send
from tests.strangers.wishes import STORE
from tests.wire.memory import JPEG, PNG

MODEL = "gpt-image-2"
MEANT = (
    Allowed(r"form\..*\.filename", ".*", r'"(image-\d|mask)\.\w+"', "a file's name on our disk is nobody's business"),
)
REFERENCE, OTHER = Image(blob=STORE.blob(PNG, "image/png")), Image(blob=STORE.blob(JPEG, "image/jpeg"))
MASK = Image(blob=STORE.blob(PNG + b"m", "image/png"), use=Use.MASK)
A, B, M = ("a.png", PNG, "image/png"), ("b.jpg", JPEG, "image/jpeg"), ("m.png", PNG + b"m", "image/png")


@pytest.fixture(scope="module")
def client(listener):
    with openai.OpenAI(api_key=KEY, base_url=f"{listener.url}/v1") as found:
        yield found


def ours(line: Any, dialect: Any, request: ImageRequest, *, stream: bool) -> None:
    card = EndpointCard("openai", "OpenAI", dialect.name, f"{line.url}/v1", "Authorization", "Bearer ")
    send(Open(request, stream), dialect, card)


def unmeant(line: Any) -> list[Any]:
    """The differences between the two requests that are not meant."""
    theirs, own = line.seen
    found = differences(facts_of(theirs), facts_of(own))
    return [entry for entry in found if not any(allowed.covers(entry) for allowed in MEANT)]


def asked(prompt: str = "a red kite", *references: Image, **fields: Any) -> ImageRequest:
    return ImageRequest.of(prompt, MODEL, references, **fields)


PICTURES: dict[str, tuple[str, dict[str, Any], ImageRequest]] = {
    "words": ("generate", {"prompt": "a red kite"}, asked()),
    "several, with all that OpenAI knows": (
        "generate",
        {
            "prompt": "a red kite",
            "n": 3,
            "size": "1536x1024",
            "quality": "high",
            "output_format": "webp",
            "output_compression": 70,
            "background": "opaque",
            "moderation": "low",
            "user": "u",
        },
        asked(
            n=3,
            size="1536x1024",
            quality="high",
            output_format="webp",
            extra={"output_compression": 70, "background": "opaque", "moderation": "low", "user": "u"},
        ),
    ),
    "an edit": ("edit", {"prompt": "bluer", "image": A}, asked("bluer", REFERENCE)),
    "several files and a mask": (
        "edit",
        {"prompt": "merge", "image": [A, B], "mask": M, "n": 2, "quality": "low", "input_fidelity": "high"},
        asked("merge", REFERENCE, OTHER, MASK, n=2, quality="low", extra={"input_fidelity": "high"}),
    ),
}


@pytest.mark.parametrize("method, words, request_", [pytest.param(*wish, id=name) for name, wish in PICTURES.items()])
@pytest.mark.parametrize("partials", [None, 2])
def test_pictures(client, line, method, words, request_, partials):
    further = {} if partials is None else {"stream": True, "partial_images": partials}
    answer = getattr(client.images, method)(model=MODEL, **words, **further)
    assert list(answer) if partials else answer.data[0].b64_json == PICTURE
    extra = request_.extra if partials is None else {**request_.extra, "partial_images": partials}
    ours(line, OpenaiImagesDialect(), request_.having(extra=extra), stream=partials is not None)
    assert unmeant(line) == []


def part(data: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


DRAWN = {"role": "assistant", "content": "Here it is.", "images": [{**part(PICTURE), "index": 0}]}
CHATS: dict[str, tuple[dict[str, Any], ImageRequest]] = {
    "words": (
        {"messages": [{"role": "user", "content": "a red kite"}], "modalities": ["image", "text"]},
        asked(),
    ),
    "its shape": (
        {
            "messages": [{"role": "system", "content": "ink"}, {"role": "user", "content": "x"}],
            "modalities": ["image"],
            "seed": 7,
            "temperature": 0.5,
            "n": 2,
            "extra_body": {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}},
        },
        asked("x", system="ink", modalities=("IMAGE",), n=2, seed=7, temperature=0.5, aspect_ratio="16:9", size="2K"),
    ),
    "a conversation": (
        {
            "messages": [
                {"role": "user", "content": "a logo"},
                DRAWN,
                {"role": "user", "content": [{"type": "text", "text": "purple"}, part(PICTURE)]},
            ],
            "modalities": ["image", "text"],
        },
        ImageRequest(
            (
                Turn(Role.USER, (Text("a logo"),)),
                Turn(Role.MODEL, (Text("Here it is."), REFERENCE)),
                Turn(Role.USER, (Text("purple"), REFERENCE)),
            ),
            MODEL,
        ),
    ),
}


@pytest.mark.parametrize("words, request_", [pytest.param(*wish, id=name) for name, wish in CHATS.items()])
@pytest.mark.parametrize("stream", [False, True])
def test_chats(client, line, words, request_, stream):
    further = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    answer = client.chat.completions.create(model=MODEL, **words, **further)
    assert list(answer) if stream else answer.choices
    ours(line, OpenaiChatDialect(modalities=True), request_, stream=stream)
    assert unmeant(line) == []
