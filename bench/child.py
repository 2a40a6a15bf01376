"""Child: runs one peer in a process of its own and prints what it took. ``python -m bench.child MODULE PEER JSON``."""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Meter:
    """Wall and CPU seconds between ``begin`` and ``end``, those of finished children included.

    Without ``begin``, the clock runs from the call of the peer.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> float:
        """Start the clock. Returns the peak memory so far, in MB: what it took to come here."""
        self._wall, self._cpu = time.perf_counter(), _cpu_s()
        return peak_mb()

    def end(self) -> dict[str, float]:
        return {"wall_s": time.perf_counter() - self._wall, "cpu_s": _cpu_s() - self._cpu}


def peak_mb(process: int | str = "self") -> float:
    """The most memory that a process had so far, in MB. Not ``ru_maxrss``, which remembers the parent's."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _cpu_s() -> float:
    uses = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _raise_open_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    module, peer, arguments = sys.argv[1:4]
    _raise_open_files()
    run: Callable[..., dict[str, Any] | None] = getattr(importlib.import_module(f"bench.{module}"), peer)
    meter = Meter()
    own = run(meter, **json.loads(arguments)) or {}
    print(json.dumps({**meter.end(), "peak_mb": peak_mb(), **own}))


if __name__ == "__main__":
    main()
