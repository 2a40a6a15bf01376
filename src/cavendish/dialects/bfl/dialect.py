"""BflDialect: the API of Black Forest Labs. A task is submitted, asked for where its answer said, its picture fetched.

The address to ask at lives as long as its ticket; the picture's is signed, and dies after ten minutes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ...model.call import Call, Cancel, Done, Fetch, Later, Open, Poll, Reply, Ticket
from ...model.fault import Fault, FaultKind, Scope
from ...model.request import Notice
from ...wire.fetched import read_fetch, read_fetched, write_fetched, write_unfetched
from ...wire.http_faults import header_wait_s, wait_headers
from ...wire.message import Headers, WireRequest, WireResponse
from .body import Unreadable, left_out, read_body, write_body
from .errors import read_error, write_error
from .states import is_state, read_state, state_of, ticket_of, usage_of, write_done_at_once, write_state, write_taken

_PATHS: Final = re.compile(r"(?:https?://[^/?#]+)?/v1/(?P<model>[^/?#]{1,400})")
_RESULT: Final = "get_result"


@dataclass(frozen=True, slots=True)
class BflDialect:
    """The wire format of Black Forest Labs.

    ``poll_s`` is how long to wait between two questions about a task, in seconds, where the answer does not say: no
    figure is documented, and the service names no rate that would be too fast. ``n`` cannot be said: one task draws
    one picture. A task cannot be cancelled (``ValueError``).
    """

    poll_s: float = 1.0

    @property
    def name(self) -> str:
        """``bfl``."""
        return "bfl"

    def write_call(self, call: Call) -> WireRequest:
        """The call as it goes over the wire. Raises ``ValueError`` for a ``Cancel``."""
        match call:
            case Open(request):
                return WireRequest("POST", f"/v1/{quote(request.model, safe='')}", write_body(request))
            case Poll(ticket):
                if ticket.url:
                    return WireRequest("GET", ticket.url)
                return WireRequest("GET", f"/v1/{_RESULT}", query=(("id", ticket.id),))
            case Fetch(url):
                return WireRequest("GET", url)
            case Cancel():
                raise ValueError("a task at Black Forest Labs cannot be cancelled")

    def unsupported(self, call: Call) -> tuple[Notice, ...]:
        """What this format has no way to say: several pictures, a conversation, thinking, a size in words."""
        return left_out(call.request) if isinstance(call, Open) else ()

    # --- answers -----------------------------------------------------------------------------------------------------

    def read_reply(self, response: WireResponse, call: Call) -> Reply:
        """What the answer means. Never raises."""
        match call:
            case Open():
                taken = ticket_of(response.body)
                # What answers at once, with a state, is taken at its word.
                if taken.id and response.status < 300 and not state_of(response.body):
                    return self._later(taken, response.headers)
                return self._read_state(response, taken)
            case Poll(ticket):
                return self._read_state(response, ticket)
            case _:
                return read_fetched(response)

    def _read_state(self, response: WireResponse, ticket: Ticket) -> Reply:
        # A task that is not found may come with a 404; all other errors are the API's, not the task's.
        if not state_of(response.body) or (response.status >= 300 and response.status != 404):
            return read_error(response)
        state = read_state(response.body, ticket, response.status)
        if state is None:
            return self._later(ticket, response.headers) if ticket.id else read_error(response)
        return state

    def _later(self, ticket: Ticket, headers: Headers) -> Later:
        wait_s = header_wait_s(headers)
        return Later(ticket, self.poll_s if wait_s is None else wait_s, usage_of(ticket))

    # --- the other side ----------------------------------------------------------------------------------------------

    def read_call(self, request: WireRequest) -> Open | Poll | Fetch | Fault:
        """What a client asks for; a request that would be refused is the fault of that refusal. Never raises."""
        if request.method.upper() == "GET":
            return _read_get(request)
        match = _PATHS.fullmatch(request.path)
        if request.method.upper() != "POST" or not match or match["model"] == _RESULT:
            return Fault(FaultKind.MODEL_NOT_FOUND, "Not Found", scope=Scope.MODEL, status=404)
        try:
            return read_body(request.body, unquote(match["model"]))
        except Unreadable as error:
            return Fault(FaultKind.INVALID_REQUEST, str(error), status=422)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as the API says it."""
        match call:
            case Open():
                return self._write_taken(reply)
            case Poll(ticket):
                return self._write_state(reply, ticket)
            case _:
                return _write_file(reply)

    def _write_state(self, reply: Reply, ticket: Ticket) -> WireResponse:
        if isinstance(reply, Fault) and not is_state(reply):
            return write_error(reply)
        return WireResponse(200, self._wait(reply), write_state(reply, ticket))

    def _write_taken(self, reply: Reply) -> WireResponse:
        match reply:
            case Later():
                return WireResponse(200, self._wait(reply), write_taken(reply))
            case Fault():
                return write_error(reply)
            case Done():
                return WireResponse(200, body=write_done_at_once(reply))

    def _wait(self, reply: Reply) -> Headers:
        """The wait that a client of this dialect would not know by itself."""
        asked_s = reply.after_s if isinstance(reply, Later) else None
        return wait_headers(None if asked_s == self.poll_s else asked_s)


def _read_get(request: WireRequest) -> Poll | Fetch:
    fetch = read_fetch(request)
    identity = _task_id(fetch.url)
    if not identity:
        return fetch
    return Poll(Ticket(identity, fetch.url if fetch.url.startswith("http") else ""))


def _task_id(url: str) -> str:
    """The id of the task that an address asks for, empty when it asks for none."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no address, such as a bracket that is not closed
        return ""
    asks = parts.path.rpartition("/")[2] == _RESULT
    return dict(parse_qsl(parts.query)).get("id", "") if asks else ""


def _write_file(reply: Reply) -> WireResponse:
    match reply:
        case Done():
            return write_fetched(reply)
        case Fault():
            return write_unfetched(reply)
        case Later():
            return write_unfetched(Fault(FaultKind.OVERLOADED, "not yet", retry_after_s=reply.after_s))
