"""Google's API behind HTTP: pictures, lists of models, counts of tokens; also as a relay hands it on."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, cast

from aiohttp import web

from ..dialects.gemini import GeminiDialect
from ..model.call import Open
from ..model.fault import Fault, FaultKind
from ..wire.blobs import SpillError, SpillTooLarge
from ..wire.message import WireResponse
from . import listing
from .answers import input_tokens
from .bulk_site import BulkSite
from .checks import check_key, invalid, no_model
from .line import Style
from .site import Site, any_call, json_response, key_of, read_body, wire_request

_METHODS = "generateContent|streamGenerateContent|countTokens"
_PLACE = r"/(?:\w+/projects/[^/]{1,200}/)?(?:[^:]{1,400}/)?"  # the id of a project may have a colon
_CALL = re.compile(rf"{_PLACE}(?:models|tunedModels)/(?P<model>[^/:]+):(?P<method>{_METHODS})")
_ONE = re.compile(r"/(?:v1|v1beta)/models/(?P<model>[^/:]+)")
_LIST = re.compile(r"/(?:v1|v1beta)/models")
_PUBLISHER = "publishers/google"
_AT_VERTEX = GeminiDialect("v1beta1", place=_PUBLISHER)
_PUBLISHED = re.compile(rf"/(?:v1|v1beta1)/{_PUBLISHER}/models")


class GoogleSite(Site):
    """A system that speaks as Gemini's API does."""

    @cached_property
    def bulk(self) -> BulkSite:
        """Its files and batches."""
        return BulkSite(self, self.sim.batched(), self._shelf, read_body, key_of)

    @cached_property
    def _vertex(self) -> GoogleSite:
        """The same models in the words of Vertex AI."""
        return GoogleSite(self.system, self.sim, self._shelf, _AT_VERTEX, self._now)

    async def serve(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer whatever is asked below this system's path."""
        if f"/{_PUBLISHER}/" in path and self.dialect != _AT_VERTEX:
            return await self._vertex.serve(request, path)
        # Relays and Vertex AI have no such thing.
        if not self.system.prefix and (answer := await self.bulk.serve(request, path)) is not None:
            return answer
        if request.method == "POST" and (match := _CALL.fullmatch(path)):
            return await self._call(request, path, match)
        if request.method == "GET" and _LIST.fullmatch(path):
            return await self._models(request)
        if request.method == "GET" and _PUBLISHED.fullmatch(path):
            entries = self.sim.menu.all(self.now()[1])
            return json_response({"publisherModels": [{"name": f"{_PUBLISHER}/models/{one.id}"} for one in entries]})
        if request.method == "GET" and (match := _ONE.fullmatch(path)):
            return await self._model(request, match["model"])
        message = f"Simulated: {request.method} {path} is not served here."
        return await self.refuse(request, Fault(FaultKind.MODEL_NOT_FOUND, message, reason="NOT_FOUND", status=404))

    def style(self, request: web.Request, response: WireResponse) -> Style:
        """Google declares a stream even when it answers with a plain error; one that was not asked for is a list."""
        streamed = request.query.get("alt") == "sse" and "streamGenerateContent" in request.path
        return Style(events=streamed and response.body is not None)

    def written(self, reply: Any, call: Any) -> WireResponse:
        """A reply in the wire format, whose notes a relay of ours would read."""
        return reply if isinstance(reply, WireResponse) else self.dialect.write_reply(reply, call)

    async def _call(self, request: web.Request, path: str, match: re.Match[str]) -> web.StreamResponse:
        try:
            body = await read_body(request)
        except SpillTooLarge:
            return await self.refuse(request, Fault(FaultKind.TOO_LARGE, "Request payload is too large.", status=413))
        except SpillError as error:
            return await self.refuse(request, invalid(f"Invalid JSON payload received. {error}"))
        if match["method"] == "countTokens":
            return await self._count(request, path, body, match["model"])
        return await self.call(request, path, body, any_call(match["model"]))

    # --- lists -------------------------------------------------------------------------------------------------------

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if fault := check_key(key_of(request), ""):
            return await self.refuse(request, fault)
        entries = self.sim.menu.all(self.now()[1])
        try:
            page = listing.page(entries, request.query.get("pageSize", ""), request.query.get("pageToken", ""))
        except ValueError as error:
            return await self.refuse(request, invalid(str(error)))
        return json_response(page)

    async def _model(self, request: web.Request, model: str) -> web.StreamResponse:
        entry = self.sim.menu.find(model, self.now()[1])
        fault = check_key(key_of(request), model)
        if fault or entry is None:
            return await self.refuse(request, fault or no_model(model))
        return json_response(listing.described(entry))

    async def _count(self, request: web.Request, path: str, body: Any, model: str) -> web.StreamResponse:
        body = _members(_members(body).get("generateContentRequest")) or body
        path = path.removesuffix("countTokens") + "generateContent"
        call = self.dialect.read_call(wire_request(request, path, body))
        fault = check_key(key_of(request), model) or (call if isinstance(call, Fault) else None)
        if fault is None and self.sim.menu.find(model, self.now()[1]) is None:
            fault = no_model(model)
        if fault or not isinstance(call, Open):
            return await self.refuse(request, fault or invalid("Simulated: nothing to count."), any_call(model))
        return json_response(listing.token_count(call.request, input_tokens(call.request)))


def _members(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
