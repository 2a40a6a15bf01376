"""Pool: the keys of one route, which share its work: a call leaves with whichever may go first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..model.fault import Fault
from .ports import Closing, Cost, Grant, Lane, Shut, WaitUntil

SOON_S = 5.0
"""A wait that the end of another call ends has no moment: it counts as so long."""


def length_s(wait: WaitUntil, now: float) -> float:
    """How long a wait is, as far as can be told."""
    return SOON_S if math.isinf(wait.at) else wait.at - now


def sooner(first: WaitUntil | None, second: WaitUntil, now: float) -> WaitUntil:
    """The shorter wait. It is one for a failing provider only when both are."""
    if first is None:
        return second
    best = first if length_s(first, now) <= length_s(second, now) else second
    return replace(best, failing=first.failing and second.failing) if best.failing else best


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked of a pool: leave for a call of this cost at this moment.

    ``wanted``: how many such calls stand ready. ``lanes``: those that may be asked, when not all.
    """

    cost: Cost
    now: float
    wanted: int = 1
    lanes: tuple[Lane, ...] | None = None


@dataclass(slots=True)
class Pool:
    """One route's lanes, each with a key, a quota and a health of its own.

    ``most`` is how many pictures a call may still be asked for, where it was found that fewer are taken than was said.
    ``tell`` is called once for each key that leaves the pool.
    """

    lanes: tuple[Lane, ...]
    tell: Callable[[Closing], None]
    most: int | None = None
    _dead: dict[int, Fault] = field(default_factory=dict[int, Fault])
    _next: int = 0

    @property
    def lane(self) -> Lane:
        """One that stands for all: they differ in their keys alone."""
        return self.lanes[0]

    @property
    def closed(self) -> Fault | None:
        """Why none of its keys is of use any more in this run; ``None`` while one is."""
        return next(reversed(self._dead.values())) if len(self._dead) == len(self.lanes) else None

    async def reserve(self, turn: Turn) -> tuple[Lane, Grant] | WaitUntil | Shut | None:
        """Ask one key after the other, beginning behind the one that went last; ``None`` when there is none to ask."""
        wait: WaitUntil | None = None
        wanted = -(-turn.wanted // max(1, len(self.lanes) - len(self._dead)))
        for index in self._in_turn():
            lane = self.lanes[index]
            if index in self._dead or (turn.lanes is not None and lane not in turn.lanes):
                continue
            answer = await lane.quota.reserve(turn.cost, wanted)
            if isinstance(answer, Grant):
                self._next = index + 1
                return lane, answer
            if isinstance(answer, WaitUntil):
                wait = sooner(wait, answer, turn.now)
            else:
                self.shut(lane, answer.fault)
        if wait is None and self.closed is not None:
            return Shut(self.closed)
        return wait

    def shut(self, lane: Lane, fault: Fault) -> None:
        """A key of this pool is of no more use in this run."""
        index = next(i for i, own in enumerate(self.lanes) if own is lane)
        if index not in self._dead:
            self._dead[index] = fault
            name = f"key {index + 1} of {len(self.lanes)}" if len(self.lanes) > 1 else ""
            self.tell(Closing(lane.route, name, fault, len(self.lanes) - len(self._dead)))

    def shut_all(self, fault: Fault) -> None:
        """The route itself is of no more use."""
        if self.closed is None:
            self._dead.update({index: fault for index in range(len(self.lanes)) if index not in self._dead})
            self.tell(Closing(self.lane.route, "", fault))

    def _in_turn(self) -> Iterator[int]:
        count = len(self.lanes)
        return ((self._next + i) % count for i in range(count))


class Pools:
    """The pools of a run: lanes of one route are one pool, whatever slots they are for."""

    def __init__(self, tell: Callable[[Closing], None]) -> None:
        self._tell = tell
        self._groups: dict[tuple[int, ...], tuple[Pool, ...]] = {}
        self._by_lane: dict[int, Pool] = {}

    def of(self, lanes: Sequence[Lane]) -> tuple[Pool, ...]:
        """The pools of these lanes, in the order in which their routes come first."""
        name = tuple(map(id, lanes))
        found = self._groups.get(name)
        if found is None:
            routes: dict[object, list[Lane]] = {}
            for lane in lanes:
                routes.setdefault(lane.route, []).append(lane)
            found = self._groups[name] = tuple(self._pool(tuple(keys)) for keys in routes.values())
        return found

    def holding(self, lane: Lane) -> Pool | None:
        """The pool of a lane, ``None`` for one that only stands in for what an earlier process used."""
        return self._by_lane.get(id(lane))

    def _pool(self, lanes: tuple[Lane, ...]) -> Pool:
        # Pools keep their lanes alive, so that no other lane ever has the same id.
        pool = self._by_lane.get(id(lanes[0]))
        if pool is None or {id(lane) for lane in pool.lanes} != {id(lane) for lane in lanes}:
            pool = Pool(lanes, self._tell)
            self._by_lane.update({id(lane): pool for lane in lanes})
        return pool
