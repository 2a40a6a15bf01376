"""Door: a request in the wire format of a dialect, made a job, and its answer in the same format."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import orjson
from aiohttp import web

from ....engine.ports import OutOfSpace
from ....errors import CavendishError
from ....io.desk.books import JobEntry
from ....io.desk.job_lists import JobLists
from ....model.call import Call, Done, Open, Reply
from ....model.fault import Fault, FaultKind
from ....model.request import ImageRequest, Notice
from ....model.result import Picture
from ....wire.dialect import Dialect
from ....wire.message import WireRequest
from ....wire.written import body_bytes
from ..jobs.answer import reply_of
from ..jobs.desk import Desk, Job
from ..jobs.drafting import Draft, undrafted
from ..jobs.job_page import JobPages
from ..jobs.patience import within_s
from ..jobs.waiting import max_wait_s
from ..passage import passage
from ..transit.intake import NO_ROOM, Intake
from ..transit.outlet import send
from ..wants import Answer, Asked, fault_of
from .streams import Line, each, keep_alive_s

IDEMPOTENCY: Final = "Idempotency-Key"
STRICT: Final = "x-cavendish-strict"
JOBS: Final = "/v1/jobs/"
MAX_TOKEN: Final = 255
MAX_HEADER: Final = 2000
MOST_WAIT_S: Final = 600.0
ANY: Final = Open(ImageRequest.of("", ""))
"""Stands for a call that could not be read, so that its fault can be written."""


class Door:
    """One wire format. ``ending`` is what a stream of events ends with."""

    def __init__(self, dialect: Dialect, desk: Desk, intake: Intake, *, ending: bytes = b"") -> None:
        self.dialect = dialect
        self.desk = desk
        self.intake = intake
        self._ending = ending

    async def asked_here(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """The route's handler: the dialect's own path is the group ``path``, or all of it."""
        return await self.serve(request, match.groupdict().get("path") or request.path, caller)

    async def serve(self, request: web.Request, path: str, caller: str) -> web.StreamResponse:
        """Answer a request for pictures. ``path`` is that of the wire format."""
        own_id = self.desk.fresh_id()
        wire = await self.intake.read(request, path, own_id)
        call = wire if isinstance(wire, Fault) else self.read(request, wire)
        if not isinstance(call, Open):
            self.intake.drop(own_id)
            return await self.refuse(request, call if isinstance(call, Fault) else _NOT_HERE)
        try:
            call = replace(call, request=await self.intake.kept(call.request, own_id))
            asked = await self.prepared(request, self.in_background(request, self.asked(request, caller, call), call))
            job = await self.desk.take(asked)
        except CavendishError as error:
            return await self.refuse(request, fault_of(error), call)
        except OutOfSpace:
            self.intake.drop(own_id)
            return await self.refuse(request, NO_ROOM, call)
        return await self.answer(request, job, call)

    def read(self, request: web.Request, wire: WireRequest) -> Call | Fault:  # noqa: ARG002 - other doors note more of it
        """What a request asks for."""
        return self.dialect.read_call(wire)

    async def prepared(self, request: web.Request, asked: Asked) -> Asked:  # noqa: ARG002 - other doors look at it
        """What is asked, with what the books know beside it. Raises ``CavendishError``."""
        return asked

    def asked(self, request: web.Request, caller: str, call: Open) -> Asked:
        """What the desk is told of a call."""
        token = request.headers.get(IDEMPOTENCY)
        return Asked(
            caller=caller,
            door=self.dialect.name,
            request=call.request,
            stream=call.stream,
            token=token[:MAX_TOKEN] if token else None,
            repeat=repeats(request.headers),
            strict=is_strict(request.headers),
            max_wait_s=max_wait_s(request.headers),
            within_s=None if prefers_async(request.headers) else within_s(request.headers),
        )

    def in_background(self, request: web.Request, asked: Asked, call: Open) -> Asked:
        """What is asked; with what a job needs whose client comes back for its answer, when this is one."""
        if not asked.patient and not prefers_async(request.headers):
            return asked
        told = {**asked.told, "base": self.desk.links.base(request), "wish": self.wish(call)}
        return replace(asked, patient=True, told=told)

    def wish(self, call: Open) -> dict[str, Any]:  # noqa: ARG002 - other doors have some
        """How the answer is wanted, as JSON, for when it is asked for later."""
        return {}

    def later(self, request: web.Request, entry: JobEntry) -> Open:  # noqa: ARG002 - other doors look at it
        """The call of a job, so that its answer looks as it was wanted."""
        return Open(entry.request)

    async def answer(self, request: web.Request, job: Job, call: Open) -> web.StreamResponse:
        """Wait for a job and send what came of it. A client that goes away meanwhile finds it when it asks again."""
        passing = passage()
        passing.door, passing.job = self.dialect.name, job
        try:
            if not await in_time(request, job):
                return await accepted(self.desk, request, job)
            return await self.delivered(request, job, call)
        except (asyncio.CancelledError, ConnectionError):
            self.desk.lost(job)
            raise

    async def delivered(self, request: web.Request, job: Job, call: Open) -> web.StreamResponse:
        """What came of a job, sent as it was asked for."""
        with self.desk.sending(job.id):
            if call.stream and self.streams(request):
                return await self._streamed(request, job, call)
            return await self._whole(request, job, call)

    async def _whole(self, request: web.Request, job: Job, call: Open) -> web.StreamResponse:
        """One body, when all is known."""
        told = {"x-cavendish-job": job.id, **_notices_header(job.notices)}
        line = Line(request, told, events=False, every_s=keep_alive_s(request.headers))
        answer = await line.waited(asyncio.shield(job.answer))
        reply = self.reply(answer, request)
        if not line.begun:
            return await self.send(request, reply, call, told_of(answer))
        response = self.dialect.write_reply(reply, call)
        await line.write(body_bytes(response, self.desk.blobs.read, events=False))
        # It is too late for a status. SDKs take any body for a success, and none a line that breaks off: who asks again
        # joins this job, and gets the error with its status at once.
        return line.cut() if isinstance(reply, Fault) else await line.end()

    async def _streamed(self, request: web.Request, job: Job, call: Open) -> web.StreamResponse:
        """Each picture as it comes. A job that fails before its first is answered with the plain error."""
        told = {"x-cavendish-job": job.id, **_notices_header(job.notices)}
        line = Line(request, told, events=True, every_s=keep_alive_s(request.headers))
        sent = 0
        async with job.watching.looking():
            async for done in self._moments(line, job, call):
                await line.events(self.piece(done, call, sent), self.desk.blobs.read)
                sent += 1
        answer = await asyncio.shield(job.answer)
        reply = self.reply(answer, request)
        if not line.begun and self.fails_plainly(call):
            return await self.send(request, reply, call, told_of(answer))
        await line.events(self.closing(reply, call, sent), self.desk.blobs.read)
        return await line.end(self._ending)

    def fails_plainly(self, call: Open) -> bool:  # noqa: ARG002 - other doors look at it
        """Whether a stream that fails before its first event is answered with the plain error."""
        return True

    async def _moments(self, line: Line, job: Job, call: Open) -> AsyncIterator[Reply]:
        """Each picture as it comes, without the drafts that were shown while it was drawn."""
        shown: set[str] = set()
        async for moment in each(line, job.watching):
            if isinstance(moment, Draft):
                events = self.draft(moment, call)
                if events is not None:
                    shown.add(moment.slot.id)
                    await line.events(list(events), self.desk.blobs.read)
            elif isinstance(moment, Picture):
                drawn = undrafted(moment) if moment.slot.id in shown else moment
                yield self.made(Answer(job.id, job.request, (drawn,), job.notices))

    def draft(self, draft: Draft, call: Open) -> Iterable[Any] | None:  # noqa: ARG002 - other doors show some
        """The events of a draft; ``None`` where drafts are not shown."""
        return None

    def piece(self, reply: Reply, call: Open, index: int) -> Iterable[Any]:  # noqa: ARG002 - other doors count them
        """The events of one picture."""
        return list(self.dialect.write_reply(reply, call).body)

    def closing(self, reply: Reply, call: Open, sent: int) -> Iterable[Any]:  # noqa: ARG002 - other doors count them
        """The events at the end: an error that clients raise, when pictures are missing."""
        if isinstance(reply, Done) and not reply.shortfall:
            return []
        fault = reply.shortfall[0] if isinstance(reply, Done) else reply
        return [{"type": "error", **self.dialect.write_reply(fault, ANY).body}]

    def reply(self, answer: Answer, request: web.Request) -> Reply:
        """The reply; who asked for all or nothing gets an error that names the job."""
        reply = self.made(answer)
        if isinstance(reply, Done) and answer.faults and is_strict(request.headers):
            return missing_of(answer)
        return reply

    def made(self, answer: Answer) -> Reply:
        """What came of a job, as a dialect can write it."""
        return reply_of(answer)

    async def refuse(self, request: web.Request, fault: Fault, call: Open | None = None) -> web.StreamResponse:
        """Answer with a fault that no job led to."""
        return await self.send(request, fault, call or ANY, {})

    async def send(
        self, request: web.Request, reply: Reply, call: Call, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Write a reply in this door's format."""
        response = self.dialect.write_reply(reply, call)
        told = {**headers, **waits(reply)}
        events = isinstance(call, Open) and call.stream and self.streams(request)
        return await send(request, response, self.desk.blobs.read, headers=told, ending=self._ending, events=events)

    def streams(self, request: web.Request) -> bool:  # noqa: ARG002 - other doors look at it
        """Whether a stream goes out as events, and not as a list."""
        return True


