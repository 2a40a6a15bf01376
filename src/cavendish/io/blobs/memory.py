"""MemoryBlobs: a blob store that ends with the process, for worlds, tests and answers that want no folder."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from ...engine.ports import OutOfSpace
from ...model.blob import Blob
from ...model.call import Done, Reply
from ...model.result import Slot
from ...wire.media import HEAD_BYTES, extension, sniff
from .inbox import blobs_of, with_fetched
from .names import file_id, stem
from .pictures import Size, measure

ROOM_BYTES = 1 << 40


class _MemoryPart:
    """Implements ``wire.blobs.BlobWriter``."""

    def __init__(self, store: MemoryBlobs, ref: str) -> None:
        self._store = store
        self._ref = ref
        self._data = bytearray()

    def write(self, data: bytes, /) -> None:
        if len(self._data) + len(data) > self._store.free_bytes():
            raise OutOfSpace("the store is full")
        self._data += data

    def finish(self, media_type: str, /) -> Blob:
        data = bytes(self._data)
        self._store.put(self._ref, data)
        return Blob(hashlib.sha256(data).hexdigest(), len(data), media_type, self._ref)

    def abort(self) -> None:
        self._data.clear()


class MemoryBlobs:
    """Implements ``engine.ports.Blobs`` and ``Inbox``. ``files`` holds the bytes by ref, those placed by their name.

    ``room_bytes`` is how much it takes before it is full.
    """

    def __init__(self, room_bytes: int = ROOM_BYTES) -> None:
        self.files: dict[str, bytes] = {}
        self._room_bytes = room_bytes
        self._used = 0
        self._numbers = itertools.count()
        self._loose: dict[str, set[str]] = {}
        self._sealed: dict[str, set[str]] = {}
        self._records: dict[str, Done] = {}

    def put(self, ref: str, data: bytes) -> None:
        """Keep bytes under a ref."""
        self._used += len(data) - len(self.files.get(ref, b""))
        self.files[ref] = data

    def new_blob(self, attempt_id: str) -> _MemoryPart:
        """A writer for the next blob of an attempt's reply."""
        ref = f"tmp/{file_id(attempt_id)}-{next(self._numbers)}"
        self._loose.setdefault(attempt_id, set()).add(ref)
        return _MemoryPart(self, ref)

    async def drained(self) -> None:
        """There is no disk to wait for."""

    async def seal(self, attempt_id: str) -> None:
        """From here on the attempt's blobs stay until it is forgotten."""
        self._sealed.setdefault(attempt_id, set()).update(self._loose.pop(attempt_id, ()))

    async def record(self, attempt_id: str, reply: Done, url: str = "") -> None:
        """Remember a reply; see ``Inbox``."""
        earlier = self._records.get(attempt_id)
        self._records[attempt_id] = with_fetched(earlier, url, reply) if url and earlier else reply
        wanted = {blob.ref for blob in blobs_of(reply)} & self._loose.get(attempt_id, set())
        self._loose.get(attempt_id, set()).difference_update(wanted)
        self._sealed.setdefault(attempt_id, set()).update(wanted)
        self.discard(attempt_id)

    def give(self, from_id: str, attempt_id: str, refs: Collection[str]) -> None:
        """What arrived under one id belongs to an attempt."""
        found = self._loose.get(from_id, set()).intersection(refs)
        self._loose.get(from_id, set()).difference_update(found)
        self._loose.setdefault(attempt_id, set()).update(found)

    def discard(self, attempt_id: str) -> None:
        """Drop what arrived of an attempt and was not sealed."""
        self._drop(self._loose.pop(attempt_id, set()))

    def read(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob. Raises ``FileNotFoundError`` when they are not there."""
        yield self._bytes(blob)

    async def place(self, blob: Blob, slot: Slot) -> Blob:
        """Give a judged picture its final name."""
        self._must_be_sealed(blob)
        data = self._bytes(blob)
        name = self._named(stem(slot), sniff(data[:HEAD_BYTES]) or blob.media_type, data)
        return Blob(blob.sha256, blob.size, blob.media_type, name)

    async def keep(self, attempt_id: str, blobs: Sequence[Blob]) -> tuple[Blob, ...]:
        """Keep extras of an attempt for good."""
        kept: list[Blob] = []
        for blob in blobs:
            self._must_be_sealed(blob)
            base = f"extras/{file_id(attempt_id)}-{blob.sha256[:12]}"
            kept.append(replace(blob, ref=self._named(base, blob.media_type, self._bytes(blob))))
        return tuple(kept)

    async def dimensions(self, blob: Blob) -> Size | None:
        """Width and height in pixels when the blob is a whole picture, else ``None``."""
        self._must_be_sealed(blob)
        return measure(io.BytesIO(self.files[blob.ref])) if blob.ref in self.files else None

    async def recorded(self) -> Mapping[str, Reply]:
        """Replies that arrived whole but were never settled."""
        return dict(self._records)

    async def forget(self, attempt_id: str) -> None:
        """The attempt is settled: drop its recorded reply and whatever of it was not placed or kept."""
        self.discard(attempt_id)
        self._records.pop(attempt_id, None)
        self._drop(self._sealed.pop(attempt_id, set()))

    def free_bytes(self) -> int:
        """Room left."""
        return self._room_bytes - self._used

    def _bytes(self, blob: Blob) -> bytes:
        if blob.ref not in self.files:
            raise FileNotFoundError(blob.ref)
        return self.files[blob.ref]

    def _named(self, base: str, media_type: str, data: bytes) -> str:
        suffix = extension(media_type)
        names = itertools.chain((f"{base}.{suffix}",), (f"{base}~{n}.{suffix}" for n in itertools.count(2)))
        # The very same object stands for the very same file; another slot's may have equal bytes.
        name = next(name for name in names if self.files.get(name, data) is data)
        self.put(name, data)
        return name

    def _drop(self, refs: set[str]) -> None:
        for ref in refs:
            self._used -= len(self.files.pop(ref, b""))

    def _must_be_sealed(self, blob: Blob) -> None:
        if any(blob.ref in refs for refs in self._loose.values()):
            raise ValueError(f"not sealed yet: {blob.ref}")
