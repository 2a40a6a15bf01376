"""Draws the simulator's contact sheets: grids of little pictures, no two alike, and the ways in which models fail.

They are drawn with few colours, so that even a sheet of 16 million pixels is made in a tenth of a second.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from enum import StrEnum

from PIL import Image, ImageDraw, ImageFont

GUTTER_SHARE = 60
"""A gutter is this part of a cell wide."""

COLOURS = 240
GROUND, INK = COLOURS, COLOURS + 1
"""Palette entries of the gutters and of words."""


class Flaw(StrEnum):
    """What is wrong with a sheet; the words are those of the mishaps that bring it about."""

    NONE = ""
    NO_GRID = "no_grid"
    UNEVEN = "uneven_grid"
    MISSING = "missing_cell"
    EMPTY = "empty_cell"
    TWINS = "twin_cells"


@dataclass(frozen=True, slots=True)
class SheetSketch:
    """A sheet to be drawn: pixels, rows and columns. Equal ones give equal bytes."""

    width: int
    height: int
    rows: int
    columns: int
    seed: int = 0
    number: int = 0
    flaw: Flaw = Flaw.NONE
    media_type: str = "image/png"


def draw_sheet(sketch: SheetSketch) -> bytes:
    """The sheet's file: a PNG, or a JPEG where that is wanted."""
    dice = random.Random(f"{sketch.seed} {sketch.number}")
    sheet = Image.new("P", (sketch.width, sketch.height), GROUND)
    sheet.putpalette(_palette(dice))
    boxes = _boxes(sketch)
    looks = [dice.getrandbits(64) for _ in boxes]
    if sketch.flaw is Flaw.TWINS:
        looks[-1] = looks[0]
    for place, (box, look) in enumerate(zip(boxes, looks, strict=True)):
        if sketch.flaw is Flaw.MISSING and place == len(boxes) - 1:
            continue
        if sketch.flaw is Flaw.EMPTY and place == len(boxes) // 2:
            sheet.paste(COLOURS // 3, box)
            continue
        sheet.paste(_cell((box[2] - box[0], box[3] - box[1]), look), box)
    return _file(sheet, sketch.media_type)


def _palette(dice: random.Random) -> list[int]:
    """Mostly mid tones, with white gutters and black words."""
    tones = [dice.randrange(20, 200) for _ in range(3 * COLOURS)]
    return [*tones, 255, 255, 255, 0, 0, 0]


def _boxes(sketch: SheetSketch) -> list[tuple[int, int, int, int]]:
    if sketch.flaw is Flaw.NO_GRID:
        return [(0, 0, sketch.width, sketch.height)]
    rows = _spans(sketch.height, sketch.rows, uneven=sketch.flaw is Flaw.UNEVEN)
    columns = _spans(sketch.width, sketch.columns, uneven=sketch.flaw is Flaw.UNEVEN)
    return [(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _spans(length: int, cells: int, *, uneven: bool) -> list[tuple[int, int]]:
    gutter = max(3, length // cells // GUTTER_SHARE)
    side = (length - gutter * (cells + 1)) // cells
    spans = [(gutter + place * (side + gutter), gutter + place * (side + gutter) + side) for place in range(cells)]
    if uneven and cells > 1:
        moved = side // 3
        spans[0] = spans[0][0], spans[0][1] - moved
        spans[1] = spans[1][0] - moved, spans[1][1]
    return spans


def _cell(size: tuple[int, int], look: int) -> Image.Image:
    """A picture of bands and a disc; its colours and their places are its own."""
    dice = random.Random(look)
    # Small and stretched: the edges are as sharp, and nearly nothing is drawn.
    bands = Image.frombytes("L", (12, 12), bytes(dice.randrange(COLOURS) for _ in range(144)))
    cell = bands.resize(size, Image.Resampling.NEAREST)  # pyright: ignore[reportUnknownMemberType]
    pen = ImageDraw.Draw(cell)
    width, height = size
    x, y, r = dice.uniform(0.3, 0.7) * width, dice.uniform(0.3, 0.7) * height, dice.uniform(0.1, 0.25) * min(size)
    pen.ellipse((x - r, y - r, x + r, y + r), fill=dice.randrange(COLOURS))
    pen.fontmode = "1"
    pen.text((width // 12, height // 12), "SIMULATED", font=ImageFont.load_default(max(8, width // 14)), fill=INK)
    return cell


def _file(sheet: Image.Image, media_type: str) -> bytes:
    out = io.BytesIO()
    if media_type == "image/jpeg":
        sheet.convert("RGB").save(out, "JPEG", quality=88, subsampling="4:4:4")
    else:
        sheet.save(out, "PNG", compress_level=1)
    return out.getvalue()
