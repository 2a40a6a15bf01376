"""Line: those who ask for leave while a visit is under way go to the next one together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...engine.ports import Cost, Grant
from ...govern.counter import Block, Served
from ...govern.verdict import Closed, Wait
from .branch import covers, roomy

Answer = Grant | Wait | Closed | None
"""``None``: the visit brought nothing that is of use now."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a line is for: ``visit`` asks for so many calls, ``take`` takes one that was granted, ``give_back`` returns
    it, ``start`` begins work that goes on whoever waits for it.
    """

    visit: Callable[[Cost, int], Awaitable[Served | None]]
    take: Callable[[Cost], Grant | None]
    give_back: Callable[[Grant], None]
    start: Callable[[Coroutine[Any, Any, None]], object]


@dataclass(eq=False, slots=True)
class Place:
    """One who waits to be told."""

    cost: Cost
    wanted: int
    told: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Line:
    """The line of one run. One visit is under way at a time; what it brings is handed to those that it was made for.

    ``is_shared`` when several asked at once: then none of them sees the ends of all calls.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._places: list[Place] = []
        self._asking = 0
        self.is_shared = False
        self._busy = False

    async def ask(self, cost: Cost, wanted: int) -> Answer:
        """What the visit for this call brought."""
        place = Place(cost, wanted)
        self._places.append(place)
        self._asking += 1
        self.is_shared = self.is_shared or self._asking > 1
        if not self._busy:
            self._busy = True
            self._means.start(self._serve())
        try:
            return await place.told
        except asyncio.CancelledError:
            # It may have been told at the same moment.
            grant = place.told.result() if place.told.done() and not place.told.cancelled() else None
            if isinstance(grant, Grant):
                self._means.give_back(grant)
            raise
        finally:
            self._asking -= 1

    async def _serve(self) -> None:
        try:
            while party := self._party():
                await self._go(party)
        finally:
            self._busy = False

    def _party(self) -> Sequence[Place]:
        """The first of those who still wait, and all who ask for a call like its."""
        party: list[Place] = []
        others: list[Place] = []
        for place in self._places:
            if not place.told.done():
                (party if not party or _alike(party[0].cost, place.cost) else others).append(place)
        self._places = others
        return party

    async def _go(self, party: Sequence[Place]) -> None:
        try:
            served = await self._means.visit(_most(party), sum(place.wanted for place in party))
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            _raised(party, error)
            return
        if not isinstance(served, Block):
            _told(party, served)
            return
        left = [place for place in party if not self._granted(place)]
        if len(left) == len(party):
            # It came too late: what was granted may not be used any more.
            _told(left, None)
        else:
            # There were not enough for all: the next visit is for who is left.
            self._places[:0] = left

    def _granted(self, place: Place) -> bool:
        """Whether this one has its grant, or needs none any more."""
        if place.told.done():
            return True
        grant = self._means.take(place.cost)
        if grant is not None:
            place.told.set_result(grant)
        return grant is not None


def _told(party: Sequence[Place], answer: Answer) -> None:
    for place in party:
        if not place.told.done():
            place.told.set_result(answer)


def _raised(party: Sequence[Place], error: Exception) -> None:
    for place in party:
        if not place.told.done():
            place.told.set_exception(error)


def _alike(one: Cost, other: Cost) -> bool:
    return covers(roomy(one), other) and covers(roomy(other), one)


def _most(party: Sequence[Place]) -> Cost:
    costs = [place.cost for place in party]
    return Cost(
        requests=max(cost.requests for cost in costs),
        images=max(cost.images for cost in costs),
        tokens=max(cost.tokens for cost in costs),
        nusd=max(cost.nusd for cost in costs),
    )
