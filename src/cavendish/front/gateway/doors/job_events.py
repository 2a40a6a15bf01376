"""Events of a job, as they happen: each outcome, what is waited for, the end. Who was cut off goes on where it was."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from aiohttp import web

from ....io.desk.books import OPEN
from ....io.desk.job_lists import JobLists, JobStanding
from ....model.result import Outcome
from ....wire.sse import write_event
from ....wire.written import spelled
from ..jobs.desk import LOOK_EVERY_S, Desk, Job
from ..jobs.job_page import JobPages
from .streams import COMMENT, Line

HEARTBEAT_S: Final = 15.0
"""Proxies cut a line on which nothing is heard for half a minute or more."""

END: Final = "end"
_RANGE: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")

Happening = tuple[str, Any]


class JobEvents:
    """The events of one job for one listener. ``seen``: the ids that it named as the last it heard."""

    def __init__(self, desk: Desk, pages: JobPages, job_id: str, seen: str = "") -> None:
        self._desk = desk
        self._lists = JobLists(desk.books)
        self._pages = pages
        self._job = job_id
        self._told = set(read_ranges(seen, desk.rules.max_n))
        self._why = ""

    async def send(self, request: web.Request, standing: JobStanding) -> web.StreamResponse:
        """Send all until the job has ended."""
        line = Line(request, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, events=True, every_s=None)
        await self._write(line, "job", self._pages.summary(standing))
        async for name, value in self._happenings():
            if name:
                await self._write(line, name, value)
            else:
                await line.write([COMMENT])
        return await line.end()

    async def _write(self, line: Line, name: str, value: Any) -> None:
        last = END if name == END else write_ranges(self._told)
        head = f"id: {last}\n".encode() if last else b""
        await line.write(itertools.chain([head], spelled(write_event(value, name), self._desk.blobs.read)))

    async def _happenings(self) -> AsyncIterator[Happening]:
        """Name and value of each event; no name: nothing has happened for a while."""
        heard = _now_s()
        while True:
            live = self._live()
            standing = None if live else await self._lists.standing(self._job)
            if live:
                for happening in self._news(live.watching.ended.values(), live.watching.why):
                    yield happening
            elif standing is None:
                return  # removed
            else:
                for happening in self._news(standing.outcomes, ""):
                    yield happening
                if standing.entry.state != OPEN:
                    yield END, self._pages.summary(standing)
                    return
            if self._desk.closing:
                return  # not the end of the job: who listens comes back
            await self._moment()
            if _now_s() - heard >= HEARTBEAT_S:
                heard = _now_s()
                yield "", None

    def _live(self) -> Job | None:
        """The job while it is at work here: then its watching knows more than the books."""
        live = self._desk.job(self._job)
        return None if live is None or live.watching.over else live

    async def _moment(self) -> None:
        """Until something happens to the job, or for a moment: to see whether the gateway closes."""
        live = self._live()
        if live is None:
            await asyncio.sleep(LOOK_EVERY_S)
        elif all(outcome.slot.ordinal in self._told for outcome in live.watching.ended.values()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await live.watching.news()

    def _news(self, outcomes: Iterable[Outcome], why: str) -> Iterable[Happening]:
        for outcome in list(outcomes):
            if outcome.slot.ordinal not in self._told:
                self._told.add(outcome.slot.ordinal)
                yield "outcome", self._pages.outcome(outcome)
        if why and why != self._why:
            yield "waiting", {"waiting_for": why, "position": self._desk.position(self._job)}
        self._why = why


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def write_ranges(numbers: Iterable[int]) -> str:
    """``0-3,7``: what was told, whatever its order: that is another one after a restart."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def read_ranges(words: str, below: int) -> Iterable[int]:
    """The numbers that were written so; nothing of what is not."""
    for piece in words.split(",")[:below]:
        if match := _RANGE.fullmatch(piece.strip()):
            yield from range(int(match[1]), min(int(match[2] or match[1]) + 1, below))
