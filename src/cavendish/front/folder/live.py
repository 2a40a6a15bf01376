"""LiveBooks: what a run folder shows while its run goes on.

A small run's folder is drawn anew every few seconds; a large one's metadata grows line by line, in order of arrival,
and is put into the order of the rows when the run ends. The ledger knows better in any case.
"""

from __future__ import annotations

from pathlib import Path

from ...model.result import Outcome, Picture
from .entries import failure_entry, line_of, metadata_entry

METADATA = "metadata.jsonl"
FAILURES = "failures.jsonl"
SMALL_RUN = 2_000
"""Outcomes that are drawn within a fraction of a second."""
REDRAW_S = 5.0
TAIL_BYTES = 1024 * 1024


def redraw_every_s(total: int | None) -> float | None:
    """How often a run of so many slots is drawn anew while it goes on; ``None``: not at all, append instead."""
    return REDRAW_S if total is not None and total <= SMALL_RUN else None


class LiveBooks:
    """Appends outcomes. ``add`` only remembers, and may be called in an event loop; ``flush`` writes, in a thread."""

    def __init__(self, root: Path, *, simulated: bool = False) -> None:
        self._root = root
        self._simulated = simulated
        self._waiting: list[Outcome] = []
        self._mended = False

    def add(self, outcome: Outcome) -> None:
        """One more outcome, to be written with the next ``flush``."""
        self._waiting.append(outcome)

    def flush(self) -> int:
        """Write what waits; how many outcomes that were. Blocks."""
        batch, self._waiting = self._waiting, []
        if not self._mended:
            for name in (METADATA, FAILURES):
                drop_torn_line(self._root / name)
            self._mended = True
        pictures = [metadata_entry(o, simulated=self._simulated) for o in batch if isinstance(o, Picture)]
        failures = [failure_entry(o) for o in batch if not isinstance(o, Picture)]
        for name, entries in ((METADATA, pictures), (FAILURES, failures)):
            if entries:
                with (self._root / name).open("ab") as file:
                    file.write(b"".join(line_of(entry) for entry in entries))
        return len(batch)


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that a crash left without its end."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        end = size
        while end:
            start = max(0, end - TAIL_BYTES)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            end = start
        file.truncate(0)
