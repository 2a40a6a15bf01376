"""What is asked of a governor, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..model.fault import Fault


class Cost(Protocol):
    """What a call will take of a quota, as far as it is known beforehand; ``nusd`` in nano-dollars."""

    @property
    def requests(self) -> int: ...
    @property
    def images(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def nusd(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Load:
    """What several calls take together; implements ``Cost``."""

    requests: int = 0
    images: int = 0
    tokens: int = 0
    nusd: int = 0

    def plus(self, cost: Cost) -> Load:
        """With one more call."""
        return Load(
            self.requests + cost.requests, self.images + cost.images, self.tokens + cost.tokens, self.nusd + cost.nusd
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """How leave is asked for where several processes ask.

    The call may leave within ``hold_s`` seconds, and is counted at the end of them until it is told when it left.
    ``aside`` is what others may take first. ``holder`` is who asks.
    """

    holder: str = ""
    hold_s: float = 0.0
    aside: Load = Load()


@dataclass(frozen=True, slots=True)
class Granted:
    """The call may leave now, and counts from now. To be given back with ``settle`` or ``cancel``."""

    id: str


@dataclass(frozen=True, slots=True)
class Wait:
    """No leave before ``until_s`` (monotonic seconds); ``why`` names the limit for people.

    With ``needs_settle`` a call in flight must end as well: then ``until_s`` is only a lower bound. Without it, the
    same call is granted at ``until_s`` exactly, unless something else was granted or settled in between. ``failing``:
    because the provider fails, and not to keep a limit.
    """

    until_s: float
    why: str
    needs_settle: bool = False
    failing: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """No leave at all: the model, key or endpoint is stopped for the reason in ``fault``."""

    fault: Fault


Verdict = Granted | Wait | Closed


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call went.

    ``fault`` is ``None`` when pictures came. ``spent_nusd`` is what it was billed in nano-dollars, ``None`` when that
    is not known. ``roll`` in [0, 1) is a throw of the dice that spreads callers who failed together.
    """

    fault: Fault | None = None
    latency_s: float = 0.0
    spent_nusd: int | None = None
    roll: float = 0.5


def latest(waits: list[Wait]) -> Wait:
    """The wait that is over last; what holds of any of them holds of it."""
    longest = max(waits, key=lambda wait: wait.until_s)
    needs_settle, failing = any(wait.needs_settle for wait in waits), any(wait.failing for wait in waits)
    if (longest.needs_settle, longest.failing) == (needs_settle, failing):
        return longest
    return Wait(longest.until_s, longest.why, needs_settle, failing)
