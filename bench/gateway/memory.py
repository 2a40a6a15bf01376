"""Memory: what a server and all processes below it hold, sampled; and the processor time that they used."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

EVERY_S = 0.02
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
TICKS_S = os.sysconf("SC_CLK_TCK")

PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        for task in _entries(PROC / str(parent) / "task"):
            found += [int(child) for child in _read(task / "children").split()]
    return found


def held_mb(pids: list[int]) -> float:
    """Resident memory. Pages that processes share count for each of them."""
    fields = (_read(PROC / str(pid) / "statm").split() for pid in pids)
    return sum(int(field[1]) for field in fields if field) * PAGE_MB


def cpu_s(pids: list[int]) -> float:
    """Processor time since they began."""
    # The name of the program stands in brackets and may hold blanks.
    fields = (_read(PROC / str(pid) / "stat").rpartition(")")[2].split() for pid in pids)
    return sum(int(field[11]) + int(field[12]) for field in fields if field) / TICKS_S


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    """Empty when the process has ended meanwhile."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@dataclass
class Use:
    """Memory at its most and at the begin, and processor time meanwhile. ``killed``: it held too much."""

    peak_mb: float = 0.0
    begin_mb: float = 0.0
    cpu_s: float = 0.0
    killed: bool = False


NOTHING = Use()
"""Of what is not watched."""


class Watch(Use):
    """While it is open, notes the most that the tree of a process holds.

    The kernel's own mark, which misses nothing, is put back at the begin and counts as well when there is but one
    process. A tree that holds more than ``most_mb`` is killed.
    """

    def __init__(self, pid: int, most_mb: float, every_s: float = EVERY_S) -> None:
        self._pid, self._most_mb, self._every_s = pid, most_mb, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        super().__init__()

    def __enter__(self) -> Self:
        pids = tree(self._pid)
        for pid in pids:
            _put_back_mark(pid)
        self.peak_mb = self.begin_mb = held_mb(pids)
        self._cpu_at_begin_s = cpu_s(pids)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        pids = tree(self._pid)
        self.cpu_s = cpu_s(pids) - self._cpu_at_begin_s
        self.peak_mb = max(self.peak_mb, *(_mark_mb(pid) for pid in pids))

    def _sample(self) -> None:
        while not self._stop.wait(self._every_s):
            pids = tree(self._pid)
            self.peak_mb = max(self.peak_mb, held_mb(pids))
            if self.peak_mb > self._most_mb:
                self.killed = True
                for pid in pids:
                    _kill(pid)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _put_back_mark(pid: int) -> None:
    try:
        (PROC / str(pid) / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _mark_mb(pid: int) -> float:
    mark = _read(PROC / str(pid) / "status").partition("VmHWM:")[2].split()
    return int(mark[0]) / 1024 if mark else 0.0
