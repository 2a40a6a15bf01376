"""Replica: which of several gateways over one store this is, and how it sees that another one is gone.

Each has a folder of its own below the shared one, for what arrives, and holds the lock in it for as long as its process
lives. Whoever can take another's lock knows that it is dead. That is only believed of those on the same machine: from
another one, a network's file system may say anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ....errors import FolderError
from ....io.blobs.claim import REPLICAS, held
from ....io.blobs.names import slug
from ....io.desk.books import DeskBooks
from ....io.state.sqlite import boot_id

LOCK = "lock"
MOST = 100
"""Gateways without a name of their own on one machine over one store."""

NAME_LENGTH = 40
TRIES, PAUSE_S = 10, 0.05
"""Another one may hold a lock for a moment, to see whether anybody else does."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A replica's folder, which nobody else works in.

    ``own`` is where it is below the store, ``owner`` the name of this life in the books, ``place`` the same for all
    whose locks tell whether they live; empty where there is no telling.
    """

    store: Path
    name: str
    owner: str
    place: str
    leave: Callable[[], None]

    @property
    def own(self) -> str:
        """The folder, as a path below the store."""
        return own_of(self.name)


def own_of(name: str) -> str:
    """Where a replica's folder is below the store."""
    return f"{REPLICAS}/{name}"


def take_seat(store: Path, name: str, life: str) -> Seat:
    """The seat of that name; without a name, the first that is free of those named after this machine. Blocks.

    Raises ``FolderError`` when another process has it, or the store cannot be used.
    """
    plain = slug(name or platform.node(), NAME_LENGTH).lower() or "gateway"
    if name:
        return _taken(store, plain, life)
    for number in range(1, MOST):
        with contextlib.suppress(FolderError):
            return _taken(store, plain if number == 1 else f"{plain}-{number}", life, tries=1)
    return _taken(store, plain, life)


def _taken(store: Path, name: str, life: str, tries: int = TRIES) -> Seat:
    folder = store / own_of(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(f"{folder} cannot be used: {error.strerror or error}") from error
    holding = contextlib.ExitStack()
    for left in reversed(range(tries)):
        try:
            holding.enter_context(held(folder, LOCK))
            break
        except FolderError as error:
            if not left:
                hints = ("give this one another name: --replica NAME",)
                raise FolderError(f"replica {name} is at work already: {error}", hints=hints) from error
            time.sleep(PAUSE_S)
    return Seat(store, name, f"{name}.{life}", _place(folder.parent), holding.close)


def _place(folder: Path) -> str:
    boot = boot_id()
    status = folder.stat()
    return f"{boot}:{status.st_dev}:{status.st_ino}" if boot else ""


class Peers:
    """The other replicas in the books."""

    def __init__(self, books: DeskBooks, seat: Seat) -> None:
        self._books = books
        self._seat = seat

    async def bury(self) -> None:
        """Tell the books of those whose process has ended. Raises ``StateError``."""
        owners = await self._books.neighbours()
        gone = [owner for owner in owners if await asyncio.to_thread(self._is_gone, owner)] if owners else []
        if gone:
            await self._books.retire(gone)

    def _is_gone(self, owner: str) -> bool:
        name = owner.rpartition(".")[0]
        if name == self._seat.name:
            return True  # an earlier life: there is one at a time
        folder = self._seat.store / own_of(name)
        if not os.access(folder / LOCK, os.W_OK):
            return False
        try:
            with held(folder, LOCK):
                return True
        except FolderError:
            return False
