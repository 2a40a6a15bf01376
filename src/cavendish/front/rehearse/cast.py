"""Cast: by which ways each slot of a rehearsal goes: as the run would have it, or as its plan does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...catalog.resolve import Resolved
from ...model.result import Slot
from ...plan.kinds import Kind
from ..order import BATCH, Order
from ..planned.ways import routes_of
from ..recipes import MAX_WAIT_S
from ..routes import Routes
from ..saved_plan import SavedGroup, SavedOption, SavedPlan
from .stage import Way

Ways = Callable[[Slot], Sequence[Way]]


@dataclass(frozen=True, slots=True)
class Cast:
    """All ways; and those of a slot, by single calls and by jobs, the preferred one first."""

    ways: tuple[Way, ...]
    calls: Ways
    jobs: Ways
    deadline_s: float | None = None


def cast_of(routes: Routes, order: Order, part: Sequence[Slot]) -> Cast:
    """The ways of these slots."""
    if order.plan is not None:
        return _by_plan(routes, order, order.plan, part)
    as_jobs = routes.wish.mode == BATCH
    calls = _Models(replace(routes, wish=replace(routes.wish, mode=None), _known={}) if as_jobs else routes)
    jobs = _Models(routes)
    for slot in part:
        (jobs if as_jobs else calls)(slot)
    ways = (jobs if as_jobs else calls).all
    return Cast(ways, calls, jobs if as_jobs else _no_ways, order.batch_deadline_s)


def way_of(routes: Routes, resolved: Resolved) -> Way:
    """A route as a run would take it: with the limits of its tier, and all of its keys."""
    return Way(resolved, routes.limits(resolved), routes.keys_of(resolved.endpoint.name), resolved.offer.timeout_s)


def _no_ways(_slot: Slot) -> Sequence[Way]:
    return ()


class _Models:
    """The ways to the model of each slot."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._known: dict[str, tuple[Way, ...]] = {}

    def __call__(self, slot: Slot) -> Sequence[Way]:
        name = slot.request.model
        if name not in self._known:
            self._known[name] = tuple(way_of(self._routes, resolved) for resolved in self._routes.resolve(name))
        return self._known[name]

    @property
    def all(self) -> tuple[Way, ...]:
        """Those that were asked for."""
        return tuple(way for ways in self._known.values() for way in ways)


# --- by a plan -----------------------------------------------------------------------------------------------------


def _by_plan(routes: Routes, order: Order, plan: SavedPlan, part: Sequence[Slot]) -> Cast:
    ways = {option.id: _way(routes, option) for option in plan.options}
    online = {option.id: option if option.mode != BATCH else replace(option, mode="") for option in plan.options}
    instead = {name: _way(routes, option) for name, option in online.items()}
    dealt = _dealt(plan, part)

    def calls(slot: Slot) -> Sequence[Way]:
        return (instead[dealt[slot.id].id],)

    def jobs(slot: Slot) -> Sequence[Way]:
        option = dealt[slot.id]
        return (ways[option.id],) if option.mode == BATCH else ()

    deadline_s = order.batch_deadline_s or plan.deadline_s or MAX_WAIT_S
    every = {way.name: way for way in (*ways.values(), *instead.values())}
    return Cast(tuple(every.values()), calls, jobs, deadline_s)


def _way(routes: Routes, option: SavedOption) -> Way:
    narrowed = routes_of(routes, option)
    return way_of(narrowed, narrowed.resolve(option.model)[0])


def _dealt(plan: SavedPlan, part: Sequence[Slot]) -> dict[str, SavedOption]:
    """The options of a part, in the proportions of the whole."""
    groups = {group.key: group for group in plan.groups}
    keys = {slot.id: Kind.of(slot.request).key for slot in part}
    counts, seen = Counter(keys.values()), Counter[str]()
    dealt: dict[str, SavedOption] = {}
    for slot in part:
        key = keys[slot.id]
        if key in groups:
            dealt[slot.id] = plan.option(_at(groups[key], (seen[key] + 0.5) / counts[key]))
            seen[key] += 1
    return dealt


def _at(group: SavedGroup, place: float) -> str:
    """Whose share of a group lies at a place between 0 and 1."""
    reached = 0
    for share in group.shares:
        reached += share.pictures
        if place * group.pictures < reached:
            return share.option
    return group.shares[-1].option
