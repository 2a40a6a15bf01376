"""Forecast: what an order will cost and when it will be done as it stands, by the planner's own arithmetic."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from ..model.money import as_float
from ..plan.frontier import Planner
from .order import Order
from .planning.choose import Bounds
from .planning.places import ALL, Said, WideRoutes
from .planning.planned import Planned, planned
from .planning.question import Option, Question, Wish, as_ordered
from .planning.reading import Counted, counted
from .planning.used import used_today
from .routes import SIMULATOR, Routes


@dataclass(frozen=True, slots=True)
class Share:
    """What one option has to do. Money in nano-dollars; ``None`` when a picture's price is not known."""

    option: Option
    pictures: int
    cost_nusd: int | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an order comes to. ``seconds`` is infinite where limits are not known, or allow no picture at all.

    ``least_s`` is the time if there are no limits but those that are known. ``kept`` pictures are in the folder
    already. ``cost_nusd`` is ``None`` when some price is not known. ``bound_by`` is the limit that takes longest.
    """

    shares: tuple[Share, ...]
    pictures: int
    kept: int
    cost_nusd: int | None
    seconds: float
    slow_s: float
    least_s: float
    bound_by: str

    def to_json(self) -> dict[str, Any]:
        """For programs: dollars and seconds."""
        return {
            "pictures": self.pictures,
            "kept": self.kept,
            "cost": None if self.cost_nusd is None else as_float(self.cost_nusd),
            "seconds": _seconds(self.seconds),
            "slow_seconds": _seconds(self.slow_s),
            "least_seconds": _seconds(self.least_s),
            "bound_by": self.bound_by,
            "routes": [
                {
                    "route": str(share.option.resolved.route),
                    "mode": share.option.resolved.route.mode,
                    "pictures": share.pictures,
                    "cost": None if share.cost_nusd is None else as_float(share.cost_nusd),
                }
                for share in self.shares
            ],
        }


def forecast(routes: Routes, order: Order) -> Forecast:
    """Look at every slot of an order; what is in the folder already is not counted. Blocks, and reads the input."""
    return _forecast(counted(order), routes, order)


def forecast_and_ways(routes: Routes, order: Order) -> tuple[Forecast, Planned]:
    """The same, and all other ways to have these pictures, by the routes that the order allows."""
    count = counted(order)
    wide = WideRoutes.like(routes)
    # Where the simulator stands in, it is what there is to choose from.
    wide.wish = replace(wide.wish, tier=None, rpm=None, via=(SIMULATOR,) if routes.simulated else wide.wish.via)
    return _forecast(count, routes, order), planned(count, wide, _wish(routes, order), Bounds())


def _forecast(count: Counted, routes: Routes, order: Order) -> Forecast:
    made = as_ordered(count.groups, routes, _wish(routes, order))
    planner = Planner(made.counts, made.ways)
    # One way for each kind, in their order.
    counts = tuple(enumerate(made.counts))
    shares = _shares(made)
    costs = [share.cost_nusd for share in shares.values()]
    return Forecast(
        shares=tuple(shares.values()),
        pictures=count.pictures,
        kept=count.kept,
        cost_nusd=None if None in costs else sum(cost for cost in costs if cost is not None),
        seconds=planner.end_s(counts, slow=False),
        slow_s=planner.end_s(counts, slow=True),
        least_s=planner.end_s(counts, slow=False, supposing=True),
        bound_by=made.held_by(counts),
    )


def _wish(routes: Routes, order: Order) -> Wish:
    tier, rpm, now_s = routes.wish.tier, routes.wish.rpm, time.time()
    return Wish(
        now_s=now_s,
        tiers=Said({ALL: tier} if tier else {}),
        rates=Said({ALL: str(rpm)} if rpm else {}),
        concurrency=order.policy.concurrency,
        sheet=order.sheet,
        used_today=used_today(routes.settings, now_s),
    )


def _shares(made: Question) -> Mapping[str, Share]:
    shares: dict[str, Share] = {}
    for way, count in zip(made.ways, made.counts, strict=True):
        share = shares.get(way.option) or Share(made.options[way.option], 0, 0)
        cost = None if way.kind in made.unpriced or share.cost_nusd is None else share.cost_nusd + count * way.each_nusd
        shares[way.option] = Share(share.option, share.pictures + count, cost)
    return shares


def _seconds(seconds: float) -> float | None:
    return None if seconds == inf else round(seconds, 1)
