"""Disk: the few file operations that must last, and what happens when there is no room for them."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ...engine.ports import OutOfSpace

T = TypeVar("T")

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC})
_NO_LINKS = frozenset(
    getattr(errno, name)
    for name in ("EXDEV", "EPERM", "EACCES", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EMLINK", "EINVAL")
    if hasattr(errno, name)
)
"""What file systems without hard links say (exFAT, some network mounts), and what a mount in between says."""

BALLAST_BYTES = 32 * 2**20
"""Room for some twenty 2K pictures that are arriving when the disk is found full."""

_COPY_BYTES = 1 << 20
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_WRITE_FLAGS = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Disk:
    """The operating system's calls. Tests replace single ones."""

    def open_new(self, path: Path) -> int:
        """Make a file that is not there yet; ``FileExistsError`` when it is, a dangling link included."""
        return os.open(path, _WRITE_FLAGS | os.O_CREAT | os.O_EXCL, 0o666)

    def open_more(self, path: Path) -> int:
        """Open a file to write at its end."""
        return os.open(path, _WRITE_FLAGS | os.O_APPEND)

    def open_read(self, path: Path) -> int:
        """Open a file to read; ``OSError`` when its last part is a symbolic link."""
        return os.open(path, _READ_FLAGS)

    def write(self, fd: int, data: memoryview) -> int:
        """Write some of it; returns how much."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Return when the bytes are on the medium."""
        os.fsync(fd)

    def sync_folder(self, path: Path) -> None:
        """Return when the names in a folder are on the medium, where the system has such a thing."""
        if sys.platform == "win32":
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            self.sync(fd)
        except OSError as error:
            # Some file systems sync names by themselves, and know no such call.
            if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
                raise
        finally:
            os.close(fd)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; ``FileExistsError`` when the name is taken."""
        os.link(source, target)

    def free_bytes(self, path: Path) -> int:
        """Room left for this user."""
        return shutil.disk_usage(path).free


class Ballast:
    """A file that only takes room, given up when the disk is full so that what is arriving can still be kept."""

    def __init__(self, path: Path, size: int = BALLAST_BYTES) -> None:
        self._path = path
        self._size = size
        self._lock = threading.Lock()

    def load(self, free_bytes: int) -> None:
        """Take the room when there is plenty; a disk that is nearly full is left what it has."""
        if self._size == 0 or free_bytes < 4 * self._size:
            return
        with contextlib.suppress(OSError):
            if self._path.stat().st_size == self._size:
                return
        try:
            with self._path.open("wb") as file:
                _occupy(file.fileno(), self._size)
        except OSError:
            self.drop()

    def drop(self) -> None:
        """Give the room back. Dropping twice is no error."""
        with self._lock, contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def _occupy(fd: int, size: int) -> None:
    """Fill a file with room that is really taken: no hole, and nothing that a file system can compress away."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.posix_fallocate(fd, 0, size)
            return
    block = os.urandom(min(size, _COPY_BYTES))
    left = size
    while left > 0:
        left -= os.write(fd, block[:left])


class Room:
    """Runs disk work; on a full disk drops the ballast and tries once more, then raises ``OutOfSpace``."""

    def __init__(self, disk: Disk, ballast: Ballast) -> None:
        self.disk = disk
        self._ballast = ballast

    def using(self, work: Callable[[], T]) -> T:
        """The result of ``work``, which must be safe to run twice."""
        try:
            return work()
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
        self._ballast.drop()
        try:
            return work()
        except OSError as error:
            raise out_of_space(error) from error

    def write(self, fd: int, data: bytes) -> None:
        """Write all of it."""
        view = memoryview(data)
        while view:
            view = view[self.using(lambda view=view: self.disk.write(fd, view)) :]

    def sync(self, fd: int) -> None:
        """Make what was written last.

        Never tried twice: after a failed sync a system may forget the pages that it could not write, and say that
        all is well the next time.
        """
        try:
            self.disk.sync(fd)
        except OSError as error:
            self._ballast.drop()
            raise out_of_space(error) from error


def out_of_space(error: OSError) -> OSError:
    """The error as ``OutOfSpace`` when it says that there is no room, else as it is."""
    if isinstance(error, OutOfSpace) or error.errno not in NO_ROOM:
        return error
    return OutOfSpace(error.errno, "the disk is full", error.filename)


def install(room: Room, source: Path, target: Path) -> None:
    """Give the file ``source`` the name ``target`` at once and whole.

    Raises ``FileExistsError`` when that name is taken, ``FileNotFoundError`` when there is no such source.

    A hard link where the file system has them, so that a record that names the source stays true; else the file
    itself is moved, over an empty file that holds the name meanwhile.
    """
    if _linked(room, source, target):
        return
    source.lstat()  # before a name is held for it
    try:
        os.close(room.using(lambda: room.disk.open_new(target)))
    except FileExistsError:
        if target.lstat().st_size:
            raise
    _move_onto(room, source, target)


def second_name(room: Room, source: Path, target: Path) -> None:
    """Let the file be read under another name too, whatever becomes of its first; a copy where links are unknown."""
    try:
        room.disk.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _copy(room, source, target)


def _linked(room: Room, source: Path, target: Path) -> bool:
    """Whether a link did it; not when the file system has none, nor when an empty file holds the name."""
    try:
        room.using(lambda: room.disk.link(source, target))
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return False
    return True


def _move_onto(room: Room, source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}.part")
        beside.unlink(missing_ok=True)
        _copy(room, source, beside)
        beside.replace(target)


def _copy(room: Room, source: Path, target: Path) -> None:
    fd = room.disk.open_new(target)
    try:
        with source.open("rb") as file:
            while data := file.read(_COPY_BYTES):
                room.write(fd, data)
        room.sync(fd)
    except BaseException:
        os.close(fd)
        target.unlink(missing_ok=True)
        raise
    os.close(fd)
