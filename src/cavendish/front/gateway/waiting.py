"""Waiting: how long a request may wait for its quota to let it begin, whose turn it is, and when to ask again."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Final

from ...engine.run import Engine
from ...model.fault import Charged, Fault, FaultKind, Scope
from ...model.result import Failure, Outcome
from .watching import Watching

MAX_WAIT: Final = "x-cavendish-max-wait"
LONGEST_S: Final = 3600.0

_TURNED_AWAY: Final = frozenset(
    {FaultKind.RATE_LIMITED, FaultKind.DAY_QUOTA, FaultKind.SPEND_LIMIT, FaultKind.BUDGET, FaultKind.OVERLOADED}
)


def max_wait_s(headers: Mapping[str, str]) -> float | None:
    """How many seconds a client says that it would wait for its turn; ``None`` when it says nothing of use."""
    try:
        wanted = float(headers.get(MAX_WAIT, ""))
    except ValueError:
        return None
    return min(wanted, LONGEST_S) if wanted >= 0 else None


@contextlib.contextmanager
def begun_within(seconds: float, engine: Engine, watching: Watching) -> Generator[None]:
    """Stop a job that has made no call after so long: who waits for it is told when to come back."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        if not watching.attempts:
            engine.stop(_too_long(seconds, watching))

    timer = loop.call_later(seconds, look)
    try:
        yield
    finally:
        timer.cancel()


def _too_long(seconds: float, watching: Watching) -> Fault:
    why = f": {watching.why}" if watching.why else ""
    words = f"the request could not begin within {seconds:g} s{why}"
    wait_s = max(1.0, watching.wait_left_s)
    return Fault(FaultKind.RATE_LIMITED, words, Charged.NO, Scope.MODEL, retry_after_s=wait_s)


def turned_away(outcomes: Sequence[Outcome]) -> bool:
    """Whether a job ended before any call was made for it, for want of quota or money: it may be asked for anew."""
    return bool(outcomes) and all(
        isinstance(outcome, Failure) and not outcome.attempts and outcome.fault.kind in _TURNED_AWAY
        for outcome in outcomes
    )


def turn_of(job: str, waiting: Iterable[tuple[str, str]]) -> int:
    """How many jobs have their turn before this one, where every caller has as many turns as any other.

    ``waiting`` has caller and id of each job that waits; ids are in the order in which the jobs began. 0: it is next.
    """
    asked: Counter[str] = Counter()
    line: list[tuple[int, str]] = []
    for caller, other in sorted(waiting, key=lambda each: each[1]):
        line.append((asked[caller], other))
        asked[caller] += 1
    return next((place for place, (_, other) in enumerate(sorted(line)) if other == job), 0)
