"""The states of a task, both ways.

Sources: docs.bfl.ai and help.bfl.ai of 2026-06; words that other clients know beside them are read, too. A task that
was withheld by moderation is not charged; of one that failed nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from ...model.call import Done, Later, Reply, Ticket
from ...model.fault import Charged, Fault, FaultKind
from ...model.money import NUSD_PER_USD, nusd
from ...model.request import Image
from ...model.usage import Usage
from ...wire.data_uri import read_picture, write_picture
from ...wire.fault_note import noted, read_note
from ...wire.reading import entries_of, mapping, member, number, text, text_of

PENDING: Final = "Pending"
READY: Final = "Ready"
_PENDING: Final = frozenset({"pending"})
_READY: Final = frozenset({"ready", "completed"})
_ENDS: Final[Mapping[str, Fault]] = {
    "request moderated": Fault(FaultKind.PROMPT_BLOCKED, reason="Request Moderated"),
    "content moderated": Fault(FaultKind.IMAGE_SAFETY, reason="Content Moderated"),
    "error": Fault(FaultKind.JOB_FAILED, charged=Charged.UNKNOWN, reason="Error"),
    "failed": Fault(FaultKind.JOB_FAILED, charged=Charged.UNKNOWN, reason="Failed"),
    # Also what a host answers that is not the one the task lives on.
    "task not found": Fault(FaultKind.JOB_EXPIRED, charged=Charged.UNKNOWN, reason="Task not found"),
}
_STATE_OF: Final[Mapping[FaultKind, str]] = {
    FaultKind.PROMPT_BLOCKED: "Request Moderated",
    FaultKind.IMAGE_SAFETY: "Content Moderated",
    FaultKind.JOB_FAILED: "Error",
    FaultKind.JOB_EXPIRED: "Task not found",
}
_REASONS: Final = ("Moderation Reasons", "message")
CREDITS_PER_USD: Final = 100
_COST: Final = "cost"


def state_of(body: Any) -> str:
    """The word for how a task is, empty when none is there."""
    return (text(body, "status") or text(body, "state")).strip()


def read_state(body: Any, ticket: Ticket, status: int) -> Done | Fault | None:
    """What has become of a task; ``None`` while it goes on."""
    state = state_of(body).lower()
    if state in _READY:
        return _read_done(body, ticket, status)
    if state in _ENDS:
        return _read_end(_ENDS[state], body, status)
    progress = number(body, "progress")
    if state in _PENDING or (progress is not None and progress < 1):
        return None
    message = f"a task in a state that is not known: {state_of(body)[:100]}"
    return Fault(FaultKind.MALFORMED, message, charged=Charged.UNKNOWN, status=status)


def _read_done(body: Any, ticket: Ticket, status: int) -> Done | Fault:
    sample = read_picture(member(mapping(body, "result"), "sample"))
    usage = replace(usage_of(ticket), images=1)
    if sample is None:
        message = "the task is ready, but has no picture"
        return Fault(FaultKind.NO_IMAGE, message, charged=Charged.YES, status=status, usage=usage)
    return Done((sample,), (0,), usage, finish=READY, response_id=text(body, "id"))


def _read_end(end: Fault, body: Any, status: int) -> Fault:
    details = member(body, "details")
    message = text_of(details) or "; ".join(_words(details)) or end.reason
    told = read_note(body) or end
    return replace(told, message=message, reason=told.reason or end.reason, status=status)


def _words(details: Any) -> tuple[str, ...]:
    """The reasons that details name: under the names that are known, else whatever they are filed under."""
    filed = cast("dict[str, Any]", details) if isinstance(details, dict) else {}
    known = [filed[name] for name in _REASONS if name in filed]
    return _flat(known) or _flat(filed.values())


def _flat(entries: Iterable[Any]) -> tuple[str, ...]:
    words = [word for entry in entries for word in map(text_of, entries_of(entry) or (entry,))]
    return tuple(filter(None, words))


def usage_of(ticket: Ticket) -> Usage:
    """What a task costs: stated when it was submitted, and kept in its ticket."""
    return Usage(cost_nusd=cost_nusd(number(ticket.data, _COST)))


def cost_nusd(credits_: float | None) -> int | None:
    """Credits as nano-dollars."""
    return None if credits_ is None or not 0 <= credits_ <= _MOST_CREDITS else nusd(credits_) // CREDITS_PER_USD


_MOST_CREDITS: Final = 10**9
"""No task costs more."""


def ticket_of(body: Any) -> Ticket:
    """The ticket of a task that was taken."""
    cost = number(body, _COST)
    data = {_COST: cost} if cost_nusd(cost) is not None else {}
    return Ticket(text(body, "id"), text(body, "pollingUrl"), data)


# --- writing ---------------------------------------------------------------------------------------------------------


def write_taken(later: Later) -> dict[str, Any]:
    """A task that was taken."""
    ticket = later.ticket
    cost = _credits(later.usage)
    stated = {_COST: number(ticket.data, _COST)} if not cost and _COST in ticket.data else cost
    return {"id": ticket.id, "polling_url": ticket.url, **stated}


def _credits(usage: Usage) -> dict[str, float]:
    return {} if usage.cost_nusd is None else {_COST: usage.cost_nusd * CREDITS_PER_USD / NUSD_PER_USD}


def write_done_at_once(done: Done) -> dict[str, Any]:
    """A picture that was there when its task was taken: the task, and its state."""
    return {**write_state(done, Ticket(done.response_id)), **_credits(done.usage)}


def is_state(fault: Fault) -> bool:
    """Whether a fault is a state of a task, and not an error of the API: only those ask for a wait."""
    return fault.kind in _STATE_OF and fault.retry_after_s is None


def write_state(reply: Reply, ticket: Ticket) -> dict[str, Any]:
    """How a task is."""
    match reply:
        case Later():
            return _task(ticket, PENDING)
        case Done():
            sample = next(iter(reply.pictures), Image(uri=""))
            return _task(ticket, READY, result={"sample": write_picture(sample)})
        case Fault():
            return _write_end(reply, ticket)


def _write_end(fault: Fault, ticket: Ticket) -> dict[str, Any]:
    state = fault.reason if _means(fault.reason, fault.kind) else _STATE_OF[fault.kind]
    details = {"message": fault.message} if fault.message else None
    task = _task(ticket, state, details=details)
    return noted(task, fault, lambda body: _read_end(_ENDS[state.lower()], body, 200))


def _means(reason: str, kind: FaultKind) -> bool:
    end = _ENDS.get(reason.lower())
    return end is not None and end.kind is kind


def _task(ticket: Ticket, state: str, **said: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("result", "progress", "details", "preview"))
    return {"id": ticket.id, "status": state, **nothing, **said}
