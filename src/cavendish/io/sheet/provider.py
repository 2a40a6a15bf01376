"""SheetProvider: an endpoint whose pictures are cells of the sheets that it draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ...engine.policy import TOO_MUCH_AT_ONCE
from ...engine.ports import Answer, Provider
from ...engine.step import WAITS_BEFORE_RETRY
from ...model.call import Call, Cancel, Done, Fetch, Later, Open, Poll, Reply, Ticket
from ...model.fault import Charged, Fault, FaultKind
from ...model.plain import from_plain, to_plain
from ...plan.sheet import Grid
from .marks import Expected, MarkingInbox
from .press import BAD_CELL, Press
from .trial import Trial

GRID, REPLY, TRIES = "sheet_grid", "sheet_reply", "sheet_tries"
"""Members of a ticket: the grid that its job draws; the reply that names a sheet's address; how often it was tried."""

FETCH_TRIES: Final = 6
FETCH_AGAIN_S: Final = 2.0

_OF_THE_SHEET: Final = TOO_MUCH_AT_ONCE | {FaultKind.IMAGE_SAFETY}
"""Faults that say nothing of one picture: it is drawn alone before it is given up."""


class SheetProvider:
    """Implements ``engine.ports.Provider`` around another, whose inbox is ``inbox``.

    A call is for the ``wanted`` slots of one sheet. With fewer, and for what else a sheet is not worth its price, it is
    refused before it leaves: those are drawn one by one.
    """

    def __init__(self, inner: Provider, inbox: MarkingInbox, press: Press, trial: Trial) -> None:
        self._inner = inner
        self._inbox = inbox
        self._press = press
        self._trial = trial

    def of(self, grid: Grid, wanted: int) -> _SheetCalls:
        """The port of a lane that draws such sheets."""
        return _SheetCalls(self, grid, wanted)

    async def called(self, call: Call, attempt_id: str, grid: Grid) -> Answer:
        """Make one exchange for a sheet."""
        earlier, tries = None, 0
        if isinstance(call, Poll | Cancel):
            data: Mapping[str, Any] = call.ticket.data
            if GRID not in data:
                # A job of an earlier run, for a picture of its own.
                return await self._inner.call(call, attempt_id)
            grid, tries = Grid.of(str(data[GRID])), int(data.get(TRIES, 0))
            earlier = from_plain(data[REPLY], Done) if REPLY in data else None
            call = _without(call)
        self._inbox.expect(attempt_id, Expected(grid, earlier))
        try:
            answer = await self._inner.call(Fetch(_address(earlier)) if earlier else call, attempt_id)
            reply = _merged(earlier, answer.reply, tries)
            return replace(answer, reply=await self._read(reply, attempt_id, grid))
        finally:
            self._inbox.ended(attempt_id)

    async def _read(self, reply: Reply, attempt_id: str, grid: Grid) -> Reply:
        if isinstance(reply, Later):
            ticket = replace(reply.ticket, data={**reply.ticket.data, GRID: str(grid)})
            return replace(reply, ticket=ticket)
        if isinstance(reply, Fault):
            return self._of_one(reply)
        if not reply.pictures:
            return reply
        if reply.pictures[-1].blob is None:
            return Later(Ticket(reply.response_id, data={GRID: str(grid), REPLY: to_plain(reply)}), 0.0)
        done = await self._press.pressed(attempt_id, reply, grid)
        self._trial.judged(good=bool(done.finals))
        if done.finals:
            return done
        why = done.shortfall[0]
        return why.having(usage=reply.usage, text=reply.text)

    def _of_one(self, fault: Fault) -> Fault:
        """What a sheet was refused for, as a fault of its slots."""
        if fault.kind not in _OF_THE_SHEET:
            return fault
        self._trial.judged(good=False)
        return fault.having(kind=FaultKind.IMAGE_OTHER, reason=fault.reason or fault.kind.value)


class _SheetCalls:
    """Implements ``engine.ports.Provider``."""

    def __init__(self, provider: SheetProvider, grid: Grid, wanted: int) -> None:
        self._provider = provider
        self._grid = grid
        self._wanted = wanted

    async def call(self, call: Call, attempt_id: str) -> Answer:
        """Make one exchange; see ``engine.ports.Provider``."""
        if isinstance(call, Open):
            if call.request.n < self._wanted:
                words = f"{call.request.n} of the {self._wanted} pictures that a sheet was to be drawn for"
                return Answer(Fault(BAD_CELL, words, Charged.NO, reason="no_sheet"), 0.0)
            call = replace(call, request=call.request.having(n=1))
        return await self._provider.called(call, attempt_id, self._grid)


def _without(call: Poll | Cancel) -> Poll | Cancel:
    """The call as it is to leave: what a ticket holds of sheets is ours."""
    data = {name: value for name, value in call.ticket.data.items() if name not in {GRID, REPLY, TRIES}}
    return replace(call, ticket=replace(call.ticket, data=data))


def _address(reply: Done) -> str:
    return reply.pictures[-1].uri or ""


def _merged(earlier: Done | None, reply: Reply, tries: int) -> Reply:
    """What came of fetching a sheet by its address, as the reply that named it; to be tried again after a hitch."""
    if earlier is None:
        return reply
    if isinstance(reply, Done) and reply.pictures:
        parts, last = list(earlier.parts), earlier.finals[-1]
        parts[last] = reply.pictures[0]
        return replace(earlier, parts=tuple(parts))
    if isinstance(reply, Fault) and reply.kind in WAITS_BEFORE_RETRY and tries < FETCH_TRIES:
        data = {REPLY: to_plain(earlier), TRIES: tries + 1}
        return Later(Ticket(earlier.response_id, data=data), FETCH_AGAIN_S)
    fault = reply if isinstance(reply, Fault) else Fault(FaultKind.MALFORMED, "the sheet was not at its address")
    return fault.having(charged=Charged.YES, usage=earlier.usage)
