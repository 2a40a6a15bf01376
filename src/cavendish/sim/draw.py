"""Draws the simulator's pictures: real files of the right size and type, marked as simulated, and cheap.

A JPEG is put together from restart intervals: each row of blocks stands on its own, so only the rows with words on
them are encoded anew, and the plain rows above and below are copies of a few that are kept. A 4K picture then costs
no more than its caption.
"""

from __future__ import annotations

import io
import random
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from textwrap import wrap
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from .sheet import Flaw, SheetSketch, draw_sheet

Pieces = tuple[bytes | memoryview, ...]
Mode = Literal["full", "tiny"]

MARK = "SIMULATED"
BLOCK = 16
"""Pixels in a side of a JPEG block group with colour at half resolution."""
CYCLE = 8
"""Restart markers are numbered 0 to 7 round and round: a caption of a multiple of 8 rows keeps the others' numbers."""
LEVELS = 32
QUALITY = 82
PROMPT_CHARS = 240
NOISE_BYTES = 1 << 20
SEGMENT_BYTES = 65_533
"""The most that one JPEG segment holds: its length counts itself in two bytes."""
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_INKS = (
    ((38, 70, 83), (42, 157, 143)),
    ((69, 49, 117), (188, 108, 160)),
    ((20, 54, 66), (233, 163, 80)),
    ((86, 32, 48), (226, 125, 96)),
    ((28, 62, 105), (120, 176, 214)),
    ((44, 74, 46), (196, 190, 96)),
)


@dataclass(frozen=True, slots=True)
class Sketch:
    """What to draw. Equal sketches give equal bytes.

    ``width`` and ``height`` in pixels. ``number`` tells pictures of one prompt apart. ``least_bytes`` pads the file
    with segments that decoders skip, up to a provider's real file size. ``mode`` ``"tiny"`` is a valid but blank PNG
    of that size for about 500 bytes and a few microseconds. With a ``grid`` (rows, columns) it is a contact sheet,
    whatever the mode, with this ``flaw``.
    """

    width: int
    height: int
    media_type: str = "image/jpeg"
    prompt: str = ""
    label: str = ""
    seed: int = 0
    number: int = 0
    least_bytes: int = 0
    mode: Mode = "full"
    grid: tuple[int, int] | None = None
    flaw: Flaw = Flaw.NONE


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture's file in pieces; the padding among them is shared by all pictures."""

    pieces: Pieces
    media_type: str

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        return sum(len(piece) for piece in self.pieces)

    def to_bytes(self) -> bytes:
        """The file."""
        return b"".join(self.pieces)


def draw(sketch: Sketch) -> Drawn:
    """The picture of a sketch. Media types other than JPEG are drawn as PNG."""
    if sketch.grid is not None:
        return Drawn((_sheet(sketch, *sketch.grid),), media_type_of(sketch))
    if sketch.mode == "tiny":
        return Drawn((*_tiny(sketch.width, sketch.height, _note(sketch)),), "image/png")
    if sketch.media_type == "image/jpeg":
        return Drawn(_jpeg(sketch), "image/jpeg")
    return Drawn(_png(sketch), "image/png")


def media_type_of(sketch: Sketch) -> str:
    """The type that ``draw`` will give it."""
    real = sketch.mode == "full" or sketch.grid is not None
    return "image/jpeg" if sketch.media_type == "image/jpeg" and real else "image/png"


def _sheet(sketch: Sketch, rows: int, columns: int) -> bytes:
    size, kind = (sketch.width, sketch.height), media_type_of(sketch)
    return draw_sheet(SheetSketch(*size, rows, columns, sketch.seed, sketch.number, sketch.flaw, kind))


def _note(sketch: Sketch) -> bytes:
    small = f"picture {sketch.number}, seed {sketch.seed}, {sketch.label}"
    return f"{MARK} by Cavendish, {small}: {sketch.prompt[:PROMPT_CHARS]}".encode()


