"""Job: carries an order out in its folder: claim, ledger, blobs, engine, and at the end what the folder shows."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from ..engine.bulk.run import BulkEngine
from ..engine.flight import Parts
from ..engine.ports import Closing, Detour, Lane, Progress, Tally
from ..engine.run import Engine
from ..engine.together import Pair
from ..errors import FolderError
from ..io.blobs.claim import RunCard, claim
from ..io.blobs.disk import NO_ROOM
from ..io.blobs.folder import FolderBlobs
from ..io.ledger.reader import LedgerReader
from ..io.ledger.sqlite import SqliteLedger
from ..io.spend.book import RunEntry
from ..model.fault import Fault, FaultKind
from ..model.result import Picture, Slot
from ..plan.estimate import PriceBook
from ..plan.expand import Ordinals, slots
from .build import Workshop
from .bulk import Bulk
from .folder.books import write_books
from .folder.live import LiveBooks, redraw_every_s
from .folder.summary import RunFacts, Summary, summarise
from .keeping import keep_input
from .order import LEDGER, RECIPE, SIMULATED, SKIPPED, TOTAL, Order
from .planned.run import Beginning, PlannedRun
from .routes import Routes
from .saved_plan import SavedPlan
from .spending import list_prices, machine
from .watch import Watch

FINGERPRINT = "source_fingerprint"

READ_AHEAD = 256
"""Slots read from the input at a time, in a thread: parsing a file must not hold up a thousand open lines."""


class Job:
    """One order at work. ``stop`` and ``abort`` may be called from a signal handler of the same loop."""

    def __init__(self, workshop: Workshop, routes: Routes, order: Order, progress: Progress) -> None:
        self._workshop = workshop
        self._routes = routes
        self._order = order
        self._watch = Watch(progress, self.stop)
        self._engine: Engine | BulkEngine | Pair | None = None
        self._lanes: dict[str, tuple[Lane, ...]] = {}
        self._detours: tuple[Detour, ...] = ()
        self._closings: tuple[Closing, ...] = ()
        self._drawing: set[asyncio.Future[Any]] = set()
        self._run_id, self._begun_at = "", 0.0
        self._skipped_pictures = 0
        self._skipped_rows = 0
        self._root = order.folder
        self._stopped_early: Fault | None = None

    async def run(self) -> Summary:
        """Work until every slot has its outcome or something stops the run; draw the folder; tell how it went.

        Raises ``FolderError`` before anything is bought, and ``BatchInputError`` at a broken row of a large file, with
        everything before it kept; ``FolderError`` too when there is no room to begin.
        """
        try:
            return await self._claimed()
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            hint = "make room; everything that arrived is kept"
            raise FolderError(f"no room left in {self._order.folder}", hints=(hint,)) from error

    async def _claimed(self) -> Summary:
        order, shop = self._order, self._workshop
        card = RunCard(shop.dice.fresh_id(), order.digest, shop.clock.now())
        started = shop.clock.monotonic()
        # The program may change its current folder while the run goes on.
        self._root = root = await asyncio.to_thread(order.folder.absolute)
        with await asyncio.to_thread(claim, order.folder, card, settings=order.digest) as owned:
            self._run_id, self._begun_at = owned.card.run_id, owned.card.created
            books = SqliteLedger(root / LEDGER, run_id=self._run_id)
            async with FolderBlobs(root) as blobs, books as ledger:
                await shop.ready(self._routes)
                try:
                    stop = await self._work(blobs, ledger)
                finally:
                    with contextlib.suppress(OSError):
                        # On a full disk the count is lost, which is the least of it.
                        await ledger.set_meta(SKIPPED, str(self._skipped))
                    tally = await ledger.tally()
                    facts = self._facts(tally, shop.clock.monotonic() - started)
                    summary = await asyncio.to_thread(draw, root, tally, facts)
                if self._watch.error is not None:
                    raise self._watch.error
                return replace(summary, facts=replace(facts, stopped=stop)) if stop else summary

    def stop(self) -> None:
        """No new calls; those in flight are finished and kept."""
        self._stopped_early = Fault(FaultKind.CANCELLED, "interrupted")
        if self._engine is not None:
            self._engine.stop(self._stopped_early)

    def abort(self) -> None:
        """Cancel what is in flight too."""
        if self._engine is not None:
            self._engine.abort()

    # --- the run ----------------------------------------------------------------------------------------------------

    async def _work(self, blobs: FolderBlobs, ledger: SqliteLedger) -> Fault | None:
        order, shop = self._order, self._workshop
        await self._same_world(ledger)
        if order.spool is not None:
            await asyncio.to_thread(keep_input, order.spool, self._root)
        start = await self._first_row(ledger)
        await ledger.set_meta(RECIPE, orjson.dumps(order.recipe).decode())
        await ledger.set_meta(TOTAL, "" if order.total is None else str(order.total))
        self._watch.books = LiveBooks(self._root, simulated=self._routes.simulated)
        keeper = asyncio.ensure_future(self._keep_books(ledger))
        prices = list_prices(self._routes.catalog, self._routes.today)
        try:
            with await asyncio.to_thread(LedgerReader.open, self._root / LEDGER) as reader:
                async with shop.spending.booked(self._entry, ledger, prices, self._routes.note) as booked:
                    parts = Parts(booked.ledger, blobs, shop.clock, shop.dice, self._watch, booked.caps)
                    if order.plan is None:
                        stop = await self._all_bought(parts, partial(self._slots, start, reader), blobs)
                    else:
                        stop = await self._as_planned(parts, order.plan, reader, ledger, blobs)
        finally:
            keeper.cancel()
            # A thread cannot be cancelled, and two must not draw at once.
            await asyncio.gather(keeper, *self._drawing, return_exceptions=True)
        return stop and self._explained(stop)

    @property
    def _entry(self) -> RunEntry:
        """The run, as the book of all runs has it."""
        title, simulated = self._order.title, self._routes.simulated
        folder, owner = str(self._root), self._workshop.dice.fresh_id()
        return RunEntry(self._run_id, folder, machine(), title, self._begun_at, simulated, owner)

    async def _all_bought(
        self, parts: Parts, slots: Callable[[], AsyncIterator[Slot]], blobs: FolderBlobs
    ) -> Fault | None:
        """Have the slots made: on sheets where that is wanted, and what is then left in the usual ways."""
        if self._order.sheet is None and not await blobs.recorded():
            return await self._bought(parts, slots(), blobs)
        # Pillow costs 50 ms to import, and most runs have no sheet.
        from .sheet.sheets import Sheets, cut_what_is_left

        await cut_what_is_left(blobs)
        if self._order.sheet is not None:
            sheets = Sheets(self._workshop, self._routes, self._order, self._order.sheet, blobs)
            stop = await sheets.drawn(parts, slots(), self._set_to_work)
            if stop is not None:
                return stop
            parts = sheets.rest(parts)
        return await self._bought(parts, slots(), blobs)

    async def _as_planned(
        self, parts: Parts, plan: SavedPlan, reader: LedgerReader, ledger: SqliteLedger, blobs: FolderBlobs
    ) -> Fault | None:
        """Have the slots made as a saved plan has it: by jobs and by single calls, at the same time."""
        shop = self._workshop
        begun = await Beginning.of(ledger, shop.clock.now())
        planned = PlannedRun(shop, self._routes, self._order, plan, begun, blobs)

        def read(*, jobs: bool) -> AsyncIterator[Slot]:
            every = slots(self._order.wishes(0), Ordinals())
            return _in_pieces(planned.slots(every, reader, jobs=jobs))

        pair = await planned.pair(parts, self._run_id)
        self._set_to_work(pair)
        end = await pair.run(read(jobs=True), read(jobs=False))
        self._detours, self._closings = end.detours, end.closings
        return end.stop

    async def _bought(self, parts: Parts, slots: AsyncIterator[Slot], blobs: FolderBlobs) -> Fault | None:
        """Have the slots made: as jobs where that is wanted, and what is then left by single calls."""
        bulk = Bulk(self._workshop, self._routes, self._order, blobs)
        if await bulk.is_needed(parts.ledger):
            jobs = bulk.engine(parts, self._run_id)
            self._set_to_work(jobs)
            ended = await jobs.run(slots if bulk.wanted else ())
            if ended.rest is None:
                return ended.stop
            slots = ended.rest if bulk.wanted else slots

        def lanes_for(slot: Slot) -> Sequence[Lane]:
            return bulk.online(slot) if bulk.wanted else self._lanes_for(slot, blobs)

        engine = Engine(parts, lanes_for, self._order.policy, self._order.max_cost_nusd)
        self._set_to_work(engine)
        end = await engine.run(slots)
        self._detours += end.detours
        self._closings += end.closings
        return end.stop

    def _set_to_work(self, engine: Engine | BulkEngine | Pair) -> None:
        self._engine = engine
        if self._stopped_early is not None:
            engine.stop(self._stopped_early)

    def _explained(self, stop: Fault) -> Fault:
        """A model that is gone, with what to ask for instead."""
        if stop.kind is not FaultKind.MODEL_NOT_FOUND:
            return stop
        ids = {lane.route.wire_model for lanes in self._lanes.values() for lane in lanes}
        hints = filter(None, (self._routes.catalog.successor_hint(wire_id, self._routes.today) for wire_id in ids))
        return replace(stop, message="; ".join((stop.message or stop.kind.value, *hints)))

    def _lanes_for(self, slot: Slot, blobs: FolderBlobs) -> Sequence[Lane]:
        name = slot.request.model
        if name not in self._lanes:
            self._lanes[name] = self._workshop.lanes(self._routes, name, blobs, self._order.timeout_s)
        return self._lanes[name]

    async def _same_world(self, ledger: SqliteLedger) -> None:
        """Simulated pictures and real ones never share a folder. Raises ``FolderError``."""
        simulated = "yes" if self._routes.simulated else "no"
        before = await ledger.get_meta(SIMULATED)
        if before not in {None, simulated}:
            kind = "simulated" if before == "yes" else "real"
            raise FolderError(f"{self._order.folder} holds {kind} pictures", hints=("name another folder with -o",))
        await ledger.set_meta(SIMULATED, simulated)

    async def _first_row(self, ledger: SqliteLedger) -> int:
        """The row to begin at: behind those that an earlier run settled, when the input is the very same."""
        order = self._order
        # A plan deals its pictures from the first row on, whatever was settled.
        if order.plan is None and order.fingerprint and await ledger.get_meta(FINGERPRINT) == order.fingerprint:
            self._skipped_pictures = (await ledger.tally()).delivered
            self._skipped_rows = int(await ledger.get_meta(SKIPPED) or 0)
            return await ledger.settled_rows()
        # In this order: a crash between the two must not let the old mark pass for the new input's.
        await ledger.new_edition()
        await ledger.set_meta(FINGERPRINT, order.fingerprint)
        return 0

    async def _slots(self, start: int, reader: LedgerReader) -> AsyncIterator[Slot]:
        """What an earlier run left without a picture, then the rest of the input; read in a thread, piece by piece."""

        def rest() -> Iterator[Slot]:
            if start:
                yield from reader.unfinished_below(start)
            ordinals = Ordinals(lambda form: reader.next_ordinal(form, start) if start else 0)
            yield from slots(self._order.wishes(start), ordinals)

        async for slot in _in_pieces(rest()):
            yield slot

    async def _keep_books(self, ledger: SqliteLedger) -> None:
        """What the folder shows while the run goes on."""
        every_s = redraw_every_s(self._order.total)
        while True:
            await asyncio.sleep(every_s or 1.0)
            assert self._watch.books is not None
            if every_s is None:
                await self._drawn(asyncio.to_thread(self._watch.books.flush))
            else:
                tally = await ledger.tally()
                await self._drawn(asyncio.to_thread(draw, self._root, tally, self._facts(tally, 0.0)))

    async def _drawn(self, work: Coroutine[Any, Any, Any]) -> None:
        drawing = asyncio.ensure_future(work)
        self._drawing.add(drawing)
        drawing.add_done_callback(self._drawing.discard)
        await asyncio.shield(drawing)

    @property
    def _skipped(self) -> int:
        """Broken rows. Those before the first row of this run were counted by an earlier one."""
        return max(self._skipped_rows, self._order.skipped())

    def _facts(self, tally: Tally, duration_s: float) -> RunFacts:
        done = tally.delivered + tally.failed
        left = self._watch.left if self._order.total is None else max(0, self._order.total - done)
        return RunFacts(
            folder=self._order.folder,
            title=self._order.title,
            left=left,
            kept=max(self._watch.kept, min(self._skipped_pictures, tally.delivered)),
            skipped=self._skipped,
            duration_s=duration_s,
            simulated=self._routes.simulated,
            list_price=self._list_price,
            models=self._order.models,
            detours=self._detours,
            closings=self._closings,
        )

    def _list_price(self, picture: Picture) -> int | None:
        routes, route = self._routes.resolve(picture.slot.request.model), picture.route
        resolved = next((r for r in routes if route in {r.route, replace(r.route, mode=route.mode)}), None)
        if resolved is None:
            return None
        standard = replace(resolved, route=replace(resolved.route, mode="standard"))
        return PriceBook.of(standard).list_price(picture.slot.request.size or resolved.card.default_size)


async def _in_pieces(stream: Iterator[Slot]) -> AsyncIterator[Slot]:
    """Slots as they are read, in a thread, some at a time."""
    while piece := await asyncio.to_thread(lambda: list(itertools.islice(stream, READ_AHEAD))):
        for slot in piece:
            yield slot


def draw(root: Path, tally: Tally, facts: RunFacts) -> Summary:
    """Draw what a run folder shows from its ledger, and sum it up. Blocks."""
    with LedgerReader.open(root / LEDGER) as reader:
        summary = summarise(reader.outcomes(), tally, facts)
        try:
            write_books(root, reader.outcomes(), summary)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            # The pictures and the ledger are what counts; the next run that finds room draws the folder.
    return summary
