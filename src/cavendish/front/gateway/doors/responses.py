"""The door for OpenAI's Responses API: pictures by its image tool, in conversations that the gateway keeps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any, Final

from aiohttp import web

from ....errors import CavendishError
from ....io.desk.books import OPEN, JobEntry
from ....io.desk.job_lists import REMOVED
from ....io.desk.responses import ResponseBook, ResponseEntry
from ....model.call import Call, Done, Open, Reply
from ....model.fault import Fault, FaultKind
from ....model.request import Image, ImageRequest, Notice, Part, Role, Turn
from ....model.result import Outcome, Picture
from ....wire.message import WireRequest
from ...routes import Routes
from ..batches.files import Files
from ..jobs.answer import reply_of
from ..jobs.desk import Desk, Job
from ..jobs.drafting import Draft
from ..transit.intake import Intake
from ..wants import Answer, Asked, Refused
from .chat_form import without_drafts
from .door import json_response
from .responses_asked import CALLED, PREVIOUS, ResponseCall
from .responses_form import (
    Drawn,
    ResponsesForm,
    bare,
    call_id,
    draft_of,
    ending_of,
    events_of,
    id_of,
    wish_of,
)
from .responses_items import after_number
from .talking import Talking

_TALKER: Final = re.compile(r"(?:gpt-[345]|chatgpt|o[1-9])[\w.-]*", re.IGNORECASE)
"""Models of OpenAI that do not draw but call the tool that does. Here nobody stands between."""

_DRAWN_WITH: Final = "gpt-image-2"
"""What OpenAI's tool draws with where nothing is said."""


