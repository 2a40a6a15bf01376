"""References handed to the Python clients and to ``-i``: paths, addresses, bytes, Pillow images, standard input."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ..errors import RequestError
from ..model.request import Image, Use
from ..wire.media import HEAD_BYTES, is_picture, sniff
from .keeping import Keeper
from .outcome import Picture
from .rows.references import MAX_BYTES, ROLES, References, split_role

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage


STDIN = "-"
Role = Literal["object", "person", "style", "mask"]
_PNG_MODES = frozenset({"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture and what it is for: ``Reference(sketch, "style")``.

    ``picture`` is whatever may be a reference: a path, an address, a data URI, bytes, a Pillow image, or a picture of
    an earlier result.
    """

    picture: Any = field(repr=False)
    role: Role | None = None


def read_references(given: Any, keep: Path) -> tuple[Image, ...]:
    """The pictures that were named or handed in, one or several. What is no file yet is kept below ``keep``.

    A name may end in a role: ``look.png:style``; of all else, ``Reference`` says it.
    Raises ``RequestError`` for what cannot be read or is no picture.
    """
    store = References(Path.cwd(), lambda: Keeper(keep))
    images: list[Image] = []
    several = cast("Sequence[object]", given) if isinstance(given, list | tuple) else (given,)
    for number, reference in enumerate(several, 1):
        try:
            images.append(_read(reference, store, keep))
        except (ValueError, OSError) as error:
            raise RequestError(f"reference {number}: {error}", field="references") from error
    return tuple(images)


def _read(reference: object, store: References, keep: Path) -> Image:
    if isinstance(reference, Reference):
        image = _read(reference.picture, store, keep)
        return image if reference.role is None else replace(image, use=_use(reference.role))
    if isinstance(reference, Image):
        return reference
    if isinstance(reference, bytes | bytearray):
        return _kept(bytes(reference), keep)
    if isinstance(reference, str | os.PathLike):
        name = os.fspath(cast("str | os.PathLike[str]", reference))
        target, use = split_role(name)
        if target == STDIN:
            return _kept(sys.stdin.buffer.read(MAX_BYTES + 1), keep, use)
        return store.image(name)
    if isinstance(reference, Picture):
        # Already on disk, and by now perhaps in a chain of edits: its own bytes, not a copy.
        return Image(
            blob=replace(reference.value.blob, ref=str(reference.path.resolve())), media_type=reference.media_type
        )
    if callable(getattr(reference, "tobytes", None)) and callable(getattr(reference, "convert", None)):
        return _kept(_png(cast("PillowImage", reference)), keep)
    raise ValueError(f"{type(reference).__name__} is no picture; hand in a path, an address, bytes or a Pillow image")


def _use(role: str) -> Use:
    if role not in ROLES:
        raise ValueError(f"there is no role {role!r}; there are: {', '.join(ROLES)}")
    return ROLES[role]


def _png(picture: PillowImage) -> bytes:
    from PIL import ImageFile, ImageOps

    if isinstance(picture, ImageFile.ImageFile):
        # As it was opened. What was made of such a picture keeps the remark on its orientation, but was turned perhaps.
        picture = ImageOps.exif_transpose(picture)
    # Inks and the like, which PNG cannot say.
    sayable = picture if picture.mode in _PNG_MODES else picture.convert("RGB")
    buffer = io.BytesIO()
    sayable.save(buffer, format="PNG")
    return buffer.getvalue()


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