_NOT_HERE = Fault(FaultKind.MODEL_NOT_FOUND, "there is no such thing here", status=404)


def repeats(headers: Mapping[str, str]) -> int:
    """How often a client says that it asked before: OpenAI's SDKs count their tries."""
    said = headers.get("x-stainless-retry-count", "").strip()[:3]
    return int(said) if said.isascii() and said.isdigit() else 0


def is_strict(headers: Mapping[str, str]) -> bool:
    """Whether a client wants all of it or an error."""
    return headers.get(STRICT, "").strip().lower() in {"1", "true", "yes"}


def told_of(answer: Answer) -> dict[str, str]:
    """What an answer's headers say beside its body."""
    told = {"x-cavendish-job": answer.job_id, "x-cavendish-cost": f"{answer.cost_nusd / 1e9:.6f}"}
    if answer.replayed:
        told["x-cavendish-replayed"] = "true"
    if answer.faults:
        told["x-cavendish-missing"] = str(len(answer.faults))
        told["x-cavendish-missing-why"] = _plain(", ".join(dict.fromkeys(f.kind.value for f in answer.faults)))
    return told | _notices_header(answer.notices)


def waits(reply: Reply) -> dict[str, str]:
    """When to try again, where that is known."""
    wait_s = reply.retry_after_s if isinstance(reply, Fault) else None
    if wait_s is None or wait_s < 0:
        return {"x-should-retry": "false"} if is_spent(reply) else {}
    told = {"Retry-After": str(max(1, -int(-wait_s // 1))), "retry-after-ms": str(int(wait_s * 1000))}
    # A budget is renewed at a day's or a month's end: OpenAI's clients are not to ask three times before.
    return {**told, "x-should-retry": "false"} if is_spent(reply) else told


def is_spent(reply: Reply) -> bool:
    """Whether it is money that is missing, which no second try brings."""
    return isinstance(reply, Fault) and reply.kind is FaultKind.BUDGET


def missing_of(answer: Answer) -> Fault:
    """What is missing as the one fault, which names the job that has the others."""
    fault = answer.faults[0]
    message = f"{len(answer.faults)} of {len(answer.outcomes)} pictures did not come: {said(fault)}"
    kept = f"; the others are kept as job {answer.job_id}, at {JOBS}{answer.job_id}" if answer.pictures else ""
    return fault.having(message=f"{message}{kept}")


def said(fault: Fault) -> str:
    """A fault in a few words."""
    return fault.message or fault.kind.value.replace("_", " ")


def _notices_header(notices: tuple[Notice, ...]) -> dict[str, str]:
    return {"x-cavendish-notices": _listed(notices)} if notices else {}


@lru_cache(maxsize=256)
def _listed(notices: tuple[Notice, ...]) -> str:
    """Notices as JSON that is whole, as many as a header can hold; the body has them all."""
    held: list[str] = []
    for notice in notices:
        # JSON of ASCII, so that nothing is cut or replaced within it.
        entry = json.dumps({"code": notice.code, "text": notice.text, "field": notice.field})
        if sum(map(len, held)) + len(held) + len(entry) + 2 > MAX_HEADER:
            break
        held.append(entry)
    return f"[{','.join(held)}]"


def _plain(words: str) -> str:
    """What a header can hold: one line of ASCII."""
    return words.encode("ascii", "replace").decode().replace("\r", " ").replace("\n", " ")[:MAX_HEADER]


# --- in the background -----------------------------------------------------------------------------------------------


def prefers_async(headers: Mapping[str, str]) -> bool:
    """Whether a client would rather come back for its answer (RFC 7240)."""
    return any(name == "respond-async" for name, _ in _preferences(headers))


def wait_s(headers: Mapping[str, str]) -> float:
    """How long a client bears to wait on the line before it comes back (RFC 7240)."""
    said = next((value for name, value in _preferences(headers) if name == "wait"), "")
    return min(float(said), MOST_WAIT_S) if said.isascii() and said.isdigit() else 0.0


def _preferences(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    said = [piece.partition(";")[0].partition("=") for piece in headers.get("Prefer", "").split(",")]
    return [(name.strip().lower(), value.strip().strip('"')) for name, _, value in said]


async def in_time(request: web.Request, job: Job) -> bool:
    """Whether the answer is to be sent on this line: always, but to who would rather come back for it."""
    if not prefers_async(request.headers):
        return True
    waited = wait_s(request.headers)
    return waited > 0 and bool((await asyncio.wait({job.answer}, timeout=waited))[0])


async def accepted(desk: Desk, request: web.Request, job: Job) -> web.StreamResponse:
    """202, with the page of the job and where to find it."""
    pages = JobPages(desk, desk.links.base(request))
    standing = await JobLists(desk.books).standing(job.id)
    headers = {"Location": pages.urls(job.id)["self"], "Retry-After": "1", "x-cavendish-job": job.id}
    if position := desk.position(job.id):
        headers["x-cavendish-position"] = str(position)
    if prefers_async(request.headers):
        headers["Preference-Applied"] = "respond-async"
    return json_response(pages.page(standing) if standing else {"id": job.id}, 202, headers)


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A page of plain JSON."""
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type="application/json")
