"""Modes: how a client would have its batch bought, and what is told of how it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ....io.desk.batches import BatchEntry, LineEntry
from ....model.fault import Fault, FaultKind
from ....model.plain import from_plain, to_plain
from ....model.request import JsonValue, Notice
from ...order import BATCH
from .batches import BATCH_ONLY, MODE, STANDARD, Batches

HEADER: Final = "x-cavendish-mode"
METADATA: Final = "cavendish_mode"
"""Where a client's library sends no headers of its own: a member of a batch's metadata, at OpenAI's door."""

NOTICES: Final = "notices"
MOST: Final = 20


def read_mode(headers: Mapping[str, str], metadata: Mapping[str, Any]) -> str | Fault:
    """What a client asks for; where it says nothing, ``batch``."""
    said = headers.get(HEADER) or metadata.get(METADATA) or BATCH
    mode = str(said).strip().lower().replace("_", "-")
    if mode in {BATCH, STANDARD, BATCH_ONLY}:
        return mode
    message = f"{HEADER} is one of: {BATCH}, {BATCH_ONLY}, {STANDARD}"
    return Fault(FaultKind.INVALID_REQUEST, message, reason="invalid_value", status=400)


class Dearer:
    """Looks at the lines of a batch that is being made, for those that no batch API has a price for."""

    def __init__(self, batches: Batches, caller: str, mode: str) -> None:
        self._batches = batches
        self._caller = caller
        self._mode = mode
        self._known: set[str] = set()
        self.notices: list[Notice] = []

    async def see(self, line: LineEntry) -> None:
        """Note why a line's model is to be bought by single calls, once for each."""
        if self._mode == STANDARD or line.request is None or line.request.model in self._known:
            return
        self._known.add(model := line.request.model)
        why = await self._batches.why_not(self._caller, line.request)
        if why and len(self.notices) < MOST:
            text = f"{model} is bought by single calls, at their price: {why}"
            self.notices.append(Notice("standard_price", text, "model"))

    def told(self) -> dict[str, JsonValue]:
        """What is kept with the batch."""
        return {NOTICES: [to_plain(notice) for notice in self.notices]} if self.notices else {}


def page_of_mode(batch: BatchEntry, cost_nusd: int | None) -> dict[str, Any]:
    """What neither Google's nor OpenAI's page of a batch has a place for."""
    notices = [from_plain(notice, Notice) for notice in batch.told.get(NOTICES, ())]
    told: dict[str, Any] = {MODE: batch.asked.get(MODE, BATCH)}
    if cost_nusd is not None:
        told["cost_usd"] = cost_nusd / 1e9
    return {**told, NOTICES: [{"code": one.code, "text": one.text, "field": one.field} for one in notices]}
