"""Ark's error codes: one table for reading and writing them.

Sources: the error-code pages of BytePlus ModelArk and Volcengine Ark, 2026-10. A code may have parts behind dots
(``InvalidParameter.Size``); the longest known beginning counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ...model.fault import FaultKind, Scope

K = FaultKind


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code stands for, and the HTTP status it comes with."""

    kind: FaultKind
    status: int
    scope: Scope = Scope.CALL


CODES: Final[Mapping[str, Meaning]] = {
    "InvalidParameter": Meaning(K.INVALID_REQUEST, 400),
    "MissingParameter": Meaning(K.INVALID_REQUEST, 400),
    "InvalidImageURL": Meaning(K.INVALID_REQUEST, 400),
    "InputTextSensitiveContentDetected": Meaning(K.PROMPT_BLOCKED, 400),
    "InputImageSensitiveContentDetected": Meaning(K.PROMPT_BLOCKED, 400),
    "InputTextRiskDetection": Meaning(K.PROMPT_BLOCKED, 400),
    "InputImageRiskDetection": Meaning(K.PROMPT_BLOCKED, 400),
    "OutputImageSensitiveContentDetected": Meaning(K.IMAGE_SAFETY, 400),
    "OutputImageRiskDetection": Meaning(K.IMAGE_SAFETY, 400),
    "AuthenticationError": Meaning(K.BAD_KEY, 401, Scope.KEY),
    "AccessDenied": Meaning(K.FORBIDDEN, 403, Scope.KEY),
    "AccountOverdueError": Meaning(K.NO_CREDIT, 403, Scope.KEY),
    "InvalidEndpointOrModel": Meaning(K.MODEL_NOT_FOUND, 404, Scope.MODEL),
    "UnsupportedModel": Meaning(K.MODEL_NOT_FOUND, 404, Scope.MODEL),
    # The model is there, but the account has not activated it in the console.
    "ModelNotOpen": Meaning(K.FORBIDDEN, 404, Scope.MODEL),
    "ModelAccountIpmRateLimitExceeded": Meaning(K.RATE_LIMITED, 429, Scope.MODEL),
    "ModelAccountRpmRateLimitExceeded": Meaning(K.RATE_LIMITED, 429, Scope.MODEL),
    "ModelAccountTpmRateLimitExceeded": Meaning(K.RATE_LIMITED, 429, Scope.MODEL),
    "RateLimitExceeded.EndpointRPMExceeded": Meaning(K.RATE_LIMITED, 429, Scope.MODEL),
    "RateLimitExceeded.EndpointTPMExceeded": Meaning(K.RATE_LIMITED, 429, Scope.MODEL),
    "RateLimitExceeded": Meaning(K.RATE_LIMITED, 429, Scope.MODEL),
    "APIAccountRpmRateLimitExceeded": Meaning(K.RATE_LIMITED, 429, Scope.KEY),
    "AccountRateLimitExceeded": Meaning(K.RATE_LIMITED, 429, Scope.KEY),
    "RequestBurstTooFast": Meaning(K.RATE_LIMITED, 429, Scope.MODEL),
    "InflightBatchsizeExceeded": Meaning(K.RATE_LIMITED, 429, Scope.MODEL),
    "ServerOverloaded": Meaning(K.OVERLOADED, 429),
    # Neither ends by waiting: a used-up allowance, and the cap that the account set itself for a model.
    "QuotaExceeded": Meaning(K.NO_QUOTA, 429, Scope.MODEL),
    "SetLimitExceeded": Meaning(K.NO_QUOTA, 429, Scope.MODEL),
    "InternalServiceError": Meaning(K.SERVER_ERROR, 500),
}

CODE_OF: Final[Mapping[FaultKind, str]] = {
    **{meaning.kind: code for code, meaning in reversed(CODES.items())},
    K.RATE_LIMITED: "ModelAccountIpmRateLimitExceeded",
    K.TOO_LARGE: "InvalidParameter",
    K.LOST_SIGNATURE: "InvalidParameter",
    K.PROHIBITED: "InputTextSensitiveContentDetected",
    K.DAY_QUOTA: "AccountRateLimitExceeded",
    K.SPEND_LIMIT: "AccountRateLimitExceeded",
    K.BUDGET: "SetLimitExceeded",
}
"""The code for a kind; ``InternalServiceError`` for all that are not here."""

TYPE_OF: Final[Mapping[int, str]] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    429: "TooManyRequests",
    500: "InternalServerError",
}
"""The ``type`` that goes with an HTTP status."""


def meaning_of(code: str) -> Meaning | None:
    """What a code means, ``None`` for one that is not known."""
    beginning = code
    while beginning:
        if beginning in CODES:
            return CODES[beginning]
        beginning = beginning.rpartition(".")[0]
    return None
