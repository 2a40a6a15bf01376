"""fal's error types: one table for reading and writing them.

Source: fal.ai/docs, the pages on errors (2026-11). Types of requests are the platform's: it never bills them. Types of
models come as 422 from a runner that may have worked, and that may be billed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ...model.fault import Charged, FaultKind, Scope

K = FaultKind


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a type stands for, and the HTTP status it comes with."""

    kind: FaultKind
    status: int
    charged: Charged = Charged.NO
    scope: Scope = Scope.CALL


REQUEST_TYPES: Final[Mapping[str, Meaning]] = {
    "bad_request": Meaning(K.INVALID_REQUEST, 400),
    "url_error": Meaning(K.INVALID_REQUEST, 400),
    "auth_error": Meaning(K.BAD_KEY, 401, scope=Scope.KEY),
    "not_found": Meaning(K.MODEL_NOT_FOUND, 404, scope=Scope.MODEL),
    "request_timeout": Meaning(K.TIMEOUT, 504),
    "startup_timeout": Meaning(K.TIMEOUT, 504),
    "internal_error": Meaning(K.SERVER_ERROR, 500),
    "runner_server_error": Meaning(K.SERVER_ERROR, 500),
    "runner_scheduling_failure": Meaning(K.OVERLOADED, 503),
    "runner_connection_timeout": Meaning(K.SERVER_ERROR, 503),
    "runner_disconnected": Meaning(K.SERVER_ERROR, 503),
    "runner_connection_refused": Meaning(K.SERVER_ERROR, 503),
    "runner_connection_error": Meaning(K.SERVER_ERROR, 503),
    "runner_incomplete_response": Meaning(K.SERVER_ERROR, 502),
    "client_disconnected": Meaning(K.JOB_FAILED, 499),
    "client_cancelled": Meaning(K.JOB_FAILED, 499),
}
"""Of the platform."""

MODEL_TYPES: Final[Mapping[str, Meaning]] = {
    "content_policy_violation": Meaning(K.PROMPT_BLOCKED, 422, Charged.UNKNOWN),
    "no_media_generated": Meaning(K.NO_IMAGE, 422, Charged.UNKNOWN),
    "image_too_large": Meaning(K.TOO_LARGE, 422),
    "file_too_large": Meaning(K.TOO_LARGE, 422),
    "image_too_small": Meaning(K.INVALID_REQUEST, 422),
    "image_load_error": Meaning(K.INVALID_REQUEST, 422),
    "file_download_error": Meaning(K.INVALID_REQUEST, 422),
    "feature_not_supported": Meaning(K.INVALID_REQUEST, 422),
    "generation_timeout": Meaning(K.TIMEOUT, 504, Charged.UNKNOWN),
    "internal_server_error": Meaning(K.SERVER_ERROR, 500),
    "downstream_service_error": Meaning(K.SERVER_ERROR, 502),
    "downstream_service_unavailable": Meaning(K.OVERLOADED, 503),
}
"""Of a model. Other types are those of validation: the input was wrong."""

MEANINGS: Final = {**MODEL_TYPES, **REQUEST_TYPES}

TYPE_OF: Final[Mapping[FaultKind, str]] = {
    **{meaning.kind: name for name, meaning in reversed(MEANINGS.items())},
    K.INVALID_REQUEST: "value_error",
    K.SERVER_ERROR: "internal_error",
    K.PROMPT_BLOCKED: "content_policy_violation",
    K.PROHIBITED: "content_policy_violation",
    K.IMAGE_SAFETY: "content_policy_violation",
    K.TEXT_ONLY: "no_media_generated",
    K.LOST_SIGNATURE: "value_error",
}
"""The type for a kind; without one there is only the status."""

STATUS_OF: Final[Mapping[FaultKind, int]] = {
    K.INVALID_REQUEST: 422,
    K.LOST_SIGNATURE: 422,
    K.FORBIDDEN: 403,
    K.NO_CREDIT: 403,
    K.NO_QUOTA: 403,
    K.BUDGET: 403,
    K.RATE_LIMITED: 429,
    K.DAY_QUOTA: 429,
    K.SPEND_LIMIT: 429,
    K.JOB_EXPIRED: 404,
}
"""The status for a kind, where its type does not say it; 500 for all others."""

RETRYABLE: Final = frozenset({K.TIMEOUT, K.SERVER_ERROR, K.OVERLOADED, K.RATE_LIMITED, K.CUT, K.CONNECT})
"""What fal's own clients would try again."""
