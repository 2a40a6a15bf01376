"""Together: a part of a run as jobs and the other by single calls at the same time, over one ledger and one budget.

What no job could make joins the single calls when the last job has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..model.attempt import Attempt
from ..model.call import Reply
from ..model.fault import Fault, FaultKind
from ..model.result import Slot
from .bulk.chunk import is_bulk
from .bulk.run import BulkEnd, BulkEngine
from .common import Common
from .flight import Parts
from .passing import PassingBlobs, PassingLedger
from .ports import Blobs, Ledger, Slots, each
from .run import Engine, RunEnd

BROKE_OFF = Fault(FaultKind.CANCELLED, "the other half of the run broke off")


async def shared(parts: Parts, max_cost_nusd: int | None) -> tuple[Parts, Parts]:
    """The parts for the jobs, and those for the single calls, of one run that has both."""
    tally = await parts.ledger.tally()
    fresh = tally.attempts == 0 and tally.delivered + tally.failed == 0
    common = Common(parts.ledger, max_cost_nusd, parts.caps, fresh=fresh)
    for_calls = replace(parts, ledger=CallsLedger(parts.ledger), blobs=CallsBlobs(parts.blobs, parts.ledger))
    for_jobs = replace(parts, ledger=HalfLedger(parts.ledger))
    return replace(for_jobs, common=common), replace(for_calls, common=common)


@dataclass(slots=True)
class Pair:
    """Two engines made from the ``shared`` parts, which have ``common``. ``stop`` and ``abort`` are for both."""

    jobs: BulkEngine
    calls: Engine
    common: Common

    def stop(self, fault: Fault) -> None:
        """No new calls or jobs; see each of them."""
        self.jobs.stop(fault)
        self.calls.stop(fault)

    def abort(self) -> None:
        """Cancel what is in flight too."""
        self.jobs.abort()
        self.calls.abort()

    async def run(self, for_jobs: Slots, for_calls: Slots) -> RunEnd:
        """Work until every slot has its outcome, or something stops the run. Raises what either of them raises."""
        ended: asyncio.Future[BulkEnd] = asyncio.get_running_loop().create_future()
        jobs = asyncio.ensure_future(self._jobs(for_jobs, ended))
        calls = asyncio.ensure_future(self.calls.run(_with_rest(for_calls, ended)))
        try:
            done, going = await asyncio.wait({jobs, calls}, return_when=asyncio.FIRST_EXCEPTION)
            if going:
                await self._wound_up(going)
            for half in done:
                half.result()
            return replace(calls.result(), stop=jobs.result().stop or calls.result().stop)
        finally:
            jobs.cancel()
            calls.cancel()
            await asyncio.gather(jobs, calls, return_exceptions=True)

    async def _jobs(self, slots: Slots, ended: asyncio.Future[BulkEnd]) -> BulkEnd:
        end = await self.jobs.run(slots)
        ended.set_result(end)
        return end

    async def _wound_up(self, going: set[asyncio.Task[Any]]) -> None:
        """One broke: what the other has in flight was paid for, and is finished and kept."""
        self.stop(BROKE_OFF)
        # Before both have begun nothing is in flight, and it may wait for the one that broke.
        if self.common.all_begun:
            await asyncio.wait(going)


async def _with_rest(slots: Slots, ended: asyncio.Future[BulkEnd]) -> AsyncIterator[Slot]:
    async for slot in each(slots):
        yield slot
    # Shielded: when the calls stop first, the jobs go on.
    end = await asyncio.shield(ended)
    if end.rest is not None:
        async for slot in end.rest:
            yield slot


class HalfLedger(PassingLedger):
    """The books of one of two engines: that a row is settled is nothing that one of them can tell."""

    async def rows_settled(self, rows: int) -> None:
        """Not noted: the other engine may have slots of these rows still."""


class CallsLedger(HalfLedger):
    """The books as the engine for single calls sees them: the jobs are not its business."""

    async def open_attempts(self) -> Sequence[tuple[Attempt, Slot]]:
        """Those of single calls."""
        return [entry for entry in await super().open_attempts() if not is_bulk(entry[0])]


class CallsBlobs(PassingBlobs):
    """The store as the engine for single calls has it: what belongs to a job is not its own to forget."""

    def __init__(self, blobs: Blobs, ledger: Ledger) -> None:
        super().__init__(blobs)
        self._ledger = ledger

    async def recorded(self) -> Mapping[str, Reply]:
        """What arrived for single calls."""
        ours = {attempt.call_id for attempt, _ in await self._ledger.open_attempts() if is_bulk(attempt)}
        return {call_id: reply for call_id, reply in (await self._blobs.recorded()).items() if call_id not in ours}
