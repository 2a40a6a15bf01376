"""Fairness: whose turn it is when several runs wait for one quota."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from ..model.request import JsonValue
from .lease import IsGone, holder_of
from .verdict import Cost, Load

MEMORY_S = 60.0
"""What a run had counts for about as long as limits look back: somebody new is not to catch up with a whole night."""

GRACE_S = 0.5
"""Who does not come when it is its turn loses it after this long: a busy machine is later than it said."""

FORGOTTEN = 0.01
"""A use that is as good as none."""


class Priority(IntEnum):
    """Who goes first: a person who waits for a picture, then work that nobody sits before."""

    INTERACTIVE = 0
    BATCH = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that waits: for so many calls like this one, since when, and when it will ask again. Moments in seconds."""

    priority: int
    load: Load
    wanted: int
    since_s: float
    due_s: float


OF_A_SHARE = "="
"""How the name of somebody begins who asks in several processes; what names it stands behind its holder's."""


def share_of(name: str) -> str:
    """Under what name somebody's use is counted: its own; one for all processes where it asks in several."""
    behind = name.partition("/")[2]
    return behind if behind.startswith(OF_A_SHARE) else name


@dataclass(frozen=True, slots=True)
class Stake:
    """One who takes part in the division: what it had lately, and how many more calls it wants of what weight.

    Those of one share have had the same, and what one of them gets the others have had, too.
    """

    name: str
    priority: int
    since_s: float
    used: float
    wanted: int
    weight: int = 1


def turns(stakes: Sequence[Stake]) -> Iterator[str]:
    """The order in which calls leave so that whoever had least goes first, until nobody wants more.

    Taken up to any place, this is the max-min fair division of so many calls. A lower priority comes only after all of
    the higher one; of those who had the same, who has waited longest goes first.
    """
    line = [(each.priority, each.used, each.since_s, each.name, each.wanted, each.weight) for each in stakes]
    line = [entry for entry in line if entry[4] > 0]
    had = {share_of(each.name): each.used for each in stakes}
    heapq.heapify(line)
    while line:
        priority, used, since_s, name, wanted, weight = line[0]
        share = share_of(name)
        if used < had[share]:
            # Another of its share had its turn meanwhile.
            heapq.heapreplace(line, (priority, had[share], since_s, name, wanted, weight))
            continue
        yield name
        had[share] = used + weight
        if wanted > 1:
            heapq.heapreplace(line, (priority, used + weight, since_s, name, wanted - 1, weight))
        else:
            heapq.heappop(line)


class Shares:
    """Who waits for a quota, and what each of them had of it lately."""

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._used: dict[str, tuple[float, float]] = {}

    @property
    def waiting(self) -> Mapping[str, Claim]:
        """Who waits, by name: its holder's and its own."""
        return self._claims

    def used(self, name: str, now_s: float) -> float:
        """What somebody had lately, in whatever process; older use counts for less and less."""
        amount, at_s = self._used.get(share_of(name), (0.0, now_s))
        return amount * math.exp((at_s - now_s) / MEMORY_S)

    def take(self, name: str, now_s: float, amount: int) -> None:
        """Somebody got so much; whoever gets what it waits for has no claim any more."""
        self._used[share_of(name)] = (self.used(name, now_s) + amount, now_s)
        self._claims.pop(name, None)

    def wait(self, name: str, claim: Claim) -> None:
        """Somebody has to wait, and keeps its place in the line if it waited before."""
        before = self._claims.get(name)
        self._claims[name] = claim if before is None else replace(claim, since_s=before.since_s)

    def drop(self, name: str) -> None:
        """Somebody does not wait any more."""
        self._claims.pop(name, None)

    def tidy(self, now_s: float, is_gone: IsGone) -> None:
        """Forget who did not come when it was its turn, who is gone, and who had nothing for long."""
        kept = {n: c for n, c in self._claims.items() if c.due_s + GRACE_S >= now_s and not is_gone(holder_of(n))}
        self._claims = kept
        self._used = {name: use for name, use in self._used.items() if self.used(name, now_s) > FORGOTTEN}

    def before(self, name: str, claim: Claim, now_s: float) -> Iterator[Claim | None]:
        """Whose calls leave next in turn: ``None`` for one of this asker's, else another's claim."""
        known = {**self._claims, name: claim}
        if before := self._claims.get(name):
            known[name] = replace(claim, since_s=before.since_s)
        stakes = [
            Stake(each, c.priority, c.since_s, self.used(each, now_s), c.wanted, max(1, c.load.images))
            for each, c in known.items()
        ]
        return (None if each == name else known[each] for each in turns(stakes))

    def to_state(self, now_s: float) -> JsonValue:
        """As JSON values; moments as seconds from ``now_s``."""
        claims = {
            name: [c.priority, *_numbers(c.load), c.wanted, c.since_s - now_s, c.due_s - now_s]
            for name, c in self._claims.items()
        }
        return {"claims": claims, "used": {name: [amount, at - now_s] for name, (amount, at) in self._used.items()}}

    def restore(self, state: JsonValue, now_s: float) -> None:
        """Take over what ``to_state`` gave at ``now_s``."""
        self._claims = {
            name: Claim(c[0], Load(*c[1:5]), c[5], now_s + c[6], now_s + c[7]) for name, c in state["claims"].items()
        }
        self._used = {name: (amount, now_s + at) for name, (amount, at) in state["used"].items()}


def _numbers(cost: Cost) -> tuple[int, int, int, int]:
    return (cost.requests, cost.images, cost.tokens, cost.nusd)
