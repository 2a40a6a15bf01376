"""Record: a reply on disk, so that a picture that arrived before a crash is adopted after it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...model.blob import Blob
from ...model.call import Done
from ...model.plain import from_plain, to_json
from ...model.request import Image, Part
from .disk import Room
from .names import file_id

FORMAT = 1
SUFFIX = ".json"
UNFINISHED = ".tmp"
RECORD_BYTES = 64 * 2**20
"""A larger record is none of ours: the largest hold what a model said, and signatures too small to be blobs."""

_READ_BYTES = 1 << 20


def write_record(room: Room, folder: Path, attempt_id: str, reply: Done, token: str) -> None:
    """Write it whole or not at all; it lasts when the folder has been synced. ``token`` marks what is being written."""
    name = file_id(attempt_id)
    path = folder / f"{name}-{token}{UNFINISHED}"
    path.unlink(missing_ok=True)
    with os.fdopen(room.using(lambda: room.disk.open_new(path)), "wb", buffering=0) as file:
        head = json.dumps({"format": FORMAT, "attempt": attempt_id})
        room.write(file.fileno(), head[:-1].encode() + b',"reply":' + to_json(reply) + b"}\n")
        room.sync(file.fileno())
    path.replace(folder / (name + SUFFIX))


def read_records(folder: Path, token: str) -> Iterator[tuple[Path, str, Done]]:
    """Every record that can be understood, with its file. The others are removed, and what was never finished too.

    What has the token in its name is being written.
    """
    for path in sorted(folder.iterdir()):
        if path.suffix == UNFINISHED and token in path.name:
            continue
        record = read_record(path)
        if record is None:
            path.unlink(missing_ok=True)
        else:
            yield path, *record


def read_record(path: Path) -> tuple[str, Done] | None:
    """An attempt's id and its reply, ``None`` when the file is not there or cannot be understood."""
    try:
        status = path.lstat()
        if path.suffix != SUFFIX or not stat.S_ISREG(status.st_mode) or status.st_size > RECORD_BYTES:
            return None
        entry: Any = json.loads(path.read_bytes())
        attempt_id = entry["attempt"]
        reply = from_plain(entry["reply"], Done)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return (attempt_id, reply) if isinstance(attempt_id, str) and _sound(reply) else None


def _sound(reply: Done) -> bool:
    """Whether the pictures to deliver are among the parts."""
    count = len(reply.parts)
    return all(type(i) is int and 0 <= i < count and isinstance(reply.parts[i], Image) for i in reply.finals)


def relocated(reply: Done, places: Mapping[str, str]) -> Done:
    """The reply with its blobs where they are now, by where the record says they are."""

    def moved(blob: Blob | None) -> Blob | None:
        return replace(blob, ref=places[blob.ref]) if blob and blob.ref in places else blob

    def part_of(part: Part) -> Part:
        if isinstance(part.signature, Blob):
            part = replace(part, signature=moved(part.signature))
        return replace(part, blob=moved(part.blob)) if isinstance(part, Image) else part

    return replace(reply, parts=tuple(part_of(part) for part in reply.parts))


def holds(path: Path, blob: Blob) -> bool:
    """Whether a plain file of that name has exactly the bytes of the blob."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size != blob.size:
            return False
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while data := file.read(_READ_BYTES):
                digest.update(data)
    except OSError:
        return False
    return digest.hexdigest() == blob.sha256
