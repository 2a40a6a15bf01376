"""Talk: one turn being bought for a client; may be stopped at any moment."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...errors import RunStopped
from ...model.fault import Fault, FaultKind
from ..build import Setup, Workshop
from ..job import Job
from ..work import Quiet
from .record import TurnRecord
from .saying import Means, Prepared, Said, begin, end, prepare
from .store import SessionStore

T = TypeVar("T")

MakeMeans = Callable[[Setup, Path], Means]
"""How turns are bought, with a folder for pictures that are no files."""


@dataclass(slots=True)
class _Held:
    """What is given back at the end."""

    stack: ExitStack
    scratch: Path


class Talk:
    """One ``say`` of a client."""

    def __init__(
        self, open_: Callable[[], Awaitable[Workshop]], store: SessionStore, said: Said, means: MakeMeans
    ) -> None:
        self._open = open_
        self._store = store
        self._said = said
        self._means = means
        self._job: Job | None = None
        self._stopped = False

    async def run(self) -> TurnRecord:
        """The turn as it is written down. Raises ``RunStopped`` when it ended without an answer, and can go on."""
        workshop = await self._open()
        held = await finished(self._hold, lambda held: held.stack.close())
        try:
            return await self._bought(workshop, held.scratch)
        finally:
            await finished(held.stack.close)

    def stop(self) -> None:
        """No new calls; those in flight are finished and kept."""
        self._stopped = True
        if self._job is not None:
            self._job.stop()

    def _hold(self) -> _Held:
        with ExitStack() as stack:
            stack.enter_context(self._store.hold())
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="cavendish-"))
            return _Held(stack.pop_all(), Path(scratch))

    async def _bought(self, workshop: Workshop, scratch: Path) -> TurnRecord:
        means = self._means(workshop.setup, scratch)
        prepared = await finished(lambda: self._begun(means), lambda prepared: end(self._store, prepared))
        if prepared.order is None:
            return prepared.record
        stopped: Fault | None = None
        try:
            self._job = Job(workshop, prepared.routes, prepared.order, Quiet(prepared.order.folder))
            if self._stopped:
                self._job.stop()
            stopped = (await self._job.run()).facts.stopped
        finally:
            record = await finished(lambda: end(self._store, prepared))
        if record.reply is None:
            fault = stopped or Fault(FaultKind.CANCELLED, "interrupted")
            why = fault.message or fault.kind.value
            raise RunStopped(f"the turn has no answer: {why}", fault, hints=("say the same again to go on with it",))
        return record

    def _begun(self, means: Means) -> Prepared:
        return begin(self._store, prepare(self._store, self._said, means), means)


async def finished(work: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """What blocks, in a thread; to its end even when the wait for it is cancelled, and then undone."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if undo is not None and not task.exception():
            await asyncio.to_thread(undo, task.result())
        raise
