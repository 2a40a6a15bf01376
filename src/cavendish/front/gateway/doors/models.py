"""What models there are, as Google's and as OpenAI's API list them: all that this gateway has a way to."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web

from ....catalog.cards import ModelCard
from ....catalog.resolve import Catalog
from ....dialects.gemini.models import ModelEntry, list_models_reply, model_reply
from ....errors import CavendishError
from ....model.fault import Fault, FaultKind
from ....model.request import ImageRequest
from ...routes import Routes
from ..jobs.desk import Desk
from .door import Door, json_response

PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
METHODS = ("generateContent", "streamGenerateContent", "countTokens", "batchGenerateContent", "predict")


class Models:
    """The list of models, for both doors. ``google`` and ``openai`` write their errors."""

    def __init__(self, desk: Desk, google: Door, openai: Door) -> None:
        self._desk = desk
        self._google = google
        self._openai = openai

    async def google_list(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """One page of ListModels."""
        size, token = request.query.get("pageSize", ""), request.query.get("pageToken", "")
        try:
            count = min(MAX_PAGE_SIZE, int(size)) if size else PAGE_SIZE
            start = int(token) if token else 0
            if count < 1 or start < 0:
                raise ValueError
        except ValueError:
            message = "pageSize is at least 1, and pageToken comes from the page before"
            return await self._google.refuse(request, Fault(FaultKind.INVALID_REQUEST, message, status=400))
        entries = [_entry(card) for card in await self._cards(caller)]
        following = str(start + count) if start + count < len(entries) else ""
        return json_response(list_models_reply(entries[start : start + count], following).body)

    async def google_one(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """GetModel."""
        card = await self._find(caller, match["model"])
        if card is None:
            return await self._google.refuse(request, _no_model(match["model"]))
        return json_response(model_reply(_entry(card, match["model"])).body)

    async def openai_list(self, _request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """The list as OpenAI has it."""
        return json_response({"object": "list", "data": [_object(card, card.id) for card in await self._cards(caller)]})

    async def openai_one(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """One of them."""
        name = match["model"]
        card = await self._find(caller, name)
        if card is None:
            missing = replace(
                _no_model(name), message=f"The model '{name}' does not exist or you do not have access to it."
            )
            return await self._openai.refuse(request, missing)
        return json_response(_object(card, match["model"]))

    # --- what there is ------------------------------------------------------------------------------------------------

    async def _cards(self, caller: str) -> list[ModelCard]:
        """The models that a request of this caller would find a way to now."""
        routes = self._desk.routes()
        catalog = routes.catalog
        cards = [card for card in catalog.models.values() if _drawn(catalog, card)]
        return [card for card in cards if await self._may(caller, routes, card.id)]

    async def _find(self, caller: str, name: str) -> ModelCard | None:
        routes = self._desk.routes()
        return routes.resolve(name)[0].card if await self._may(caller, routes, name) else None

    async def _may(self, caller: str, routes: Routes, name: str) -> bool:
        """Whether there is a way to a model, and the caller's key may go it."""
        try:
            routes.resolve(name)
            asked = ImageRequest.of("a picture", name)
            await self._desk.keeper.ways(caller, routes, asked, lambda via: self._desk.routes(via=via))
        except CavendishError:
            return False
        return True


def _drawn(catalog: Catalog, card: ModelCard) -> bool:
    return bool(catalog.offers_of(card.id))


def _entry(card: ModelCard, name: str = "") -> ModelEntry:
    return ModelEntry(
        id=name or card.id,
        display_name=card.name,
        input_token_limit=card.max_input_tokens,
        methods=METHODS,
        thinking=bool(card.thinking or card.always_thinks),
    )


def _object(card: ModelCard, name: str) -> dict[str, object]:
    released = card.ids[0].released if card.ids else None
    created = int(datetime(released.year, released.month, released.day, tzinfo=UTC).timestamp()) if released else 0
    return {"id": name, "object": "model", "created": created, "owned_by": "cavendish"}


def _no_model(name: str) -> Fault:
    return Fault(FaultKind.MODEL_NOT_FOUND, f"models/{name} is not found here", status=404, reason="model_not_found")
