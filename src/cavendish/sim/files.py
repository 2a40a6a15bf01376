"""The simulated Files API: resumable uploads, and files that live for two days. Only JSON lines are really kept."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

from ..dialects.gemini.batch_files import FILE_LIFE_S
from ..dialects.gemini.uploads import UploadWish, moment, written_hash
from ..model.job import StoredFile

KEPT_TYPES: Final = frozenset({"application/jsonl", "jsonl", "application/json", "text/plain"})
IN_MEMORY_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Kept:
    """A file, whose it is, until when it is there, and its bytes where they are wanted again."""

    file: StoredFile
    key: str
    ends_at: float
    content: IO[bytes] | None = None
    made: Callable[[], Iterator[bytes]] | None = None
    """Of a file of results: writes it."""


@dataclass(slots=True)
class Session:
    """An upload under way."""

    name: str
    media_type: str
    size: int
    key: str
    received: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    content: IO[bytes] | None = None
    done: StoredFile | None = None


class Files:
    """All files of one system, each visible to the key that made it."""

    def __init__(self) -> None:
        self._files: dict[str, Kept] = {}
        self._sessions: dict[str, Session] = {}
        self._numbers = itertools.count(1)
        self._contents: list[IO[bytes]] = []
        self.base_url = ""
        # The simulator may simply end, and what is open then should be closed all the same.
        weakref.finalize(self, _close, self._contents)

    def start(self, wish: UploadWish, key: str) -> str:
        """Begin an upload; gives its session."""
        session = Session(wish.name, wish.media_type, wish.size, key)
        if session.media_type in KEPT_TYPES:
            session.content = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - kept with the file
            self._contents.append(session.content)
        identity = f"sim-upload-{next(self._numbers)}"
        self._sessions[identity] = session
        return identity

    def session(self, identity: str) -> Session | None:
        """An upload under way, or done."""
        return self._sessions.get(identity)

    def take(self, session: Session, data: bytes) -> None:
        """More bytes of an upload."""
        session.received += len(data)
        session.digest.update(data)
        if session.content is not None:
            session.content.write(data)

    def finish(self, session: Session, wall: float) -> StoredFile:
        """All bytes are there: the file."""
        identity = f"files/sim{next(self._numbers)}"
        file = StoredFile(
            id=identity,
            uri=f"{self.base_url}/v1beta/{identity}",
            name=session.name,
            media_type=session.media_type,
            size=session.received,
            sha256=written_hash(session.digest.hexdigest()),
            created=moment(wall),
            expires=moment(wall + FILE_LIFE_S),
        )
        self._files[identity] = Kept(file, session.key, wall + FILE_LIFE_S, session.content)
        session.done = file
        return file

    def add(self, identity: str, key: str, wall: float, made: Callable[[], Iterator[bytes]]) -> None:
        """A file of results, which is written each time it is read."""
        file = StoredFile(
            id=identity,
            uri=f"{self.base_url}/v1beta/{identity}",
            media_type="application/jsonl",
            source="GENERATED",
            created=moment(wall),
            expires=moment(wall + FILE_LIFE_S),
            download_uri=f"{self.base_url}/v1beta/{identity}:download?alt=media",
        )
        self._files[identity] = Kept(file, key, wall + FILE_LIFE_S, made=made)

    def find(self, identity: str, key: str, wall: float) -> Kept | None:
        """A file that is still there, for its own key."""
        kept = self._files.get(identity)
        return kept if kept and kept.key == key and wall < kept.ends_at else None

    def all(self, key: str, wall: float) -> list[StoredFile]:
        """All files of a key, the newest first."""
        ours = [kept.file for kept in self._files.values() if kept.key == key and wall < kept.ends_at]
        return ours[::-1]

    def delete(self, identity: str) -> None:
        """Forget a file."""
        self._files.pop(identity, None)


def lines_of(kept: Kept) -> Iterator[bytes]:
    """The content in pieces."""
    if kept.made is not None:
        yield from kept.made()
    elif kept.content is not None:
        kept.content.seek(0)
        while piece := kept.content.read(IN_MEMORY_BYTES):
            yield piece


def _close(contents: list[IO[bytes]]) -> None:
    for content in contents:
        content.close()
