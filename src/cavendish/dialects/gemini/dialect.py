"""GeminiDialect: generateContent and streamGenerateContent of Google's Gemini API, and of relays that speak like it."""

from __future__ import annotations

from dataclasses import dataclass

from ...model.call import Call, Done, Fetch, Later, Open, Reply
from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Image, Notice
from ...wire.fetched import read_fetched, write_fetched
from ...wire.google import write_error
from ...wire.message import JsonBody, WireRequest, WireResponse
from .asked import read_request
from .asking import Spelling, Version, left_out, write_open
from .refusals import is_refusal
from .reply import read_answer, read_drafts, write_done, write_refused
from .schema import DEVELOPER, VERTEX, Shape


@dataclass(frozen=True, slots=True)
class GeminiDialect:
    """Google's wire format.

    ``version`` is the prefix of the path; all are read. ``place`` is what stands before ``/models`` at Vertex AI
    (``projects/P/locations/L/publishers/google``, or the last part alone with an express key); with it, what is said
    is what Vertex AI knows. ``spelling`` says whether size and ratio are sent as
    ``imageConfig`` or as its newer form ``responseFormat``; both are read. There are no stored jobs, so a ``Poll`` or
    ``Cancel`` cannot be written (``ValueError``), and is never read.

    Whether a call was billed: an error status was not; an answer without a picture was when it counts tokens that the
    model wrote, unless it says that it is not charged; a line that broke, or a proxy's 5xx, is unknown. Endpoints with
    other rules have them in their pricing.
    """

    version: Version = "v1beta"
    spelling: Spelling = "imageConfig"
    place: str = ""

    @property
    def name(self) -> str:
        """``gemini``."""
        return "gemini"

    def write_call(self, call: Call) -> WireRequest:
        """The call as it goes over the wire. Raises ``ValueError`` for a ``Poll`` or ``Cancel``."""
        match call:
            case Open():
                root = f"/{self.version}/{self.place}" if self.place else f"/{self.version}"
                return write_open(call, root, self.spelling, self._shape)
            case Fetch(url):
                return WireRequest("GET", url)
            case _:
                raise ValueError(f"the Gemini API has no stored jobs: {type(call).__name__} cannot be said")

    def unsupported(self, call: Call) -> tuple[Notice, ...]:
        """What this format has no way to say: quality, output format, the use of a reference, others' extras."""
        return left_out(call.request, self._shape) if isinstance(call, Open) else ()

    @property
    def _shape(self) -> Shape:
        return VERTEX if self.place else DEVELOPER

    def read_reply(self, response: WireResponse, call: Call) -> Done | Fault:
        """What the answer means. Never raises."""
        return read_fetched(response) if isinstance(call, Fetch) else read_answer(response, call)

    def read_drafts(self, event: JsonBody) -> tuple[Image, ...]:
        """The pictures that an event of a stream shows as thoughts. Never raises."""
        return read_drafts(event)

    def read_call(self, request: WireRequest) -> Open | Fetch | Fault:
        """What a client asks for; a request that Google would refuse is the fault of that refusal. Never raises."""
        return read_request(request)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as Google says it, in events when the call is streamed.

        A stream that fails at once is answered with the plain error.
        """
        stream, vertex = isinstance(call, Open) and call.stream, bool(self.place)
        match reply:
            case Done():
                return (
                    write_fetched(reply) if isinstance(call, Fetch) else write_done(reply, stream=stream, vertex=vertex)
                )
            case Fault():
                if is_refusal(reply) and not isinstance(call, Fetch):
                    return write_refused(reply, stream=stream, vertex=vertex)
                return write_error(reply, call.request.model if isinstance(call, Open) else "")
            case Later():
                message = "the job goes on, but this API cannot be asked for it again"
                return write_error(Fault(FaultKind.JOB_EXPIRED, message, charged=Charged.UNKNOWN))
