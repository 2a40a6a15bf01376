"""Run: a saved plan at work: jobs and single calls side by side, under the plan's bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Self

import orjson

from ...engine.bulk.run import Places
from ...engine.flight import Parts
from ...engine.ports import Lane
from ...engine.run import Engine
from ...engine.together import Pair, shared
from ...io.blobs.folder import FolderBlobs
from ...io.ledger.reader import LedgerReader
from ...io.ledger.sqlite import SqliteLedger
from ...model.result import Picture, Slot
from ..build import Workshop
from ..bulk import Bulk
from ..order import PLANNED_AT, Order
from ..recipes import MAX_WAIT_S
from ..routes import Routes
from ..saved_plan import SavedPlan
from .deal import by_jobs, dealt
from .ways import Ways, routes_of


@dataclass(frozen=True, slots=True)
class Beginning:
    """When a run from a plan began (epoch seconds), and what its folder had cost before; see ``PLANNED_AT``."""

    at: float
    spent_nusd: int

    @classmethod
    async def of(cls, ledger: SqliteLedger, now: float) -> Self:
        """As it is noted; noted now when it is not."""
        if (noted := await ledger.get_meta(PLANNED_AT)) is not None:
            return cls(**orjson.loads(noted))
        tally = await ledger.tally()
        begun = cls(now, tally.billed_nusd + tally.unknown_nusd)
        await ledger.set_meta(PLANNED_AT, orjson.dumps(asdict(begun)).decode())
        return begun


class PlannedRun:
    """One run from a plan. What was there before it began is no part of the plan."""

    def __init__(
        self, workshop: Workshop, routes: Routes, order: Order, plan: SavedPlan, begun: Beginning, blobs: FolderBlobs
    ) -> None:
        cap_nusd = plan.bound_nusd if order.max_cost_nusd is None else order.max_cost_nusd
        self._order = order = order.having(max_cost_nusd=cap_nusd + begun.spent_nusd)
        self._workshop = workshop
        self._routes = routes
        self._plan = plan
        self._begun = begun
        self._bulk = Bulk(workshop, routes, order, blobs)
        self._ways = Ways(routes, plan, _maker(workshop, order, blobs), self._bulk.places)

    async def pair(self, parts: Parts, run_id: str) -> Pair:
        """The two engines."""
        for option in self._plan.options:
            narrowed = routes_of(self._routes, option)
            narrowed.resolve(option.model)
            await self._workshop.ready(narrowed)
        order = self._order
        for_jobs, for_calls = await shared(parts, order.max_cost_nusd)
        assert for_jobs.common is not None
        bounds = replace(self._bulk.bounds(self._deadline_s), misses_online=True)
        jobs = self._bulk.engine_at(Places(self._ways.jobs, self._ways.all), for_jobs, run_id, bounds)
        calls = Engine(for_calls, self._ways.calls, order.policy, order.max_cost_nusd)
        return Pair(jobs, calls, for_jobs.common)

    def slots(self, every: Iterable[Slot], reader: LedgerReader, *, jobs: bool) -> Iterator[Slot]:
        """Those of all slots that go as jobs, or those that do not."""
        for slot, option in dealt(every, self._plan, lambda slot: _was_there(reader, slot, self._begun.at)):
            if by_jobs(option) is jobs:
                if option is not None:
                    self._ways.note(slot, option)
                yield slot

    @property
    def _deadline_s(self) -> float:
        """Jobs that have not ended by then are given up, and their rest goes by single calls, within the bound."""
        return self._order.batch_deadline_s or self._plan.deadline_s or MAX_WAIT_S


def _maker(workshop: Workshop, order: Order, blobs: FolderBlobs) -> Callable[[Routes, str], tuple[Lane, ...]]:
    return lambda routes, name: workshop.lanes(routes, name, blobs, order.timeout_s)


def _was_there(reader: LedgerReader, slot: Slot, began_at: float) -> bool:
    standing = reader.standing(slot.id)
    if standing is None or not isinstance(standing.outcome, Picture):
        return False
    return all(attempt.intent_at < began_at for attempt in standing.attempts)
