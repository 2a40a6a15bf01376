"""Redraw: a picture written anew where its file will not do: lying on its side, or in a format that is not read.

Decodes pixels, so it blocks and takes memory by the picture's size: for threads, one at a time. The orientation is tag
0x0112 of EXIF 3.0 (CIPA DC-008); in HEIF and AVIF turning is part of the picture, and every reader does it.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

PNG, JPEG = "image/png", "image/jpeg"
HEIF = frozenset({"image/heic", "image/heif"})
READ = frozenset({PNG, JPEG, "image/webp", "image/gif", "image/avif", "image/bmp", "image/tiff"}) | HEIF
"""Types that can be redrawn; HEIF only where its library is installed."""
LEFT_TO_VIEWERS = frozenset({PNG, JPEG, "image/webp"})
"""Types whose orientation is a mere remark, which a model may overlook."""

MAX_PIXELS = 200_000_000
"""Three bytes each: more than any camera, and as much memory as one picture should take."""
QUALITY = 95
"""Of a JPEG made of a photo: above it, files grow and nothing more is to be seen."""

_ORIENTATION = 0x0112
_UPRIGHT = 1
_PHOTOS = frozenset({JPEG, "image/webp", "image/avif"}) | HEIF
"""Types that lose detail anyway: as PNG they would be many times their size."""


def can_read(media_type: str) -> bool:
    """Whether a picture of this type can be redrawn here."""
    return media_type in READ and (media_type not in HEIF or importlib.util.find_spec("pillow_heif") is not None)


def is_turned(path: Path, media_type: str) -> bool:
    """Whether viewers show the picture otherwise than its pixels lie. Reads the header. Raises ``OSError``."""
    if media_type not in LEFT_TO_VIEWERS:
        return False
    from PIL import Image

    with path.open("rb") as file, _quiet():
        try:
            with Image.open(file) as image:
                # Not getexif(), which decodes a whole PNG to find none.
                exif = Image.Exif()
                exif.load(image.info.get("exif", b""))
                return exif.get(_ORIENTATION, _UPRIGHT) in range(_UPRIGHT + 1, 9)
        except Exception:  # noqa: BLE001 (what a damaged header makes Pillow's parsers raise; the picture goes as it is)
            return False


def redrawn(path: Path, media_type: str, types: Sequence[str]) -> tuple[bytes, str]:
    """The first frame of the picture, upright, as one of ``types`` (PNG, JPEG or both), with the type it became.

    See-through pictures become PNG where that is allowed, and stand on white where it is not. The colour profile is
    kept, other metadata is not. Raises ``ValueError`` with what is wrong, or ``OSError``.
    """
    from PIL import Image, ImageOps

    with path.open("rb") as file, _quiet():
        try:
            with _opened(file.read(), media_type) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(f"more than {MAX_PIXELS:,} pixels")
                upright = ImageOps.exif_transpose(image)
        except (SyntaxError, OSError, EOFError, Image.DecompressionBombError) as error:
            raise ValueError(f"it cannot be decoded ({error})") from error
    target = _target(upright, media_type, types)
    return _encoded(upright, target), target


def _opened(data: bytes, media_type: str) -> Image.Image:
    if media_type not in HEIF:
        from PIL import Image

        return Image.open(io.BytesIO(data))
    import pillow_heif

    try:
        return pillow_heif.HeifFile(data).to_pillow()
    except (ValueError, RuntimeError, IndexError) as error:
        raise ValueError(f"it cannot be decoded ({error})") from error


def _target(image: Image.Image, media_type: str, types: Sequence[str]) -> str:
    if len(types) == 1:
        return types[0]
    return JPEG if media_type in _PHOTOS and not _see_through(image) else PNG


def _see_through(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _encoded(image: Image.Image, target: str) -> bytes:
    buffer = io.BytesIO()
    profile = image.info.get("icc_profile")
    if target == PNG:
        sayable = image if image.mode in {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"} else image.convert("RGB")
        sayable.save(buffer, "PNG", icc_profile=profile if sayable is image else None)
    else:
        flat = image if image.mode in {"L", "RGB", "CMYK"} else _on_white(image)
        flat.save(buffer, "JPEG", quality=QUALITY, subsampling=0, icc_profile=profile)
    return buffer.getvalue()


def _on_white(image: Image.Image) -> Image.Image:
    if not _see_through(image):
        return image.convert("RGB")
    from PIL import Image as Pillow

    clear = image.convert("RGBA")
    return Pillow.alpha_composite(Pillow.new("RGBA", clear.size, "white"), clear).convert("RGB")


@contextmanager
def _quiet() -> Generator[None]:
    """Pillow warns of large pictures, and of tags that it does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
