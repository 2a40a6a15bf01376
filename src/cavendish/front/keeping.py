"""Keeping: pictures and inputs that were handed in without a file of their own, kept in the run folder."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path

from ..dialects.gemini import GeminiDialect
from ..io.blobs.claim import INNER
from ..model.blob import Blob
from ..wire.media import extension
from .recipes import BatchWish
from .rows.intake import STDIN, STDIN_NAME, Intake
from .rows.openai_bodies import read_chat, read_images

REFERENCES = f"{INNER}/references"
SPOOL = f"{INNER}/input"
HASH_CHARS = 24
GIVEN_NAME = "the list of rows"
"""What messages call rows that were handed in from Python."""


class Keeper:
    """A ``BlobWriter`` that keeps a picture as a file named by its hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = bytearray()

    def write(self, data: bytes, /) -> None:
        """Some more bytes."""
        self._data += data

    def finish(self, media_type: str, /) -> Blob:
        """All are there: write the file, unless it is there already."""
        digest = hashlib.sha256(self._data).hexdigest()
        path = self._folder / f"{digest[:HASH_CHARS]}.{extension(media_type)}"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(path.name + ".tmp")
            unfinished.write_bytes(self._data)
            unfinished.replace(path)
        return Blob(digest, len(self._data), media_type, str(path.resolve()))

    def abort(self) -> None:
        """Forget what was written."""
        self._data.clear()


def intake(folder: Path, batch: BatchWish) -> Intake:
    """What reading a batch for this run folder may need. What is no file is kept, so that the run can be resumed."""
    spool = folder / SPOOL
    if os.fspath(batch.path) == STDIN:
        spool.parent.mkdir(parents=True, exist_ok=True)
    stdin = sys.stdin.buffer if sys.stdin else None
    return Intake(
        stdin=stdin if batch.given is None else io.BytesIO(batch.given),
        name=STDIN_NAME if batch.given is None else GIVEN_NAME,
        spool=spool,
        new_blob=lambda: Keeper(folder / REFERENCES),
        read_calls={"gemini": GeminiDialect().read_call, "openai_images": read_images, "openai_chat": read_chat},
    )
