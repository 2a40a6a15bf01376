"""The door for chats: conversations in which models draw, with what OpenAI's format cannot say put back into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from ....io.desk.books import JobEntry
from ....model.blob import Blob
from ....model.call import Call, Done, Open, Reply
from ....model.fault import Fault, FaultKind
from ....model.request import ImageRequest
from ....model.result import Picture
from ....wire.message import WireRequest
from ....wire.openai_error import error_object
from ....wire.reading import flag, mapping
from ..batches.files import Files
from ..jobs.desk import Desk, Job
from ..transit.intake import Intake
from ..wants import Asked
from .chat_form import (
    PICTURES,
    SHOWN,
    ChatCall,
    ChatForm,
    ChatWish,
    events_of,
    in_openai_s_words,
    shown_to,
    usage_event,
)
from .chat_tools import without_calls, without_tools
from .talking import Talking

_SAYS_NOTHING: Final[Mapping[str, tuple[Any, ...]]] = {
    "response_format": ({"type": "text"},),
    "store": (False,),
    "stop": ([],),
    "usage": ({"include": True}, {"include": False}),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
}
"""Members that clients send with what is the default anyway: nothing is lost when a model cannot be told them."""


class ChatDoor(Talking):
    """``/v1/chat/completions``."""

    def __init__(self, desk: Desk, intake: Intake, files: Files, *, ending: bytes = b"") -> None:
        super().__init__(ChatForm(), desk, intake, files, ending=ending)

    def read(self, request: web.Request, wire: WireRequest) -> Call | Fault:
        """What a request asks for, and how its answer is wanted."""
        wire, uncalled = without_calls(wire)
        call = self.dialect.read_call(wire)
        if not isinstance(call, Open):
            return call
        if call.request.n > self.desk.rules.max_n:
            message = f"Invalid 'n': expected a value <= {self.desk.rules.max_n}, but got {call.request.n} instead."
            return Fault(FaultKind.INVALID_REQUEST, message, reason="integer_above_max_value", status=400)
        said, agent = request.headers.get(PICTURES, ""), request.headers.get("User-Agent", "")
        if said and said.strip().lower() not in SHOWN:
            message = f"Invalid value for the header {PICTURES}: supported values are: {', '.join(SHOWN)}."
            return Fault(FaultKind.INVALID_REQUEST, message, reason="invalid_value", status=400)
        drawing, untold = without_tools(telling(call.request))
        wish = ChatWish(
            shown=shown_to(said, agent, stream=call.stream),
            usage=flag(mapping(wire.body, "stream_options"), "include_usage"),
            created=int(self.desk.clock.now()),
            notices=(*uncalled, *untold),
        )
        return ChatCall(drawing, call.stream, wish)

    def asked(self, request: web.Request, caller: str, call: Open) -> Asked:
        """What the desk is told of a call."""
        asked = super().asked(request, caller, call)
        return replace(asked, notices=(*asked.notices, *_wish(call).notices))

    def wish(self, call: Open) -> dict[str, Any]:
        """Where pictures are wanted, and when they were asked for."""
        return {"shown": _wish(call).shown, "created": _wish(call).created}

    def later(self, request: web.Request, entry: JobEntry) -> Open:  # noqa: ARG002 - as doors are called
        """The call of a job, so that its answer looks as it was wanted."""
        wish = entry.told.get("wish", {})
        return ChatCall(entry.request, wish=ChatWish(shown=wish.get("shown", "images"), created=wish.get("created", 0)))

    async def delivered(self, request: web.Request, job: Job, call: Open) -> web.StreamResponse:
        """What came of a job, sent as it was asked for, with links to its pictures where they are wanted."""
        base = self.desk.links.base(request)

        def link(blob: Blob) -> str:
            outcomes = (outcome for outcome in job.watching.ended.values() if isinstance(outcome, Picture))
            drawn = next((picture for picture in outcomes if picture.blob == blob), None)
            return self.desk.links.url(drawn, base, self.desk.clock.now()) if drawn else ""

        if isinstance(call, ChatCall):
            call = replace(call, wish=replace(call.wish, link=link))
        return await super().delivered(request, job, call)

    def piece(self, reply: Reply, call: Open, index: int) -> Iterable[Any]:
        """One choice, in as many events as it takes."""
        body = self.dialect.write_reply(reply, call).body
        return events_of(body, index, _wish(call), self.desk.blobs.read)

    def closing(self, reply: Reply, call: Open, sent: int) -> Iterable[Any]:  # noqa: ARG002 - each was told its number
        """What it all took, where that is wanted; an error that clients raise when pictures are missing."""
        events: list[Any] = []
        if isinstance(reply, Done) and _wish(call).usage:
            events.append(usage_event(self.dialect.write_reply(reply, call).body, reply))
        fault = next(iter(reply.shortfall), None) if isinstance(reply, Done) else reply
        return events if not isinstance(fault, Fault) else [*events, {"error": error_object(in_openai_s_words(fault))}]


def _wish(call: Open) -> ChatWish:
    return call.wish if isinstance(call, ChatCall) else ChatWish()


def telling(request: ImageRequest) -> ImageRequest:
    """The request with those members alone that say something, and with those that are fields of its own as such."""
    kept = {name: value for name, value in request.extra.items() if value not in _SAYS_NOTHING.get(name, ())}
    options = {name: value for name, value in mapping(kept, "stream_options").items() if name != "include_usage"}
    kept.pop("stream_options", None)
    return request.having(
        quality=_word(kept, "quality"),
        output_format=_word(kept, "output_format"),
        extra={**kept, "stream_options": options} if options else kept,
    )


def _word(members: dict[str, Any], name: str) -> str | None:
    if not isinstance(members.get(name), str):
        return None
    word = members.pop(name).strip().lower()
    return None if word in {"", "auto"} else word
