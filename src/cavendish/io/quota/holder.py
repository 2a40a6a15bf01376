"""Holder: a process as others know it, and whether one is gone."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from ..state.database import Link

BEAT_S = 10.0
"""How often a process says that it is there."""

DEAD_S = 60.0
"""Who said nothing for this long is gone; six beats, since a machine may be very busy."""

BURIED_S = 600.0
"""A process that was only asleep for less than this is known again when it wakes."""

NAME_BYTES = 5

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES = Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process by a name of its own, its machine, and by what the machine knows it.

    ``host`` tells apart machines, their starts, and containers, whose processes have numbers of their own. ``birth``
    tells a process from a later one of the same number, where the system says.
    """

    name: str
    host: str
    pid: int
    birth: str

    @classmethod
    def this_process(cls) -> Holder:
        """One more holder in this process. Reads from the disk."""
        return cls(secrets.token_hex(NAME_BYTES), _host(), os.getpid(), _birth(os.getpid()))

    def beat(self, link: Link, now_s: float) -> None:
        """Say that it is there."""
        link.run(
            "INSERT INTO holder (name, host, pid, birth, beat_s) VALUES (:name, :host, :pid, :birth, :beat_s)"
            " ON CONFLICT (name) DO UPDATE SET beat_s = :beat_s",
            name=self.name,
            host=self.host,
            pid=self.pid,
            birth=self.birth,
            beat_s=now_s,
        )

    def leave(self, link: Link) -> None:
        """Say that it will not be there any more: what it still holds is taken back."""
        link.run("DELETE FROM holder WHERE name = :name", name=self.name)

    def present(self, link: Link, now_s: float) -> frozenset[str]:
        """The names of all who are there. Whoever is known to be gone from this machine is struck off."""
        link.run("DELETE FROM holder WHERE beat_s < :then_s", then_s=now_s - BURIED_S)
        there = {self.name}
        for name, host, pid, birth, beat_s in link.run("SELECT name, host, pid, birth, beat_s FROM holder"):
            if host == self.host and has_ended(pid, birth):
                link.run("DELETE FROM holder WHERE name = :name", name=name)
            elif beat_s > now_s - DEAD_S:
                there.add(name)
        return frozenset(there)


def has_ended(pid: int, birth: str) -> bool:
    """Whether this machine's process is known to be gone. Where nobody can tell, its heartbeats do."""
    if sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # somebody else's process
    return bool(birth) and _birth(pid) != birth


def _birth(pid: int) -> str:
    """When a process began, in the system's own unit, empty where it does not say. Of one that is dead, nothing."""
    try:
        words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    # One that has ended, and whose parent has not asked how, still has a number.
    return "" if words[0] in {b"Z", b"X"} else words[19].decode()


def _host() -> str:
    """The machine, this start of it, and the space in which its processes are numbered."""
    marks = [platform.node()]
    with contextlib.suppress(OSError):
        marks += [_BOOT.read_text(encoding="ascii").strip(), os.readlink(_PROCESSES)]  # noqa: PTH115 - no path at all
    return " ".join(marks)
