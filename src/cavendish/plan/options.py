"""Options: what one way to draw pictures of a kind costs, and how many it gives by a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from ..catalog.cards import Latency, Limits
from .quota_time import Load, Starts, Today, bound_by

BATCH_S = 86_400.0
"""Jobs of batch APIs are promised within a day. Mostly they end much sooner, and nobody says when."""


WHOLE = 10**12
"""Parts of a pool: so many that a kind that has it for itself fills it to the picture, up to a million."""

MOST_TIMES = 1_000
"""Moments of one pace that are looked at: a plan for the month needs no more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many pictures of one kind a pool would make by a time if it made nothing else.

    ``calls`` calls, dealt out to ``keys`` keys that work side by side, make ``pictures`` pictures. ``usual_s`` and
    ``slow_s`` are what half and nine tenths of the calls last at most. ``known`` is false where a limit may be that
    nobody told us: then nothing is ever promised, and all times are infinite.
    """

    starts: Starts
    usual_s: float
    slow_s: float
    keys: int = 1
    calls: int = 1
    pictures: int = 1
    known: bool = True

    @property
    def is_bound(self) -> bool:
        """Whether anything but the time of one call holds it back."""
        return len(self.starts.at_s) != 1

    def by(self, at_s: float, *, slow: bool = True) -> int:
        """How many are there at a moment, calls being slow or as usual."""
        return self.starts.by(at_s, self._lasts_s(slow=slow)) * self.keys * self.pictures // self.calls

    def part(self, at_s: float, *, slow: bool = True) -> int:
        """The parts of its pool that one picture takes, of ``WHOLE`` up to a moment; all of them when none is made."""
        return WHOLE // max(1, self.by(at_s, slow=slow))

    def done_s(self, count: int, *, slow: bool = True) -> float:
        """When so many are there."""
        each = -(-count * self.calls // (self.pictures * self.keys))
        return self.starts.of_call(each) + self._lasts_s(slow=slow)

    def times(self, *, slow: bool = True, most: int | None = None) -> list[float]:
        """When there are more of them than before; ``most``: of more moments only some, the last among them."""
        at_s = self.starts.at_s
        step = max(1, -(-len(at_s) // most)) if most else 1
        return [start_s + self._lasts_s(slow=slow) for start_s in at_s[::-step]]

    def supposed(self) -> Pace:
        """What it would be if there were no limits but those that are known."""
        return replace(self, known=True)

    def _lasts_s(self, *, slow: bool) -> float:
        if not self.known:
            return inf
        return self.slow_s if slow else self.usual_s


@dataclass(frozen=True, slots=True)
class Way:
    """Pictures of the kind number ``kind`` by one option, at ``each_nusd`` nano-dollars.

    ``paces`` are by the pool that the option draws on: the time of its keys, their money, the places of the run.
    Ways that name the same pool share it. ``call_nusd`` is what one call costs, with all the pictures it is asked for.
    """

    kind: int
    option: str
    each_nusd: int
    paces: Mapping[str, Pace] = field(default_factory=dict[str, Pace])
    call_nusd: int = 0

    def by(self, at_s: float) -> int:
        """How many it would make by a moment if it had its pools for itself."""
        return min(pace.by(at_s) for pace in self.paces.values())


@dataclass(frozen=True, slots=True)
class Lane:
    """The keys that an option draws with. ``name`` is that of the pool, the same for all options that share it.

    ``purse`` is the pool of the money that its keys may spend in ten minutes, which models of a key share.
    ``concurrency`` bounds the calls of the whole run.
    """

    name: str
    purse: str
    limits: Limits
    keys: int = 1
    today: Today = field(default_factory=Today)
    concurrency: int | None = None

    @property
    def time_is_known(self) -> bool:
        """Whether anything is known of how fast its keys may be: money alone says little."""
        known = self.limits
        return any(limit is not None for limit in (known.requests_per_minute, known.images_per_minute, known.in_flight))


@dataclass(frozen=True, slots=True)
class Call:
    """What one call is: what it takes of a quota, how long it lasts, and how many make how many pictures."""

    load: Load
    latency: Latency
    calls: int = 1
    pictures: int = 1


RUN = "run"
"""The pool of the places of a run."""


def paces(lane: Lane, call: Call, most: int) -> dict[str, Pace]:
    """What a lane makes of calls of one kind, by its pools. ``most`` is how many pictures there may be at all."""
    purse = lane.limits.spend_per_10_minutes_nusd
    found = {lane.name: _pace(lane, call, _own_limits(lane), most)}
    if purse is not None:
        found[lane.purse] = _pace(lane, call, Limits(spend_per_10_minutes_nusd=purse), most)
    if lane.concurrency is not None:
        run = replace(lane, keys=1)
        found[RUN] = _pace(run, call, Limits(in_flight=lane.concurrency), most)
    return found


def held_by(lane: Lane, call: Call, pictures: int) -> str:
    """The limit of a lane that so many pictures of one kind wait for longest; empty when they wait for none."""
    calls = -(-pictures * call.calls // (call.pictures * lane.keys))
    return bound_by(calls, _own_limits(lane), call.latency.p50_s, call.load, lane.today) if calls else ""


def batch_paces(name: str, most: int, within_s: float = BATCH_S, at_once: int | None = None) -> dict[str, Pace]:
    """What a batch API makes: ``at_once`` (all, unless told) when its time is over, then as many again."""
    most = max(1, most)
    rounds = range(-(-most // (at_once or most)))
    ends = tuple(min(most, (number + 1) * (at_once or most)) for number in rounds)
    return {name: Pace(Starts(tuple(number * within_s for number in rounds), ends), within_s, within_s)}


def at_all(counts: Sequence[int]) -> int:
    """How many pictures a pace is worked out for: with kinds that share a pool, more than there are.

    Else a kind that is far from the end of its time would seem to need all of it.
    """
    return sum(counts) * (2 if len(counts) > 1 else 1)


def _own_limits(lane: Lane) -> Limits:
    """The limits of one key, with its part of the places of the run."""
    limits = lane.limits
    if lane.concurrency is None:
        return limits
    places = max(1, lane.concurrency // lane.keys)
    return replace(limits, in_flight=min(places, limits.in_flight or places))


def _pace(lane: Lane, call: Call, limits: Limits, most: int) -> Pace:
    calls = -(-most * call.calls // (call.pictures * lane.keys))
    starts = Starts.of(calls, limits, call.latency.p50_s, call.load, lane.today)
    latency = call.latency
    return Pace(starts, latency.p50_s, latency.p90_s, lane.keys, call.calls, call.pictures, known=lane.time_is_known)
