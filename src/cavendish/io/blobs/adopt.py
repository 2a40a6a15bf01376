"""Adopt: a reply that arrived whole at a process that is gone comes to another one that shares the folder.

A picture has its name in the heir's folder before it loses that in the other one, and so has the record of its reply:
whenever this is broken off, one of the two has all of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ...model.blob import Blob
from ...model.call import Done
from .claim import REPLICAS, replies_of, tmp_of
from .disk import Room, install
from .inbox import blobs_of
from .names import file_id, is_inside
from .record import SUFFIX, holds, read_record, relocated, write_record


@dataclass(frozen=True, slots=True)
class Adopted:
    """A reply with its blobs in the heir's folder, and the files in the other one that nobody needs then."""

    reply: Done
    left: tuple[Path, ...]


def adopt(
    room: Room, root: Path, own: str, attempt_ids: Collection[str], token: str, touched: set[Path]
) -> dict[str, Adopted]:
    """Bring the replies to these attempts that lie in the folders of others into one's own. Blocks."""
    found: dict[str, Adopted] = {}
    others = [folder for folder in _folders(root) if folder != own]
    for attempt_id in attempt_ids:
        for other in others:
            path = root / replies_of(other) / (file_id(attempt_id) + SUFFIX)
            record = read_record(path)
            if record is None or record[0] != attempt_id:
                continue
            reply = _moved(room, root, own, attempt_id, record[1])
            if reply is not None:
                write_record(room, root / replies_of(own), attempt_id, reply, token)
                touched.update((root / tmp_of(own), root / replies_of(own)))
                theirs = (root / blob.ref for blob in blobs_of(record[1]) if blob.ref.startswith(tmp_of(other)))
                found[attempt_id] = Adopted(reply, (path, *theirs))
            break
    return found


def _folders(root: Path) -> list[str]:
    try:
        return sorted(f"{REPLICAS}/{path.name}" for path in (root / REPLICAS).iterdir() if path.is_dir())
    except OSError:
        return []


def _moved(room: Room, root: Path, own: str, attempt_id: str, reply: Done) -> Done | None:
    """The reply with its blobs in one's own folder; ``None`` when one of them is not there any more."""
    places: dict[str, str] = {}
    for number, blob in enumerate(blobs_of(reply)):
        place = f"{tmp_of(own)}/{file_id(attempt_id)}-adopted-{number}.part"
        if not _brought(room, root, blob, place):
            return None
        places[blob.ref] = place
    return relocated(reply, places)


def _brought(room: Room, root: Path, blob: Blob, place: str) -> bool:
    if not is_inside(blob.ref):
        return False
    if not holds(root / place, blob):
        (root / place).unlink(missing_ok=True)
        if not holds(root / blob.ref, blob):
            return False
        install(room, root / blob.ref, root / place)
    return True
