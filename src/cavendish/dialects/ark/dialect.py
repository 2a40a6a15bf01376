"""ArkDialect: images/generations of ByteDance's Ark and BytePlus ModelArk, which serve Seedream."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ...model.call import Call, Done, Fetch, Later, Open, Reply
from ...model.fault import Charged, Fault, FaultKind, Scope
from ...model.request import Notice
from ...wire.fetched import read_fetch, read_fetched, write_fetched, write_unfetched
from ...wire.message import WireRequest, WireResponse
from .body import ResponseFormat, Unreadable, left_out, read_body, write_body
from .errors import write_error
from .reply import read_answer, write_done

_PATH: Final = "/images/generations"
_PATHS: Final = re.compile(r"(?:https?://[^/?#]+)?(?:/api(?:/plan)?/v3)?/images/generations")


@dataclass(frozen=True, slots=True)
class ArkDialect:
    """Ark's wire format.

    ``response_format`` is how pictures are asked for: as bytes, or as addresses that live for a day. No mark is drawn
    on a picture unless ``extra["watermark"]`` asks for one. ``n`` above 1 asks for a group: up to so many pictures of
    one series, drawn one after another. There are no stored jobs, so a ``Poll`` or ``Cancel`` cannot be written
    (``ValueError``), and is never read.
    """

    response_format: ResponseFormat = "b64_json"

    @property
    def name(self) -> str:
        """``ark``."""
        return "ark"

    def write_call(self, call: Call) -> WireRequest:
        """The call as it goes over the wire. Raises ``ValueError`` for a ``Poll`` or ``Cancel``."""
        match call:
            case Open():
                return WireRequest("POST", _PATH, write_body(call, self.response_format))
            case Fetch(url):
                return WireRequest("GET", url)
            case _:
                raise ValueError(f"Ark has no stored jobs: {type(call).__name__} cannot be said")

    def unsupported(self, call: Call) -> tuple[Notice, ...]:
        """What this format has no way to say: a conversation, thinking, quality, a ratio without pixels."""
        return left_out(call.request) if isinstance(call, Open) else ()

    def read_reply(self, response: WireResponse, call: Call) -> Done | Fault:
        """What the answer means. Never raises."""
        return read_answer(response, call) if isinstance(call, Open) else read_fetched(response)

    def read_call(self, request: WireRequest) -> Open | Fetch | Fault:
        """What a client asks for; a request that Ark would refuse is the fault of that refusal. Never raises."""
        if request.method.upper() == "GET":
            return read_fetch(request)
        if request.method.upper() != "POST" or not _PATHS.fullmatch(request.path):
            message = f"{request.method} {request.path} is not served here"
            reason = "InvalidEndpointOrModel.NotFound"
            return Fault(FaultKind.MODEL_NOT_FOUND, message, scope=Scope.MODEL, reason=reason, status=404)
        try:
            return read_body(request.body, self.response_format)
        except Unreadable as error:
            return Fault(FaultKind.INVALID_REQUEST, str(error), reason=error.code, status=400)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as Ark says it. A stream that fails at once is answered with the plain error."""
        match reply:
            case Done():
                return write_done(reply, call) if isinstance(call, Open) else write_fetched(reply)
            case Fault():
                return write_error(reply) if isinstance(call, Open) else write_unfetched(reply)
            case Later():
                message = "the job goes on, but this API cannot be asked for it again"
                return write_error(Fault(FaultKind.JOB_EXPIRED, message, charged=Charged.UNKNOWN))
