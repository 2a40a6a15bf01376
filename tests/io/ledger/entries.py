"""Entries for ledgers under test: slots, attempts, receipts and outcomes, short to write down."""

from __future__ import annotations

from dataclasses import replace

from cavendish.model.attempt import Attempt, AttemptState
from cavendish.model.blob import Blob
from cavendish.model.call import Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.model.result import Failure, Picture, Route, Slot

ROUTE = Route("google", "gemini-3.1-flash-image", "gemini-3.1-flash-image-preview")
PRICE = 67_000_000
TICKET = Ticket("job-1", "https://jobs.example/1", {"n": [1, None, "ü"]})
REFUSED = Fault(FaultKind.PROMPT_BLOCKED, "not this one", reason="SAFETY")


def slot(form="f0", ordinal=0, row=0, key="", prompt="a red kite", **fields) -> Slot:
    return Slot(f"{form}.{ordinal}", key, row, ordinal, ImageRequest.of(prompt, "m"), **fields)


def intent(attempt_id: str, wanted: Slot, number=1, estimate: int | None = PRICE, **fields) -> Attempt:
    begun = Attempt(attempt_id, wanted.id, number, ROUTE, AttemptState.INTENT, estimate, intent_at=1_770_000_000.25)
    return replace(begun, **fields)


def waiting(attempt: Attempt, ticket=TICKET) -> Attempt:
    return replace(attempt, state=AttemptState.WAITING, ticket=ticket)


def receipt(attempt: Attempt, charged=Charged.YES, cost: int | None = PRICE, **fields) -> Attempt:
    settled = replace(attempt, state=AttemptState.SETTLED, charged=charged, cost_nusd=cost, settled_at=1_770_000_009.5)
    return replace(settled, **fields)


def lost(attempt: Attempt) -> Attempt:
    """Noted by a recovery: nobody knows what became of it."""
    return receipt(attempt, Charged.UNKNOWN, None, state=AttemptState.UNKNOWN)


def picture(of: Slot, sha256: str | None = None, file: str | None = None, **fields) -> Picture:
    name = file or f"{of.id}.png"
    blob = Blob(sha256 or f"sha-{of.id}", 1234, "image/png", ref=name)
    return Picture(of, blob, 1024, 768, ROUTE, attempts=1, cost_nusd=PRICE, **fields)


def failure(of: Slot, fault=REFUSED) -> Failure:
    return Failure(of, fault, attempts=1, route=ROUTE)
