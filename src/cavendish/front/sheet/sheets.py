"""Sheets: draws what it can of a run as contact sheets, and leaves the rest open for single calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from ...engine.flight import Parts
from ...engine.policy import FINAL, Policy
from ...engine.ports import Lane, Ledger
from ...engine.run import Engine
from ...engine.step import WAITS_BEFORE_RETRY
from ...io.blobs.folder import FolderBlobs
from ...io.sheet.marks import MarkingInbox
from ...io.sheet.press import BAD_CELL, Press
from ...io.sheet.provider import SheetProvider
from ...io.sheet.trial import Trial
from ...model.attempt import AttemptState
from ...model.call import Done
from ...model.fault import Fault, FaultKind
from ...model.result import Picture, Slot
from ...plan.sheet import SHEET, Grid, SheetBook
from ..build import Workshop
from ..order import Order
from ..routes import Routes
from .lanes import Sheet, sheet_lane
from .passes import only_rest, only_sheets, unmarked

_ENDING: Final = frozenset({FaultKind.CANCELLED, FaultKind.DISK_FULL})
"""Stops of the first pass that are the run's. All else may concern sheets alone, and the second pass will tell."""


_CELLS: Final = frozenset({BAD_CELL, FaultKind.DUPLICATE})
"""What a cell fails with: then it goes on alone."""

SHEET_TRIES: Final = 2
"""How often an answer without any picture is asked for again as a sheet: it mostly costs little, and alone much."""


@dataclass(frozen=True, slots=True)
class SheetPolicy(Policy):
    """How sheets are tried again: the slots of one together, and none of them whose cell was no good."""

    @classmethod
    def of(cls, policy: Policy, cells: int) -> SheetPolicy:
        """A run's policy, for sheets of so many cells."""
        members: dict[str, Any] = {field.name: getattr(policy, field.name) for field in fields(policy)}
        members["refills"] = {kind: _tries(kind, tries) for kind, tries in policy.refills.items() if kind not in _CELLS}
        # So many slots must be at hand at once; how many sheets are in flight is the trial's business.
        members["concurrency"] = max(policy.concurrency, cells)
        # A second sheet beside a slow one would be a second price for all of its pictures.
        members["hedge"] = None
        return cls(**members)

    def backoff(self, tries: int, roll: float) -> float:  # noqa: ARG002
        """Not spread: the slots of a call are to come back at one moment, to go in one call again."""
        return Policy.backoff(self, tries, 0.5)


