"""Batches: many requests that nobody waits for, each a job of the desk.

A line of a batch is asked for under a token of its own, so after a restart, or on another replica, it is the same job.
Where its model has a batch API it is bought there, at its price, together with others; else by calls of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ....errors import InputError
from ....io.blobs.flow import flowing, joined
from ....io.desk.batches import (
    AT_WORK,
    CANCELLING,
    DELETED,
    EXPIRED,
    FAILED,
    BatchBooks,
    BatchEntry,
    LineEntry,
    Standing,
)
from ....io.desk.books import CANCELLED, DONE, OPEN
from ....io.desk.stored import FileEntry
from ....io.state.port import StateError
from ....model.fault import Fault, FaultKind
from ....model.request import ImageRequest, JsonValue
from ....wire.message import JsonBody
from ....wire.pour import encoded_length, pour
from ....wire.written import spelled
from ...order import BATCH
from ..jobs.desk import INTERRUPTED, Desk, Job
from ..jobs.wholesale import WINDOW_S, Portion
from ..routing import World
from ..wants import Answer, Asked, Refused, fault_of
from .files import Files, Keeping

LINES_AT_ONCE: Final = 16
"""Of one batch by calls of their own: enough to use a quota, few enough to leave room for who waits at the door."""

PAGE: Final = 64
"""Results that are read from the books at once."""

PORTION: Final = 500
"""Lines that are bought together, by their numbers: after a restart they are the same ones."""

PORTIONS_AT_ONCE: Final = 10

HELD_S: Final = 2.0
"""When a line is tried again for which there is no budget while others hold it."""

LOOK_EVERY_S: Final = 2.0
"""How often it is asked whether a batch was cancelled at another replica, or left by one that died."""

SWEEP_EVERY_S: Final = 600.0
OUTPUT, ERRORS = "output", "errors"
CANCELLED_AT: Final = "cancelled_at"

WINDOWS_S: Final[Mapping[str, float]] = {World.OPENAI: WINDOW_S, World.GOOGLE: 2 * WINDOW_S}
"""How long a batch may take; what has no result by then expires. As their guides on batches have it (2026-11)."""

LIFE: Final = "results_life_s"
"""How many seconds the files of results are to be kept, where the client says."""

MODE, STANDARD, BATCH_ONLY = "mode", "standard", "batch-only"
"""How a batch is to be bought: by single calls alone; by nothing but a batch API. Else by that, and what it misses by
single calls."""

NO_TURN: Final = Fault(
    FaultKind.CANCELLED, "This request was not executed: the batch was cancelled.", reason="CANCELLED"
)
TOO_LATE: Final = Fault(
    FaultKind.JOB_EXPIRED, "This request could not be executed before the batch expired.", reason="EXPIRED"
)
GONE: Final = Fault(FaultKind.JOB_EXPIRED, "what came of this line is not kept any more")


class Scribe(Protocol):
    """How a door writes results, and which files it divides them into."""

    def write(self, line: LineEntry, came: Answer | Fault) -> JsonBody:
        """One result, as a line of a file."""
        ...

    def files(self, standing: Standing, batch: BatchEntry) -> Mapping[str, Sequence[str]]:
        """The files of results of a batch: for each its name, and the states of the lines in it."""
        ...


@dataclass(slots=True)
class _Live:
    """A batch at work here."""

    batch: BatchEntry
    task: asyncio.Task[None]
    jobs: set[str] = field(default_factory=set[str])
    portions: set[Portion] = field(default_factory=set[Portion])
    stopped: bool = False
    expired: bool = False
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LINES_AT_ONCE))


class Batches:
    """All batches of a gateway. ``scribes`` write the results, by the door that a batch came by."""

    def __init__(
        self,
        desk: Desk,
        books: BatchBooks,
        files: Files,
        scribes: Mapping[str, Scribe],
        keep_s: float | None = None,
    ) -> None:
        """``keep_s``: how long a batch that has ended is kept; ``None``: until it is deleted."""
        self.books = books
        self._keep_s = keep_s
        self.files = files
        self._desk = desk
        self._scribes = scribes
        self._live: dict[str, _Live] = {}
        self._broken: set[str] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Go on with what an earlier life left unfinished."""
        await self._inherit()
        self._keeper = asyncio.ensure_future(self._keep())

    async def close(self) -> None:
        """Begin no more lines; the jobs in flight are the desk's to finish."""
        tasks = [live.task for live in self._live.values()] + ([self._keeper] if self._keeper else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what clients ask ---------------------------------------------------------------------------------------------

    async def create(self, batch: BatchEntry) -> BatchEntry:
        """A batch whose lines are all written down begins, unless one of the same name did meanwhile: then that one."""
        if (other := await self.books.begin(batch)) is not None:
            await self.books.drop(batch.id)
            return other
        if batch.state == OPEN:
            self._start(batch)
        return batch

    async def find(self, batch_id: str, caller: str, door: str) -> BatchEntry | None:
        """A batch of this caller's, made at this door."""
        batch = await self.books.batch(batch_id)
        return batch if batch and (batch.caller, batch.door) == (caller, door) and not batch.told.get(DELETED) else None

    async def all(self, caller: str, door: str) -> list[BatchEntry]:
        """All batches of this caller's, made at this door, the newest first."""
        return [batch for batch in await self.books.batches(caller, door) if not batch.told.get(DELETED)]

    async def cancel(self, batch: BatchEntry) -> None:
        """No further lines; what is in flight is finished and kept."""
        await self.books.cancel(batch.id, {CANCELLED_AT: self.files.now(), **batch.told})
        live = self._live.get(batch.id)
        if live is not None:
            self._stop(live)

    async def delete(self, batch: BatchEntry) -> None:
        """Forget a batch and its files of results; one at work is given up first, and goes when it has ended."""
        if batch.state not in AT_WORK:
            await self._drop(batch)
            return
        await self.books.cancel(batch.id, {**batch.told, DELETED: True})
        live = self._live.get(batch.id)
        if live is not None:
            self._stop(live)

    async def _drop(self, batch: BatchEntry) -> None:
        await self.books.drop(batch.id)
        for name in (OUTPUT, ERRORS):
            file = await self.files.find(str(batch.told.get(name, "")), batch.caller)
            if file is not None:
                await self.files.delete(file)

    # --- results ------------------------------------------------------------------------------------------------------

    async def results(self, file: FileEntry) -> AsyncIterator[bytes]:
        """The content of a file of results."""
        batch = await self.books.batch(file.batch)
        if batch is None:
            return
        states = self._states(batch, ERRORS if batch.told.get(ERRORS) == file.id else OUTPUT)
        with self._desk.sending(batch.id):
            async for body in self.bodies(batch, states):
                async for piece in flowing(joined(spelled((*pour(body), b"\n"), self._desk.blobs.read))):
                    yield piece

    async def bodies(self, batch: BatchEntry, states: Sequence[str]) -> AsyncIterator[JsonBody]:
        """The results of a batch's lines in these states, in their order."""
        scribe, after = self._scribes[batch.door], -1
        while lines := await self.books.lines(batch.id, after, PAGE, states):
            for line in lines:
                with self._desk.sending(line.job or batch.id):
                    yield scribe.write(line, await self._came(line, TOO_LATE if batch.state == EXPIRED else NO_TURN))
            after = lines[-1].number

    async def _came(self, line: LineEntry, no_turn: Fault) -> Answer | Fault:
        if line.fault is not None:
            return line.fault
        if not line.job or line.state == CANCELLED:
            return no_turn
        return await self._desk.answer_of(line.job) or GONE

    def _states(self, batch: BatchEntry, name: str) -> Sequence[str]:
        divided = self._scribes[batch.door].files(Standing(done=1, failed=1, cancelled=1), batch)
        return divided.get(name, ())

    # --- work ---------------------------------------------------------------------------------------------------------

    def _start(self, batch: BatchEntry) -> None:
        task = asyncio.ensure_future(self._work(batch.id))
        live = self._live[batch.id] = _Live(batch, task, stopped=batch.state == CANCELLING)
        task.add_done_callback(lambda done: self._over(live, done))

    def _over(self, live: _Live, task: asyncio.Task[None]) -> None:
        if self._live.get(live.batch.id) is live:
            del self._live[live.batch.id]
        if not task.cancelled() and task.exception() is not None:
            # The books or the disk, for a moment: what is written down is whole, so it is begun again.
            self._broken.add(live.batch.id)

    def _stop(self, live: _Live) -> None:
        live.stopped = True
        for portion in live.portions:
            portion.give_up()
        for job_id in live.jobs:
            if (job := self._desk.job(job_id)) is not None:
                self._desk.cancel(job)

    async def _work(self, batch_id: str) -> None:
        live, after = self._live[batch_id], -1
        room = asyncio.Semaphore(PORTIONS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while not self._desk.closing and (lines := await self._next(batch_id, after)):
                after = lines[-1].number
                await room.acquire()
                group.create_task(self._portion(live, lines)).add_done_callback(lambda _: room.release())
        if not self._desk.closing:
            await self._finish(live)

    async def _next(self, batch_id: str, after: int) -> list[LineEntry]:
        """The open lines of the next portion."""
        lines = await self.books.lines(batch_id, after, PORTION, (OPEN,))
        return [line for line in lines if line.number // PORTION == lines[0].number // PORTION]

    def _goes_on(self, live: _Live) -> bool:
        """Whether a further line may begin."""
        return not live.stopped and not self._desk.closing

    async def _portion(self, live: _Live, lines: Sequence[LineEntry]) -> None:
        """Have some lines worked on: together, as far as they can be bought so, the others each by itself."""
        together: list[LineEntry] = []
        async with asyncio.TaskGroup() as group:
            for line in lines:
                if line.job or await self._by_jobs(live, line):
                    together.append(line)
                else:
                    group.create_task(self._line(live, line))
            while together and not self._desk.closing:
                held = await self._round(live, together)
                if len(held) == len(together):
                    await asyncio.sleep(HELD_S)
                together = held

    async def _round(self, live: _Live, lines: Sequence[LineEntry]) -> list[LineEntry]:
        """Have lines bought together; returns those that others of the key held the budget of meanwhile."""
        batch = live.batch
        only = batch.asked.get(MODE) == BATCH_ONLY
        portion = self._desk.wholesale.portion(batch.id, batch.created_at, only=only)
        live.portions.add(portion)
        if live.stopped:
            portion.give_up()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._begun(live, line, portion)) for line in lines]
            begun = [task.result() for task in tasks]
            async with asyncio.TaskGroup() as group:
                for line, job in zip(lines, begun, strict=True):
                    if isinstance(job, Job):
                        group.create_task(self._settled(live, line, job))
                group.create_task(portion.run())
        except BaseException as error:
            portion.break_off(error)
            raise
        finally:
            live.portions.discard(portion)
        return [line for line, job in zip(lines, begun, strict=True) if job is None]

    async def _by_jobs(self, live: _Live, line: LineEntry) -> bool:
        """Whether a line can be bought at the price of a batch API."""
        assert line.request is not None
        if live.batch.asked.get(MODE) == STANDARD:
            return False
        return not await self.why_not(live.batch.caller, line.request)

    async def why_not(self, caller: str, request: ImageRequest) -> str:
        """Why a caller's request cannot be bought at the price of a batch API; empty when it can."""
        desk = self._desk
        routes = desk.routes(mode=BATCH)
        try:
            ways = await desk.keeper.ways(caller, routes, request, lambda via: desk.routes(via=via, mode=BATCH))
        except InputError as error:
            return str(error)
        return await desk.wholesale.why_not(desk.routes(via=ways.via, mode=BATCH) if ways else routes, request.model)

    async def _begun(self, live: _Live, line: LineEntry, portion: Portion) -> Job | bool | None:
        """The job of a line; ``False`` when it has ended or is to have none, ``None`` when it is to be tried again."""
        if line.job:
            entry = await self._desk.books.job(line.job)
            return await self._desk.resume(entry, portion) if entry else await self._refused(line, GONE)
        async with live.room:
            if not self._goes_on(live):
                return False
            try:
                job = await self._desk.take(self._asked(live, line), portion)
            except Refused as refused:
                return None if refused.held else await self._refused(line, refused.fault)
            except InputError as error:
                return await self._refused(line, fault_of(error))
        await self.books.note_job(line, job.id)
        return job

    async def _line(self, live: _Live, line: LineEntry) -> None:
        """Have one line worked on by itself, and write down how it ended."""
        async with live.room:
            if not self._goes_on(live):
                return
            try:
                job = await self._desk.take(self._asked(live, line))
            except InputError as error:
                await self._refused(line, fault_of(error))
                return
            await self._settled(live, line, job)

    def _asked(self, live: _Live, line: LineEntry) -> Asked:
        assert line.request is not None
        return Asked(
            caller=live.batch.caller,
            door=f"batch {live.batch.door}",
            request=line.request,
            notices=line.notices,
            token=f"batch\n{line.batch}\n{line.number}",
            patient=True,
            queued=True,
        )

    async def _refused(self, line: LineEntry, fault: Fault) -> bool:
        if not self._desk.closing:
            await self.books.settle(line, FAILED, fault=fault)
        return False

    async def _settled(self, live: _Live, line: LineEntry, job: Job) -> None:
        """Wait for a job, and write down how its line ended."""
        live.jobs.add(job.id)
        try:
            answer = await self._answered(live, job)
        finally:
            live.jobs.discard(job.id)
        if not (self._desk.closing and INTERRUPTED in answer.faults):  # else its turn comes again in the next life
            await self.books.settle(line, _state_of(answer), job.id)

    async def _answered(self, live: _Live, job: Job) -> Answer:
        if live.stopped:
            self._desk.cancel(job)
        return await asyncio.shield(job.answer)

    async def _finish(self, live: _Live) -> None:
        """All lines have ended: the files of results, and the end."""
        state = EXPIRED if live.expired else CANCELLED if live.stopped else DONE
        batch = replace(live.batch, state=state)
        if live.stopped:
            await self.books.give_up(batch.id)
        told: dict[str, JsonValue] = dict((await self.books.batch(batch.id) or batch).told)
        standing = await self.books.standing(batch.id)
        for name, states in self._scribes[batch.door].files(standing, batch).items():
            size = 0
            async for body in self.bodies(batch, states):
                size += encoded_length(pour(body)) + 1
            keeping = Keeping(f"{batch.id}_{name}.jsonl", "application/jsonl", f"batch_{name}", batch.asked.get(LIFE))
            told[name] = (await self.files.keep_results(batch.caller, keeping, batch.id, size)).id
        await self.books.end(batch.id, state, self.files.now(), told)
        if told.get(DELETED):
            await self._drop(replace(batch, told=told))

    # --- other replicas, earlier lives --------------------------------------------------------------------------------

    async def _keep(self) -> None:
        sweep_at = self.files.now()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            # Books or a store that are away for a while come back.
            with contextlib.suppress(StateError, OSError):
                await self._look()
                await self._inherit()
                await self._mend()
                if self.files.now() >= sweep_at:
                    sweep_at = self.files.now() + SWEEP_EVERY_S
                    await self.sweep()

    async def sweep(self) -> None:
        """Forget files and batches that have had their time."""
        await self.files.sweep()
        if self._keep_s is not None:
            for batch in await self.books.ended_before(self.files.now() - self._keep_s):
                if not self._desk.is_sending(batch.id):
                    await self.delete(batch)

    async def _mend(self) -> None:
        broken, self._broken = self._broken, set()
        for batch_id in broken:
            batch = await self.books.batch(batch_id)
            if batch is not None and batch.state in AT_WORK and not self._desk.closing:
                self._start(batch)

    async def _look(self) -> None:
        for live in list(self._live.values()):
            batch = await self.books.batch(live.batch.id)
            if not live.stopped and (batch is None or batch.state == CANCELLING):
                self._stop(live)
            elif not live.stopped and self.files.now() >= live.batch.created_at + WINDOWS_S[live.batch.door]:
                live.expired = True
                self._stop(live)

    async def _inherit(self) -> None:
        for batch in await self.books.inherit():
            await self._desk.heir(batch.owner, batch.id)
            if batch.id not in self._live and batch.state in AT_WORK:
                self._start(replace(batch, owner=self.books.owner))


def _state_of(answer: Answer) -> str:
    if answer.pictures:
        return DONE
    cancelled = all(fault.kind is FaultKind.CANCELLED for fault in answer.faults)
    return CANCELLED if cancelled else FAILED
