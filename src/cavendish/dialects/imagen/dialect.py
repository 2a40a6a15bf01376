"""ImagenDialect: ``:predict`` of Google's Developer API and of Vertex AI, which served Imagen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from ...model.call import Call, Done, Fetch, Later, Open, Reply
from ...model.fault import Charged, Fault, FaultKind, Scope
from ...model.request import Notice
from ...wire.fetched import read_fetch, read_fetched, write_fetched, write_unfetched
from ...wire.message import WireRequest, WireResponse
from .body import MAX_COUNT, Surface, Unreadable, left_out, read_body, write_body
from .reply import read_answer, write_done, write_fault

_PATH: Final = re.compile(
    r"(?:https?://[^/?#]+)?(?:/v1(?:alpha|beta\d?)?)?/(?:[^:?#]{1,400}?/)??models/(?P<model>[^:?#]{1,400}):predict"
)


@dataclass(frozen=True, slots=True)
class ImagenDialect:
    """Imagen's wire format.

    ``version`` is the prefix of the path, empty where the base URL holds it; all are read. ``surface`` is whose
    parameters are said: the Developer API refuses a seed, negative words and labels, which Vertex AI takes.
    ``max_n`` is the largest count that is read. There are no stored jobs, so a ``Poll`` or ``Cancel`` cannot be
    written (``ValueError``), and is never read.
    """

    version: str = "v1beta"
    surface: Surface = "developer"
    max_n: int = MAX_COUNT

    @property
    def name(self) -> str:
        """``imagen``."""
        return "imagen"

    def write_call(self, call: Call) -> WireRequest:
        """The call as it goes over the wire. Raises ``ValueError`` for a ``Poll`` or ``Cancel``."""
        match call:
            case Open(request):
                model = quote(request.model.removeprefix("models/"), safe="")
                prefix = f"/{self.version}" if self.version else ""
                return WireRequest("POST", f"{prefix}/models/{model}:predict", write_body(request, self.surface))
            case Fetch(url):
                return WireRequest("GET", url)
            case _:
                raise ValueError(f"Imagen has no stored jobs: {type(call).__name__} cannot be said")

    def unsupported(self, call: Call) -> tuple[Notice, ...]:
        """What this format has no way to say: pictures, a conversation, thinking, search, quality."""
        return left_out(call.request, self.surface) if isinstance(call, Open) else ()

    def read_reply(self, response: WireResponse, call: Call) -> Done | Fault:
        """What the answer means. Never raises."""
        return read_answer(response, call.request.n) if isinstance(call, Open) else read_fetched(response)

    def read_call(self, request: WireRequest) -> Open | Fetch | Fault:
        """What a client asks for; a request that Google would refuse is the fault of that refusal. Never raises."""
        if request.method.upper() == "GET":
            return read_fetch(request)
        match = _PATH.fullmatch(request.path)
        if request.method.upper() != "POST" or not match:
            message = f"{request.method} {request.path} is not served here."
            return Fault(FaultKind.MODEL_NOT_FOUND, message, scope=Scope.MODEL, reason="NOT_FOUND", status=404)
        try:
            return read_body(request.body, unquote(match["model"]).rpartition("models/")[2], self.surface, self.max_n)
        except Unreadable as error:
            return Fault(FaultKind.INVALID_REQUEST, str(error), reason="INVALID_ARGUMENT", status=400)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as Google says it."""
        model = call.request.model if isinstance(call, Open) else ""
        match reply:
            case Done():
                return write_done(reply) if isinstance(call, Open) else write_fetched(reply)
            case Fault():
                return write_fault(reply, model) if isinstance(call, Open) else write_unfetched(reply)
            case Later():
                message = "the job goes on, but this API cannot be asked for it again"
                return write_fault(Fault(FaultKind.JOB_EXPIRED, message, charged=Charged.UNKNOWN), model)
