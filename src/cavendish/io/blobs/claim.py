"""Claim: a run folder belongs to one run, and one process works on it at a time."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ...errors import FolderError

FORMAT = 1
"""Of the run folder as a whole; a folder with a greater number is from a newer version."""

INNER = ".cavendish"
TMP = f"{INNER}/tmp"  # noqa: S108 (below the run folder)
REPLIES = f"{INNER}/replies"
EXTRAS = f"{INNER}/extras"
REPLICAS = f"{INNER}/replicas"
"""Several processes that share a folder of pictures each have what arrives in one of their own below this."""

_CARD = "run.json"
_LOCK = "lock"
_LOCK_AT = 1 << 30
"""Windows keeps others from reading a locked range, so the lock lies far behind the text."""

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".heic", ".heif", ".bmp", ".tif", ".tiff"})
_BOOKS = frozenset({"index.html", "metadata.jsonl", "failures.jsonl"})
"""What a run writes anew: somebody else's would be lost."""
_OTHERS_LISTED = 20_000
"""Names looked at to find files of someone else."""


@dataclass(frozen=True, slots=True)
class RunCard:
    """Whose folder it is.

    ``settings`` is a digest of what the run was asked for, ``created`` when it began, in seconds since the epoch.
    """

    run_id: str
    settings: str
    created: float


class Claim(AbstractContextManager["Claim"]):
    """The right to work on a run folder, until it is released or the process ends. ``is_new`` when the run begins."""

    def __init__(self, root: Path, card: RunCard, fd: int, *, is_new: bool) -> None:
        self.root = root
        self.card = card
        self.is_new = is_new
        self._fd: int | None = fd

    def release(self) -> None:
        """Let others have it. Releasing twice is no error."""
        if self._fd is not None:
            os.close(self._fd)  # which ends the lock; the file stays, since taking it away would race with the next
            self._fd = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def claim(root: Path, card: RunCard, *, settings: str | None = None) -> Claim:
    """Take a run folder, or begin one as ``card`` says. Blocks on the disk: for threads or before the loop starts.

    ``settings``, when given, must be those that the folder was begun with.

    Raises:
        FolderError: it is no folder, cannot be written to, belongs to another run or to someone else, is from a newer
            version, or another process works on it.
    """
    inner = root / INNER
    known = _read_card(inner / _CARD)
    if known is None:
        _refuse_files_of_others(root)
    prepare(root)
    fd = _lock(root, inner / _LOCK)
    try:
        known = _read_card(inner / _CARD)  # another process may have begun a run meanwhile
        if known is None:
            _write_card(inner / _CARD, card)
        elif settings is not None and known.settings != settings:
            raise FolderError(
                f"{root} belongs to another run",
                hints=(f"to go on with that one: cavendish resume {root}", "or give this one a folder of its own"),
            )
    except BaseException:
        os.close(fd)
        raise
    return Claim(root, known or card, fd, is_new=known is None)


def tmp_of(own: str) -> str:
    """Where the process of an inner folder has what arrives."""
    return f"{own}/tmp"  # noqa: S108 (below the run folder)


def replies_of(own: str) -> str:
    """Where the process of an inner folder has the replies that arrived whole."""
    return f"{own}/replies"


def card_of(root: Path) -> RunCard | None:
    """Whose folder it is, ``None`` when no run was begun there. Raises ``FolderError`` as ``claim`` does."""
    return _read_card(root / INNER / _CARD)


def prepare(root: Path, own: str = INNER) -> None:
    """Make what a run folder needs, and in ``own`` what one process of several does. Raises ``FolderError``."""
    if root.exists() and not root.is_dir():
        raise FolderError(f"{root} is a file, not a folder")
    arriving = tmp_of(own)
    try:
        for part in ("", INNER, EXTRAS, own, arriving, replies_of(own)):
            path = root / part
            if part and path.is_symlink():
                raise FolderError(f"{path} is a symbolic link", hints=("pictures would land outside of the folder",))
            path.mkdir(parents=not part or part == own, exist_ok=True)
    except OSError as error:
        raise _refused(root, error) from error
    if not os.access(root, os.W_OK | os.X_OK) or not os.access(root / arriving, os.W_OK | os.X_OK):
        raise FolderError(f"{root} cannot be written to", hints=("check its permissions",))


def _refused(root: Path, error: OSError) -> FolderError:
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return FolderError(f"{root} cannot be written to", hints=("check its permissions",))
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return FolderError(f"{root} goes through a file that is no folder")
    return FolderError(f"{root} cannot be used: {error.strerror or error}")


def _refuse_files_of_others(root: Path) -> None:
    if not root.is_dir():
        return
    try:
        with os.scandir(root) as entries:
            for entry, _ in zip(entries, range(_OTHERS_LISTED), strict=False):
                if entry.name in _BOOKS or Path(entry.name).suffix.lower() in _PICTURES:
                    raise FolderError(
                        f"{root} has files that are of no run, such as {entry.name}",
                        hints=("choose an empty or a new folder",),
                    )
    except OSError as error:
        raise _refused(root, error) from error


def _read_card(path: Path) -> RunCard | None:
    try:
        entry: Any = json.loads(path.read_bytes())
        format_, card = entry["format"], RunCard(entry["run_id"], entry["settings"], float(entry["created"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise FolderError(f"{path} is broken", hints=("what is in it was not written by Cavendish",)) from error
    except OSError as error:
        raise _refused(path, error) from error
    if format_ > FORMAT:
        raise FolderError(f"{path.parent.parent} was written by a newer version of Cavendish", hints=("update",))
    return card


def _write_card(path: Path, card: RunCard) -> None:
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        file.write(json.dumps({"format": FORMAT, **asdict(card)}, indent=1).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


@contextlib.contextmanager
def held(root: Path, lock_name: str) -> Generator[None]:
    """The sole right to write to another kind of folder, by a lock file in it. Raises ``FolderError`` at once."""
    try:
        fd = _lock(root, root / lock_name)
    except OSError as error:
        raise _refused(root, error) from error
    try:
        yield
    finally:
        os.close(fd)


def _lock(root: Path, path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        _lock_file(fd)
    except OSError as error:
        holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip() if sys.platform != "win32" else ""
        os.close(fd)
        if error.errno in {errno.EACCES, errno.EAGAIN, errno.EDEADLK}:
            raise FolderError(
                f"another process works on {root}" + (f": {holder}" if holder else ""),
                hints=("wait for it, or stop it; a run can be resumed",),
            ) from error
        raise _refused(root, error) from error
    os.ftruncate(fd, 0)
    os.write(fd, f"process {os.getpid()} on {platform.node()}\n".encode())
    return fd


if sys.platform == "win32":
    import msvcrt

    def _lock_file(fd: int) -> None:
        os.lseek(fd, _LOCK_AT, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(fd, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock_file(fd: int) -> None:
        # The system itself ends it with the process, however that ends, so no lock is ever stale.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
