"""The queue, both ways: what is said of a request that waits, runs, has ended or is given up.

A ticket's address is that of the status. When a request has ended, its ticket is marked, and the next question goes
to the result. ``COMPLETED`` may carry an error: it only says that nothing more will happen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ...model.call import Later, Ticket
from ...model.fault import Charged, Fault, FaultKind
from ...wire.fault_note import noted
from ...wire.message import WireResponse
from ...wire.reading import flag, text
from .errors import read_body, type_of, write_error
from .types import REQUEST_TYPES

_STATUS: Final = "/status"
_CANCEL: Final = "/cancel"
_COMPLETED: Final = "completed"
"""The mark in a ticket's data."""
_WAITING: Final = frozenset({"IN_QUEUE", "IN_PROGRESS"})


def has_ended(ticket: Ticket) -> bool:
    """Whether its result is to be had."""
    return flag(ticket.data, _COMPLETED)


def ended(ticket: Ticket) -> Ticket:
    """The ticket, marked."""
    return replace(ticket, data={**ticket.data, _COMPLETED: True})


# --- addresses -------------------------------------------------------------------------------------------------------


def address(ticket: Ticket) -> str:
    """Where to ask next: for the status, or for the result."""
    status = ticket.url or f"/requests/{ticket.id}{_STATUS}"
    if not has_ended(ticket):
        return status
    return text(ticket.data, "responseUrl") or status.removesuffix(_STATUS)


def cancel_address(ticket: Ticket) -> str:
    """Where to give a request up."""
    return text(ticket.data, "cancelUrl") or address(ended(Ticket(ticket.id, ticket.url))) + _CANCEL


def read_ticket(body: Any) -> Ticket:
    """The ticket of a request that was taken. Addresses that do not follow from that of the status are kept."""
    ticket = Ticket(text(body, "requestId"), text(body, "statusUrl"))
    told = {"response_url": text(body, "responseUrl"), "cancel_url": text(body, "cancelUrl")}
    usual = {"response_url": address(ended(ticket)), "cancel_url": cancel_address(ticket)}
    return replace(ticket, data={name: url for name, url in told.items() if url and url != usual[name]})


# --- states ----------------------------------------------------------------------------------------------------------


def read_status(response: WireResponse, ticket: Ticket, poll_s: float) -> Later | Fault | None:
    """How a request is, ``None`` when the answer does not say. A request that has ended is asked for again at once."""
    body = response.body
    state = text(body, "status").strip().upper()
    if not state or response.status >= 300:
        return None
    if state in _WAITING:
        return Later(ticket, poll_s)
    if state != "COMPLETED":
        message = f"a request in a state that is not known: {state[:100]}"
        return Fault(FaultKind.MALFORMED, message, Charged.UNKNOWN, status=response.status)
    if text(body, "error") or text(body, "errorType"):
        return replace(read_body(body, 0), status=response.status)
    return Later(ended(ticket), 0.0)


def write_taken(later: Later) -> dict[str, Any]:
    """A request that was taken."""
    ticket = later.ticket
    return {
        "status": "IN_QUEUE",
        "request_id": ticket.id,
        "status_url": ticket.url,
        "response_url": address(ended(ticket)),
        "cancel_url": cancel_address(ticket),
        "queue_position": 0,
    }


def write_waiting(ticket: Ticket) -> dict[str, Any]:
    """A request that is under way."""
    return {"status": "IN_PROGRESS", "request_id": ticket.id, "logs": None}


def write_completed(ticket: Ticket) -> dict[str, Any]:
    """A request whose result is to be had."""
    return {"status": "COMPLETED", "request_id": ticket.id, "logs": None, "metrics": {}}


def write_failed(fault: Fault, ticket: Ticket) -> WireResponse:
    """A request that came to nothing: as its end where the platform is to blame, as an error otherwise."""
    said = type_of(fault)
    if said not in REQUEST_TYPES or fault.retry_after_s is not None:
        return write_error(fault)
    body = {**write_completed(ticket), "error": fault.message, "error_type": said}
    return WireResponse(200, body=noted(body, fault, lambda again: read_body(again, 0)))


# --- giving up -------------------------------------------------------------------------------------------------------

_GIVEN_UP: Final = {
    "OK": Charged.NO,  # it had not begun
    "CANCELLATION_REQUESTED": Charged.UNKNOWN,
}


def read_cancelled(response: WireResponse, ticket: Ticket) -> Later | Fault | None:
    """What came of giving a request up, ``None`` when the answer does not say. One that has ended has a result."""
    state = text(response.body, "status").strip().upper()
    if state in _GIVEN_UP:
        charged = _GIVEN_UP[state]
        return Fault(FaultKind.CANCELLED, "given up", charged, reason=state, status=response.status)
    if state == "ALREADY_COMPLETED":
        return Later(ended(ticket), 0.0)
    if state == "NOT_FOUND":
        return Fault(FaultKind.JOB_EXPIRED, "", Charged.UNKNOWN, reason=state, status=response.status)
    return None


def write_cancelled(reply: Later | Fault | None) -> WireResponse:
    """What came of giving a request up; ``None`` stands for a picture that is there."""
    if reply is None or isinstance(reply, Later):
        return WireResponse(400, body={"status": "ALREADY_COMPLETED"})
    if reply.kind is FaultKind.CANCELLED:
        at_once = reply.charged is Charged.NO
        return WireResponse(200 if at_once else 202, body={"status": "OK" if at_once else "CANCELLATION_REQUESTED"})
    if reply.kind is FaultKind.JOB_EXPIRED:
        return WireResponse(404, body={"status": "NOT_FOUND"})
    return write_error(reply)
