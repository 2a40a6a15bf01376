"""Absent: who of one asker was told to come back later, so that others hear of all that wait and not of one alone."""

from __future__ import annotations

import asyncio
from typing import Any, Final

AWAY_S: Final = 65.0
"""Who does not ask again for so long has gone another way: even the longest wait is looked at again after a minute."""


class Absent:
    """Knows those who wait by the task in which they ask: whoever asks again does so in the same one."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Task[Any], tuple[float, int]] = {}

    def came(self) -> None:
        """The present task asks, and so is not away any more."""
        self._waiting.pop(_present(), None)

    def went(self, wanted: int, now_s: float) -> None:
        """The present task was told to come back; it wants so many calls."""
        self._waiting[_present()] = now_s + AWAY_S, wanted

    def wanted(self, now_s: float) -> int:
        """How many calls those want who are away."""
        self._waiting = {task: entry for task, entry in self._waiting.items() if not task.done() and entry[0] > now_s}
        return sum(wanted for _, wanted in self._waiting.values())


def _present() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "a quota is asked in a task"
    return task
