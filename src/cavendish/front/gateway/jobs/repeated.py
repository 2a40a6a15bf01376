"""Repeated: whether a request that bears the name of an earlier one asks for the same."""

from __future__ import annotations

from typing import Final

from ....io.desk.books import JobEntry
from ....model.fault import Fault, FaultKind
from ....model.request import ImageRequest
from ..wants import Refused

REUSED: Final = Fault(
    FaultKind.INVALID_REQUEST,
    "this Idempotency-Key was used for another request: its answer is not what is asked for here",
    reason="idempotency_key_reused",
    status=400,
)


def insist_on_the_same(earlier: JobEntry, request: ImageRequest) -> None:
    """Raises ``Refused`` for a request with other words, or for another number of pictures.

    More is not compared: pictures that are named by address, and what is remembered of a conversation, may have changed
    since, and who lost an answer must find it.
    """
    if (earlier.request.prompt, earlier.request.n) != (request.prompt, request.n):
        raise Refused(REUSED)
