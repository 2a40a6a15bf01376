"""OpenAI's API as it is served here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...doors.chat_form import PICTURES
from ...doors.openai_files import LEAST_LIFE_S, MOST_LIFE_S, PURPOSES
from .parts import ASKING, DRAWN
from .words import (
    BYTES,
    COUNT,
    EVENTS,
    FORM,
    JSON,
    NUMBER,
    OBJECT,
    RAW,
    STREAM,
    TEXT,
    TRUTH,
    WHOLE,
    WORDS,
    Answer,
    Operation,
    Schema,
    asked,
    either,
    listed,
    number,
    one_of,
    or_none,
    page,
    ref,
    thing,
    truth,
    whole,
)

TAG: Final = "OpenAI"

_WORD_OR_AUTO: Final = TEXT
_ADDRESS: Final[Schema] = {"type": "string", "pattern": "^(https?://|data:image/|file-)"}
_PICTURE: Final = either(
    _ADDRESS,
    thing("image_url", image_url=either(_ADDRESS, thing("url", url=_ADDRESS))),
    thing("url", url=_ADDRESS),
    thing("file_id", file_id={"type": "string", "pattern": "^file-"}),
)
_PICTURES: Final = either(ref("Picture"), listed(ref("Picture")))


def drawn_by_words(most: int) -> Mapping[str, Schema]:
    """The members that say how a picture is to be, in all of OpenAI's bodies for pictures."""
    return {
        "n": whole(1, most),
        "size": _WORD_OR_AUTO,
        "quality": _WORD_OR_AUTO,
        "output_format": _WORD_OR_AUTO,
        "aspect_ratio": _WORD_OR_AUTO,
        "seed": whole(),
        "stream": truth(),
    }


def _further() -> Mapping[str, Schema]:
    """What models have beyond OpenAI's own words, as SDKs send it in ``extra_body``."""
    return {
        "temperature": NUMBER,
        "thinking": TEXT,
        "system": TEXT,
        "grounding": either(TRUTH, one_of("web", "image"), listed(one_of("web", "image"))),
        "response_format": one_of("b64_json", "url"),
    }


def schemas(most: int) -> Mapping[str, Schema]:
    """All of them, with so many pictures at most for one request."""
    plain = {**drawn_by_words(most), **_further()}
    form: dict[str, Schema] = dict.fromkeys(("model", "size", "quality", "output_format", "aspect_ratio"), TEXT)
    form |= {"n": {"type": "string", "pattern": "^[1-9][0-9]?$"}, "response_format": one_of("b64_json", "url")}
    files = either(BYTES, listed(BYTES))
    return {
        **_ANSWERS,
        "Picture": {**_PICTURE, "description": "an address, a data URL, the id of a file, or an object with one"},
        "ImagesRequest": {
            **asked("prompt", plain, model=TEXT, prompt=WORDS, input_references=_PICTURES, image=_PICTURES),
            "description": "Without a model one is chosen, and told. Members that are not known go to the model's API.",
            "examples": [{"model": "nano-banana-2", "prompt": "a red kite", "n": 2, "size": "1536x1024"}],
        },
        "EditsRequest": asked("prompt images", plain, model=TEXT, prompt=WORDS, images=_PICTURES, mask=ref("Picture")),
        "EditsForm": thing("prompt image", form, prompt=WORDS, image=files, mask=BYTES),
        "VariationsForm": thing("image", form, image=files),
        "ChatRequest": {
            **asked(
                "model messages",
                {name: schema for name, schema in plain.items() if name in {"n", "size", "seed", "stream"}},
                model=WORDS,
                messages={"type": "array", "items": ref("ChatMessage"), "minItems": 1},
                modalities=listed(one_of("text", "image")),
                temperature=number(),
                aspect_ratio=TEXT,
                image_config=OBJECT,
                reasoning_effort=TEXT,
            ),
            "examples": [{"model": "nano-banana-2", "messages": [{"role": "user", "content": "a red kite"}]}],
        },
        "ResponseRequest": {
            **asked(
                "input",
                model=TEXT,
                input=either(WORDS, {"type": "array", "items": OBJECT, "minItems": 1}),
                tools=listed(thing("type", type=TEXT)),
                instructions=TEXT,
                previous_response_id=TEXT,
                metadata=OBJECT,
                n=whole(1, most),
                seed=whole(),
                temperature=number(),
                modalities=listed(one_of("text", "image")),
                stream=truth(),
                store=truth(),
                background=truth(),
            ),
            "examples": [
                {"model": "nano-banana-2", "input": "a red kite", "tools": [{"type": "image_generation"}]},
            ],
        },
        "OpenaiBatchRequest": asked(
            "input_file_id endpoint completion_window",
            input_file_id=WORDS,
            endpoint=one_of("/v1/images/generations", "/v1/chat/completions", "/v1/responses"),
            completion_window=one_of("24h"),
            metadata=thing(),
        ),
        "FileForm": thing(
            "file purpose",
            {
                "expires_after[anchor]": one_of("created_at"),
                "expires_after[seconds]": {"type": "integer", "minimum": LEAST_LIFE_S, "maximum": MOST_LIFE_S},
            },
            file=BYTES,
            purpose=one_of(*PURPOSES),
        ),
    }


