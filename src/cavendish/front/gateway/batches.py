"""Batches: many requests that are worked on one after another, each a job of the desk.

A line of a batch is asked for under a token of its own, so after a restart, or on another replica, it is the same job.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ...errors import InputError
from ...io.desk.batches import AT_WORK, CANCELLING, FAILED, BatchBooks, BatchEntry, LineEntry, Standing
from ...io.desk.books import CANCELLED, DONE, OPEN
from ...io.desk.stored import FileEntry
from ...io.state.port import StateError
from ...model.fault import Fault, FaultKind
from ...model.request import JsonValue
from ...wire.message import JsonBody
from ...wire.pour import encoded_length, pour
from ...wire.written import gathered, spelled
from .desk import INTERRUPTED, Desk, Job
from .files import Files, Keeping
from .outlet import WRITE_BYTES
from .wants import Answer, Asked, fault_of

LINES_AT_ONCE: Final = 16
"""Of one batch: enough to use a quota, few enough to leave room for who waits at the door."""

PAGE: Final = 64
"""Lines that are read from the books at once."""

LOOK_EVERY_S: Final = 2.0
"""How often it is asked whether a batch was cancelled at another replica, or left by one that died."""

SWEEP_EVERY_S: Final = 600.0
OUTPUT, ERRORS = "output", "errors"
NO_TURN: Final = Fault(FaultKind.CANCELLED, "Batch was cancelled.", reason="CANCELLED")
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
    stopped: bool = False


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

    async def create(self, batch: BatchEntry) -> None:
        """A batch whose lines are all written down begins."""
        await self.books.begin(batch)
        if batch.state == OPEN:
            self._start(batch)

    async def find(self, batch_id: str, caller: str, door: str) -> BatchEntry | None:
        """A batch of this caller's, made at this door."""
        batch = await self.books.batch(batch_id)
        return batch if batch and (batch.caller, batch.door) == (caller, door) else None

    async def cancel(self, batch: BatchEntry) -> None:
        """No further lines; what is in flight is finished and kept."""
        await self.books.cancel(batch.id)
        live = self._live.get(batch.id)
        if live is not None:
            self._stop(live)

    async def delete(self, batch: BatchEntry) -> None:
        """Forget a batch and its files of results; one at work is given up first."""
        live = self._live.pop(batch.id, None)
        if live is not None:
            self._stop(live)
            live.task.cancel()
            await asyncio.gather(live.task, return_exceptions=True)
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
        async for body in self.bodies(batch, states):
            pieces = gathered(spelled((*pour(body), b"\n"), self._desk.blobs.read), WRITE_BYTES)
            while piece := await asyncio.to_thread(next, pieces, b""):
                yield piece

    async def bodies(self, batch: BatchEntry, states: Sequence[str]) -> AsyncIterator[JsonBody]:
        """The results of a batch's lines in these states, in their order."""
        scribe, after = self._scribes[batch.door], -1
        while lines := await self.books.lines(batch.id, after, PAGE, states):
            for line in lines:
                yield scribe.write(line, await self._came(line))
            after = lines[-1].number

    async def _came(self, line: LineEntry) -> Answer | Fault:
        if line.fault is not None:
            return line.fault
        if not line.job:
            return NO_TURN
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
        for job_id in live.jobs:
            if (job := self._desk.job(job_id)) is not None:
                self._desk.cancel(job)

    async def _work(self, batch_id: str) -> None:
        live, after = self._live[batch_id], -1
        room = asyncio.Semaphore(LINES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while self._goes_on(live) and (lines := await self.books.lines(batch_id, after, PAGE, (OPEN,))):
                after = lines[-1].number
                for line in lines:
                    await room.acquire()
                    if not self._goes_on(live):
                        break
                    group.create_task(self._line(live, line)).add_done_callback(lambda _: room.release())
        if not self._desk.closing:
            await self._finish(live)

    def _goes_on(self, live: _Live) -> bool:
        """Whether a further line may begin."""
        return not live.stopped and not self._desk.closing

    async def _line(self, live: _Live, line: LineEntry) -> None:
        """Have one line worked on, and write down how it ended."""
        assert line.request is not None
        asked = Asked(
            caller=live.batch.caller,
            door=f"batch {live.batch.door}",
            request=line.request,
            notices=line.notices,
            token=f"batch\n{line.batch}\n{line.number}",
            patient=True,
            queued=True,
        )
        try:
            job = await self._desk.take(asked)
        except InputError as error:
            if not self._desk.closing:
                await self.books.settle(line, FAILED, fault=fault_of(error))
            return
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
        batch = live.batch
        if live.stopped:
            await self.books.give_up(batch.id)
        told: dict[str, JsonValue] = dict(batch.told)
        standing = await self.books.standing(batch.id)
        for name, states in self._scribes[batch.door].files(standing, batch).items():
            size = 0
            async for body in self.bodies(batch, states):
                size += encoded_length(pour(body)) + 1
            keeping = Keeping(f"{batch.id}_{name}.jsonl", "application/jsonl", f"batch_{name}", None)
            told[name] = (await self.files.keep_results(batch.caller, keeping, batch.id, size)).id
        await self.books.end(batch.id, CANCELLED if live.stopped else DONE, self.files.now(), told)

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

    async def _inherit(self) -> None:
        for batch in await self.books.inherit():
            if batch.id not in self._live and batch.state in AT_WORK:
                self._start(replace(batch, owner=self.books.owner))


def _state_of(answer: Answer) -> str:
    if answer.pictures:
        return DONE
    cancelled = all(fault.kind is FaultKind.CANCELLED for fault in answer.faults)
    return CANCELLED if cancelled else FAILED
