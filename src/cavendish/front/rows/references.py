"""Reference pictures named in a row: files, addresses and data URIs, with a role after a colon (``look.png:style``)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ...model.blob import Blob
from ...model.request import Image, Use
from ...wire.blobs import NewBlob
from ...wire.media import HEAD_BYTES, is_picture, sniff
from ...wire.reading import decode_base64

MAX_BYTES = 256 * 1024 * 1024
"""Of one picture: ten times what any API takes. What a model takes is the catalog's to say."""
REMEMBERED = 4096
"""Files whose hash is kept: the same picture is often named in every row."""

ADDRESSES = ("https://", "http://", "gs://")
ROLES = {use.value: use for use in Use}


class References:
    """Makes pictures out of their names. Files keep their place: a blob's ``ref`` is then an absolute path."""

    def __init__(self, base: Path, new_blob: NewBlob | None = None) -> None:
        self._base = base
        self._new_blob = new_blob
        self._files: dict[str, Image] = {}

    def image(self, name: str) -> Image:
        """The picture of that name. Raises ``ValueError`` saying what is wrong with it."""
        target, use = split_role(name)
        if target.startswith("data:"):
            return self._inline(target, use)
        if target.lower().startswith(ADDRESSES):
            return Image(uri=target, use=use)
        if name not in self._files:
            if use is not None and (self._base / name).is_file():
                target, use = name, None  # a file may well be called "look:style"
            if len(self._files) >= REMEMBERED:
                self._files.clear()
            blob = self._file(target)
            self._files[name] = Image(blob=blob, media_type=blob.media_type, use=use)
        return self._files[name]

    def _file(self, name: str) -> Blob:
        path = self._base / Path(name).expanduser()
        try:
            # Before it is opened: a pipe would make this wait for whoever writes to it.
            if path.exists() and not path.is_file():
                raise ValueError(f"{name} is no file")
            with path.open("rb") as file:
                media_type = sniff(file.read(HEAD_BYTES))
                if media_type is None or not is_picture(media_type):
                    raise ValueError(f"{name} is no picture")
                if os.fstat(file.fileno()).st_size > MAX_BYTES:
                    raise ValueError(f"{name} has more than {MAX_BYTES} bytes")
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except FileNotFoundError as error:
            self._explain_role(name)
            raise ValueError(f"picture {name}: {error.strerror}") from error
        except OSError as error:
            raise ValueError(f"picture {name}: {error.strerror}") from error
        return Blob(digest, size, media_type, str(path.resolve()))

    def _explain_role(self, name: str) -> None:
        """Raise ``ValueError`` when the name is that of a picture with a role that there is not."""
        target, colon, word = name.rpartition(":")
        if colon and (self._base / Path(target).expanduser()).is_file():
            raise ValueError(f"there is no role {word!r}; there are: {', '.join(use.value for use in Use)}")

    def _inline(self, uri: str, use: Use | None) -> Image:
        head, comma, body = uri.partition(",")
        data = decode_base64(body) if comma and head.endswith(";base64") else None
        media_type = sniff(data[:HEAD_BYTES]) if data else None
        if data is None or media_type is None or not is_picture(media_type):
            raise ValueError("a data URI that is no picture in base64")
        if self._new_blob is None:
            raise ValueError("a data URI cannot be kept here; write the picture to a file and name that")
        writer = self._new_blob()
        writer.write(data)
        return Image(blob=writer.finish(media_type), media_type=media_type, use=use)


def split_role(name: str) -> tuple[str, Use | None]:
    """The name without the role at its end, and the role. What follows a drive letter is none."""
    target, colon, word = name.rpartition(":")
    if colon and target and (use := ROLES.get(word.strip().lower())):
        return target.strip(), use
    return name, None
