"""Keeping: pictures and inputs that were handed in without a file of their own, kept in the run folder."""

from __future__ import annotations

import atexit
import hashlib
import io
import os
import shutil
import sys
import tempfile
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
    """A ``BlobWriter`` that keeps a picture below a run folder, as a file named by its hash.

    The ref is the place in the folder, which may be moved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / REFERENCES
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
        return Blob(digest, len(self._data), media_type, f"{REFERENCES}/{path.name}")

    def abort(self) -> None:
        """Forget what was written."""
        self._data.clear()


def keep_input(source: Path, folder: Path) -> None:
    """Put what was read from standard input into its run folder, whole or not at all. Blocks."""
    target = folder / SPOOL
    unfinished = target.with_name(f"{target.name}.tmp")
    shutil.copyfile(source, unfinished)
    unfinished.replace(target)


def _scratch() -> Path:
    """A folder that goes when the program does."""
    folder = Path(tempfile.mkdtemp(prefix="cavendish-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def intake(folder: Path, batch: BatchWish) -> Intake:
    """What reading a batch for this run folder may need."""
    # Not yet in the folder, which may turn out to be another run's: the job puts it there when the folder is its own.
    spool = _scratch() / "input" if os.fspath(batch.path) == STDIN else None
    stdin = sys.stdin.buffer if sys.stdin else None
    return Intake(
        stdin=stdin if batch.given is None else io.BytesIO(batch.given),
        name=STDIN_NAME if batch.given is None else GIVEN_NAME,
        spool=spool,
        new_blob=lambda: Keeper(folder),
        read_calls={"gemini": GeminiDialect().read_call, "openai_images": read_images, "openai_chat": read_chat},
    )
