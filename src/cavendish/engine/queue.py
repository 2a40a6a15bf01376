"""RouteQueue: the slots that wait for the same routes, fresh ones in their order, failed ones after their back-off."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..model.attempt import Attempt
from ..model.fault import Fault
from ..model.result import Picture, Slot
from .pool import Pool
from .ports import Lane, Pricing
from .step import SlotState
from .twins import form_of

TOGETHER_S = 0.02
"""Slots that failed together were queued again one after the other: so far apart, they are ready at the same time."""


@dataclass(slots=True)
class Work:
    """A slot being worked on: its state, its lanes in the order of preference, and what its attempts cost so far.

    ``detour`` says why its last call did not go by the first of its routes, ``moved`` why no call of it does any more.
    ``answered``: an answer is being judged. ``alone``: it shares no call with others any more.
    ``gate`` lets the answers of two calls in one after the other; ``picture`` is what the slot ended with.
    """

    slot: Slot
    lanes: tuple[Lane, ...]
    state: SlotState
    spent_nusd: int = 0
    spent_known: bool = True
    detour: str = ""
    moved: str = ""
    answered: bool = False
    alone: bool = False
    gate: asyncio.Lock | None = None
    picture: Picture | None = None
    _priced_by: Pricing | None = None
    _estimate_nusd: int | None = None

    def estimate(self, lane: Lane) -> int | None:
        """What its picture is expected to cost by a lane, in nano-dollars; worked out once."""
        if self._priced_by is not lane.pricing:
            self._priced_by, self._estimate_nusd = lane.pricing, lane.pricing.estimate(self.slot)
        return self._estimate_nusd

    @property
    def lane(self) -> Lane:
        """The lane that it would take first."""
        return self.lanes[0]


def spent(attempts: Sequence[Attempt]) -> tuple[int, bool]:
    """What attempts cost, as far as that is known, and whether all of it is known."""
    costs = [attempt.cost_nusd for attempt in attempts]
    return sum(cost or 0 for cost in costs), None not in costs


@dataclass(slots=True)
class RouteQueue:
    """What waits for these routes, the preferred one first. ``closed`` says why none of it can go in this run.

    ``poor``: there is no money for the next call unless others in flight turn out cheaper.
    """

    pools: tuple[Pool, ...]
    fresh: deque[Work] = field(default_factory=deque[Work])
    later: list[tuple[float, int, Work]] = field(default_factory=list[tuple[float, int, Work]])
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    closed: Fault | None = None
    poor: bool = False
    _births: int = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self.fresh) + len(self.later)

    @property
    def is_open(self) -> bool:
        """Whether a route of it is open."""
        return any(pool.closed is None for pool in self.pools)

    def put(self, work: Work, not_before: float | None = None) -> None:
        """Queue a slot; ``not_before`` in monotonic seconds."""
        if not_before is None:
            self.fresh.append(work)
        else:
            self._births += 1
            heapq.heappush(self.later, (not_before, self._births, work))
        self.wake.set()

    def take(self, now: float) -> Work | None:
        """The next slot that may go: one whose back-off is over first, since its row is the oldest."""
        if self.later and self.later[0][0] <= now:
            return heapq.heappop(self.later)[2]
        return self.fresh.popleft() if self.fresh else None

    def put_back(self, works: Sequence[Work]) -> None:
        """Those that were taken and do not go yet are the first again."""
        self.fresh.extendleft(reversed(works))

    def fellows(self, work: Work, now: float) -> int:
        """How many that may go have the same form as this one."""
        soon = now + TOGETHER_S
        due = sum(at <= soon and _together(work, other) for at, _, other in self.later)
        return due + sum(_together(work, other) for other in self.fresh)

    def take_fellows(self, work: Work, count: int, now: float) -> list[Work]:
        """Take so many of them, as ``take`` would, one by one."""
        soon = now + TOGETHER_S
        fits = [entry for entry in sorted(self.later) if entry[0] <= soon and _together(work, entry[2])][:count]
        taken = [entry[2] for entry in fits]
        if fits:
            self.later = [entry for entry in self.later if entry not in fits]
            heapq.heapify(self.later)
        for other in tuple(self.fresh):
            if len(taken) < count and _together(work, other):
                taken.append(other)
                self.fresh.remove(other)
        return taken

    def due_at(self) -> float | None:
        """When the next back-off ends, ``None`` when none runs."""
        return self.later[0][0] if self.later else None

    def drain(self) -> list[Work]:
        """Take everything out."""
        works = [*self.fresh, *(work for _, _, work in self.later)]
        self.fresh.clear()
        self.later.clear()
        return works

    async def rest(self, delay_s: float | None) -> None:
        """Wait until something changes, at most so long (``None``: for good)."""
        self.wake.clear()
        if delay_s is None:
            await self.wake.wait()
            return
        try:
            async with asyncio.timeout(delay_s):
                await self.wake.wait()
        except TimeoutError:
            pass


def _together(one: Work, other: Work) -> bool:
    """Whether one call may serve both."""
    return not (one.alone or other.alone) and form_of(one.slot.id) == form_of(other.slot.id)