# --- JPEG ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Band:
    """The rows of blocks that hold the caption: the first, and how many."""

    first: int
    count: int


def _jpeg(sketch: Sketch) -> Pieces:
    rows = -(-sketch.height // BLOCK)
    band = _band(rows)
    ink = sketch.seed % len(_INKS)
    strip = _caption(sketch, band, rows, ink)
    head, segments = _encode(strip)
    plain = _plain_rows(sketch.width, ink)
    above = [plain[_level(row, rows)] for row in range(band.first)]
    below = [plain[_level(row, rows)] for row in range(band.first + band.count, rows)]
    scan = _join_segments([*above, *segments[: rows - band.first], *below])
    note = _segment(0xFE, _note(sketch))
    body = _with_size(head, sketch.width, sketch.height)
    used = len(body) + len(note) + len(scan) + 2
    return (body[:2], note, *_jpeg_padding(sketch.least_bytes - used), body[2:], scan, b"\xff\xd9")


def _band(rows: int) -> _Band:
    """About a third of the rows, in the middle; whole cycles of restart markers."""
    count = max(CYCLE, rows // 3 // CYCLE * CYCLE)
    first = max(0, (rows - count) // 2 // CYCLE * CYCLE)
    return _Band(first, count)


def _level(row: int, rows: int) -> int:
    return row * LEVELS // rows


def _caption(sketch: Sketch, band: _Band, rows: int, ink: int) -> Image.Image:
    levels = [min(LEVELS - 1, _level(band.first + row, rows)) for row in range(band.count)]
    strip = _gradient(ink, levels, (sketch.width, band.count * BLOCK))
    visible = min(strip.height, sketch.height - band.first * BLOCK)
    _write(ImageDraw.Draw(strip), sketch, (sketch.width, visible), fill=(255, 255, 255))
    return strip


@lru_cache(maxsize=64)
def _plain_rows(width: int, ink: int) -> tuple[bytes, ...]:
    """One encoded row of blocks for each level of the gradient."""
    return _encode(_gradient(ink, range(LEVELS), (width, LEVELS * BLOCK)))[1]


def _gradient(ink: int, levels: Iterable[int], size: tuple[int, int]) -> Image.Image:
    """An ink's colours at these levels, from top to bottom."""
    channels = bytes(channel for level in levels for channel in _colour(ink, level))
    return _stretched(Image.frombytes("RGB", (1, len(channels) // 3), channels), size)


def _stretched(column: Image.Image, size: tuple[int, int]) -> Image.Image:
    # Pillow's own annotation names a type of NumPy, which is not installed.
    return column.resize(size, Image.Resampling.NEAREST)  # pyright: ignore[reportUnknownMemberType]


def _colour(ink: int, level: int) -> tuple[int, int, int]:
    first, last = _INKS[ink]
    share = level / (LEVELS - 1)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, last, strict=True))
    return red, green, blue


def _encode(strip: Image.Image) -> tuple[bytes, tuple[bytes, ...]]:
    """A strip as JPEG: all before the scan, and the scan's rows without the markers between them."""
    out = io.BytesIO()
    strip.save(out, "JPEG", quality=QUALITY, subsampling="4:2:0", restart_marker_rows=1)
    data = out.getvalue()
    start = data.index(b"\xff\xda")
    start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    return data[:start], tuple(_RESTART.split(data[start:-2]))


def _join_segments(segments: list[bytes]) -> bytes:
    out = [segments[0]]
    for number, segment in enumerate(segments[1:]):
        out.append(bytes((0xFF, 0xD0 + number % CYCLE)))
        out.append(segment)
    return b"".join(out)


def _with_size(head: bytes, width: int, height: int) -> bytes:
    """The file's beginning with another size in its frame header."""
    at = head.index(b"\xff\xc0") + 5
    return head[:at] + struct.pack(">HH", height, width) + head[at + 4 :]


def _segment(marker: int, payload: bytes | memoryview) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def _jpeg_padding(wanted: int) -> Iterator[bytes | memoryview]:
    """Application segments that together are as long as wanted, to within one segment's head."""
    noise = memoryview(_noise())
    at = 0
    while wanted > 4:
        size = min(SEGMENT_BYTES, wanted - 4)
        at = at if at + size <= NOISE_BYTES else 0
        yield b"\xff\xeb" + struct.pack(">H", size + 2)
        yield noise[at : at + size]
        at += size
        wanted -= size + 4


@lru_cache(maxsize=1)
def _noise() -> bytes:
    return random.Random(0).randbytes(NOISE_BYTES)


# --- PNG -------------------------------------------------------------------------------------------------------------


def _png(sketch: Sketch) -> Pieces:
    ink = sketch.seed % len(_INKS)
    rows = min(LEVELS, sketch.height)
    raster = _stretched(Image.frombytes("P", (1, rows), bytes(range(rows))), (sketch.width, sketch.height))
    raster.putpalette([channel for level in range(LEVELS) for channel in _colour(ink, level)] + [255, 255, 255])
    pen = ImageDraw.Draw(raster)
    pen.fontmode = "1"
    _write(pen, sketch, raster.size, fill=LEVELS)
    out = io.BytesIO()
    raster.save(out, "PNG", compress_level=1)
    data = out.getvalue()
    note = _chunk(b"tEXt", b"Comment\0" + _note(sketch).decode().encode("latin-1", "replace"))
    after_header = len(_PNG_HEAD) + 25
    padding = _png_padding(sketch.least_bytes - len(data) - len(note))
    return (data[:after_header], note, *padding, data[after_header:])


def _png_padding(wanted: int) -> Iterator[bytes | memoryview]:
    """Chunks of a private, ancillary kind, as long as wanted to within one chunk's frame."""
    noise = memoryview(_noise())
    while wanted > 12:
        size = min(NOISE_BYTES, wanted - 12)
        yield struct.pack(">I", size) + b"siMd"
        yield noise[:size]
        yield struct.pack(">I", _noise_crc(size))
        wanted -= size + 12


@lru_cache(maxsize=16)
def _noise_crc(size: int) -> int:
    return zlib.crc32(memoryview(_noise())[:size], zlib.crc32(b"siMd"))


def _chunk(kind: bytes, payload: bytes) -> bytes:
    body = kind + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))


def _tiny(width: int, height: int, note: bytes) -> tuple[bytes, bytes, bytes]:
    head, tail = _blank(width, height)
    return head, _chunk(b"tEXt", b"Comment\0" + note.decode().encode("latin-1", "replace")), tail


@lru_cache(maxsize=256)
def _blank(width: int, height: int) -> tuple[bytes, bytes]:
    """A black picture of one bit a pixel: what comes before and after its comment."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compress(bytes((1 + -(-width // 8)) * height), 9)
    return _PNG_HEAD + header, _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


# --- words -----------------------------------------------------------------------------------------------------------


def _write(pen: ImageDraw.ImageDraw, sketch: Sketch, room: tuple[int, int], fill: tuple[int, int, int] | int) -> None:
    """The mark, the prompt and the small print, from top to bottom of a room of so many pixels."""
    width, height = room
    side = min(width, sketch.height)
    title, body = max(10, side // 14), max(8, side // 32)
    top = max(2, (height - title - body * 6) // 2)
    margin = max(4, width // 20)
    pen.text((margin, top), MARK, font=_font(title), fill=fill)
    columns = max(8, int((width - 2 * margin) / (body * 0.55)))
    lines = wrap(sketch.prompt[:PROMPT_CHARS], columns)[:3]
    small = f"{sketch.width}x{sketch.height} {sketch.label} seed {sketch.seed} picture {sketch.number}"
    for index, line in enumerate([*lines, small]):
        pen.text((margin, top + int(title * 1.3) + int(index * body * 1.3)), line, font=_font(body), fill=fill)


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
