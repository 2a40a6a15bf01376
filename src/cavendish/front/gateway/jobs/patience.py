"""Patience: how long a provider in trouble is asked again while somebody waits, and when a client has no more time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Generator, Mapping
from functools import lru_cache
from typing import Final

from ....engine.policy import DEFAULT_REFILLS, Policy
from ....engine.step import WAITS_BEFORE_RETRY
from ....model.fault import Charged, Fault, FaultKind
from .waiting import LONGEST_S, Stoppable
from .watching import Watching

TROUBLE_S: Final = 32.0
"""All the waits between the tries of one picture together. Clients and the balancers before them often give up after a
minute, and a call itself takes its time: who waits is told of an outage before that."""

SERVER_TIMEOUT: Final = "X-Server-Timeout"
"""In which Google's SDKs say after how many seconds they hang up."""


@lru_cache(maxsize=64)
def policy_of(max_wait_s: float, concurrency: int, *, patient: bool) -> Policy:
    """The bounds of a job. ``patient``: nobody waits for it on the line."""
    whole = Policy(max_wait_s=max_wait_s, concurrency=concurrency)
    if patient:
        return whole
    tries = _tries(whole, min(max_wait_s, TROUBLE_S))
    refills = {kind: min(most, tries) if kind in WAITS_BEFORE_RETRY else most for kind, most in DEFAULT_REFILLS.items()}
    return Policy(refills=refills, max_wait_s=max_wait_s, concurrency=concurrency)


def _tries(policy: Policy, seconds: float) -> int:
    """How many further tries there can be before all the waits between them are longer than that."""
    longest = itertools.accumulate(policy.backoff(tries, 1.0) for tries in itertools.count())
    return sum(1 for _ in itertools.takewhile(lambda waited: waited <= seconds, longest))


def within_s(headers: Mapping[str, str]) -> float | None:
    """After how many seconds a client hangs up; ``None`` when it says nothing of use."""
    try:
        said = float(headers.get(SERVER_TIMEOUT, ""))
    except ValueError:
        return None
    return min(said, LONGEST_S) if said > 0 else None


@contextlib.contextmanager
def ended_within(seconds: float | None, engine: Stoppable, watching: Watching) -> Generator[None]:
    """Let no further call leave after so long; what is in flight is finished, and kept for when its client returns.

    Who has made no call by then is told when to come back; see ``begun_within``.
    """

    def look() -> None:
        if watching.attempts:
            engine.stop(_over(seconds or 0.0))

    timer = asyncio.get_running_loop().call_later(seconds, look) if seconds else None
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()


def _over(seconds: float) -> Fault:
    return Fault(FaultKind.TIMEOUT, f"the request was not done within the {seconds:g} s of its client", Charged.NO)
