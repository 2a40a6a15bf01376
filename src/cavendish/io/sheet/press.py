"""Press: a reply that is a sheet in, the reply that its cells are out; cut in one thread, one sheet at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from ...model.blob import Blob
from ...model.call import Done
from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Image, Notice, Part
from ...plan.sheet import Grid
from .cut import Cell, Flaw, cut
from .marks import Store, uncut

CELL: Final = "sheet_cell"
"""The code of the notice on every picture that was cut from a sheet."""

BAD_CELL: Final = FaultKind.NOT_AN_IMAGE
"""What a cell is that is no good, unless it is a twin: it came, was paid for, and is no picture."""

_KINDS: Final = {Flaw.TWIN: FaultKind.DUPLICATE}


class Press:
    """Cuts sheets. A decoded one takes some 64 MB, so there is never more than one. Close it at the end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, "cavendish-sheet")

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def pressed(self, attempt_id: str, reply: Done, grid: Grid) -> Done:
        """The cells of a sheet as pictures, durable and recorded as the attempt's reply.

        The sheet is kept for good as it came, and stands before each of its cells. The cells that are no good are
        faults in ``shortfall``; where none is any good, there are no pictures. Raises ``OutOfSpace``.
        """
        sheet = reply.pictures[-1]
        assert sheet.blob is not None
        cells = await self._cut(sheet.blob, grid)
        (kept,) = await self._store.keep(attempt_id, (sheet.blob,))
        try:
            done = self._laid_out(attempt_id, reply, replace(sheet, blob=kept), cells, grid)
            await self._store.drained()
            await self._store.record(attempt_id, done)
        finally:
            self._store.discard(attempt_id)
        return done

    async def finish(self, recorded: dict[str, Done]) -> None:
        """Cut what a crash left uncut, among these replies by attempt id. Raises ``OutOfSpace``."""
        for attempt_id, reply in recorded.items():
            plain, grid = uncut(reply)
            if grid is not None:
                await self.pressed(attempt_id, plain, grid)

    async def _cut(self, blob: Blob, grid: Grid) -> tuple[Cell, ...]:
        def work() -> tuple[Cell, ...]:
            return cut(b"".join(self._store.read(blob)), grid)

        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _laid_out(self, attempt_id: str, reply: Done, sheet: Image, cells: Sequence[Cell], grid: Grid) -> Done:
        parts: list[Part] = [part for place, part in enumerate(reply.parts) if place not in reply.finals]
        finals: list[int] = []
        for cell in cells:
            if cell.flaw is None:
                blob = self._written(attempt_id, cell)
                parts += [sheet, Image(blob=blob, media_type=blob.media_type, cell=cell.number)]
                finals.append(len(parts) - 1)
        text = f"cut from a {grid} sheet, without its signed origin (C2PA): the sheet is kept beside it as it came"
        return replace(
            reply,
            parts=tuple(parts if finals else [*parts, sheet]),
            finals=tuple(finals),
            shortfall=tuple(_fault(cell) for cell in cells if cell.flaw),
            notices=(*reply.notices, Notice("sheet_cell", text)),
        )

    def _written(self, attempt_id: str, cell: Cell) -> Blob:
        writer = self._store.new_blob(attempt_id)
        writer.write(cell.png)
        return writer.finish("image/png")


def _fault(cell: Cell) -> Fault:
    """A cell that is no good was paid for with its sheet."""
    assert cell.flaw is not None
    kind = _KINDS.get(cell.flaw, BAD_CELL)
    return Fault(kind, cell.why, Charged.YES, reason=cell.flaw.value)
