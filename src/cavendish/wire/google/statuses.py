"""Status codes and Google's words for them: one table for reading and writing errors.

Words and numbers of ``google.rpc.Code``; the HTTP status of each by Google's API design guide (AIP-193).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...model.fault import FaultKind

HTTP_OF: Final[Mapping[str, int]] = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
"""In the order of their numbers, which begin with 1. Items of a batch have the number as ``code``."""

_WORDS: Final = tuple(HTTP_OF)

WORD_OF: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""The word that goes with an HTTP status."""

NATURAL: Final[Mapping[FaultKind, tuple[int, ...]]] = {
    FaultKind.INVALID_REQUEST: (400,),
    FaultKind.TOO_LARGE: (413, 400),
    FaultKind.LOST_SIGNATURE: (400,),
    FaultKind.BAD_KEY: (400, 401, 403),
    FaultKind.FORBIDDEN: (403, 400),
    FaultKind.MODEL_NOT_FOUND: (404,),
    FaultKind.NO_CREDIT: (429,),
    FaultKind.NO_QUOTA: (429,),
    FaultKind.RATE_LIMITED: (429,),
    FaultKind.DAY_QUOTA: (429,),
    FaultKind.SPEND_LIMIT: (429,),
    FaultKind.BUDGET: (429,),
    FaultKind.CANCELLED: (499,),
    FaultKind.OVERLOADED: (503,),
    FaultKind.CONNECT: (503,),
    FaultKind.CUT: (503,),
    FaultKind.TIMEOUT: (504,),
}
"""With which HTTP statuses a kind may be answered, the usual one first; 500 for all others."""


def http_status(code: int) -> int:
    """A code as an HTTP status: those below 17 are numbers of ``google.rpc.Code``. 0 for what is neither."""
    if 1 <= code <= len(_WORDS):
        return HTTP_OF[_WORDS[code - 1]]
    return code if 400 <= code < 600 else 0
