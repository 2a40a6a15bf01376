"""Claims: which request gets the answer of an earlier one; see docs/decisions/0014-repeats.md for how it is told."""

from __future__ import annotations

import asyncio

from ....engine.ports import Clock
from ....io.desk.books import DONE, DeskBooks, JobEntry, Repeats
from ....model.result import Failure
from ..wants import Asked
from .bounded import Bounded

REPEATS_WITHIN_S = 600.0
"""How long after it was asked an answer that was lost is still replayed: clients that try again do so within this."""

REFUSALS_WITHIN_S = 30.0
"""A request that came to nothing is answered the same for this long: some clients ask again at once, and would buy the
same refusals."""

MOST = 16_384
"""Answers of which it is remembered how often they were asked for again."""


class Claims:
    """Those of one replica."""

    def __init__(self, books: DeskBooks, clock: Clock) -> None:
        self._books = books
        self._clock = clock
        self._taken: Bounded[str, int] = Bounded(MOST)
        self._refused: Bounded[tuple[str, str], float] = Bounded(MOST)
        self._losing: set[asyncio.Task[None]] = set()

    def refused(self, caller: str, form: str) -> None:
        """A request of this form was turned away: who says that he asks again means that one, and none before it."""
        self._refused[caller, form] = self._clock.now()

    def turn(self, job_id: str) -> int:
        """How often a job's answer was asked for again."""
        return self._taken.get(job_id, 0)

    def lost(self, job_id: str, turn: int) -> None:
        """A client went away before it had its answer: its next request of this form joins the job."""
        # Unless it asked again before its line was seen to be broken.
        if turn == self.turn(job_id):
            task = asyncio.ensure_future(self._books.lose(job_id, lost=True))
            self._losing.add(task)
            task.add_done_callback(self._losing.discard)
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def repeated(self, asked: Asked, form: str) -> JobEntry | None:
        """The job that a request of this form repeats."""
        if asked.token is not None:
            return None  # the books find it
        if self._losing:
            await asyncio.wait(set(self._losing))
        now = self._clock.now()
        question = Repeats(asked.caller, form, now - REPEATS_WITHIN_S, now - REFUSALS_WITHIN_S, said=asked.repeat > 0)
        for entry in await self._books.repeatable(question):
            if await self._claims(asked, entry):
                self._taken[entry.id] = self.turn(entry.id) + 1
                return entry
            if not entry.lost and not asked.patient and await self._came_to_nothing(entry, now):
                return entry
        return None

    async def _claims(self, asked: Asked, entry: JobEntry) -> bool:
        """Whether a request gets the answer of an earlier one, which nobody else gets then.

        Of two that ask for the same side by side, and both for the second time, each finds its own.
        """
        if entry.lost and await self._books.claim(entry.id):
            return True
        refused_at = self._refused.get((entry.caller, entry.form), entry.begun_at)
        return refused_at <= entry.begun_at and self.turn(entry.id) < asked.repeat

    async def _came_to_nothing(self, entry: JobEntry, now: float) -> bool:
        if entry.state != DONE or entry.ended_at is None or now - entry.ended_at > REFUSALS_WITHIN_S:
            return False
        outcomes = await self._books.outcomes(entry.id)
        return bool(outcomes) and all(isinstance(outcome, Failure) for outcome in outcomes)