class Sheets:
    """The sheets of one run in its folder."""

    def __init__(self, workshop: Workshop, routes: Routes, order: Order, grid: Grid, blobs: FolderBlobs) -> None:
        self._workshop = workshop
        self._routes = routes
        self._order = order
        self._grid = grid
        self._press = Press(blobs)
        self._inbox = MarkingInbox(blobs)
        self._lanes: dict[tuple[object, ...], tuple[Lane, ...]] = {}
        self._plain: dict[str, tuple[Lane, ...]] = {}
        self._trials: dict[str, Trial] = {}
        self._chosen: dict[str, tuple[Lane, ...]] = {}
        self._cut: set[str] = set()

    async def drawn(self, parts: Parts, slots: AsyncIterator[Slot], begin: Callable[[Engine], None]) -> Fault | None:
        """Draw all that is worth a sheet; ``begin`` is given the engine. Returns what ended the whole run, if so."""
        order = self._order
        policy = SheetPolicy.of(order.policy, self._grid.cells)
        mine = replace(parts, ledger=unmarked(parts.ledger), progress=only_sheets(parts.progress, self._cut))
        engine = Engine(mine, self._lanes_for, policy, order.max_cost_nusd)
        begin(engine)
        try:
            stop = (await engine.run(self._worth_a_sheet(slots, parts.ledger))).stop
        finally:
            self._press.close()
        return stop if stop and stop.kind in _ENDING else None

    def rest(self, parts: Parts) -> Parts:
        """The parts of the run that draws the rest."""
        return replace(parts, progress=only_rest(parts.progress, self._cut))

    # --- which slots --------------------------------------------------------------------------------------------------

    async def _worth_a_sheet(self, slots: AsyncIterator[Slot], ledger: Ledger) -> AsyncIterator[Slot]:
        """The slots that go on sheets, row by row, each with its lanes chosen."""
        row: list[Slot] = []
        async for slot in slots:
            if row and (row[0].row, row[0].request) != (slot.row, slot.request):
                for chosen in self._grouped(row):
                    yield chosen
                row.clear()
            if slot.request.n > 1 and await _is_open(slot, ledger):
                row.append(slot)
        for chosen in self._grouped(row):
            yield chosen

    def _grouped(self, row: Sequence[Slot]) -> Iterator[Slot]:
        if not row:
            return
        request = row[0].request
        book = self._book(request.model)
        rest = list(row)
        for wanted in book.groups(request, len(row)):
            leaf = book.leaf(request, wanted)
            assert leaf is not None
            lanes = self._sheet_lanes(Sheet(book, leaf, wanted), request.model)
            group, rest = rest[:wanted], rest[wanted:]
            for slot in group:
                self._chosen[slot.id] = lanes
                yield slot

    # --- lanes --------------------------------------------------------------------------------------------------------

    def _book(self, model: str) -> SheetBook:
        return SheetBook(self._routes.resolve(model)[0], self._grid)

    def _lanes_for(self, slot: Slot) -> Sequence[Lane]:
        """The lanes that were chosen; of a slot that an earlier process began, all that may know of its call."""
        chosen = self._chosen.pop(slot.id, None)
        if chosen is not None:
            return chosen
        book, model = self._book(slot.request.model), slot.request.model
        sheet = Sheet(book, book.whole(slot.request), self._grid.cells)
        return (*self._sheet_lanes(sheet, model), *self._plain_lanes(model))

    def _sheet_lanes(self, sheet: Sheet, model: str) -> tuple[Lane, ...]:
        """One for each key of the model's first route."""
        leaf = sheet.leaf
        name = model, leaf.grid, leaf.size, leaf.ratio, sheet.wanted
        if name not in self._lanes:
            trial = self._trials.setdefault(model, Trial(self._order.policy.concurrency))
            route = sheet.book.resolved.route
            self._lanes[name] = tuple(
                sheet_lane(lane, sheet, SheetProvider(lane.provider, self._inbox, self._press, trial), trial)
                for lane in self._plain_lanes(model)
                if lane.route == route
            )
        return self._lanes[name]

    def _plain_lanes(self, model: str) -> tuple[Lane, ...]:
        if model not in self._plain:
            self._plain[model] = self._workshop.lanes(self._routes, model, self._inbox, self._order.timeout_s)
        return self._plain[model]


async def cut_what_is_left(blobs: FolderBlobs) -> None:
    """Cut the sheets that arrived before a crash and were not cut yet: no answer may be judged before that."""
    found = {name: reply for name, reply in (await blobs.recorded()).items() if isinstance(reply, Done)}
    press = Press(blobs)
    try:
        await press.finish(found)
    finally:
        press.close()


async def _is_open(slot: Slot, ledger: Ledger) -> bool:
    """Whether a slot may go on a sheet: it has no picture and no job at work, and sheets have not failed it before."""
    standing = await ledger.standing(slot.id)
    if standing is None:
        return True
    tried = [attempt for attempt in standing.attempts if attempt.route.mode.startswith(SHEET)]
    if standing.outcome is not None:
        done = isinstance(standing.outcome, Picture) or standing.outcome.fault.kind in FINAL
        return not done and not tried
    if any(attempt.state is AttemptState.WAITING for attempt in standing.attempts):
        return False
    return not any(attempt.fault is not None and attempt.fault.kind in _CELLS for attempt in tried)


def _tries(kind: FaultKind, tries: int) -> int:
    return tries if kind in WAITS_BEFORE_RETRY else min(tries, SHEET_TRIES)
