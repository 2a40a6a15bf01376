"""Forecast: what an order will cost and when it will be done, before anything is spent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from ..catalog.cards import Latency, Limits
from ..catalog.resolve import Resolved
from ..catalog.shape import word_for
from ..govern.day import day_ends
from ..io.ledger.reader import LedgerReader
from ..model.money import as_float
from ..model.result import Picture, Slot
from ..plan.estimate import PriceBook, input_tokens
from ..plan.expand import Ordinals, slots
from ..plan.quota_time import Finish, Load, finish_time
from .order import BATCH, LEDGER, Order
from .routes import Routes

USUAL_LATENCY = Latency(12.5, 18.0)
"""Of a 1K picture: where the catalog has no figures for a model."""


BATCH_S = 86_400.0


@dataclass(slots=True)
class Share:
    """What one model has to do, on the route that it is asked for first. Money in nano-dollars.

    ``cost_nusd`` is ``None`` when a picture's price is not known. ``keys`` work side by side, each with the ``limits``.
    """

    resolved: Resolved
    limits: Limits
    keys: int
    pictures: int = 0
    kept: int = 0
    cost_nusd: int | None = 0
    tokens: int = 0
    latency_s: float = 0.0

    def add(self, slot: Slot) -> None:
        """One more picture to make."""
        self.pictures += 1
        price = PriceBook.of(self.resolved).estimate(slot)
        self.cost_nusd = None if price is None or self.cost_nusd is None else self.cost_nusd + price
        self.tokens += input_tokens(slot.request, self.resolved.card)
        size = word_for(self.resolved.card, slot.request.size)
        self.latency_s = max(self.latency_s, self.resolved.offer.latency.get(size, USUAL_LATENCY).p50_s)

    def finish(self, concurrency: int, wall_s: float) -> Finish:
        """When its pictures are done. Jobs of a batch API are promised within a day, and mostly end much sooner."""
        if self.resolved.route.mode == BATCH:
            return Finish(BATCH_S, "batch")
        each = -(-self.pictures // self.keys)
        in_flight = min(concurrency, self.limits.in_flight or concurrency)
        load = Load(-(-self.tokens // max(1, self.pictures)), (self.cost_nusd or 0) // max(1, self.pictures))
        ends = day_ends(self.resolved.endpoint.day_zone)
        limits = replace(self.limits, in_flight=in_flight)
        return finish_time(each, limits, self.latency_s, load, until_new_day_s=ends(wall_s) - wall_s)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an order comes to. ``seconds`` is infinite when a limit allows no picture at all.

    ``kept`` pictures are in the folder already. ``cost_nusd`` is ``None`` when some price is not known.
    """

    shares: tuple[Share, ...]
    pictures: int
    kept: int
    cost_nusd: int | None
    finish: Finish

    def to_json(self) -> dict[str, Any]:
        """For programs: dollars and seconds."""
        seconds = self.finish.seconds
        return {
            "pictures": self.pictures,
            "kept": self.kept,
            "cost": None if self.cost_nusd is None else as_float(self.cost_nusd),
            "seconds": None if seconds == inf else round(seconds, 1),
            "bound_by": self.finish.bound_by,
            "routes": [
                {
                    "route": str(share.resolved.route),
                    "mode": share.resolved.route.mode,
                    "pictures": share.pictures,
                    "kept": share.kept,
                    "cost": None if share.cost_nusd is None else as_float(share.cost_nusd),
                }
                for share in self.shares
            ],
        }


def forecast(routes: Routes, order: Order) -> Forecast:
    """Look at every slot of an order; what is in the folder already is not counted. Blocks, and reads the input."""
    shares: dict[str, Share] = {}
    done = _Done(order)
    try:
        for slot in slots(order.wishes(0), Ordinals()):
            share = _share(shares, routes, slot.request.model)
            if done.has(slot):
                share.kept += 1
            else:
                share.add(slot)
    finally:
        done.close()
    return _summed(shares, order)


def _share(shares: dict[str, Share], routes: Routes, model: str) -> Share:
    if model not in shares:
        first = routes.resolve(model)[0]
        shares[model] = Share(first, routes.limits(first), routes.keys_of(first.endpoint.name))
    return shares[model]


def _summed(shares: Mapping[str, Share], order: Order) -> Forecast:
    parts = tuple(shares.values())
    costs = [share.cost_nusd for share in parts]
    now_s = time.time()
    ends = [share.finish(order.policy.concurrency, now_s) for share in parts if share.pictures]
    return Forecast(
        shares=parts,
        pictures=sum(share.pictures for share in parts),
        kept=sum(share.kept for share in parts),
        cost_nusd=None if None in costs else sum(cost for cost in costs if cost is not None),
        finish=max(ends, key=lambda end: end.seconds, default=Finish(0.0)),
    )


class _Done:
    """What an earlier run of the folder delivered."""

    def __init__(self, order: Order) -> None:
        path = order.folder / LEDGER
        self._reader = LedgerReader.open(path) if path.is_file() else None

    def has(self, slot: Slot) -> bool:
        standing = self._reader.standing(slot.id) if self._reader else None
        return standing is not None and isinstance(standing.outcome, Picture)

    def close(self) -> None:
        if self._reader:
            self._reader.close()
