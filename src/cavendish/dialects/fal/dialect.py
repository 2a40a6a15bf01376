"""FalDialect: fal's queue and its direct form. Which of the two it is, the endpoint's host decides, not the call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote

from ...model.call import Call, Cancel, Done, Fetch, Later, Open, Poll, Reply, Ticket
from ...model.fault import Charged, Fault, FaultKind, Scope
from ...model.request import Notice
from ...wire.fetched import read_fetch, read_fetched, write_fetched, write_unfetched
from ...wire.http_faults import header_wait_s, wait_headers
from ...wire.message import Headers, WireRequest, WireResponse
from .body import Unreadable, left_out, read_body, write_body
from .errors import read_error, write_error
from .queue import (
    address,
    cancel_address,
    ended,
    has_ended,
    read_cancelled,
    read_status,
    read_ticket,
    write_cancelled,
    write_completed,
    write_failed,
    write_taken,
    write_waiting,
)
from .result import read_result, write_result

_REQUEST: Final = re.compile(r"(?P<result>.*/requests/(?P<id>[^/?#]{1,200}))(?P<what>/status|/cancel)?")
_MODEL: Final = re.compile(r"(?:https?://[^/?#]+)?/(?P<model>[^?#]{1,800})")
_EDIT: Final = "/edit"
_NOT_YET: Final = "Request is still in progress"


@dataclass(frozen=True, slots=True)
class FalDialect:
    """fal's wire format.

    ``poll_s`` is how long to wait between two questions about a request, in seconds. ``most_images`` is what a call
    may ask for at most, as far as calls are read here; the models differ. ``edits`` are the models that take pictures
    at an address of their own, ``.../edit``.
    """

    poll_s: float = 1.0
    most_images: int = 4
    edits: Sequence[str] = ()

    @property
    def name(self) -> str:
        """``fal``."""
        return "fal"

    def write_call(self, call: Call) -> WireRequest:
        """The call as it goes over the wire."""
        match call:
            case Open(request):
                body = write_body(request)
                to_edit = request.model in self.edits and "image_urls" in body
                path = quote(request.model, safe="/") + (_EDIT if to_edit else "")
                return WireRequest("POST", f"/{path}", body)
            case Poll(ticket):
                return WireRequest("GET", address(ticket))
            case Cancel(ticket):
                return WireRequest("PUT", cancel_address(ticket))
            case Fetch(url):
                return WireRequest("GET", url)

    def unsupported(self, call: Call) -> tuple[Notice, ...]:
        """What this format has no way to say: a conversation, thinking, search, quality, the use of a reference."""
        return left_out(call.request) if isinstance(call, Open) else ()

    # --- answers -----------------------------------------------------------------------------------------------------

    def read_reply(self, response: WireResponse, call: Call) -> Reply:
        """What the answer means. Never raises."""
        match call:
            case Open(request):
                return self._read_opened(response, request.n)
            case Poll(ticket):
                return self._read_polled(response, ticket)
            case Cancel(ticket):
                return read_cancelled(response, ticket) or read_error(response)
            case Fetch():
                return read_fetched(response)

    def _read_opened(self, response: WireResponse, wanted: int) -> Reply:
        if response.status >= 300:
            return read_error(response)
        ticket = read_ticket(response.body)
        taken = read_status(response, ticket, self._wait_s(response)) if ticket.id else None
        return taken or read_result(response, wanted)

    def _read_polled(self, response: WireResponse, ticket: Ticket) -> Reply:
        state = read_status(response, ticket, self._wait_s(response))
        if isinstance(state, Later) and has_ended(ticket) and state.after_s == 0:
            return read_error(response)  # it has ended, and this is no result
        if isinstance(state, Later):
            return state
        if state is not None:
            return _of_request(state)
        if response.status < 300:
            return read_result(response, None, ticket.id) if has_ended(ticket) else read_error(response)
        fault = read_error(response)
        if fault.status == 400 and fault.message.startswith(_NOT_YET):
            return Later(ticket, self._wait_s(response))
        return _of_request(fault)

    def _wait_s(self, response: WireResponse) -> float:
        wait_s = header_wait_s(response.headers)
        return self.poll_s if wait_s is None else wait_s

    # --- the other side ----------------------------------------------------------------------------------------------

    def read_call(self, request: WireRequest) -> Call | Fault:
        """What a client asks for; a request that fal would refuse is the fault of that refusal. Never raises."""
        asked = _REQUEST.fullmatch(request.path)
        match request.method.upper():
            case "GET":
                return _read_get(request, asked)
            case "PUT" if asked and asked["what"] == "/cancel":
                return Cancel(_ticket(asked))
            case "POST":
                return self._read_post(request)
            case _:
                return _not_served(request)

    def _read_post(self, request: WireRequest) -> Open | Fault:
        match = _MODEL.fullmatch(request.path)
        if not match:
            return _not_served(request)
        model = unquote(match["model"])
        if model.removesuffix(_EDIT) in self.edits:
            model = model.removesuffix(_EDIT)
        try:
            if any(name == "fal_webhook" for name, _ in request.query):
                raise Unreadable("nobody is called back from here: poll instead", "fal_webhook")
            return read_body(request.body, model, self.most_images)
        except Unreadable as error:
            place = f"{error.place}: " if error.place else ""
            return Fault(FaultKind.INVALID_REQUEST, f"{place}{error}", reason="value_error", status=422)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as fal says it. A picture that is asked for by its status is only announced there."""
        match call:
            case Open():
                return self._write_opened(reply)
            case Poll(ticket):
                return self._write_polled(reply, ticket)
            case Cancel():
                return write_cancelled(None if isinstance(reply, Done) else reply)
            case Fetch():
                return _write_file(reply)

    def _write_opened(self, reply: Reply) -> WireResponse:
        match reply:
            case Done():
                return write_result(reply)
            case Later():
                return WireResponse(200, self._asks_to_wait(reply), write_taken(reply))
            case Fault():
                return write_error(reply)

    def _write_polled(self, reply: Reply, ticket: Ticket) -> WireResponse:
        match reply:
            case Done():
                return write_result(reply) if has_ended(ticket) else WireResponse(200, body=write_completed(ticket))
            case Later():
                if has_ended(ticket):
                    return WireResponse(400, self._asks_to_wait(reply), {"detail": _NOT_YET})
                if has_ended(reply.ticket):
                    return WireResponse(200, body=write_completed(ticket))
                return WireResponse(202, self._asks_to_wait(reply), write_waiting(ticket))
            case Fault():
                return write_error(reply) if has_ended(ticket) else write_failed(reply, ticket)

    def _asks_to_wait(self, later: Later) -> Headers:
        """The wait that a client of this dialect would not know by itself."""
        return wait_headers(None if later.after_s == self.poll_s else later.after_s)


