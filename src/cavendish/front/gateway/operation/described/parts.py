"""Parts: parameters, headers of answers and errors that many operations share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...doors.chat_form import PICTURES, SHOWN
from ...doors.door import IDEMPOTENCY, MAX_HEADER, MAX_TOKEN, STRICT
from ...doors.streams import KEEP_ALIVE, LEAST_S, MOST_S
from ...jobs.waiting import LONGEST_S, MAX_WAIT
from .words import COUNT, NUMBER, TEXT, WHOLE, WORDS, Schema, either, listed, one_of, or_none, thing

# --- what is sent -----------------------------------------------------------------------------------------------------

ASKING: Final = (IDEMPOTENCY, "Prefer", STRICT, MAX_WAIT, KEEP_ALIVE, "x-stainless-retry-count")
"""Headers of a request for pictures."""

_PLAIN: Final = {"type": "string", "pattern": r"^[\x21-\x7e]([\x20-\x7e]{0,200}[\x21-\x7e])?$"}

HEADERS: Final[Mapping[str, tuple[Schema, str]]] = {
    IDEMPOTENCY: (_PLAIN, f"The same value never buys twice. Of it {MAX_TOKEN} characters count."),
    "Prefer": (
        {"type": "string", "pattern": r"^(respond-async|wait=[0-9]{1,3})(, ?(respond-async|wait=[0-9]{1,3}))?$"},
        "`respond-async`: 202 and a job; with `wait=SECONDS` only after so long.",
    ),
    STRICT: (one_of("1", "true", "yes", "0", "false", "no"), "All as asked, and all of it, or an error."),
    MAX_WAIT: (
        {"type": "number", "minimum": 0, "maximum": LONGEST_S},
        "So many seconds the request waits for its turn at the provider; then 429, with when to ask again.",
    ),
    KEEP_ALIVE: (
        {"type": "number", "minimum": LEAST_S, "maximum": MOST_S},
        "Every so many seconds something goes over the line while pictures are made. The status is 200 by then.",
    ),
    "x-stainless-retry-count": ({"type": "integer", "minimum": 0, "maximum": 10}, "Which try it is, as OpenAI counts."),
    PICTURES: (one_of(*SHOWN), "Where the pictures of a chat are put."),
    "Last-Event-ID": (_PLAIN, "The last event that was heard: those behind it follow."),
    "Range": ({"type": "string", "pattern": r"^bytes=[0-9]{1,6}-[0-9]{0,6}$"}, "A part of the bytes."),
    "If-None-Match": (_PLAIN, "What is known already: 304 when it is still so."),
    "X-Goog-Upload-Command": (
        one_of("start", "query", "upload", "finalize", "upload, finalize"),
        "What a request of an upload does.",
    ),
    "X-Goog-Upload-Offset": ({"type": "integer", "minimum": 0, "maximum": 1 << 31}, "Where its bytes belong."),
    "X-Goog-Upload-Header-Content-Length": ({"type": "integer", "minimum": 0, "maximum": 1 << 31}, "The file's size."),
    "X-Goog-Upload-Header-Content-Type": (_PLAIN, "The file's type."),
}

_PAGE: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 100}
_DAY: Final[Schema] = {"type": "string", "format": "date"}
_ID: Final[Schema] = {"type": "string", "pattern": r"^[A-Za-z0-9_-]{1,80}$"}

QUERIES: Final[Mapping[str, tuple[Schema, str]]] = {
    "alt": (one_of("sse", "json", "media"), "`sse`: events instead of a list; `media`: the bytes."),
    "pageSize": ({"type": "integer", "minimum": 1, "maximum": 1000}, "Entries of one page."),
    "pageToken": ({"type": "string", "pattern": "^[0-9]{1,6}$"}, "The `nextPageToken` of the page before."),
    "limit": (_PAGE, "Entries of one page."),
    "after": (_ID, "The last id of the page before."),
    "order": (one_of("asc", "desc"), "By age."),
    "purpose": (TEXT, "Files for this alone."),
    "state": (one_of("open", "ended", "cancelled"), "Jobs of this state alone."),
    "include": (one_of("b64"), "`b64`: with the pictures' bytes."),
    "last_event_id": (_PLAIN, "As the header `Last-Event-ID`."),
    "by": (
        {"type": "string", "pattern": "^(key|model|day|endpoint)(,(key|model|day|endpoint)){0,3}$"},
        "What the figures are divided by.",
    ),
    "since": (_DAY, "The first day."),
    "until": (_DAY, "The day behind the last."),
    "model": ({"type": "string", "pattern": "^[a-z0-9.-]{1,40}$"}, "Of this model alone."),
    "of": ({"type": "string", "pattern": "^[a-z0-9-]{1,40}$"}, "Of this key alone."),
    "format": (one_of("json", "csv"), "`csv`: a table for spreadsheets."),
    "expires": ({"type": "integer", "minimum": 0, "maximum": 1 << 40}, "Until when the link holds."),
    "signature": (TEXT, "What proves the link."),
}

# --- what is answered -------------------------------------------------------------------------------------------------

DRAWN: Final = (
    "x-cavendish-job",
    "x-cavendish-cost",
    "x-cavendish-replayed",
    "x-cavendish-missing",
    "x-cavendish-missing-why",
    "x-cavendish-notices",
)
"""Headers of an answer with pictures."""

WAITING: Final = ("Retry-After", "retry-after-ms", "x-should-retry")

TOLD: Final[Mapping[str, tuple[Schema, str]]] = {
    "x-request-id": (WORDS, "A name for the request: the client's own, its job's, or a new one."),
    "x-ratelimit-limit-requests": (WHOLE, "Requests that the key may make in a minute."),
    "x-ratelimit-remaining-requests": (WHOLE, "How many of them are left."),
    "x-ratelimit-reset-requests": (TEXT, "When there will be more."),
    "x-cavendish-job": (WORDS, "The job: its page is `/v1/jobs/{id}`."),
    "x-cavendish-cost": (NUMBER, "What all attempts cost, in US dollars."),
    "x-cavendish-replayed": (one_of("true"), "It was bought for an earlier request, of which this is a repeat."),
    "x-cavendish-missing": (COUNT, "How many pictures did not come."),
    "x-cavendish-missing-why": (TEXT, "Why they did not."),
    "x-cavendish-notices": (
        {"type": "string", "maxLength": MAX_HEADER},
        "What could not be done as asked, as a list in JSON: `code`, `text` and `field` of each.",
    ),
    "x-cavendish-position": (COUNT, "How many jobs have their turn before this one."),
    "Location": (TEXT, "The page of the job."),
    "Preference-Applied": (one_of("respond-async"), "What was preferred, and is so."),
    "Retry-After": (COUNT, "In so many seconds it is worth to ask again."),
    "retry-after-ms": (COUNT, "The same in milliseconds."),
    "x-should-retry": (one_of("true", "false"), "Whether asking again may help."),
    "WWW-Authenticate": (TEXT, "How to send a key."),
    "Allow": (TEXT, "The methods that the path takes."),
    "Accept-Encoding": (TEXT, "What a body may be packed with."),
    "Content-Range": (TEXT, "Which part of the bytes it is."),
    "ETag": (TEXT, "The hash of the bytes."),
    "X-Goog-Upload-URL": (TEXT, "Where the bytes go."),
    "X-Goog-Upload-Status": (one_of("active", "final"), "Whether more bytes are awaited."),
    "X-Goog-Upload-Size-Received": (COUNT, "How many are there."),
}
ALWAYS: Final = (
    "x-request-id",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
)
"""On every answer; those of a limit when the key has one."""

ERRORS: Final[Mapping[int, str]] = {
    400: "the request is wrong: the message names the member",
    401: "no key, or none that is known",
    403: "the key may not do that",
    404: "there is no such thing",
    405: "the API that the key's way asks for has no such method here",
    408: "the body did not arrive in time",
    409: "not now: it is at work",
    413: "more than is taken",
    415: "packed in a way that is not taken",
    416: "there are no such bytes",
    429: "too much of something for now",
    499: "it was cancelled",
}
EVERYWHERE: Final = (400, 401, 403, 415, 429)
"""What any operation may fail with, beside 500 and above."""

WITH_HEADERS: Final[Mapping[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    415: ("Accept-Encoding",),
    429: WAITING,
}

GOOGLE_ERROR: Final = thing(
    "error",
    error=thing(
        "code message status",
        code={"type": "integer", "minimum": 400, "maximum": 599},
        message=WORDS,
        status={"type": "string", "pattern": "^[A-Z_]+$"},
        details=listed(thing("@type", {"@type": WORDS})),
    ),
    about="an error of Google's API; RetryInfo among its details says when to ask again",
)
OPENAI_ERROR: Final = thing(
    "error",
    error=thing(
        "message type",
        message=WORDS,
        type=WORDS,
        param=or_none(TEXT),
        code=or_none(either(TEXT, WHOLE)),
        cavendish=thing(),
    ),
    about="an error of OpenAI's API",
)

NOTICE: Final = thing("code message", code=WORDS, message=WORDS, param=or_none(TEXT))
BESIDE: Final = thing(
    job=TEXT,
    notices=listed(NOTICE),
    missing=listed(thing("message", message=WORDS)),
    about="what stands beside an answer: what could not be done as asked, and why pictures are missing",
)

SECURITY: Final[Mapping[str, Mapping[str, Any]]] = {
    "google": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
