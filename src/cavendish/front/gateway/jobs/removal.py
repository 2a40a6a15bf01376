"""Removal: a job and its pictures are taken away, by whoever asked for it or because they are old."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator
from typing import Final

from ....io.blobs.mirrored import MirroredBlobs
from ....io.desk.job_lists import JobLists, JobStanding
from ....io.desk.signed import Signed, large_signatures
from ....io.state.port import StateError
from ....model.blob import Blob
from ....model.request import Image
from ....model.result import Picture
from ..transit.intake import blobs_of
from .desk import Desk

STEP: Final = 20
"""Jobs that are removed at once: requests get their turn in between."""

SWEEP_EVERY_S: Final = 60.0

CACHED_S: Final = 3600.0
"""How long a picture that a shared store has stays in the folder after it was last asked for."""


class Removal:
    """Removes jobs that have ended. The books come first, so that nobody is led to what is gone."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lists = JobLists(desk.books)

    async def remove(self, standing: JobStanding) -> bool:
        """Remove one job; ``False`` when it is at work, or of a batch that is kept.

        Its files stay for as long as somebody is being sent them.
        """
        if not await self._lists.hide(standing.entry.id):
            return False
        await self._finish(standing)
        return True

    async def sweep(self, before: float) -> int:
        """Remove some of the jobs that ended before then, and what earlier removals left. Returns how many."""
        removed = 0
        for job_id in await self._lists.ended_before(before, STEP):
            removed += await self._lists.hide(job_id)
        for standing in await self._lists.hidden(STEP):
            await self._finish(standing)
        return removed

    async def _finish(self, standing: JobStanding) -> None:
        if self._desk.is_sending(standing.entry.id):
            return  # the next sweep comes to it
        try:
            await self._desk.blobs.remove((*files_of(standing), *await self._unsaid(standing)))
        except OSError:
            return  # a shared store that is away for a while: the next sweep comes to it
        await self._lists.remove(standing.entry.id)

    async def _unsaid(self, standing: JobStanding) -> list[Blob]:
        """Large signatures of its pictures that no conversation can go on from: the same was drawn again since."""
        signed = [one for one in standing.outcomes if isinstance(one, Picture) and any(large_signatures(one))]
        hashes = [picture.blob.sha256 for picture in signed]
        known = await Signed(self._desk.books).find(standing.entry.caller, hashes)
        said = {blob.ref for picture in known.values() for blob in large_signatures(picture)}
        return [blob for picture in signed for blob in large_signatures(picture) if blob.ref not in said]


class Sweeper:
    """Removes jobs that ended longer than ``keep_s`` ago (``None``: none), and what was left of deleted ones."""

    def __init__(self, desk: Desk, keep_s: float | None) -> None:
        self._desk = desk
        self._keep_s = keep_s
        self._removal = Removal(desk)
        self._at_work: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin."""
        self._at_work = asyncio.ensure_future(self._keep_sweeping())

    async def close(self) -> None:
        """Stop. The next life goes on with it."""
        if self._at_work is not None:
            self._at_work.cancel()
            await asyncio.gather(self._at_work, return_exceptions=True)

    async def _keep_sweeping(self) -> None:
        while True:
            # Replicas that were started together do not all sweep at once.
            await asyncio.sleep(SWEEP_EVERY_S * (0.5 + self._desk.roll()))
            # Books and disks that fail for a while come back.
            with contextlib.suppress(StateError, OSError):
                await self.sweep()

    async def sweep(self) -> int:
        """Remove all that is due, step by step. Returns how many jobs."""
        total, before = 0, -math.inf if self._keep_s is None else self._desk.clock.now() - self._keep_s
        while removed := await self._removal.sweep(before):
            total += removed
        if isinstance(self._desk.blobs, MirroredBlobs):
            await self._desk.blobs.tidy(self._desk.clock.now() - CACHED_S)
        return total


def files_of(standing: JobStanding) -> Iterator[Blob]:
    """Every file of a job: what it was given and what it drew."""
    for turn in standing.entry.request.turns:
        yield from blobs_of(turn.parts)
    for outcome in standing.outcomes:
        if isinstance(outcome, Picture):
            yield outcome.blob
            # Signatures stay: a conversation may go on from them for longer than its jobs are kept.
            yield from (part.blob for part in outcome.extras if isinstance(part, Image) and part.blob)
