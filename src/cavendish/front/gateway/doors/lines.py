"""Lines: a file of requests read line by line, the pictures of each set aside under an id of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from aiohttp import web

from ....errors import CavendishError
from ....model.call import Open
from ....model.fault import Fault, FaultKind
from ....wire.jsonl import Line, LineReader
from ....wire.message import JsonBody
from ..transit.intake import Intake
from ..wants import Asked, fault_of
from .door import Door

MAX_LINES: Final = 50_000
"""Of one batch; OpenAI's limit, and more than a day of any quota."""


async def line_values(
    pieces: AsyncIterator[bytes], intake: Intake, batch_id: str
) -> AsyncIterator[tuple[str, JsonBody | Fault]]:
    """Each line's value, or why it has none, with the id under which its pictures are."""
    reader = LineReader(lambda number: intake.blobs.new_blob(_own(batch_id, number)), limits=intake.limits)
    try:
        async for piece in pieces:
            for line in reader.feed(piece):
                yield _value(line, batch_id)
            await intake.blobs.drained()
        for line in reader.close():
            yield _value(line, batch_id)
    finally:
        reader.abort()


def _own(batch_id: str, number: int) -> str:
    return f"{batch_id}.{number}"


def _value(line: Line, batch_id: str) -> tuple[str, JsonBody | Fault]:
    if line.number >= MAX_LINES:
        message = f"a batch has at most {MAX_LINES} lines"
        return _own(batch_id, line.number), Fault(FaultKind.INVALID_REQUEST, message, status=400)
    if line.broken:
        return _own(batch_id, line.number), Fault(FaultKind.INVALID_REQUEST, line.broken, status=400)
    return _own(batch_id, line.number), line.value


async def fitted(door: Door, http: web.Request, caller: str, call: Open) -> Asked | Fault:
    """A line's request as its door would have it; why it can be none."""
    try:
        return await door.prepared(http, replace(door.asked(http, caller, call), token=None, repeat=0))
    except CavendishError as error:
        return fault_of(error)
