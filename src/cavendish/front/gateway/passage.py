"""Passage: what is noted of a request on its way through the gateway, for its answer's head and for the journal."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .jobs.desk import Job


@dataclass(slots=True)
class Passage:
    """``id`` is the request's name, ``named`` whether its client chose it; ``begun``: the answer's head was sent."""

    id: str = ""
    named: bool = False
    begun: bool = False
    caller: str = ""
    door: str = ""
    job: Job | None = None


_current: ContextVar[Passage] = ContextVar("passage")


def passage() -> Passage:
    """That of the request at work here; one that nobody looks at outside of any."""
    return _current.get(None) or Passage()


def begin(one: Passage) -> Passage:
    """From now on this task is about that request."""
    _current.set(one)
    return one
