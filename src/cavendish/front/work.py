"""Work: one job of a client, from its wish to what came of it; may be stopped at any moment, before its start too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from ..engine.ports import Closing
from ..model import result as model
from ..model.attempt import Attempt
from ..model.fault import Fault, FaultKind
from ..model.result import Slot
from ..plan.expand import Ordinals, slots
from .build import Setup, Workshop
from .folder.summary import Summary
from .job import Job
from .order import Order
from .outcome import Failure, Outcome, Picture, Result
from .routes import Routes

T_co = TypeVar("T_co", covariant=True)

Open = Callable[[], Awaitable[Workshop]]
Start = Callable[[Setup], tuple[Routes, Order]]
"""Reads and checks what was asked for; blocks, so it is called in a thread."""


class Working(Protocol[T_co]):
    """Something that a client is at."""

    async def run(self) -> T_co:
        """Do it. To be called once."""
        ...

    def stop(self) -> None:
        """No new calls; those in flight are finished and kept."""
        ...


class Quiet:
    """A progress that passes every outcome on, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def slot_started(self, slot: Slot, attempt: Attempt) -> None:
        """Not told."""

    def attempt_ended(self, slot: Slot, attempt: Attempt) -> None:
        """Not told."""

    def waiting(self, why: str, seconds: float) -> None:
        """Not told."""

    def key_lost(self, closing: Closing) -> None:
        """Not told: the result has it."""

    def slot_ended(self, outcome: model.Outcome) -> None:
        """Told."""
        shown = isinstance(outcome, model.Picture)
        self.tell(outcome.slot, Picture(self._folder / outcome.blob.ref, outcome) if shown else Failure.of(outcome))

    def slot_kept(self, outcome: model.Outcome) -> None:
        """Told too."""
        self.slot_ended(outcome)

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """A slot that stays open is a failure of this call."""
        self.slot_ended(model.Failure(slot, fault, 0))

    def tell(self, slot: Slot, outcome: Outcome, /) -> None:
        """Nobody, unless a class below says whom."""


class Teller(Quiet):
    """Calls a function with each picture. Keeps none: a batch has no bound."""

    def __init__(self, folder: Path, on_picture: Callable[[Picture], None] | None) -> None:
        super().__init__(folder)
        self._on_picture = on_picture

    def tell(self, _slot: Slot, outcome: Outcome, /) -> None:
        """Call it."""
        if self._on_picture is not None and isinstance(outcome, Picture):
            self._on_picture(outcome)


class Work:
    """A job that first has to be found out. Its folder is begun even when it is stopped before that."""

    def __init__(self, open_: Open, start: Start, watch: Quiet) -> None:
        self._open = open_
        self._start = start
        self._watch = watch
        self._job: Job | None = None
        self._stopped = False
        self.known: tuple[Routes, Order] | None = None

    async def run(self) -> Summary:
        """Find out what to do, and do it."""
        workshop = await self._open()
        self.known = routes, order = await asyncio.to_thread(self._start, workshop.setup)
        self._job = Job(workshop, routes, order, self._watch)
        if self._stopped:
            self._job.stop()
        return await self._job.run()

    def stop(self) -> None:
        """No new calls; those in flight are finished and kept."""
        self._stopped = True
        if self._job is not None:
            self._job.stop()


class Asking(Quiet):
    """N pictures of one prompt. ``arriving`` has each outcome as it comes, and ``None`` at the end."""

    def __init__(self, open_: Open, start: Start, folder: Path) -> None:
        super().__init__(folder)
        self.arriving: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._work = Work(open_, start, self)
        self._ended: dict[str, Outcome] = {}

    async def run(self) -> Result:
        """All outcomes."""
        try:
            return self._result(await self._work.run())
        finally:
            self.arriving.put_nowait(None)

    def stop(self) -> None:
        """No new calls; those in flight are finished and kept."""
        self._work.stop()

    def tell(self, slot: Slot, outcome: Outcome, /) -> None:
        """Keep it, and hand it on."""
        self._ended[slot.id] = outcome
        self.arriving.put_nowait(outcome)

    def _result(self, summary: Summary) -> Result:
        """In the order of the slots; those never begun are failures too."""
        assert self._work.known is not None
        routes, order = self._work.known
        stop = summary.facts.stopped or Fault(FaultKind.CANCELLED, "the run ended early")
        outcomes = (
            self._ended.get(slot.id) or Failure.of(model.Failure(slot, stop, 0))
            for slot in slots(order.wishes(0), Ordinals())
        )
        return Result(
            folder=self._folder,
            outcomes=tuple(outcomes),
            notices=tuple(routes.notices.values()),
            billed_nusd=summary.billed_nusd,
            unknown_nusd=summary.unknown_nusd,
            stopped=summary.facts.stopped,
            simulated=routes.simulated,
        )
