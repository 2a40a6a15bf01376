"""Pictures: width and height from the header of a file, and whether its end is there too. Never decodes pixels.

Facts about the formats are from their specifications: PNG (W3C, third edition), JPEG (ITU-T T.81), WebP (RFC 9649),
GIF89a. Anything else is asked of Pillow, which reads headers lazily.
"""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Callable
from typing import BinaryIO

Size = tuple[int, int]

HEAD_BYTES = 64
TAIL_BYTES = 1 << 16
"""How far before the end of a file its end marker may stand: some writers append data of their own."""

SEGMENT_LIMIT = 4096
"""JPEG segments, PNG chunks and GIF frames to walk over; a 64 MiB PNG in the usual 16 KiB chunks has as many."""

ODD_BYTES = 64 * 2**20
"""The largest file handed to Pillow, some of whose readers take the whole of it into memory."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB\x60\x82"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15, without the markers in between that mean something else (DHT, JPG, DAC)."""

_START_OF_SCAN = 0xDA


def measure(file: BinaryIO) -> Size | None:
    """Width and height in pixels when the file is a whole picture, else ``None``. Never raises for what it reads."""
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    reader = next((read for magic, read in _READERS if head.startswith(magic)), _odd)
    try:
        size = reader(file, head, length)
    except (struct.error, IndexError, ValueError):
        return None
    return size if size and size[0] > 0 and size[1] > 0 else None


def _png(file: BinaryIO, head: bytes, length: int) -> Size | None:
    if head[12:16] != b"IHDR":
        return None
    whole = _tail(file, length, len(_PNG_END)) == _PNG_END or _png_chunks_end(file, length)
    width, height = struct.unpack(">II", head[16:24])
    return (width, height) if whole else None


def _png_chunks_end(file: BinaryIO, length: int) -> bool:
    """Whether the chunks lead to an IEND, after which there may be anything."""
    at = len(_PNG)
    for _ in range(SEGMENT_LIMIT):
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        at += 12 + size
        if at > length:
            return False
        if name == b"IEND":
            return True
    return False


def _jpeg(file: BinaryIO, head: bytes, length: int) -> Size | None:
    del head
    size: Size | None = None
    at = 2
    for _ in range(SEGMENT_LIMIT):
        file.seek(at)
        lead, marker, span = struct.unpack(">BBH", file.read(4))
        if lead != 0xFF:
            return None
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            size = (width, height)
        at += 2 + span
        if marker == _START_OF_SCAN:
            return size if _jpeg_ends(file, at, length) else None
    return None


def _jpeg_ends(file: BinaryIO, scan_at: int, length: int) -> bool:
    # Within a scan FF is always followed by 00 or a restart marker, so this pair cannot be picture data.
    return _JPEG_END in _tail(file, length, min(TAIL_BYTES, max(length - scan_at, 0)))


def _webp(file: BinaryIO, head: bytes, length: int) -> Size | None:
    del file
    if head[8:12] != b"WEBP":
        return None
    (size,) = struct.unpack("<I", head[4:8])
    if size + 8 > length:
        return None
    kind, body = head[12:16], head[20:]
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", body[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _gif(file: BinaryIO, head: bytes, length: int) -> Size | None:
    del length
    width, height, flags = struct.unpack("<HHB", head[6:11])
    file.seek(13 + _colours(flags))
    for _ in range(SEGMENT_LIMIT):
        match file.read(1):
            case b";":
                return width, height
            case b",":
                file.seek(_colours(file.read(9)[8]) + 1, os.SEEK_CUR)
            case b"!":
                file.seek(1, os.SEEK_CUR)
            case _:
                return None
        _skip_blocks(file)
    return None


def _colours(flags: int) -> int:
    """Bytes of the colour table that follows."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(file: BinaryIO) -> None:
    """Go to behind the empty block that ends a GIF's row of them; raises ``IndexError`` when the file ends first."""
    while size := file.read(1)[0]:
        file.seek(size, os.SEEK_CUR)


def _odd(file: BinaryIO, head: bytes, length: int) -> Size | None:
    if not head or length > ODD_BYTES:
        return None
    # Pillow costs 50 ms to import, and the pictures that need it are rare.
    from PIL import Image  # noqa: PLC0415

    file.seek(0)
    try:
        with warnings.catch_warnings(), Image.open(file) as image:
            size = image.size
            image.verify()
    except Exception:  # noqa: BLE001 (its readers raise whatever their parsers do, and a warning may be made an error)
        return None
    return size


def _tail(file: BinaryIO, length: int, count: int) -> bytes:
    file.seek(max(length - count, 0))
    return file.read(count)


_Reader = Callable[[BinaryIO, bytes, int], Size | None]

_READERS: tuple[tuple[bytes, _Reader], ...] = (
    (_PNG, _png),
    (_JPEG, _jpeg),
    (b"RIFF", _webp),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
)
