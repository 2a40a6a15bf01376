"""Rehearse: an order played several times, each with other luck, before anything is bought."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...catalog.cards import Limits
from ...engine.policy import Policy
from ...engine.ports import Pricing
from ...govern.day import day_ends
from ...model.result import Slot
from ...plan.expand import Ordinals, slots
from ...sim.rehearsal_jobs import TURNAROUND
from ..folder.summary import duration, plural
from ..order import Order
from ..planned.ways import PlannedPricing
from ..routes import Routes
from .cast import Cast, cast_of
from .extend import Pace, Scale, times
from .outlook import Leg, Outlook, Spread
from .play import LIMITS_MET, Played, Script, Traffic, play_all
from .stage import Library, Way

PLAYS = 9
"""Enough for a tenth and nine tenths; odd, so that half of them is one of them."""
PLAYED_IN_ALL = 22_500
"""Pictures over all plays: as many as the engine plays in about ten seconds."""
WORTH_A_PROCESS = 4_000
"""Fewer pictures are played before another process has begun."""
HELD_UP = 0.05
"""Who waited for less than this share of the time was not held up by that."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How much is played. ``in_all`` bounds the pictures over all plays; ``None`` plays everything, however long.

    ``faultless``: no call fails but by its quota.
    """

    plays: int = PLAYS
    seed: int = 1
    in_all: int | None = PLAYED_IN_ALL
    faultless: bool = False


def rehearse(routes: Routes, order: Order, manner: Manner | None = None, wall_start: float | None = None) -> Outlook:
    """Play an order and say what it would come to. Blocks; not to be called in an event loop.

    What is in the folder already is played too. ``wall_start``: when the run would begin (epoch seconds; now).
    """
    manner = manner or Manner()
    started = time.time() if wall_start is None else wall_start
    whole = order.total if order.total is not None else sum(1 for _ in _slots_of(order))
    part = _part(order, whole, whole if manner.in_all is None else manner.in_all // manner.plays)
    cast = cast_of(routes, order, part)
    scale = Scale(len(part), whole)
    cap, plan = order.max_cost_nusd, order.plan
    script = Script(
        library=Library(routes.catalog, manner.faultless),
        slots=part,
        ways_for=cast.calls,
        policy=order.policy,
        wall_start=started,
        max_cost_nusd=None if cap is None else round(cap / scale.factor),
        jobs_for=cast.jobs,
        deadline_s=cast.deadline_s,
        misses_online=plan is not None,
        set_aside=_as_it_is if plan is None else lambda pricing: PlannedPricing.of(pricing, plan),
    )
    seeds = range(manner.seed, manner.seed + manner.plays)
    processes = (os.cpu_count() or 1) if len(part) * manner.plays >= WORTH_A_PROCESS else 1
    plays = play_all(script, seeds, min(processes, manner.plays))
    return _outlook(plays, cast, scale, order, started)


def _as_it_is(pricing: Pricing) -> Pricing:
    return pricing


def _slots_of(order: Order) -> Iterator[Slot]:
    return slots(order.wishes(0), Ordinals())


def _part(order: Order, whole: int, most: int) -> list[Slot]:
    """So many slots from all over the input, rows as whole as can be: the mix of the part is that of the whole."""
    if whole <= most:
        return list(_slots_of(order))
    ordinals, kept, seen = Ordinals(), list[Slot](), 0
    for wish in order.wishes(0):
        seen += wish.request.n
        room = seen * most // whole - len(kept)
        if room >= min(wish.request.n, most):
            kept += itertools.islice(slots((wish,), ordinals), room)
    return kept


# --- what was found -----------------------------------------------------------------------------------------------


def _outlook(plays: Sequence[Played], cast: Cast, scale: Scale, order: Order, started: float) -> Outlook:
    paces = [_pace(way, order.policy, started) for way in cast.ways]
    usual = sorted(plays, key=lambda played: played.seconds)[len(plays) // 2]
    faults = Counter({kind: round(count * scale.factor) for kind, count in usual.faults.most_common()})
    calls = round(usual.calls * scale.factor)
    seconds = Spread.of(times(plays, paces, scale))
    delivered = scale.grown([played.delivered for played in plays])
    return Outlook(
        pictures=scale.whole,
        played=scale.part,
        plays=len(plays),
        seed=plays[0].seed,
        seconds=seconds,
        cost_nusd=Spread.of(scale.grown([played.cost_nusd for played in plays])),
        delivered=Spread.of([min(scale.whole, count) for count in delivered]),
        calls=calls,
        refills=round(usual.again * scale.factor),
        rate_limited=sum(faults[kind.value] for kind in LIMITS_MET),
        met=dict(faults),
        bound_by=_bound_by(usual, order.policy, paces),
        legs=tuple(_leg(way, usual, scale) for way in cast.ways if way.name in usual.traffic),
        notes=tuple(_notes(plays, cast, order)),
    )


def _pace(way: Way, policy: Policy, started: float) -> Pace:
    ends = day_ends(way.resolved.endpoint.day_zone)
    return Pace(way, policy.concurrency, ends(started) - started)


def _leg(way: Way, usual: Played, scale: Scale) -> Leg:
    traffic = usual.traffic.get(way.name, Traffic())
    grown = round(traffic.delivered * scale.factor), round(traffic.calls * scale.factor)
    return Leg(str(way.resolved.route), way.resolved.route.mode, way.keys, *grown)


def _bound_by(usual: Played, policy: Policy, paces: Sequence[Pace]) -> str:
    """What held the run up most: a limit that it waited for, the calls that may be in flight, or the drawing itself."""
    if usual.stop is not None:
        return usual.stop.message or usual.stop.kind.value
    why, waited_s = max(usual.waits.items(), key=lambda item: item[1], default=("", 0.0))
    if waited_s >= HELD_UP * usual.seconds:
        return why
    if usual.most_in_flight >= policy.concurrency:
        return f"{policy.concurrency} calls in flight (--concurrency)"
    if usual.delivered > usual.most_in_flight and not all(pace.is_known or pace.way.is_batch for pace in paces):
        return f"calls in flight, up to {usual.most_in_flight}: where no limit is known, more are tried with care"
    return "nothing but the time that a picture takes"


def _notes(plays: Sequence[Played], cast: Cast, order: Order) -> Iterator[str]:
    if any(way.is_batch for way in cast.ways):
        usual, late = duration(TURNAROUND.p50_s), duration(TURNAROUND.p90_s)
        yield f"supposed: half of the batch jobs end within {usual}, nine tenths within {late}; a day is promised"
    for way in cast.ways:
        if not way.is_batch and way.limits == Limits(provenance=way.limits.provenance):
            yield f"no limits are known of {way.resolved.route}: it was played without any (say --tier or --rpm)"
        if way.resolved.price is None:
            yield f"no price is known of {way.resolved.route}: its pictures are not in the cost"
    longest_s = max(played.longest_wait_s for played in plays)
    if longest_s > order.policy.max_wait_s:
        yield (
            f"a quota has to be waited for {duration(longest_s)}: the run stops there, to be resumed, "
            f"unless --max-wait is longer"
        )
    short = max(played.left for played in plays)
    if short:
        yield f"it may stop with {plural(short, 'picture')} of those played still to be made"
