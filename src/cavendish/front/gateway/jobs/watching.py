"""Watching: what happens to a job, for those who wait for it; each may begin to listen at any time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from ....engine.ports import Closing
from ....model.attempt import Attempt
from ....model.fault import Fault, FaultKind
from ....model.result import Failure, Outcome, Slot
from ..traces import note_call
from .drafting import Draft, Drafting

UNTOLD = Fault(FaultKind.CANCELLED, "the job ended early")


class Watching:
    """Implements ``engine.ports.Progress``. ``ended`` has the outcomes by slot, ``why`` what a job waits for.

    ``call_ended`` is told of each call that came back: another job may have waited for its place. ``drafting`` follows
    the calls of a job whose drafts are shown while they are drawn.
    """

    def __init__(self, call_ended: Callable[[], None] = lambda: None) -> None:
        self._call_ended = call_ended
        self.ended: dict[str, Outcome] = {}
        self.left: dict[str, Fault] = {}
        self.drafting: Drafting | None = None
        self.attempts = 0
        self.why = ""
        self.wait_told: Callable[[float], None] | None = None
        self._waits_until = 0.0
        self.over = False
        self._order: list[Outcome | Draft] = []
        self._news = asyncio.Event()

    def slot_started(self, slot: Slot, attempt: Attempt) -> None:
        """A call left: the job waits no more."""
        if self.drafting is not None:
            self.drafting.started(slot, attempt)
        self.attempts += 1
        self.why = ""
        self._tell()

    def attempt_ended(self, slot: Slot, attempt: Attempt) -> None:  # noqa: ARG002
        """Its slot tells; a trace has each."""
        note_call(attempt)
        if self.drafting is not None:
            self.drafting.ended(attempt)
        self._call_ended()

    def drew(self, draft: Draft) -> None:
        """A picture is being drawn, and this is how far it came."""
        self._order.append(draft)
        self._tell()

    def looking(self) -> contextlib.AbstractAsyncContextManager[None]:
        """While somebody is shown what happens: drafts are kept for so long."""
        return self.drafting.looking() if self.drafting is not None else contextlib.nullcontext()

    def slot_ended(self, outcome: Outcome) -> None:
        """The slot has its outcome, and it is durable."""
        if outcome.slot.id not in self.ended:
            self._order.append(outcome)
        self.ended[outcome.slot.id] = outcome
        self._tell()

    def slot_kept(self, outcome: Outcome) -> None:
        """It had it before."""
        self.slot_ended(outcome)

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """The slot stays without."""
        self.left[slot.id] = fault

    def waiting(self, why: str, seconds: float) -> None:
        """Nothing can start for a while."""
        self.why = why
        self._waits_until = time.monotonic() + seconds
        if self.wait_told is not None:
            self.wait_told(seconds)
        self._tell()

    def key_lost(self, closing: Closing) -> None:
        """The operator's business: the log says it."""

    @property
    def wait_left_s(self) -> float:
        """How long nothing can start, by what was told last."""
        return max(0.0, self._waits_until - time.monotonic())

    def end(self) -> None:
        """Nothing more will come."""
        self.over = True
        self._tell()

    def outcome(self, slot: Slot, stop: Fault | None) -> Outcome:
        """What became of a slot: a failure when it was left open."""
        return self.ended.get(slot.id) or Failure(slot, self.left.get(slot.id) or stop or UNTOLD, 0)

    async def moments(self) -> AsyncIterator[Outcome | Draft]:
        """Each outcome and each draft as it comes, those before the first asking included."""
        told = 0
        while True:
            while told < len(self._order):
                told += 1
                moment = self._order[told - 1]
                if not (isinstance(moment, Draft) and self.drafting and self.drafting.gone):
                    yield moment
            if self.over:
                return
            await self.news()

    async def news(self) -> None:
        """Return when something happened."""
        await self._news.wait()

    def _tell(self) -> None:
        # All who wait now are woken; who comes later waits for the next.
        self._news.set()
        self._news = asyncio.Event()