def _a_list(name: str) -> Schema:
    ends = {"first_id": or_none(TEXT), "last_id": or_none(TEXT), "has_more": TRUTH}
    return thing("object data", ends, object=one_of("list"), data=listed(ref(name)))


_ANSWERS: Final[Mapping[str, Schema]] = {
    "Images": thing(
        "created data",
        created=COUNT,
        data={"type": "array", "minItems": 1, "items": thing(b64_json=TEXT, url=TEXT, revised_prompt=TEXT)},
        model=TEXT,
        id=TEXT,
        size=TEXT,
        output_format=TEXT,
        usage=OBJECT,
        cavendish=ref("Beside"),
    ),
    "ChatMessage": thing(
        "role content",
        role=one_of("system", "developer", "user", "assistant"),
        content=either(TEXT, listed(thing("type", type=TEXT))),
    ),
    "Chat": thing(
        "id object created model choices",
        id=WORDS,
        object=one_of("chat.completion"),
        created=COUNT,
        model=TEXT,
        choices=listed(thing("index message finish_reason", index=COUNT, message=OBJECT, finish_reason=TEXT)),
        usage=OBJECT,
        cavendish=ref("Beside"),
    ),
    "Response": thing(
        "id object status output",
        id=WORDS,
        object=one_of("response"),
        status=one_of("completed", "incomplete", "in_progress", "queued", "failed", "cancelled"),
        output=listed(OBJECT),
        error=or_none(OBJECT),
        cavendish=ref("Beside"),
    ),
    "Items": thing("object data", object=one_of("list"), data=listed(OBJECT)),
    "InputTokens": thing("object input_tokens", object=TEXT, input_tokens=COUNT),
    "Deleted": thing("id object deleted", id=WORDS, object=WORDS, deleted=one_of(True)),
    "OpenaiModel": thing("id object created owned_by", id=WORDS, object=one_of("model"), created=COUNT, owned_by=TEXT),
    "OpenaiModels": _a_list("OpenaiModel"),
    "OpenaiFile": thing(
        "id object bytes created_at filename purpose",
        id={"type": "string", "pattern": "^file-"},
        object=one_of("file"),
        bytes=COUNT,
        created_at=COUNT,
        expires_at=or_none(WHOLE),
        filename=TEXT,
        purpose=TEXT,
    ),
    "OpenaiFiles": _a_list("OpenaiFile"),
    "OpenaiBatch": thing(
        "id object endpoint status",
        id={"type": "string", "pattern": "^batch_"},
        object=one_of("batch"),
        endpoint=TEXT,
        status=WORDS,
        request_counts=OBJECT,
    ),
    "OpenaiBatches": _a_list("OpenaiBatch"),
}

