"""Media types by magic bytes: what a picture is, whatever its sender calls it.

Source of the signatures: the WHATWG "MIME Sniffing" standard (section 6.1 for pictures, 7.1 for PDF), ISO/IEC 14496-12
and 23008-12 for the ``ftyp`` brands of HEIF and AVIF, TIFF 6.0 section 2.
"""

from __future__ import annotations

import re
from typing import Final

HEAD_BYTES: Final = 512
"""How much of the beginning ``sniff`` looks at. Magic numbers need 16 bytes; an SVG may open with a prologue."""

TAIL_BYTES: Final = 12
"""How much of the end ``ends_whole`` looks at: a whole IEND chunk."""

UNKNOWN: Final = "application/octet-stream"

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
)
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
}
_BMP_HEADER_SIZES: Final = frozenset({12, 40, 52, 56, 64, 108, 124})
# A prologue, comments and a document type may stand before the root element.
# Atomic, so that hostile comments cannot make it try every way of splitting them.
_SVG: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+(?:(?><\?xml[^>]*>|<!--.*?-->|<!DOCTYPE\s+svg[^>]*>)\s*+)*+<svg[\s>]", re.DOTALL
)
_EXTENSIONS: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "image/svg+xml": "svg",
    "application/pdf": "pdf",
    "application/json": "json",
    "text/plain": "txt",
}
_ENDS: Final = {
    "image/png": b"IEND\xae\x42\x60\x82",
    "image/jpeg": b"\xff\xd9",
    "image/gif": b"\x3b",
}


def sniff(head: bytes) -> str | None:
    """The media type that the first bytes show, ``None`` when they show none of those known here.

    Give ``HEAD_BYTES`` of the beginning, or all there is.
    """
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _brand(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "image/bmp"
    return "image/svg+xml" if _SVG.match(head[:HEAD_BYTES]) else None


def _brand(head: bytes) -> str | None:
    """The type by the brands of an ISO base media file: the major one, else the first compatible one that is known."""
    box = head[: min(int.from_bytes(head[:4], "big"), HEAD_BYTES)]
    compatible = [box[at : at + 4] for at in range(16, len(box), 4)]
    return next((found for brand in (head[8:12], *compatible) if (found := _BRANDS.get(brand))), None)


def is_picture(media_type: str | None) -> bool:
    """Whether it names a picture."""
    return media_type is not None and media_type.startswith("image/")


def extension(media_type: str) -> str:
    """The usual file extension without a dot; ``bin`` for a type that is not known here. Parameters are ignored."""
    return _EXTENSIONS.get(media_type.partition(";")[0].strip().lower(), "bin")


def ends_whole(media_type: str, tail: bytes) -> bool:
    """Whether the last bytes close a file of this type: PNG's IEND, JPEG's EOI, GIF's trailer.

    ``False`` also for types whose end cannot be told by its bytes. Give ``TAIL_BYTES`` of the end.
    """
    end = _ENDS.get(media_type)
    return end is not None and tail.endswith(end)
