"""Measure: peers in child processes, in turn, several times; the median of each figure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEER_PYTHON = "BENCH_PEER_PYTHON"
"""The variable that names an interpreter with the peers that ours does not have."""

Figures = dict[str, float]


class PeerMissing(Exception):
    """A peer is not installed here."""


class PeerFailed(Exception):
    """A peer ended with an error; the message is the end of what it said."""


@dataclass(frozen=True)
class Peer:
    """One competitor: its name in the table, the function that runs it, and what it has to be given."""

    name: str
    function: str
    arguments: Mapping[str, Any]
    needs: str = ""


def run_peer(module: str, peer: Peer, folder: Path, **more: Any) -> Figures:
    """Run a peer once, in a process of its own, that tells its own figures: see ``bench.child``."""
    arguments = json.dumps({**peer.arguments, **more, "folder": str(folder)})
    command = [interpreter(peer.needs), "-m", "bench.child", module, peer.function, arguments]
    code, out, said, _ = spawn(command, folder)
    if code:
        raise PeerFailed(f"{peer.name}: {said[-2000:]}")
    figures: Figures = json.loads(out.splitlines()[-1])
    return figures


def spawn(command: Sequence[str], folder: Path) -> tuple[int, str, str, Any]:
    """Run a command to its end: exit code, what it printed, what it said, and the kernel's account of it."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "src")))
    environment = {**_clean(os.environ), "PYTHONPATH": path, "HOME": str(folder)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, stdout=out, stderr=said, cwd=ROOT, env=environment)
        _, status, use = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said.seek(0)
        return child.returncode, out.read().decode(), said.read().decode(errors="replace"), use


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Without anybody's settings and keys."""
    private = ("GOOGLE_", "GEMINI_", "OPENAI_")
    return {name: value for name, value in environ.items() if not name.startswith(private)}


def interpreter(module: str) -> str:
    """A Python that can import this module. Raises ``PeerMissing``."""
    for python in filter(None, (sys.executable, os.environ.get(PEER_PYTHON))):
        check = [python, "-c", f"import {module or 'sys'}"]
        if not module or subprocess.run(check, check=False, capture_output=True).returncode == 0:
            return python
    raise PeerMissing(f"{module} is not installed")


def in_turn(peers: Sequence[Peer], repeats: int, once: Callable[[Peer, Path], Figures]) -> dict[str, Figures]:
    """Each peer ``repeats`` times, A B C A B C, so that a machine that gets slower is slower for all: medians.

    A peer that is not installed is left out.
    """
    runs: dict[str, list[Figures]] = {peer.name: [] for peer in peers}
    for peer in list(peers) * repeats:
        if peer.name in runs:
            with scratch() as folder:
                try:
                    runs[peer.name].append(once(peer, folder))
                except PeerMissing as missing:
                    print(f"  {peer.name}: left out, {missing}", file=sys.stderr)
                    del runs[peer.name]
    return {name: medians(figures) for name, figures in runs.items()}


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of each figure."""
    return {name: median(run[name] for run in runs) for name in runs[0]}


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="cavendish-bench-") as folder:
        yield Path(folder)
