"""Responses that were kept: shown again, whole or as events, with what they were asked; cancelled, and forgotten."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from ....errors import CavendishError
from ....io.desk.books import CANCELLED, OPEN, JobEntry
from ....io.desk.responses import ResponseEntry
from ....model.call import Call, Done, Open
from ....model.fault import Fault, FaultKind
from ....plan.estimate import input_tokens
from ....wire.message import WireResponse
from ....wire.openai_error import fault_in
from ..transit.outlet import send
from ..wants import fault_of
from .door import json_response
from .responses import ResponsesDoor
from .responses_asked import ResponseCall
from .responses_form import bare, wish_of
from .responses_items import input_items, page_of

_TRUE: Final = frozenset({"true", "1"})


class KeptResponses:
    """The paths below ``/v1/responses/{id}``. ``door`` made the responses, and writes them."""

    def __init__(self, door: ResponsesDoor) -> None:
        self._door = door
        self._desk = door.desk

    async def get(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """A response as it is now; with ``stream`` its events, from after the one that the client had last."""
        found = await self._door.found(caller, match["id"])
        if found is None:
            return await self._door.refuse(request, no_response(match["id"]))
        if request.query.get("stream", "").lower() in _TRUE:
            return await self._replayed(request, *found)
        return await self._shown(request, *found)

    async def delete(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """Forget a response: nothing can go on from it any more."""
        if await self._door.found(caller, match["id"]) is None:
            return await self._door.refuse(request, no_response(match["id"]))
        await self._door.book.delete(caller, match["id"])
        return json_response({"id": match["id"], "object": "response", "deleted": True})

    async def cancel(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """No further calls for a response in the background; pictures that are under way are finished and kept."""
        found = await self._door.found(caller, match["id"])
        if found is None:
            return await self._door.refuse(request, no_response(match["id"]))
        entry, job = found
        live = self._desk.job(job.id)
        if live is not None:
            self._desk.cancel(live)
            return json_response(bare(job.id, entry.head, "cancelled"))
        return await self._shown(request, entry, job)

    async def items(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """What a response was asked."""
        found = await self._door.found(caller, match["id"])
        if found is None:
            return await self._door.refuse(request, no_response(match["id"]))
        page = page_of(input_items(found[1].request, match["id"]), request.query)
        if isinstance(page, Fault):
            return await self._door.refuse(request, page)
        return await send(request, WireResponse(200, body=page), self._desk.blobs.read, headers={})

    async def count(self, request: web.Request, _match: re.Match[str], _caller: str) -> web.StreamResponse:
        """How many tokens a request would come to: an estimate, for nobody is asked."""
        own_id = self._desk.fresh_id()
        wire = await self._door.intake.read(request, request.path, own_id)
        self._door.intake.drop(own_id)
        call: Call | Fault = wire if isinstance(wire, Fault) else self._door.read(request, wire)
        if not isinstance(call, Open):
            return await self._door.refuse(request, call if isinstance(call, Fault) else no_response(""))
        try:
            drawing, _ = self._door.drawing(call.request, strict=False)
            card = self._desk.routes().resolve(drawing.model)[0].card
        except CavendishError as error:
            return await self._door.refuse(request, fault_of(error))
        return json_response({"object": "response.input_tokens", "input_tokens": input_tokens(drawing, card)})

    # --- one response -------------------------------------------------------------------------------------------------

    async def _shown(self, request: web.Request, entry: ResponseEntry, job: JobEntry) -> web.StreamResponse:
        if job.state == OPEN:
            return json_response(bare(job.id, entry.head, "in_progress"))
        reply = self._door.made(await self._door.answer_of(job))
        if isinstance(reply, Done):
            call = ResponseCall(job.request, wish=replace(wish_of(Open(job.request)), head=entry.head))
            return await self._door.send(request, reply, call, {})
        status = "cancelled" if job.state == CANCELLED else "failed"
        return json_response(bare(job.id, entry.head, status, fault_in(reply)))

    async def _replayed(self, request: web.Request, entry: ResponseEntry, job: JobEntry) -> web.StreamResponse:
        said = request.query.get("starting_after", "")
        if said and not (said.isascii() and said.isdigit()):
            message = "Invalid value for 'starting_after': expected the sequence number of an event."
            return await self._door.refuse(request, Fault(FaultKind.INVALID_REQUEST, message, status=400))
        plain, partial = wish_of(Open(job.request)), _partial(entry.head)
        wish = replace(
            plain, head=entry.head, job=job.id, partial=partial, again=True, after=int(said) if said else None
        )
        call = ResponseCall(job.request, stream=True, wish=wish)
        return await self._door.delivered(request, self._desk.again(job), call)


def _partial(head: Any) -> bool:
    return any(tool.get("partial_images") for tool in head.get("tools", ()))


def no_response(response_id: str) -> Fault:
    """Why there is nothing to show."""
    message = f"Response with id '{response_id}' not found."
    return Fault(FaultKind.MODEL_NOT_FOUND, message, reason="not_found", status=404)
