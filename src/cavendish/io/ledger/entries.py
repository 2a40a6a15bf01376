"""Entries: the engine's nouns as rows of the ledger, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from ...model.attempt import Attempt, AttemptState
from ...model.call import Ticket
from ...model.fault import Charged, Fault
from ...model.plain import from_json, from_plain, read_json, to_json, to_plain, write_json
from ...model.request import ImageRequest
from ...model.result import Failure, Outcome, Picture, Route, Slot
from ...model.usage import NOTHING_USED, Usage
from . import queries

Statement = tuple[str, Mapping[str, Any]]


class IllegalEntry(RuntimeError):
    """Something that the books cannot hold, such as a second live attempt of a slot: a bug of who keeps them."""


_NO_SLOT = Slot("", "", 0, 0, ImageRequest((), ""))
"""Stands in a stored outcome for the slot, which has a row of its own."""


def of_intent(attempt: Attempt, slot: Slot) -> Iterator[Statement]:
    """The statements that write an attempt down before it leaves."""
    yield from _of_slot(slot)
    yield queries.ADD_ATTEMPT, _standing(attempt)
    yield of_event("intent", attempt.intent_at, attempt)


def of_waiting(attempt: Attempt) -> Iterator[Statement]:
    """The statements that keep the ticket of an attempt's job."""
    yield of_attempt(attempt)
    yield of_event("waiting", attempt.intent_at, attempt)


def of_receipt(attempt: Attempt, outcome: Outcome | None) -> Iterator[Statement]:
    """The statements that settle an attempt, and end its slot when there is an outcome."""
    yield of_attempt(attempt)
    yield of_event(attempt.state.value, attempt.settled_at or attempt.intent_at, attempt)
    if outcome is not None:
        yield of_outcome(outcome)


def of_conclusion(outcome: Failure) -> Iterator[Statement]:
    """The statements that end a slot that needs no attempt to end, or no further one."""
    yield from _of_slot(outcome.slot)
    yield of_outcome(outcome)


def of_kept(slot: Slot) -> Iterator[Statement]:
    """The statements that note where a slot stands in the input by now, and where its references are."""
    yield queries.KEEP_REQUEST, _request(slot)
    yield queries.KEEP_SLOT, _place(slot)


def _of_slot(slot: Slot) -> Iterator[Statement]:
    request = _request(slot)
    yield queries.PUT_REQUEST, request
    yield queries.PUT_SLOT, {"form": request["form"], **_place(slot)}


def _request(slot: Slot) -> dict[str, Any]:
    return {"form": slot.id.rsplit(".", 1)[0], "request": to_json(slot.request).decode()}


def _place(slot: Slot) -> dict[str, Any]:
    return {
        "id": slot.id,
        "key": slot.key,
        "row": slot.row,
        "ordinal": slot.ordinal,
        "columns": write_json(dict(slot.columns), default=str).decode() if slot.columns else None,
    }


def of_attempt(attempt: Attempt) -> Statement:
    """The statement that brings an attempt up to date."""
    return queries.MOVE_ATTEMPT, _standing(attempt)


def _standing(attempt: Attempt) -> dict[str, Any]:
    details = {
        name: to_plain(value)
        for name, value in (("usage", attempt.usage), ("fault", attempt.fault), ("ticket", attempt.ticket))
        if value is not None and value != NOTHING_USED
    }
    if attempt.shared:
        details |= {"shared": attempt.shared, "place": attempt.place}
    return {
        "id": attempt.id,
        "slot_id": attempt.slot_id,
        "number": attempt.number,
        "endpoint": attempt.route.endpoint,
        "model": attempt.route.model,
        "wire_model": attempt.route.wire_model,
        "mode": attempt.route.mode,
        "state": attempt.state.value,
        "estimate_nusd": attempt.estimate_nusd,
        "cost_nusd": attempt.cost_nusd,
        "charged": attempt.charged.value,
        "intent_at": attempt.intent_at,
        "settled_at": attempt.settled_at,
        "details": write_json(details).decode() if details else None,
        "key": attempt.key,
        "request_id": attempt.request_id,
        "hedge": attempt.hedge,
    }


def of_fate(attempt_id: str, at: float, cost_nusd: int) -> Iterator[Statement]:
    """The statements that settle an attempt of unknown fate, once its provider has said what it cost: 0, nothing.

    They change nothing, and log nothing, when its fate is known or it has none yet.
    """
    charged = Charged.YES if cost_nusd else Charged.NO
    yield queries.NOTE_FATE, {"id": attempt_id, "at": at}
    yield queries.SETTLE_FATE, {"id": attempt_id, "charged": charged.value, "cost_nusd": cost_nusd}


def of_event(what: str, at: float, attempt: Attempt) -> Statement:
    """A line of the log."""
    return queries.PUT_EVENT, {"at": at, "what": what, "attempt_id": attempt.id, "slot_id": attempt.slot_id}


def of_outcome(outcome: Outcome) -> Statement:
    """The statement that ends a slot."""
    stored = to_json(replace(outcome, slot=_NO_SLOT)).decode()
    picture = outcome if isinstance(outcome, Picture) else None
    return queries.END_SLOT, {
        "id": outcome.slot.id,
        "state": "delivered" if picture else "failed",
        "outcome": stored,
        "sha256": picture.blob.sha256 if picture else None,
        "file": picture.blob.ref if picture else None,
    }


def to_slot(row: Sequence[Any]) -> tuple[Slot, Outcome | None]:
    """A slot and its outcome from a row of ``queries.SLOT``."""
    slot_id, key, number, ordinal, request, columns, _state, stored, _wanted = row
    slot = Slot(
        slot_id,
        key,
        number,
        ordinal,
        from_json(request, ImageRequest),
        cast("dict[str, Any]", read_json(columns)) if columns else {},
    )
    if stored is None:
        return slot, None
    outcome = from_json(stored)
    if not isinstance(outcome, Picture | Failure):
        raise TypeError(f"no outcome: {outcome}")
    return slot, replace(outcome, slot=slot)


def to_attempt(row: Sequence[Any]) -> Attempt:
    """An attempt from a row of the table, of whatever version."""
    key, request_id, hedge = row[14:17] or ("", "", 0)
    details: Any = read_json(row[13]) if row[13] else {}
    return Attempt(
        id=row[0],
        slot_id=row[1],
        number=row[2],
        route=Route(*row[3:7]),
        state=AttemptState(row[7]),
        estimate_nusd=row[8],
        cost_nusd=row[9],
        charged=Charged(row[10]),
        intent_at=row[11],
        settled_at=row[12],
        usage=from_plain(details["usage"], Usage) if "usage" in details else NOTHING_USED,
        fault=from_plain(details["fault"], Fault) if "fault" in details else None,
        ticket=from_plain(details["ticket"], Ticket) if "ticket" in details else None,
        shared=details.get("shared", ""),
        place=details.get("place", 0),
        key=key,
        request_id=request_id,
        hedge=bool(hedge),
    )
