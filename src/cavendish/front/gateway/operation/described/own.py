"""The gateway's own paths: jobs, pictures, keys, use, and what those ask who run it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .....io.desk.keys import Role
from .....io.desk.period import Per
from ...doors.account import CSV
from ...doors.job_form import MAX_METADATA, MAX_METADATA_VALUE
from .openai import ACCEPTED
from .parts import ASKING
from .words import (
    BYTES,
    COUNT,
    EVENTS,
    JSON,
    NUMBER,
    OBJECT,
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

TAG: Final = "Jobs"
_KEYS: Final = "Keys"
_RUN: Final = "Operation"

_MONEY: Final[Schema] = {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000}
_RATE: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
_LENGTH: Final[Schema] = {"type": "string", "pattern": "^[1-9][0-9]{0,4}[smhdw]$"}


def schemas(most: int) -> Mapping[str, Schema]:
    """All of them, with so many pictures at most for one request."""
    return {
        **_SHOWN,
        "JobRequest": {
            **asked(
                "model prompt",
                dict.fromkeys(("size", "aspect_ratio", "system", "quality", "output_format", "thinking"), TEXT),
                closed=True,
                model={"type": "string", "pattern": r"\S"},
                prompt={"type": "string", "pattern": r"\S"},
                n=whole(1, most),
                references=listed(ref("Picture")),
                seed=whole(),
                temperature=number(),
                include_thoughts=truth(),
                grounding=either(TRUTH, listed(one_of("web", "image"))),
                extra=OBJECT,
                strict=truth(),
                metadata={
                    "type": "object",
                    "maxProperties": MAX_METADATA,
                    "additionalProperties": {"type": "string", "maxLength": MAX_METADATA_VALUE},
                },
                webhook=thing("url secret", url=TEXT, secret={"type": "string", "pattern": "^whsec_"}),
            ),
            "examples": [{"model": "nano-banana-2", "prompt": "a red kite", "n": 2, "aspect_ratio": "3:2"}],
        },
    }


_SHOWN: Final[Mapping[str, Schema]] = {
    "Job": thing(
        "id object state model created_at counts urls",
        id=WORDS,
        object=one_of("job"),
        state=one_of("queued", "running", "done", "failed", "cancelled"),
        door=TEXT,
        model=TEXT,
        created_at=NUMBER,
        ended_at=or_none(NUMBER),
        counts=thing("asked done failed open", asked=COUNT, done=COUNT, failed=COUNT, open=COUNT),
        cost_usd=NUMBER,
        cost_known=TRUTH,
        metadata=OBJECT,
        urls=thing("self events answer cancel", self=TEXT, events=TEXT, answer=TEXT, cancel=TEXT),
        outcomes=listed(OBJECT),
        waiting_for=or_none(TEXT),
        position=COUNT,
        webhook=or_none(OBJECT),
        notices=listed(OBJECT),
    ),
    "Jobs": thing(
        "object data has_more",
        object=one_of("list"),
        data=listed(ref("Job")),
        has_more=TRUTH,
        first_id=or_none(TEXT),
        last_id=or_none(TEXT),
    ),
    "KeyRequest": asked(
        "name",
        closed=True,
        name=WORDS,
        role=one_of(*Role),
        budget=_MONEY,
        per=one_of(*Per),
        rpm=_RATE,
        ipm=_RATE,
        max_n=_RATE,
        max_price=_MONEY,
        expires=_LENGTH,
        models=listed(WORDS),
        routes=listed(WORDS),
    ),
    "RotateRequest": asked(grace=_LENGTH),
    "Key": thing(
        "object id name role state",
        object=one_of("key"),
        id=WORDS,
        name=WORDS,
        key=TEXT,
        role=one_of(*Role),
        state=WORDS,
        budget=or_none(NUMBER),
        spent=or_none(NUMBER),
        rpm=or_none(WHOLE),
    ),
    "Keys": thing("object data", object=one_of("list"), data=listed(ref("Key"))),
    "Usage": thing(
        "object by data total",
        object=one_of("usage"),
        by=listed(WORDS),
        data=listed(OBJECT),
        total=OBJECT,
        key=ref("Key"),
    ),
    "Ready": thing("ready", ready=TRUTH, books=TRUTH, folder=TRUTH, draining=TRUTH),
}

_JOB, _KEY = "jobs/{id}", "keys/{name}"
_ANSWERED: Final = Answer("the answer, as the door has it by which the job came", {JSON: OBJECT, EVENTS: STREAM})


def _of_key(about: str, status: int = 200, **more: Any) -> Operation:
    return Operation(about, _KEYS, {status: Answer("the key", {JSON: ref("Key")})}, **more)


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "jobs"): Operation(
        "Begin a job",
        TAG,
        {202: ACCEPTED},
        {JSON: ref("JobRequest")},
        headers=tuple(name for name in ASKING if name.startswith(("Idem", "x-cavendish-strict"))),
        errors=(404, 408, 413),
    ),
    ("GET", "jobs"): Operation("The jobs", TAG, page(ref("Jobs")), query=("limit", "after", "state")),
    ("GET", _JOB): Operation("One job", TAG, page(ref("Job")), query=("include",), errors=(404,)),
    ("DELETE", _JOB): Operation("Delete a job and its pictures", TAG, page(ref("Deleted")), errors=(404, 409)),
    ("GET", f"{_JOB}/events"): Operation(
        "What happens to a job",
        TAG,
        {200: Answer("events", {EVENTS: STREAM}), 204: Answer("nothing more will happen")},
        query=("last_event_id",),
        headers=("Last-Event-ID",),
        errors=(404,),
    ),
    ("GET", f"{_JOB}/answer"): Operation(
        "The answer of a job", TAG, {200: _ANSWERED, 202: ACCEPTED}, headers=("Prefer",), errors=(404, 499)
    ),
    ("POST", f"{_JOB}/cancel"): Operation(
        "Cancel a job: no further calls", TAG, page(ref("Job")), headers=("Prefer",), errors=(404,)
    ),
    ("GET", "pictures/{name}"): Operation(
        "A picture, by its link",
        TAG,
        {
            200: Answer("the picture", {"*/*": BYTES}, ("ETag",)),
            206: Answer("a part of it", {"*/*": BYTES}, ("ETag", "Content-Range")),
            304: Answer("it is as it was", headers=("ETag",)),
        },
        query=("expires", "signature"),
        headers=("Range", "If-None-Match"),
        errors=(404, 416),
        keyless=True,
    ),
    ("GET", "usage"): Operation(
        "Figures of use",
        _KEYS,
        {200: Answer("the figures", {JSON: ref("Usage"), CSV: TEXT})},
        query=("by", "since", "until", "model", "of", "format"),
        errors=(404,),
    ),
    ("GET", "keys"): Operation("The keys", _KEYS, page(ref("Keys"))),
    ("POST", "keys"): _of_key("Make a key", 201, body={JSON: ref("KeyRequest")}),
    ("GET", _KEY): _of_key("One key", errors=(404,)),
    ("DELETE", _KEY): _of_key("Revoke a key", errors=(404,)),
    ("POST", f"{_KEY}/rotate"): _of_key(
        "Give a key a new secret", body={JSON: ref("RotateRequest")}, optional=True, errors=(404,)
    ),
}

PAGES: Final[Mapping[str, Operation]] = {
    "/healthz": Operation("Whether it lives", _RUN, {200: Answer("it does", {"text/plain": TEXT})}, keyless=True),
    "/readyz": Operation(
        "Whether it takes requests",
        _RUN,
        {200: Answer("it does", {JSON: ref("Ready")}), 503: Answer("it does not", {JSON: ref("Ready")})},
        keyless=True,
    ),
    "/metrics": Operation("Numbers for Prometheus", _RUN, {200: Answer("them", {"text/plain": TEXT})}, keyless=True),
    "/openapi.json": Operation("This document", _RUN, {200: Answer("it", {JSON: OBJECT})}, keyless=True),
}
