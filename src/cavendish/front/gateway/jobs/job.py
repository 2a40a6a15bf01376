"""Job: one request of a client at work here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ....engine.run import Engine
from ....model.request import ImageRequest, Notice
from ..wants import Answer
from .watching import Watching
from .wholesale import Portion


@dataclass(slots=True)
class Job:
    """A job at work.

    ``answer`` is done when every slot has its outcome; ``watching`` has each as it comes, and ``notices`` are known
    from the beginning. ``turn`` counts those who were given it before.
    """

    id: str
    request: ImageRequest
    watching: Watching
    answer: asyncio.Task[Answer]
    engine: Engine | Portion | None = None
    cancelled: bool = False
    caller: str = ""
    notices: tuple[Notice, ...] = ()
    turn: int = 0
