"""Waiting: how long a request may wait for its quota to let it begin, whose turn it is, and when to ask again."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Final, Protocol

from ....engine.run import Engine
from ....model.fault import Charged, Fault, FaultKind, Scope
from ....model.request import ImageRequest
from ....model.result import Failure, Outcome
from .watching import Watching

MAX_WAIT: Final = "x-cavendish-max-wait"
LONGEST_S: Final = 3600.0

WOKEN: Final = 2
"""So many jobs look whether they may begin when a call ends: where a limit is found out, it may have grown by one."""

ABOUT_S: Final = 0.1
"""Who is just asking for its turn does not hear that there is room."""

_TURNED_AWAY: Final = frozenset(
    {FaultKind.RATE_LIMITED, FaultKind.DAY_QUOTA, FaultKind.SPEND_LIMIT, FaultKind.BUDGET, FaultKind.OVERLOADED}
)


class Stoppable(Protocol):
    """An engine, as far as it can be stopped."""

    def stop(self, fault: Fault) -> None:
        """No new calls."""
        ...


def max_wait_s(headers: Mapping[str, str]) -> float | None:
    """How many seconds a client says that it would wait for its turn; ``None`` when it says nothing of use."""
    try:
        wanted = float(headers.get(MAX_WAIT, ""))
    except ValueError:
        return None
    return min(wanted, LONGEST_S) if wanted >= 0 else None


@contextlib.contextmanager
def begun_within(seconds: float, engine: Stoppable, watching: Watching) -> Generator[None]:
    """Stop a job that has made no call after so long, or cannot: who waits for it is told when to come back."""
    loop = asyncio.get_running_loop()
    ends_at_s = loop.time() + seconds

    def look(wait_s: float) -> None:
        if not watching.attempts and loop.time() + wait_s >= ends_at_s:
            engine.stop(_too_long(seconds, watching))

    timer = loop.call_at(ends_at_s, look, math.inf)
    watching.wait_told = look
    try:
        yield
    finally:
        timer.cancel()
        watching.wait_told = None


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


class InLine(Protocol):
    """A job, as far as its turn goes."""

    @property
    def id(self) -> str: ...
    @property
    def caller(self) -> str: ...
    @property
    def request(self) -> ImageRequest: ...
    @property
    def watching(self) -> Watching: ...
    @property
    def engine(self) -> object: ...


def line_for(model: str, live: Iterable[InLine], others: Iterable[tuple[str, str]] = ()) -> list[str]:
    """The jobs for a model for which no call was made yet, in the order of their turns.

    ``others`` has caller and id of those that are not at work here.
    """
    waiting = (job for job in live if not job.watching.attempts and job.request.model == model)
    known = {**{job: caller for caller, job in others}, **{job.id: job.caller for job in waiting}}
    return in_turn((caller, job) for job, caller in known.items())


def place_free(model: str, live: Mapping[str, InLine]) -> None:
    """A call has ended: whose turn is next looks again, and once more soon if it was about to ask just now."""
    for delay_s in (0.0, ABOUT_S):
        asyncio.get_running_loop().call_later(delay_s, _wake_next, model, live)


def _wake_next(model: str, live: Mapping[str, InLine]) -> None:
    for job_id in line_for(model, live.values())[:WOKEN]:
        engine = live[job_id].engine
        if isinstance(engine, Engine):
            engine.money_moved()


def in_turn(waiting: Iterable[tuple[str, str]]) -> list[str]:
    """The jobs that wait, in the order of their turns, where every caller has as many as any other.

    ``waiting`` has caller and id of each; ids are in the order in which the jobs began.
    """
    asked: Counter[str] = Counter()
    line: list[tuple[int, str]] = []
    for caller, job in sorted(waiting, key=lambda each: each[1]):
        line.append((asked[caller], job))
        asked[caller] += 1
    return [job for _, job in sorted(line)]
