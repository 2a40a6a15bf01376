"""A process of its own with a ledger: killed, out of room, or without leave to write. ``python -m … deed path``."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
from pathlib import Path

from cavendish.engine.ports import OutOfSpace
from cavendish.errors import FolderError
from cavendish.io.ledger.reader import LedgerReader
from cavendish.io.ledger.sqlite import SqliteLedger
from tests.io.ledger.entries import intent, picture, receipt, slot, waiting

WRITERS = 8
TALK = "x" * 2000
"""What a model said with its picture: so that entries take room."""


def say(*words: object) -> None:
    """One line, with the parent for good when this returns, whatever becomes of this process."""
    os.write(1, (json.dumps(words) + "\n").encode())


# --- writes until it is killed ----------------------------------------------------------------------------------------


async def scribble(path: Path, life: str) -> None:
    """Writes entries without end; says each one that it was told is durable."""
    say("opening")
    async with SqliteLedger(path) as ledger:
        say("open")
        await asyncio.gather(*(_scribble(ledger, f"{life}-{writer}") for writer in range(WRITERS)))


async def _scribble(ledger: SqliteLedger, name: str) -> None:
    number = 0
    while True:
        wanted = slot(f"{name}-{number}")
        attempt = intent(f"{name}-{number}", wanted)
        await ledger.intend(attempt, wanted)
        say("intent", attempt.id)
        await ledger.waiting(waiting(attempt))
        say("waiting", attempt.id)
        await ledger.settle(receipt(attempt), picture(wanted, text=TALK))
        say("settled", attempt.id)
        number += 1


# --- fills its disk ---------------------------------------------------------------------------------------------------


async def fill(path: Path, room: str) -> None:
    """Writes until there is no room, looks at what there is, and goes on when there is room again."""
    import resource

    async with SqliteLedger(path) as ledger:
        # Python itself ignores the signal that comes with the error.
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_largest(path) + int(room), hard))
        begun = await _until_full(ledger)
        say("full", (await ledger.tally()).in_flight)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await ledger.intend(intent("afterwards", slot("afterwards")), slot("afterwards"))
        say("afterwards", begun)


def _largest(path: Path) -> int:
    return max(file.stat().st_size for file in path.parent.iterdir())


async def _until_full(ledger: SqliteLedger) -> int:
    for number in range(10_000):
        wanted = slot(f"f{number}", prompt=TALK)
        try:
            await ledger.intend(intent(f"a{number}", wanted), wanted)
        except OutOfSpace as error:
            say("refused", str(error))
            return number
        say("intent", f"a{number}")
    raise AssertionError("it was never full")


async def open_without_room(path: Path) -> None:
    """Opens a ledger where not a byte can be written."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    await _tell(_write(path))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await _tell(_write(path))


# --- has no leave -----------------------------------------------------------------------------------------------------


async def without_leave(path: Path) -> None:
    """Writes and reads as a user for whom permissions hold."""
    _drop_privileges()
    await _tell(_write(path))
    await _tell(asyncio.to_thread(_read, path))


def _drop_privileges() -> None:
    """Even root is now asked for permissions: all capabilities are given up."""
    version_3, this_process = 0x20080522, 0
    head = (ctypes.c_uint32 * 2)(version_3, this_process)
    if ctypes.CDLL(None, use_errno=True).capset(head, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")


async def _write(path: Path) -> str:
    async with SqliteLedger(path) as ledger:
        await ledger.intend(intent("a", slot("a")), slot("a"))
    return "written"


def _read(path: Path) -> int:
    with LedgerReader.open(path) as reader:
        return reader.tally().attempts


async def _tell(deed) -> None:
    try:
        say("done", await deed)
    except FolderError as error:
        say("refused", error.message, *error.hints)


if __name__ == "__main__":
    deeds = {deed.__name__: deed for deed in (scribble, fill, open_without_room, without_leave)}
    asyncio.run(deeds[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
