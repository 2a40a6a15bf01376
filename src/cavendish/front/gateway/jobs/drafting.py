"""Drafting: the drafts of one job's pictures while they are drawn, for those who wait for the pictures."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from ....model.attempt import Attempt
from ....model.request import Image
from ....model.result import Picture, Slot
from .live import LiveDrafts


@dataclass(frozen=True, slots=True)
class Draft:
    """What a provider showed of a picture that is not finished. ``number`` counts those of its call, from 0."""

    slot: Slot
    picture: Image
    number: int


class Drafting:
    """Follows the calls of a job, each to ``tell`` of its drafts.

    The files of drafts stay until the job is over and nobody looks on any more: several may wait for one job. What came
    of the job is durable by then, and has the drafts, too.
    """

    def __init__(self, live: LiveDrafts, tell: Callable[[Draft], None]) -> None:
        self._live = live
        self._tell = tell
        self._calls: dict[str, Slot] = {}
        self._drafts: list[Draft] = []
        self._looking = 0
        self._over = False
        self.gone = False

    def started(self, slot: Slot, attempt: Attempt) -> None:
        """A call is about to leave. Of one for several pictures nobody could say whose draft is whose."""
        if attempt.call_id in self._calls:
            self._live.leave(attempt.call_id)
            return
        self._calls[attempt.call_id] = slot
        numbers = iter(range(1 << 30))

        def drew(picture: Image) -> None:
            draft = Draft(slot, picture, next(numbers))
            self._drafts.append(draft)
            self._tell(draft)

        self._live.follow(attempt.call_id, drew)

    def ended(self, attempt: Attempt) -> None:
        """The call is over."""
        self._live.leave(attempt.call_id)

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncGenerator[None]:
        """While somebody is shown the drafts."""
        self._looking += 1
        try:
            yield
        finally:
            self._looking -= 1
            await self._tidied()

    async def close(self) -> None:
        """The job is over."""
        for call_id in self._calls:
            self._live.leave(call_id)
        self._over = True
        await self._tidied()

    async def _tidied(self) -> None:
        if self._over and not self._looking:
            self.gone = True
            while self._drafts:
                await self._live.hide(self._drafts.pop().picture)


def undrafted(picture: Picture) -> Picture:
    """The picture without what was drawn on the way to it: that was shown when it came."""
    before, after = picture.extras[: picture.place], picture.extras[picture.place :]
    kept = tuple(part for part in before if not isinstance(part, Image))
    return replace(picture, extras=(*kept, *after), place=len(kept))
