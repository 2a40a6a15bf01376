"""Drafts: what a stream shows of a picture before the last of it, told while the answer is still arriving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...model.request import Image
from ...wire.dialect import ReadsDrafts
from ...wire.message import JsonBody

MOST_DRAFTS = 16
"""Of one call: OpenAI sends three of a picture at most, and ten pictures are the most of a call."""


class Onlooker(Protocol):
    """Who is shown drafts. They are no part of what a call returns sooner: that has them once more, and for good."""

    def wants(self, attempt_id: str) -> bool:
        """Whether anybody looks on at this attempt. Asked when the first of a stream has come."""
        ...

    async def drew(self, attempt_id: str, draft: Image) -> None:
        """A draft has come whole; its blob is still loose. The answer is not read on meanwhile. Must not raise."""
        ...


class Showing:
    """Shows the drafts of one answer."""

    def __init__(self, onlooker: Onlooker, dialect: ReadsDrafts, attempt_id: str) -> None:
        self._onlooker = onlooker
        self._dialect = dialect
        self._attempt_id = attempt_id
        self._looked = 0
        self._shown = 0

    async def look(self, events: Sequence[JsonBody]) -> None:
        """Show what these events, of which more and more come, have that was not shown."""
        new, self._looked = events[self._looked :], len(events)
        if not new or self._shown >= MOST_DRAFTS or not self._onlooker.wants(self._attempt_id):
            return
        drafts = [draft for event in new for draft in self._dialect.read_drafts(event) if draft.blob is not None]
        for draft in drafts[: MOST_DRAFTS - self._shown]:
            self._shown += 1
            await self._onlooker.drew(self._attempt_id, draft)
