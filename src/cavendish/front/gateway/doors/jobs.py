"""The door for jobs: asked for and left alone, looked at again, followed, cancelled, fetched."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from ....io.desk.books import CANCELLED as CANCELLED_STATE
from ....io.desk.books import DONE, OPEN
from ....io.desk.deliveries import TOLD
from ....io.desk.job_lists import JobLists, JobStanding
from ....model.call import Open
from ....wire.message import WireResponse
from ..jobs.desk import Desk, Job
from ..jobs.job_page import JOBS, JobPages, list_page
from ..jobs.removal import Removal
from ..passage import passage
from ..transit.intake import Intake
from ..transit.outlet import send
from ..wants import Asked
from .door import Door, accepted, json_response, wait_s
from .job_events import END, JobEvents
from .job_form import JobCall, JobForm

PAGE, MOST = 20, 100
_STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "": (),
    "open": (OPEN,),
    "ended": (DONE, CANCELLED_STATE),
    "cancelled": (CANCELLED_STATE,),
}


class JobsDoor(Door):
    """``/v1/jobs``. ``doors`` are all others by the names of their dialects, for answers in their formats."""

    def __init__(self, desk: Desk, intake: Intake, doors: Mapping[str, Door]) -> None:
        super().__init__(JobForm(desk.rules.max_n), desk, intake)
        self._doors = doors
        self._lists = JobLists(desk.books)

    def asked(self, request: web.Request, caller: str, call: Open) -> Asked:
        """What the desk is told: also where the end is to be told."""
        asked = super().asked(request, caller, call)
        if not isinstance(call, JobCall):
            return asked
        webhook = dict(call.webhook)
        if webhook:
            webhook["secret"] = self.desk.seal.close(webhook["secret"])
        told = {**asked.told, "metadata": dict(call.metadata), TOLD: webhook}
        return replace(asked, strict=asked.strict or call.strict, patient=True, told=told)

    async def answer(self, request: web.Request, job: Job, call: Open) -> web.StreamResponse:  # noqa: ARG002
        """The job's page at once, whatever the client prefers."""
        passing = passage()
        passing.door, passing.job = self.dialect.name, job
        return await accepted(self.desk, request, job)

    # --- looking ------------------------------------------------------------------------------------------------------

    async def one(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """GET of a job; ``?include=b64`` with its pictures."""
        standing = await self._own(match["id"], caller)
        if standing is None:
            return _unknown()
        return await self._sent(request, standing)

    async def listing(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """GET of the caller's own jobs, the newest first."""
        state, after = request.query.get("state", ""), request.query.get("after", "")
        try:
            limit = int(request.query.get("limit", PAGE))
        except ValueError:
            limit = 0
        if state not in _STATES or not 1 <= limit <= MOST:
            return _invalid(f"limit is a number from 1 to {MOST}, state one of: open, ended, cancelled")
        if after and await self._own(after, caller) is None:
            return _invalid("after must be the id of a job of yours")
        found = await self._lists.page(caller, after, limit + 1, _STATES[state])
        pages = self._pages(request)
        return json_response(list_page(map(pages.summary, found[:limit]), more=len(found) > limit))

    async def events(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """GET of what happens to a job, until it ends."""
        standing = await self._own(match["id"], caller)
        if standing is None:
            return _unknown()
        seen = request.headers.get("Last-Event-ID", request.query.get("last_event_id", ""))
        if seen == END:
            return web.Response(status=204)  # which tells an EventSource to ask no more
        events = JobEvents(self.desk, self._pages(request), standing.entry.id, seen)
        return await events.send(request, standing)

    async def result(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """GET of the answer, as the door by which the job came says it; its page while there is none."""
        standing = await self._own(match["id"], caller)
        if standing is None:
            return _unknown()
        job = self.desk.again(standing.entry)
        if standing.entry.state == OPEN:
            await asyncio.wait({job.answer}, timeout=wait_s(request.headers))
            if not job.answer.done():
                return await accepted(self.desk, request, job)
        door = self._doors.get(standing.entry.door)
        if door is None:
            return await self.one(request, match, caller)
        return await door.delivered(request, job, door.later(request, standing.entry))

    # --- ending -------------------------------------------------------------------------------------------------------

    async def cancel(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """POST: no further calls. What is in flight is finished and kept, so the job may end a little later."""
        standing = await self._own(match["id"], caller)
        if standing is None:
            return _unknown()
        if standing.entry.state == OPEN:
            await self._lists.cancel(standing.entry.id)
            if job := self.desk.job(standing.entry.id):
                self.desk.cancel(job)
                await asyncio.wait({job.answer}, timeout=wait_s(request.headers))
        found = await self._own(match["id"], caller)
        return await self._sent(request, found) if found else _unknown()

    async def delete(self, _request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """DELETE: the job and its pictures are gone."""
        standing = await self._own(match["id"], caller)
        if standing is None:
            return _unknown()
        if not await Removal(self.desk).remove(standing):
            if standing.entry.state == OPEN:
                return _error(409, "the job is at work: cancel it first", "job_at_work")
            return _error(409, "the job is a line of a batch, and goes with it", "job_of_batch")
        return json_response({"id": standing.entry.id, "object": "job", "deleted": True})

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _own(self, job_id: str, caller: str) -> JobStanding | None:
        """The job, if it is the caller's: of others' jobs nobody learns whether there are any."""
        standing = await self._lists.standing(job_id)
        return standing if standing and standing.entry.caller == caller else None

    def _pages(self, request: web.Request) -> JobPages:
        with_bytes = "b64" in request.query.get("include", "").split(",")
        return JobPages(self.desk, self.desk.links.base(request), with_bytes=with_bytes)

    async def _sent(self, request: web.Request, standing: JobStanding) -> web.StreamResponse:
        with self.desk.sending(standing.entry.id):
            page: dict[str, Any] = self._pages(request).page(standing)
            response = WireResponse(200, body=page)
            return await send(request, response, self.desk.blobs.read, headers={"Cache-Control": "no-store"})


def _unknown() -> web.Response:
    return _error(404, "there is no such job", "not_found")


def _invalid(message: str) -> web.Response:
    return _error(400, message, "invalid_value")


def _error(status: int, message: str, code: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return json_response({"error": error}, status)


__all__ = ["JOBS", "JobsDoor"]