ACCEPTED: Final = Answer(
    "a job has begun",
    {JSON: ref("Job")},
    ("Location", "Retry-After", "x-cavendish-job", "x-cavendish-position", "Preference-Applied"),
)
_FAULTS: Final = (404, 408, 413, 499)
_PAGED: Final = ("limit", "after")


def _draws(about: str, answer: str, body: Mapping[str, Any], *headers: str) -> Operation:
    done = Answer("the pictures; events when `stream` is true", {JSON: ref(answer), EVENTS: STREAM}, DRAWN)
    answers = {200: done, 202: ACCEPTED}
    return Operation(about, TAG, answers, body, headers=(*ASKING, *headers), errors=_FAULTS)


_FILE_AT, _BATCH_AT, _RESPONSE_AT = "files/file-{name}", "batches/batch_{name}", "responses/{id}"

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "images/generations"): _draws("Make pictures", "Images", {JSON: ref("ImagesRequest")}),
    ("POST", "images"): _draws("Make pictures, as OpenRouter's client asks", "Images", {JSON: ref("ImagesRequest")}),
    ("POST", "images/edits"): _draws(
        "Make pictures after others", "Images", {FORM: ref("EditsForm"), JSON: ref("EditsRequest")}
    ),
    ("POST", "images/variations"): _draws("Make others like a picture", "Images", {FORM: ref("VariationsForm")}),
    ("POST", "chat/completions"): _draws("Draw in a chat", "Chat", {JSON: ref("ChatRequest")}, PICTURES),
    ("POST", "responses"): _draws("Draw in a response", "Response", {JSON: ref("ResponseRequest")}),
    ("POST", "responses/input_tokens"): Operation(
        "Estimate the tokens of a response", TAG, page(ref("InputTokens")), {JSON: OBJECT}, errors=_FAULTS
    ),
    ("GET", _RESPONSE_AT): Operation("A stored response", TAG, page(ref("Response"), "the response"), errors=(404,)),
    ("DELETE", _RESPONSE_AT): Operation("Forget a response", TAG, page(ref("Deleted")), errors=(404,)),
    ("POST", f"{_RESPONSE_AT}/cancel"): Operation("Cancel a response", TAG, page(ref("Response")), errors=(404,)),
    ("GET", f"{_RESPONSE_AT}/input_items"): Operation(
        "What a response was made of", TAG, page(ref("Items")), query=("limit", "after", "order"), errors=(404,)
    ),
    ("GET", "models"): Operation("The models", TAG, page(ref("OpenaiModels"))),
    ("GET", "models/{model}"): Operation("One model", TAG, page(ref("OpenaiModel")), errors=(404,)),
    ("POST", "files"): Operation(
        "Keep a file", TAG, page(ref("OpenaiFile")), {FORM: ref("FileForm")}, errors=(408, 413)
    ),
    ("GET", "files"): Operation("The files", TAG, page(ref("OpenaiFiles")), query=(*_PAGED, "order", "purpose")),
    ("GET", _FILE_AT): Operation("One file", TAG, page(ref("OpenaiFile")), errors=(404,)),
    ("DELETE", _FILE_AT): Operation("Delete a file", TAG, page(ref("Deleted")), errors=(404,)),
    ("GET", f"{_FILE_AT}/content"): Operation(
        "The bytes of a file", TAG, {200: Answer("the bytes", {RAW: BYTES})}, errors=(404,)
    ),
    ("POST", "batches"): Operation(
        "Begin a batch", TAG, page(ref("OpenaiBatch")), {JSON: ref("OpenaiBatchRequest")}, errors=_FAULTS
    ),
    ("GET", "batches"): Operation("The batches", TAG, page(ref("OpenaiBatches")), query=_PAGED),
    ("GET", _BATCH_AT): Operation("One batch", TAG, page(ref("OpenaiBatch")), errors=(404,)),
    ("POST", f"{_BATCH_AT}/cancel"): Operation("Cancel a batch", TAG, page(ref("OpenaiBatch")), errors=(404,)),
}
