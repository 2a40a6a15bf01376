"""Bulk: which part of a run goes as jobs of a batch API, by which routes and keys, and what is left online."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from ..dialects.gemini import GeminiDialect
from ..dialects.gemini.batch import GeminiBatch
from ..engine.bulk.chunk import is_bulk
from ..engine.bulk.ports import BulkLane, BulkPolicy
from ..engine.bulk.run import BulkEngine, Places
from ..engine.flight import Parts
from ..engine.ports import Lane, Ledger
from ..errors import RequestError
from ..io.http.bulk import GoogleJobs
from ..model.result import Slot
from .order import BATCH, Order
from .recipes import MAX_WAIT_S
from .routes import Routes, dialect_of

if TYPE_CHECKING:
    from ..catalog.resolve import Resolved
    from ..io.blobs.inbox import Inbox
    from ..io.http.files import Door
    from .build import Workshop

SIMULATED_POLL_S: Final = 0.1
"""The simulator's jobs take seconds."""


class Bulk:
    """The jobs of one run. ``inbox`` is its folder."""

    def __init__(self, workshop: Workshop, routes: Routes, order: Order, inbox: Inbox) -> None:
        self._workshop = workshop
        self._given = routes
        self._order = order
        self._inbox = inbox
        self._bulk: dict[str, tuple[BulkLane, ...]] = {}
        self._online: dict[str, tuple[Lane, ...]] = {}

    @property
    def wanted(self) -> bool:
        """Whether new slots go as jobs."""
        return self._given.wish.mode == BATCH

    async def is_needed(self, ledger: Ledger) -> bool:
        """Whether jobs are wanted, or some of an earlier run are still to be fetched."""
        return self.wanted or any(is_bulk(attempt) for attempt, _ in await ledger.open_attempts())

    def engine(self, parts: Parts, run_id: str) -> BulkEngine:
        """What carries the jobs."""
        places = Places(self.lanes, lambda slot: (*(place.lane for place in self.lanes(slot)), *self.online(slot)))
        return self.engine_at(places, parts, run_id, self.bounds(self._deadline_s))

    def engine_at(self, places: Places, parts: Parts, run_id: str, bounds: BulkPolicy) -> BulkEngine:
        """What carries the jobs of these places."""
        order = self._order
        return BulkEngine(parts, places, run_id, order.policy, bounds, order.max_cost_nusd)

    def lanes(self, slot: Slot) -> Sequence[BulkLane]:
        """The routes by which a slot goes as part of a job, one for each key."""
        name = slot.request.model
        if name not in self._bulk:
            self._bulk[name] = self.places(self._as_jobs, name)
        return self._bulk[name]

    def places(self, routes: Routes, name: str) -> tuple[BulkLane, ...]:
        """The lanes to a model by these routes, all of which are of a batch API."""
        return bulk_lanes(self._workshop, routes, name, self._inbox, self._order.timeout_s)

    def online(self, slot: Slot) -> Sequence[Lane]:
        """The routes by which a slot goes by itself."""
        name = slot.request.model
        if name not in self._online:
            self._online[name] = self._workshop.lanes(self._by_call, name, self._inbox, self._order.timeout_s)
        return self._online[name]

    @cached_property
    def _as_jobs(self) -> Routes:
        return self._given if self.wanted else _in_mode(self._given, BATCH)

    @cached_property
    def _by_call(self) -> Routes:
        return _in_mode(self._given, None) if self.wanted else self._given

    @property
    def _deadline_s(self) -> float | None:
        """Where no job is wanted any more, those of an earlier run are waited for, and what they lack goes online."""
        said = self._order.batch_deadline_s
        return said if self.wanted or said is not None else MAX_WAIT_S

    def bounds(self, deadline_s: float | None) -> BulkPolicy:
        """The bounds of the run's jobs, which may take so long."""
        policy = BulkPolicy(deadline_s=deadline_s, only=self._order.batch_only and self.wanted)
        return quickened(policy) if self._given.simulated else policy


def bulk_lanes(
    workshop: Workshop, routes: Routes, name: str, inbox: Inbox, timeout_s: float | None
) -> tuple[BulkLane, ...]:
    """The lanes to a model by these routes, all of which are of a batch API. Raises ``RequestError``."""
    lanes, doors = workshop.lanes(routes, name, inbox, timeout_s), workshop.doors(routes, name, inbox)
    found = zip(lanes, doors, strict=True)
    return tuple(BulkLane(lane, _jobs(workshop, resolved, door)) for lane, (resolved, door) in found)


def quickened(policy: BulkPolicy) -> BulkPolicy:
    """Bounds for the simulator's jobs."""
    quick = SIMULATED_POLL_S
    return replace(policy, first_poll_s=quick, poll_cap_s=20 * quick, listing_s=quick)


def _jobs(workshop: Workshop, resolved: Resolved, door: Door) -> GoogleJobs:
    dialect = dialect_of(replace(resolved, endpoint=door.card))
    if not isinstance(dialect, GeminiDialect) or dialect.place:
        message = f"the batch API of {resolved.endpoint.name} is not spoken here"
        raise RequestError(message, field="mode", hints=("leave --mode batch out, or name google with --via",))
    references = workshop.references(door.card, door.key)
    return GoogleJobs(door, GeminiBatch(dialect.version, dialect.spelling), references)


def _in_mode(routes: Routes, mode: str | None) -> Routes:
    return replace(routes, wish=replace(routes.wish, mode=mode), _known={})
