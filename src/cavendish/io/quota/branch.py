"""Branch: one quota as a process knows it: what it has leave for, and what it has to tell."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...engine.ports import Cost
from ...govern.counter import Left, Report, Unused
from ...govern.governors import Name
from .local import LocalQuota
from .table import Found, Site

RECENT_S = 60.0
"""Who asked no longer ago than this may be waiting."""

PADDING = 4
"""Prompts differ in length: of a block's later calls tokens and money are taken a quarter higher until they leave."""
LEAST_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Held:
    """A call that may leave until ``until_s`` (by our clock) and take at most ``cost``."""

    id: str
    cost: Cost
    until_s: float


class Branch:
    """Pockets of leave, one for each run, and reports for the next visit. Moments are those of this process's clock.

    ``out`` is how many calls are under way. ``found`` is what the last visit left, for the next one; ``texts`` is the
    same for ``local``, which takes over when the database has failed.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.local: LocalQuota | None = None
        self.out = 0
        self.found: Found | None = None
        self.texts: Mapping[Name, bytes] = {}
        self.swept_s = -math.inf
        self.timer: asyncio.TimerHandle | None = None
        self._reports: list[Report] = []
        self._pockets: defaultdict[str, deque[Held]] = defaultdict(deque)
        self._asked: dict[str, float] = {}

    def asks(self, name: str, now_s: float) -> bool:
        """Note that a run asks. Says whether it is the only one that did of late."""
        self._asked = {other: at for other, at in self._asked.items() if at > now_s - RECENT_S}
        self._asked[name] = now_s
        return len(self._asked) == 1

    def put(self, name: str, ids: Sequence[str], cost: Cost, until_s: float) -> None:
        """A block was granted: the first call for what was asked, the others with room to spare."""
        costs = (cost, *[roomy(cost)] * (len(ids) - 1))
        self._pockets[name].extend(Held(id_, each, until_s) for id_, each in zip(ids, costs, strict=True))

    def take(self, name: str, cost: Cost, now_s: float) -> str | None:
        """A call leaves now, when there is leave for one like this."""
        self.expire(now_s)
        pocket = self._pockets.get(name)
        if not pocket or not covers(pocket[0].cost, cost):
            return None
        held = pocket.popleft()
        self.out += 1
        self._reports.append(Left(held.id, now_s, cost))
        return held.id

    def expire(self, now_s: float) -> None:
        """What did not leave in time goes back. ``math.inf``: all that has not left yet."""
        for name, pocket in tuple(self._pockets.items()):
            while pocket and pocket[0].until_s <= now_s:
                self._reports.append(Unused(pocket.popleft().id))
            if not pocket:
                del self._pockets[name]

    def give_back(self, name: str) -> None:
        """A run has no use for what it holds."""
        for held in self._pockets.pop(name, ()):
            self._reports.append(Unused(held.id))

    def ended(self, report: Report) -> None:
        """A call ended, one way or another: something to tell at the next visit."""
        self.out -= 1
        self._reports.append(report)

    def told(self) -> Sequence[Report]:
        """All there is to tell; it is told once."""
        told, self._reports = self._reports, []
        return told

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._reports)

    @property
    def holds(self) -> bool:
        """Whether there is leave that was not used yet."""
        return bool(self._pockets)


def roomy(cost: Cost) -> Cost:
    """What the later calls of a block may take, which are not known yet."""
    tokens = cost.tokens and cost.tokens + max(LEAST_TOKENS, cost.tokens // PADDING)
    return Cost(cost.requests, cost.images, tokens, cost.nusd + cost.nusd // PADDING)


def covers(held: Cost, cost: Cost) -> bool:
    """Whether leave for one call is enough for another."""
    return (
        held.requests >= cost.requests
        and held.images >= cost.images
        and held.tokens >= cost.tokens
        and held.nusd >= cost.nusd
    )
