"""OpenaiImagesDialect: images/generations and images/edits of OpenAI, of servers like it, and of OpenRouter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...model.call import Call, Done, Fetch, Open, Reply
from ...model.fault import Fault, FaultKind
from ...model.request import Image, Notice
from ...wire.fetched import read_fetch, read_fetched, write_fetched, write_unfetched
from ...wire.message import JsonBody, WireRequest, WireResponse
from ...wire.openai_error import fault_in, no_such_path, write_error
from .asked import Unreadable, read_body
from .asking import left_out, write_open
from .reply import read_answer, read_drafts, write_done
from .spelling import Spelling

MAX_N: Final = 10
"""Pictures of one call at OpenAI and at OpenRouter."""

_PATH: Final = re.compile(r"(?:https?://[^/?#]+)?(?:/[\w./-]{0,200})?/images(?:/(?:generations|edits))?")


@dataclass(frozen=True, slots=True)
class OpenaiImagesDialect:
    """OpenAI's wire format. Paths are relative to a base URL that ends in the version, as OpenAI's own does.

    ``spelling``: ``openai`` for what OpenAI itself knows; ``server`` for those that also take ``seed``,
    ``aspect_ratio`` and a size word as ``image_size``; ``openrouter`` for its /images. ``references`` says how pictures
    are sent to /images/edits: as files of a form, unless one of them is an address, or as JSON. ``members`` names
    further members of a body that an endpoint's servers know. ``max_n`` is the largest count that is read.

    There are no stored jobs, so a ``Poll`` or ``Cancel`` cannot be written (``ValueError``), and is never read.
    """

    spelling: Spelling = "openai"
    references: str = "form"
    members: Sequence[str] = ()
    max_n: int = MAX_N

    def __post_init__(self) -> None:
        if self.spelling not in {"openai", "server", "openrouter"} or self.references not in {"form", "json"}:
            raise TypeError(f"no such spelling or way of references: {self.spelling!r}, {self.references!r}")

    @property
    def name(self) -> str:
        """``openai_images``."""
        return "openai_images"

    def write_call(self, call: Call) -> WireRequest:
        """The call as it goes over the wire. Raises ``ValueError`` for a ``Poll`` or ``Cancel``."""
        match call:
            case Open():
                return write_open(call, self.spelling, self.members, form=self.references == "form")
            case Fetch(url):
                return WireRequest("GET", url)
            case _:
                raise ValueError(f"the Images API has no stored jobs: {type(call).__name__} cannot be said")

    def unsupported(self, call: Call) -> tuple[Notice, ...]:
        """What this format has no way to say: a conversation, a ratio, thinking, a seed, others' extras."""
        return left_out(call.request, self.spelling, self.members) if isinstance(call, Open) else ()

    def read_reply(self, response: WireResponse, call: Call) -> Done | Fault:
        """What the answer means. Never raises."""
        return read_answer(response, call) if isinstance(call, Open) else read_fetched(response)

    def read_drafts(self, event: JsonBody) -> tuple[Image, ...]:
        """The draft that an event of a stream shows. Never raises."""
        return read_drafts(event)

    def read_call(self, request: WireRequest) -> Open | Fetch | Fault:
        """What a client asks for; a request that OpenAI would refuse is the fault of that refusal. Never raises."""
        if request.method.upper() == "GET":
            return read_fetch(request)
        if request.method.upper() != "POST" or not _PATH.fullmatch(request.path):
            return no_such_path(request)
        try:
            return read_body(request.body, self.max_n)
        except Unreadable as error:
            return Fault(FaultKind.INVALID_REQUEST, str(error), reason=error.code, status=400)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as OpenAI says it, in events when the call is streamed.

        An answer without a picture is an error, as clients take none for a success. A stream that fails at once is
        answered with the plain error.
        """
        if isinstance(call, Fetch):
            return write_fetched(reply) if isinstance(reply, Done) else write_unfetched(fault_in(reply))
        return write_done(reply, call) if isinstance(reply, Done) and reply.pictures else write_error(fault_in(reply))