def _of_request(fault: Fault) -> Fault:
    """The fault as one of a request that was taken: what is not found then is the request."""
    if fault.kind is not FaultKind.MODEL_NOT_FOUND:
        return fault
    return replace(fault, kind=FaultKind.JOB_EXPIRED, charged=Charged.UNKNOWN, scope=Scope.CALL)


def _read_get(request: WireRequest, asked: re.Match[str] | None) -> Poll | Fetch:
    if asked and asked["what"] != "/cancel":
        ticket = _ticket(asked)
        return Poll(ticket if asked["what"] else ended(ticket))
    return read_fetch(request)


def _ticket(asked: re.Match[str]) -> Ticket:
    return Ticket(unquote(asked["id"]), f"{asked['result']}/status")


def _not_served(request: WireRequest) -> Fault:
    message = f"{request.method} {request.path} is not served here"
    return Fault(FaultKind.MODEL_NOT_FOUND, message, scope=Scope.MODEL, reason="not_found", status=404)


def _write_file(reply: Reply) -> WireResponse:
    match reply:
        case Done():
            return write_fetched(reply)
        case Fault():
            return write_unfetched(reply)
        case Later():
            return write_unfetched(Fault(FaultKind.OVERLOADED, "not yet", retry_after_s=reply.after_s))
