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
class Granted:
    """The call may leave now, and counts from now. To be given back with ``settle`` or ``cancel``."""

    id: str


@dataclass(frozen=True, slots=True)
class Wait:
    """No leave before ``until_s`` (monotonic seconds); ``why`` names the limit for people.

    With ``needs_settle`` a call in flight must end as well: then ``until_s`` is only a lower bound. Without it, the
    same call is granted at ``until_s`` exactly, unless something else was granted or settled in between.
    """

    until_s: float
    why: str
    needs_settle: bool = False


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
    """The wait that is over last; it needs a call to end when any of them does."""
    longest = max(waits, key=lambda wait: wait.until_s)
    if longest.needs_settle or not any(wait.needs_settle for wait in waits):
        return longest
    return Wait(longest.until_s, longest.why, needs_settle=True)
