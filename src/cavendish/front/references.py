"""References handed to the Python clients and to ``-i``: paths, addresses, bytes, Pillow images, standard input."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import RequestError
from ..model.request import Image, Use
from ..wire.media import HEAD_BYTES, is_picture, sniff
from .keeping import Keeper
from .rows.references import MAX_BYTES, References

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    Reference = str | os.PathLike[str] | bytes | PillowImage | Image

STDIN = "-"


def read_references(given: tuple[Any, ...], keep: Path) -> tuple[Image, ...]:
    """The pictures that were named or handed in. What is no file yet is kept below ``keep``, under its hash.

    A name may end in a role: ``look.png:style``. Raises ``RequestError`` for what cannot be read or is no picture.
    """
    store = References(Path.cwd(), lambda: Keeper(keep))
    images: list[Image] = []
    for number, reference in enumerate(given, 1):
        try:
            images.append(_read(reference, store, keep))
        except (ValueError, OSError) as error:
            raise RequestError(f"reference {number}: {error}", field="references") from error
    return tuple(images)


def _read(reference: object, store: References, keep: Path) -> Image:
    if isinstance(reference, Image):
        return reference
    if isinstance(reference, bytes | bytearray):
        return _kept(bytes(reference), keep)
    if isinstance(reference, str | os.PathLike):
        name = os.fspath(cast("str | os.PathLike[str]", reference))
        target, use = (STDIN, name[2:]) if name.startswith("-:") else (name, "")
        if target == STDIN:
            return _kept(sys.stdin.buffer.read(MAX_BYTES + 1), keep, Use(use) if use else None)
        return store.image(name)
    if callable(save := getattr(reference, "save", None)):
        buffer = io.BytesIO()
        save(buffer, format="PNG")
        return _kept(buffer.getvalue(), keep)
    raise ValueError(f"{type(reference).__name__} is no picture; hand in a path, an address, bytes or a Pillow image")


def _kept(data: bytes, keep: Path, use: Use | None = None) -> Image:
    media_type = sniff(data[:HEAD_BYTES])
    if media_type is None or not is_picture(media_type):
        raise ValueError("these bytes are no picture")
    if len(data) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    writer = Keeper(keep)
    writer.write(data)
    blob = writer.finish(media_type)
    return Image(blob=blob, media_type=media_type, use=use)