class ResponsesDoor(Talking):
    """``/v1/responses``."""

    def __init__(self, desk: Desk, intake: Intake, files: Files) -> None:
        super().__init__(ResponsesForm(), desk, intake, files)
        self.book = ResponseBook(desk.books)

    def read(self, request: web.Request, wire: WireRequest) -> Call | Fault:  # noqa: ARG002 - as doors are called
        """What a request asks for."""
        call = ResponsesForm(int(self.desk.clock.now())).read_call(wire)
        if isinstance(call, Fault):
            return call
        if call.request.n > self.desk.rules.max_n:
            message = f"Invalid 'n': expected a value <= {self.desk.rules.max_n}, but got {call.request.n} instead."
            return Fault(FaultKind.INVALID_REQUEST, message, reason="integer_above_max_value", status=400)
        return call

    def asked(self, request: web.Request, caller: str, call: Open) -> Asked:
        """What the desk is told of a call."""
        asked = super().asked(request, caller, call)
        wish = wish_of(call)
        patient = asked.patient or wish.background
        return replace(asked, patient=patient, notices=(*asked.notices, *wish.notices))

    async def prepared(self, request: web.Request, asked: Asked) -> Asked:
        """What is asked, with the turns before it. Raises ``CavendishError``."""
        turns = [found for turn in asked.request.turns for found in await self._found_again(asked.caller, turn)]
        whole = await self.with_own_names(asked.request, asked.request.having(turns=tuple(turns)))
        drawing, notices = self.drawing(whole, strict=asked.strict)
        return await super().prepared(request, replace(asked, request=drawing, notices=(*asked.notices, *notices)))

    def wish(self, call: Open) -> dict[str, Any]:
        """The members of the response that its job does not know."""
        return {"head": dict(wish_of(call).head)}

    def later(self, request: web.Request, entry: JobEntry) -> Open:  # noqa: ARG002 - as doors are called
        """The call of a job, so that its answer looks as it was wanted."""
        head = entry.told.get("wish", {}).get("head", {})
        return ResponseCall(entry.request, wish=replace(wish_of(Open(entry.request)), head=head))

    async def answer(self, request: web.Request, job: Job, call: Open) -> web.StreamResponse:
        """The response; or, of one in the background, that it is begun."""
        wish = wish_of(call)
        if wish.store:
            entry = await self.desk.books.job(job.id)
            if entry is not None:
                await self.book.put(ResponseEntry(id_of(job.id), entry.caller, job.id, wish.head))
        if wish.background and not call.stream:
            return json_response(bare(job.id, wish.head, "queued"))
        return await super().answer(request, job, call)

    async def delivered(self, request: web.Request, job: Job, call: Open) -> web.StreamResponse:
        """What came of a job, sent as it was asked for."""
        if isinstance(call, ResponseCall):
            call = replace(call, wish=replace(call.wish, job=job.id))
        return await super().delivered(request, job, call)

    def made(self, answer: Answer) -> Reply:
        """What came of a job, with which of its pictures came."""
        reply = reply_of(answer)
        if not isinstance(reply, Done):
            return reply
        known = {field.name: getattr(reply, field.name) for field in fields(Done)}
        return Drawn(**known, drawn=answer.pictures)

    def fails_plainly(self, call: Open) -> bool:
        """Of a response that is shown again, that it failed is what its events say."""
        return not wish_of(call).again

    def draft(self, draft: Draft, call: Open) -> Iterable[Any]:
        """The events of a draft."""
        wish = wish_of(call)
        return after_number(draft_of(wish.job, draft.slot.ordinal, draft.picture, draft.number, wish), wish.after)

    def piece(self, reply: Reply, call: Open, index: int) -> Iterable[Any]:  # noqa: ARG002 - items are counted
        """The events of one picture."""
        if not isinstance(reply, Done):
            return ()
        wish = wish_of(call)
        finals = reply.pictures if wish.partial else reply.parts
        drafts = [part for part in reply.parts if isinstance(part, Image) and part not in finals]
        return after_number(events_of(reply, wish, drafts), wish.after)

    def closing(self, reply: Reply, call: Open, sent: int) -> Iterable[Any]:  # noqa: ARG002 - items are counted
        """The end of the response."""
        return after_number(ending_of(reply, wish_of(call)), wish_of(call).after)

    # --- stored responses ---------------------------------------------------------------------------------------------

    async def found(self, caller: str, response_id: str) -> tuple[ResponseEntry, JobEntry] | None:
        """A stored response of a caller, and the job that made it."""
        entry = await self.book.find(caller, response_id)
        job = await self.desk.books.job(entry.job) if entry else None
        return (entry, job) if entry and job and job.state != REMOVED else None

    async def answer_of(self, job: JobEntry) -> Answer:
        """What came of a job that has ended."""
        outcomes: tuple[Outcome, ...] = tuple(await self.desk.books.outcomes(job.id))
        return Answer(job.id, job.request, outcomes, job.notices)

    # --- conversations ------------------------------------------------------------------------------------------------

    async def _found_again(self, caller: str, turn: Turn) -> tuple[Turn, ...]:
        """A turn with the pictures that it names by the call that drew them; all turns that it stands for."""
        parts: list[Part] = []
        for part in turn.parts:
            uri = part.uri or "" if isinstance(part, Image) else ""
            if uri.startswith(PREVIOUS):
                return await self._past(caller, uri.removeprefix(PREVIOUS))
            parts.append(await self._called(caller, uri.removeprefix(CALLED)) if uri.startswith(CALLED) else part)
        return (Turn(turn.role, tuple(parts)),)

    async def _past(self, caller: str, previous: str) -> tuple[Turn, ...]:
        """The turns up to an earlier response. Raises ``Refused`` when there is none to go on from."""
        found = await self.found(caller, previous)
        if found is None:
            message = f"Previous response with id '{previous}' not found."
            raise Refused(_wrong(message, "previous_response_not_found"))
        _, job = found
        if job.state == OPEN:
            raise Refused(_wrong(f"Response '{previous}' is not finished yet.", "response_not_finished"))
        reply = reply_of(await self.answer_of(job))
        said = Turn(Role.MODEL, without_drafts(reply).parts) if isinstance(reply, Done) else None
        return (*job.request.turns, said) if said else job.request.turns

    async def _called(self, caller: str, name: str) -> Image:
        job_id = name.removeprefix("ig_").rpartition("_")[0]
        found = await self.found(caller, id_of(job_id))
        for outcome in await self.desk.books.outcomes(job_id) if found else ():
            if isinstance(outcome, Picture) and call_id(job_id, outcome.slot.ordinal) == name:
                return Image(blob=outcome.blob, media_type=outcome.blob.media_type)
        message = f"Item with id '{name}' not found. Items are not persisted when `store` is set to false."
        raise Refused(_wrong(message, "item_not_found"))

    def drawing(self, request: ImageRequest, *, strict: bool) -> tuple[ImageRequest, tuple[Notice, ...]]:
        """The request for a model that draws, where one was named that would only have called the tool."""
        routes = self.desk.routes()
        if not _TALKER.fullmatch(request.model):
            return request, ()
        try:
            routes.resolve(request.model)
            return request, ()
        except CavendishError as error:
            if strict:
                raise
            chosen = next((name for name in (_DRAWN_WITH, routes.default_model) if _reachable(routes, name)), "")
            if not chosen:
                raise
            text = f"{request.model} does not draw by itself: {chosen} does ({error})"
            return request.having(model=chosen), (Notice("model_chosen", text, "model"),)


def _reachable(routes: Routes, name: str) -> bool:
    try:
        return bool(routes.resolve(name))
    except CavendishError:
        return False


def _wrong(message: str, code: str) -> Fault:
    return Fault(FaultKind.INVALID_REQUEST, message, reason=code, status=400)
