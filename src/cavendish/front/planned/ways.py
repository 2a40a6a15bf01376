"""Ways: the lanes of a planned run: for each picture its option's, and after it the others that the plan has for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...engine.bulk.ports import BulkLane
from ...engine.ports import Lane, Pricing
from ...errors import ConfigError
from ...model.call import Done
from ...model.fault import Fault
from ...model.result import Slot
from ...model.usage import Usage
from ..order import BATCH
from ..routes import Routes
from ..saved_plan import SavedOption, SavedPlan
from .deal import options_of

Lanes = Callable[[Routes, str], tuple[Lane, ...]]
BulkLanes = Callable[[Routes, str], tuple[BulkLane, ...]]


def routes_of(routes: Routes, option: SavedOption) -> Routes:
    """The run's routes, narrowed to one option. A tier is one vendor's word, and means nothing to the others."""
    wish = replace(routes.wish, via=(option.endpoint,), mode=option.mode or None, tier=option.tier, rpm=option.rpm)
    narrowed = replace(routes, wish=wish, _known={})
    if option.tier is not None:
        try:
            narrowed.resolve(option.model)
        except ConfigError:
            return replace(narrowed, wish=replace(wish, tier=None), _known={})
    return narrowed


class Ways:
    """Remembers who was dealt which option, where a kind has several, and makes lanes of options."""

    def __init__(self, routes: Routes, plan: SavedPlan, lanes: Lanes, bulk_lanes: BulkLanes) -> None:
        self._routes = routes
        self._plan = plan
        self._make = lanes
        self._make_bulk = bulk_lanes
        self._dealt: dict[str, str] = {}
        self._lanes: dict[str, tuple[Lane, ...]] = {}
        self._bulk: dict[str, tuple[BulkLane, ...]] = {}

    def note(self, slot: Slot, option: SavedOption) -> None:
        """This slot is drawn by this option. Where there is but one, nothing is to be remembered."""
        if len(options_of(self._plan, slot)) > 1:
            self._dealt[slot.id] = option.id

    def calls(self, slot: Slot) -> Sequence[Lane]:
        """The lanes of single calls: by its own option, then by the others that the plan has for its kind.

        What a job was to make and did not goes by them too; where there are none, by the same endpoint's usual mode.
        """
        options = [option for option in self._in_order(slot) if option.mode != BATCH]
        if options:
            return [lane for option in options for lane in self._lanes_of(option)]
        return [lane for option in self._in_order(slot) for lane in self._lanes_of(replace(option, mode=""))]

    def jobs(self, slot: Slot) -> Sequence[BulkLane]:
        """The lanes by which it goes as part of a job: none when single calls draw it."""
        own, *others = self._in_order(slot)
        known = slot.id in self._dealt or not others
        options = [option for option in ((own,) if known else (own, *others)) if option.mode == BATCH]
        return [lane for option in options for lane in self._bulk_of(option)]

    def all(self, slot: Slot) -> Sequence[Lane]:
        """Both: for what an earlier process left."""
        every = [option for option in options_of(self._plan, slot) if option.mode == BATCH]
        return [*(place.lane for option in every for place in self._bulk_of(option)), *self.calls(slot)]

    def _in_order(self, slot: Slot) -> list[SavedOption]:
        """The options of its kind, its own first."""
        own = self._dealt.get(slot.id)
        return sorted(options_of(self._plan, slot), key=lambda option: option.id != own)

    def _lanes_of(self, option: SavedOption) -> tuple[Lane, ...]:
        name = f"{option.id} {option.mode}"
        if name not in self._lanes:
            self._lanes[name] = self._make(routes_of(self._routes, option), option.model)
        return self._lanes[name]

    def _bulk_of(self, option: SavedOption) -> tuple[BulkLane, ...]:
        if option.id not in self._bulk:
            places = self._make_bulk(routes_of(self._routes, option), option.model)
            self._bulk[option.id] = tuple(replace(place, lane=self._priced(place.lane)) for place in places)
        return self._bulk[option.id]

    def _priced(self, lane: Lane) -> Lane:
        return replace(lane, pricing=PlannedPricing.of(lane.pricing, self._plan))


@dataclass(frozen=True, slots=True)
class PlannedPricing:
    """Implements ``Pricing``: for a picture of a job, its share of the plan's bound is set aside.

    Rather more would be, where a model may bill drafts; then half of a plan's jobs would wait a day for the others.
    """

    pricing: Pricing
    bound_nusd: int
    cost_nusd: int

    @classmethod
    def of(cls, pricing: Pricing, plan: SavedPlan) -> PlannedPricing:
        """The prices of a route in a plan."""
        return cls(pricing, plan.bound_nusd, plan.cost_nusd)

    def estimate(self, slot: Slot) -> int | None:
        """As the route's."""
        return self.pricing.estimate(slot)

    def bound(self, slot: Slot) -> int | None:
        """The picture's share of the bound."""
        each = self.pricing.estimate(slot)
        return each if each is None or not self.cost_nusd else each * self.bound_nusd // self.cost_nusd

    def cost(self, slot: Slot, usage: Usage, reply: Done | Fault, pictures: int = 1) -> int | None:
        """As the route's."""
        return self.pricing.cost(slot, usage, reply, pictures)

    def charged(self, fault: Fault) -> Fault:
        """As the route's."""
        return self.pricing.charged(fault)
