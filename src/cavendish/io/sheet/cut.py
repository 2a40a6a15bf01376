"""Cut: a sheet's file in, its cells out as files of their own, each checked. The same bytes give the same cells."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from ...plan.sheet import Grid
from .gutters import Lattice, NotAGrid, find

MOST_PIXELS: Final = 64 * 2**20
"""Decoded it takes four bytes a pixel; the largest that any model draws is a quarter of this."""

LOOK_SIDE: Final = 48
"""Pixels in the side of the small copy by which cells are looked at."""

SHADE: Final = 12
"""Steps of 255 by which the ground of an empty cell may vary."""

BARE: Final = 0.995
"""The share of a cell that is of one shade when nothing is drawn in it: a small thing on white is more."""

ALIKE: Final = 2.0
"""The mean difference, in steps of 255, below which two cells are one picture drawn twice."""

MOST_EMPTY: Final = 0.5
"""With more of its cells empty, a picture that seems to be a grid is one thing on a plain ground."""

COMPRESSION: Final = 3
"""Of zlib: a third larger than at its best, in a fifth of the time."""

_AS_THEY_ARE: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
"""Kinds of pixels that a PNG holds as they are."""


class Flaw(StrEnum):
    """Why a cell is not delivered."""

    NOT_A_GRID = "not_a_grid"
    EMPTY = "empty_cell"
    TWIN = "twin_cell"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell, numbered from 1, row by row: a PNG, or why there is none."""

    number: int
    png: bytes = b""
    flaw: Flaw | None = None
    why: str = ""


def cut(data: bytes, grid: Grid) -> tuple[Cell, ...]:
    """All cells of a sheet, the flawed among them. Blocks for about two seconds. Never raises for what it reads."""
    try:
        with warnings.catch_warnings():
            # What a file has to say of its extra bytes is of no interest, and a warning may have been made an error.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as file:
                if file.width * file.height > MOST_PIXELS:
                    raise NotAGrid(f"{file.width}x{file.height} pixels are more than can be cut")
                file.load()
                return _cut(file, grid)
    except NotAGrid as error:
        return _none(grid, f"no grid of {grid}: {error}")
    except Exception as error:  # noqa: BLE001 (Pillow's readers raise whatever their parsers do)
        return _none(grid, f"it cannot be decoded ({type(error).__name__})")


def _none(grid: Grid, why: str) -> tuple[Cell, ...]:
    return tuple(Cell(number, flaw=Flaw.NOT_A_GRID, why=why) for number in range(1, grid.cells + 1))


def _cut(sheet: Image.Image, grid: Grid) -> tuple[Cell, ...]:
    lattice = find(sheet, grid)
    looks = [_look(sheet.crop(box)) for box in lattice.boxes()]
    flaws = list(_flaws(looks))
    empty = sum(flaw is Flaw.EMPTY for flaw, _ in flaws)
    if empty > MOST_EMPTY * grid.cells:
        raise NotAGrid(f"{empty} of its cells would be empty")
    return tuple(_cells(sheet, lattice, flaws))


def _cells(sheet: Image.Image, lattice: Lattice, flaws: Sequence[tuple[Flaw | None, str]]) -> Iterator[Cell]:
    for number, (box, (flaw, why)) in enumerate(zip(lattice.boxes(), flaws, strict=True), 1):
        yield Cell(number, flaw=flaw, why=why) if flaw else Cell(number, _png(sheet, box, number))


def _png(sheet: Image.Image, box: tuple[int, int, int, int], number: int) -> bytes:
    """The cell without any loss, in the sheet's colours, and saying that it is a cell."""
    cell = sheet.crop(box)
    if cell.mode not in _AS_THEY_ARE:
        cell = cell.convert("RGB")
    note = PngInfo()
    note.add_text("Source", f"cell {number} of a contact sheet, pixels {box[0]},{box[1]} to {box[2]},{box[3]}")
    out = io.BytesIO()
    cell.save(out, "PNG", compress_level=COMPRESSION, pnginfo=note, icc_profile=sheet.info.get("icc_profile"))
    return out.getvalue()


# --- looking at cells -------------------------------------------------------------------------------------------------


def _look(cell: Image.Image) -> Image.Image:
    rgb = cell if cell.mode == "RGB" else cell.convert("RGB")
    return rgb.resize((LOOK_SIDE, LOOK_SIDE), Image.Resampling.BOX)  # pyright: ignore[reportUnknownMemberType]


def _flaws(looks: Sequence[Image.Image]) -> Iterator[tuple[Flaw | None, str]]:
    good: list[tuple[int, Image.Image]] = []
    for number, look in enumerate(looks, 1):
        twin = next((other for other, before in good if difference(before, look) < ALIKE), None)
        if is_bare(look):
            yield Flaw.EMPTY, f"cell {number} is empty"
        elif twin is not None:
            yield Flaw.TWIN, f"cell {number} is cell {twin} once more"
        else:
            good.append((number, look))
            yield None, ""


def is_bare(look: Image.Image) -> bool:
    """Whether nearly all of it is of one shade."""
    ground = max(look.getcolors(LOOK_SIDE * LOOK_SIDE) or [(0, (0, 0, 0))])[1]
    off = ImageChops.difference(look, Image.new("RGB", look.size, ground))  # pyright: ignore[reportArgumentType]
    largest = ImageChops.lighter(ImageChops.lighter(*off.split()[:2]), off.getchannel(2))
    return sum(largest.histogram()[: SHADE + 1]) >= BARE * LOOK_SIDE * LOOK_SIDE


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two small copies, in steps of 255."""
    counts = ImageChops.difference(one, other).histogram()
    return sum(count * (place % 256) for place, count in enumerate(counts)) / (3 * LOOK_SIDE * LOOK_SIDE)
