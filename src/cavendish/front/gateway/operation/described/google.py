"""Google's API as it is served here. What a request may hold is told by the table that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .....dialects.gemini.schema import DEVELOPER, VERTEX, Shape
from .....wire.reading import snake
from .parts import ASKING, DRAWN
from .words import (
    ANYTHING,
    BYTES,
    COUNT,
    EVENTS,
    JSON,
    OBJECT,
    RAW,
    STREAM,
    TEXT,
    TRUTH,
    WORDS,
    Answer,
    Operation,
    Schema,
    asked,
    either,
    listed,
    number,
    or_none,
    page,
    ref,
    thing,
    whole,
)

TAG: Final = "Google"

_OF_KIND: Final[Mapping[str, Schema]] = {
    "any": ANYTHING,
    "bool": TRUTH,
    "float": number(),
    "int32": whole(),
    "string": TEXT,
}


def schema_of(shape: Shape) -> Schema:
    """A shape of the dialect as JSON Schema: every name in both of its spellings, and no other."""
    if shape.kind != "message":
        one = _OF_KIND[shape.kind]
    else:
        members = {
            spelling: or_none(schema_of(inner)) if inner.kind != "any" or inner.repeated else ANYTHING
            for name, inner in shape.members.items()
            for spelling in dict.fromkeys((name, snake(name)))
        }
        one = thing("", members, closed=True)
    if not shape.repeated:
        return one
    return either(listed(one), one) if shape.single_too else listed(one)


EXAMPLE: Final[Mapping[str, Any]] = {
    "contents": [{"role": "user", "parts": [{"text": "a red kite"}]}],
    "generationConfig": {"candidateCount": 2, "imageConfig": {"aspectRatio": "16:9"}},
}

_PART: Final = thing(
    text=TEXT,
    thought=TRUTH,
    thoughtSignature=TEXT,
    inlineData=thing("mimeType data", mimeType=TEXT, data=TEXT),
    fileData=thing("fileUri", fileUri=TEXT),
)
_CANDIDATE: Final = thing(
    content=thing(role=TEXT, parts=listed(_PART)), finishReason=WORDS, finishMessage=TEXT, index=COUNT
)
_FILE: Final = thing(
    "name uri mimeType sizeBytes",
    name={"type": "string", "pattern": "^files/"},
    displayName=TEXT,
    mimeType=TEXT,
    sizeBytes={"type": "string", "pattern": "^[0-9]+$"},
    createTime=TEXT,
    expirationTime=TEXT,
    sha256Hash=TEXT,
    uri=WORDS,
    downloadUri=TEXT,
    state=TEXT,
    source=TEXT,
)

SCHEMAS: Final[Mapping[str, Schema]] = {
    "GenerateContentRequest": {
        **schema_of(DEVELOPER),
        "description": "`candidateCount` pictures, each a candidate.",
        "examples": [EXAMPLE],
    },
    "VertexGenerateContentRequest": {**schema_of(VERTEX), "examples": [EXAMPLE]},
    "GenerateContentResponse": thing(
        candidates=listed(_CANDIDATE),
        promptFeedback=OBJECT,
        usageMetadata=OBJECT,
        modelVersion=TEXT,
        responseId=TEXT,
        cavendish=ref("Beside"),
    ),
    "CountTokensResponse": thing("totalTokens", totalTokens=COUNT, promptTokensDetails=listed(OBJECT)),
    "PredictRequest": {
        **asked(
            "instances",
            instances={"type": "array", "minItems": 1, "maxItems": 1, "items": thing("prompt", prompt=WORDS)},
            parameters=asked(
                sampleCount=whole(1, 100),
                sampleImageSize=TEXT,
                aspectRatio=TEXT,
                seed=whole(),
                outputOptions=asked(mimeType=TEXT),
                includeRaiReason=TRUTH,
            ),
        ),
        "examples": [{"instances": [{"prompt": "a red kite"}], "parameters": {"sampleCount": 2}}],
    },
    "PredictResponse": thing(
        predictions=listed(thing(mimeType=TEXT, bytesBase64Encoded=TEXT, raiFilteredReason=TEXT)),
        cavendish=ref("Beside"),
    ),
    "GoogleModel": thing("name", name={"type": "string", "pattern": "^models/"}, displayName=TEXT),
    "GoogleModels": thing("models", models=listed(ref("GoogleModel")), nextPageToken=TEXT),
    "UploadRequest": asked(file=asked(displayName=TEXT, mimeType=TEXT, sizeBytes=whole(0))),
    "GoogleFile": _FILE,
    "GoogleFiles": thing("files", files=listed(ref("GoogleFile")), nextPageToken=TEXT),
    "UploadedFile": thing(file=ref("GoogleFile")),
    "BatchRequest": {
        **thing(
            "batch",
            batch=asked(
                displayName=TEXT,
                inputConfig=asked(
                    fileName=WORDS,
                    requests=asked(requests=listed(asked(request=OBJECT, metadata=OBJECT))),
                ),
            ),
        ),
        "examples": [{"batch": {"inputConfig": {"requests": {"requests": [{"request": EXAMPLE}]}}}}],
    },
    "BatchOperation": thing("name metadata", name=WORDS, metadata=OBJECT, done=TRUTH, response=OBJECT, error=OBJECT),
    "BatchOperations": thing("operations", operations=listed(ref("BatchOperation")), nextPageToken=TEXT),
    "Nothing": thing(closed=True),
}

_DRAWN_ONE: Final = Answer("the pictures", {JSON: ref("GenerateContentResponse")}, DRAWN)
_DRAWN_MANY: Final = Answer(
    "the pictures as they come: events, or a list of them",
    {EVENTS: STREAM, JSON: either(listed(ref("GenerateContentResponse")), ref("GenerateContentResponse"))},
    DRAWN,
)
_BEGUN: Final = ("Location", "Retry-After", "x-cavendish-job", "x-cavendish-position", "Preference-Applied")
_ACCEPTED: Final = Answer("a job has begun", {JSON: ref("Job")}, _BEGUN)
_FAULTS: Final = (404, 408, 413, 499)
_PAGED: Final = ("pageSize", "pageToken")


def _draws(body: str, answer: Answer, about: str, *query: str) -> Operation:
    answers = {200: answer, 202: _ACCEPTED}
    return Operation(about, TAG, answers, {JSON: ref(body)}, query=query, headers=ASKING, errors=_FAULTS)


def _of_models(request: str) -> Mapping[tuple[str, str], Operation]:
    count = page(ref("CountTokensResponse"), "an estimate", "x-cavendish-notices")
    predicted = Answer("the pictures", {JSON: ref("PredictResponse")}, DRAWN)
    counted = Operation("Estimate the tokens of a request", TAG, count, {JSON: OBJECT}, errors=_FAULTS)
    return {
        ("POST", ":generateContent"): _draws(request, _DRAWN_ONE, "Make pictures", "alt"),
        ("POST", ":streamGenerateContent"): _draws(request, _DRAWN_MANY, "Make pictures, each as it comes", "alt"),
        ("POST", ":predict"): _draws("PredictRequest", predicted, "Make pictures, as Imagen does"),
        ("POST", ":countTokens"): counted,
    }


_MODEL: Final = "models/{model}"
_FILE_AT: Final = "files/{name}"
_BATCH_AT: Final = "batches/{name}"

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    **{
        (method, f"{place}/{{model}}{verb}"): told
        for place in ("models", "tunedModels")
        for (method, verb), told in _of_models("GenerateContentRequest").items()
    },
    **{
        (method, f"{place}publishers/google/{_MODEL}{verb}"): told
        for place in ("", "projects/{part}/locations/{part2}/")
        for (method, verb), told in _of_models("VertexGenerateContentRequest").items()
    },
    ("GET", "models"): Operation("The models", TAG, page(ref("GoogleModels")), query=_PAGED),
    ("GET", _MODEL): Operation("One model", TAG, page(ref("GoogleModel")), errors=(404,)),
    ("POST", "upload/files"): Operation(
        "Begin an upload",
        TAG,
        {200: Answer("where the bytes go", headers=("X-Goog-Upload-URL", "X-Goog-Upload-Status"))},
        {JSON: ref("UploadRequest")},
        optional=True,
        headers=("X-Goog-Upload-Header-Content-Length", "X-Goog-Upload-Header-Content-Type"),
        errors=(408, 413),
    ),
    **{
        (method, "upload/sessions/{name}"): Operation(
            "Bytes of an upload",
            TAG,
            {
                200: Answer(
                    "how far it is, or the file",
                    {JSON: ref("UploadedFile")},
                    ("X-Goog-Upload-Status", "X-Goog-Upload-Size-Received"),
                )
            },
            {RAW: BYTES},
            optional=True,
            headers=("X-Goog-Upload-Command", "X-Goog-Upload-Offset"),
            errors=(404, 408, 413),
            keyless=True,
        )
        for method in ("POST", "PUT")
    },
    ("GET", "files"): Operation("The files", TAG, page(ref("GoogleFiles")), query=_PAGED),
    ("GET", _FILE_AT): Operation("One file", TAG, page(ref("GoogleFile")), errors=(404,)),
    ("DELETE", _FILE_AT): Operation("Delete a file", TAG, page(ref("Nothing")), errors=(404,)),
    ("GET", f"{_FILE_AT}:download"): Operation(
        "The bytes of a file", TAG, {200: Answer("the bytes", {"*/*": BYTES})}, query=("alt",), errors=(404,)
    ),
    ("POST", f"{_MODEL}:batchGenerateContent"): Operation(
        "Begin a batch", TAG, page(ref("BatchOperation")), {JSON: ref("BatchRequest")}, errors=_FAULTS
    ),
    ("GET", "batches"): Operation("The batches", TAG, page(ref("BatchOperations")), query=_PAGED),
    ("GET", _BATCH_AT): Operation("One batch", TAG, page(ref("BatchOperation")), errors=(404,)),
    ("DELETE", _BATCH_AT): Operation("Delete a batch", TAG, page(ref("Nothing")), errors=(404,)),
    ("POST", f"{_BATCH_AT}:cancel"): Operation("Cancel a batch", TAG, page(ref("Nothing")), errors=(404,)),
}
