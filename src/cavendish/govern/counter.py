"""Counter: serves all who share a quota: hears how their calls went, and gives leave in fair turns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import assert_never

from .fairness import MEMORY_S, Claim, Priority, Shares
from .governor import Governor
from .lease import IsGone
from .verdict import Closed, Cost, Ending, Granted, Load, Terms, Wait

POLL_S = 0.3
"""Who waits for another's call to end looks again this often: nobody can tell when that will be."""

LOOK_AGAIN_S = 2.0
"""So long after something was free, who is not next looks whether those who are have come for it."""

MUCH = 2
"""Times the tokens of another's call."""

SETTLED_S = 0.1
"""So long after its last moment a call that may leave for a while is known to have left, or not to leave at all."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to make ``wanted`` calls now: the first like ``cost``, the others at most like ``spare``.

    No more than ``most`` are to be granted at once, but others are told of all. ``ahead`` more are likely to follow
    within the time of the hold: they are granted too while nobody else waits, and no one is told of them.
    ``name`` is the run's, beginning with its holder's; ``hold_s`` is how long the calls may take to leave. ``is_new``
    when it asks for the first time, ``is_alone`` when nobody else of its holder asks, so that it sees all of its ends.
    """

    holder: str
    name: str
    cost: Cost
    wanted: int = 1
    most: int = 1
    spare: Cost = field(default_factory=Load)
    priority: Priority = Priority.INTERACTIVE
    hold_s: float = 0.0
    is_new: bool = False
    is_alone: bool = True
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Leave for these calls, within the time that was asked for."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """A call that was granted left at this moment, and takes so much."""

    grant_id: str
    at_s: float
    cost: Cost


@dataclass(frozen=True, slots=True)
class Unused:
    """A call that was granted never left."""

    grant_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A call came back, or was given up. ``at_s``: when it left, where that was later than it said when it did."""

    grant_id: str
    ending: Ending
    at_s: float = -math.inf


Report = Left | Unused | Ended
Served = Block | Wait | Closed


class Counter:
    """One quota's governor, and who waits for it. Moments are those of the clock that all share."""

    def __init__(self, governor: Governor, shares: Shares) -> None:
        self._governor = governor
        self._shares = shares

    def hear(self, report: Report, now_s: float, wall_s: float) -> None:
        """Take in what became of a grant. One that is not known is no error."""
        match report:
            case Left(grant_id, at_s, cost):
                self._governor.left(grant_id, min(at_s, now_s), cost)
            case Unused(grant_id):
                self._governor.cancel(grant_id)
            case Ended(grant_id, ending, at_s):
                self._governor.late(grant_id, min(at_s, now_s))
                self._governor.settle(grant_id, now_s, wall_s, ending)
            case _:
                assert_never(report)

    def sweep(self, is_gone: IsGone, now_s: float) -> None:
        """Take back what is held by those who are gone."""
        self._governor.abandon(is_gone, now_s)
        self._shares.tidy(now_s, is_gone)

    def serve(self, ask: Ask, now_s: float, wall_s: float) -> Served:
        """As many calls as it is this one's turn for; else how long to wait, or why never."""
        if ask.is_new:
            self._governor.reconsider(now_s)
        claim = Claim(ask.priority, Load().plus(ask.cost), ask.wanted, now_s, now_s)
        ids: list[str] = []
        obstacle = self._grant(ask, claim, ids, now_s, wall_s)
        if len(ids) == ask.wanted and self._shares.waiting.keys() <= {ask.name}:
            self._grant_ahead(ask, ids, now_s, wall_s)
        if ids:
            self._shares.take(ask.name, now_s, len(ids) * max(1, ask.cost.images))
            if left := ask.wanted - len(ids):
                # It will ask again as soon as these have left: nobody is to slip in between.
                self._shares.wait(ask.name, replace(claim, wanted=left, due_s=now_s + ask.hold_s))
            return Block(tuple(ids))
        assert obstacle is not None, "whoever wants a call has its turn at last"
        if isinstance(obstacle, Wait):
            return self._waits(ask, claim, obstacle, now_s)
        self._shares.drop(ask.name)
        return obstacle

    def _grant(self, ask: Ask, claim: Claim, ids: list[str], now_s: float, wall_s: float) -> Wait | Closed | None:
        """Give out calls in turn until somebody has to wait.

        What is free now is kept for those who are about to come for it, and for those who need much at once and would
        otherwise never find it. A moment to come is for all who come before.
        """
        present, ahead = Load(), Load()
        for other in self._shares.before(ask.name, claim, now_s):
            if other is not None:
                ahead = ahead.plus(other.load)
                if other.due_s <= now_s + POLL_S or _needs_more(other.load, claim.load):
                    present = present.plus(other.load)
                continue
            cost = ask.spare if ids else ask.cost
            verdict = self._governor.reserve(now_s, wall_s, cost, Terms(ask.holder, ask.hold_s, present))
            if isinstance(verdict, Granted):
                ids.append(verdict.id)
            elif ids or isinstance(verdict, Closed):
                return verdict
            else:
                return self._later(verdict, now_s, wall_s, ask, ahead)
            if len(ids) == ask.most:
                break
        return None

    def _grant_ahead(self, ask: Ask, ids: list[str], now_s: float, wall_s: float) -> None:
        """Give out calls that are not asked for yet, as long as there is room."""
        for _ in range(min(ask.ahead, ask.most - len(ids))):
            verdict = self._governor.reserve(now_s, wall_s, ask.spare, Terms(ask.holder, ask.hold_s))
            if not isinstance(verdict, Granted):
                return
            ids.append(verdict.id)

    def _later(self, wait: Wait, now_s: float, wall_s: float, ask: Ask, ahead: Load) -> Wait:
        """When this one's turn comes, after those before it; but in case they do not come, it looks again soon."""
        verdict = self._governor.reserve(now_s, wall_s, ask.cost, Terms(ask.holder, ask.hold_s, ahead))
        if not isinstance(verdict, Wait):
            return wait
        return replace(verdict, until_s=max(wait.until_s, min(verdict.until_s, wait.until_s + LOOK_AGAIN_S)))

    def _waits(self, ask: Ask, claim: Claim, wait: Wait, now_s: float) -> Wait:
        """Note who waits until when, and say when to ask again: never when only an end of its own call can help."""
        until_s = max(wait.until_s, now_s + POLL_S) if wait.needs_settle else wait.until_s
        self._shares.wait(ask.name, replace(claim, due_s=min(until_s, now_s + MEMORY_S)))
        if wait.needs_settle and ask.is_alone and self._is_ours(ask.holder):
            return replace(wait, until_s=math.inf)
        held_until_s = self._governor.held_until_s
        if now_s < held_until_s:
            # Calls that may leave for a while yet are counted at the end of it, and most will have left before.
            until_s = min(until_s, held_until_s + SETTLED_S)
        return replace(wait, until_s=until_s)

    def _is_ours(self, holder: str) -> bool:
        """Whether all calls under way are of this holder, and nobody else waits."""
        return set(self._governor.holders) == {holder} and len(self._shares.waiting) == 1


def _needs_more(theirs: Load, mine: Load) -> bool:
    """Whether a call needs so much more at once that one like mine could always slip in before it."""
    return theirs.images > mine.images or theirs.tokens > MUCH * mine.tokens
