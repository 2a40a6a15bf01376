"""Gutters: where the plain lines are that part a sheet's cells, by how plain each of its rows and columns is.

All gutters of a sheet have one colour. It is found among the plain lines where the first gutter should be; gutters are
then the runs of rows and columns that are nearly all of it, near the places where an even grid has them. Only loops of
Pillow, in C, go over pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from PIL import Image, ImageChops

from ...plan.sheet import Grid

NEAR: Final = 26
"""How far a pixel of a gutter may be from its colour, in steps of 255: JPEG's noise, and a little shade."""

PLAIN: Final = 0.97
"""The share of a row that must be of the gutter's colour: a frame around the sheet may cross it."""

ASTRAY: Final = 0.07
"""How far a gutter's middle may be from where an even grid has it, as a share of a cell."""

WIDEST: Final = 0.16
"""The widest gutter, as a share of a cell. What is wider is the plain ground of pictures on both sides, too."""

UNEVEN: Final = 0.08
"""How much a cell's side may differ from the usual one, as a share of it."""

LEAST_GUTTER: Final = 2
"""Pixels: one plain line may be anything."""

ACROSS: Final = 1024
"""Pixels of a row that are looked at: more are taken together, since only its length must be exact to the pixel."""

MOST_COLOURS: Final = 12
"""Colours that the gutters are looked for in; a grid's first gutter and its shades come to two or three."""

Colour = tuple[int, int, int]
Axis = Literal["rows", "columns"]
Span = tuple[int, int]
"""From the first pixel to the one behind the last."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Where a sheet's cells are: their spans from top to bottom and from left to right."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    def boxes(self) -> tuple[tuple[int, int, int, int], ...]:
        """The cells row by row: left, top, right, bottom."""
        return tuple((left, top, right, bottom) for top, bottom in self.rows for left, right in self.columns)


class NotAGrid(ValueError):
    """The picture is no sheet of the grid that was asked for; says why."""


def find(image: Image.Image, grid: Grid) -> Lattice:
    """The cells of a sheet. Raises ``NotAGrid``."""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    sides = _Side.of(rgb, "rows", grid.rows), _Side.of(rgb, "columns", grid.columns)
    colours = _distinct([colour for side in sides for colour in side.colours()])
    found: list[tuple[tuple[int, float], Lattice]] = []
    why: NotAGrid | None = None
    for colour in colours:
        try:
            found.append(_lattice(sides, colour))
        except NotAGrid as error:
            why = error
    if not found:
        raise why or NotAGrid("it has no plain line where a gutter should be")
    return min(found, key=lambda one: one[0])[1]


def _lattice(sides: tuple[_Side, _Side], colour: Colour) -> tuple[tuple[int, float], Lattice]:
    """The cells between gutters of a colour: how many are not parted by any, and how uneven. Raises ``NotAGrid``."""
    runs = [side.runs(colour) for side in sides]
    cells = [spans(own, side.length, side.cells, side.axis) for own, side in zip(runs, sides, strict=True)]
    if all(_is_finer(own, found) for own, found in zip(runs, cells, strict=True)):
        raise NotAGrid("its cells are parted once more")
    off = sum(_unevenness(found) / side.length for found, side in zip(cells, sides, strict=True))
    return (sum(map(_joined, cells)), off), Lattice(*cells)


@dataclass(frozen=True, slots=True)
class _Side:
    """The picture as one axis sees it: thin across, so that rows (or columns) are what is left to the pixel."""

    thin: Image.Image
    axis: Axis
    cells: int

    @classmethod
    def of(cls, rgb: Image.Image, axis: Axis, cells: int) -> _Side:
        along = axis == "rows"
        factor = max(1, (rgb.width if along else rgb.height) // ACROSS)
        return cls(rgb.reduce((factor, 1) if along else (1, factor)), axis, cells)

    @property
    def length(self) -> int:
        return self.thin.height if self.axis == "rows" else self.thin.width

    def colours(self) -> list[Colour]:
        """The colours of plain lines about where the first gutter should be: it has that of all others."""
        if self.cells < 2:
            return []
        pitch = self.length / self.cells
        first, last = (round(pitch * (1 + side * (ASTRAY + WIDEST))) for side in (-1, 1))
        means = self._line(self.thin)
        own = _resized(means, self.thin.size, Image.Resampling.NEAREST)
        shares = self._shares(own)
        lines = means.tobytes()
        plain = (place for place in range(first, min(last, self.length)) if shares[place] >= PLAIN * 255)
        return [(lines[3 * place], lines[3 * place + 1], lines[3 * place + 2]) for place in plain]

    def runs(self, colour: Colour) -> list[Span]:
        """The runs of lines that are of a colour."""
        shares = self._shares(Image.new("RGB", self.thin.size, colour))
        return _runs([share >= PLAIN * 255 for share in shares])

    def _shares(self, wanted: Image.Image) -> bytes:
        """How much of each line is near what is wanted there, in steps of 255."""
        bands = ImageChops.difference(self.thin, wanted).split()
        off = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
        return self._line(off.point([255] * (NEAR + 1) + [0] * (255 - NEAR))).tobytes()

    def _line(self, image: Image.Image) -> Image.Image:
        """The mean of each line."""
        size = (1, self.length) if self.axis == "rows" else (self.length, 1)
        return _resized(image, size, Image.Resampling.BOX)


def _distinct(colours: Sequence[Colour]) -> list[Colour]:
    """Colours without those that are near one that was met before."""
    kept: list[Colour] = []
    for colour in colours:
        if not any(max(abs(a - b) for a, b in zip(colour, other, strict=True)) <= NEAR // 2 for other in kept):
            kept.append(colour)
    return kept[:MOST_COLOURS]


def _joined(cells: Sequence[Span]) -> int:
    """How many gutters have no width."""
    return sum(before[1] == after[0] for before, after in pairwise(cells))


def _unevenness(cells: Sequence[Span]) -> float:
    sizes = [last - first for first, last in cells]
    return max(sizes) - min(sizes)


def _resized(image: Image.Image, size: Span, how: Image.Resampling) -> Image.Image:
    # Pillow's own annotation names a type of NumPy, which is not installed.
    return image.resize(size, how)  # pyright: ignore[reportUnknownMemberType]


def _runs(flags: Sequence[bool]) -> list[Span]:
    runs: list[Span] = []
    start: int | None = None
    for place, flag in enumerate((*flags, False)):
        if flag and start is None:
            start = place
        elif not flag and start is not None:
            runs.append((start, place))
            start = None
    return [(first, last) for first, last in runs if last - first >= LEAST_GUTTER]


def spans(runs: Sequence[Span], length: int, cells: int, axis: Axis) -> tuple[Span, ...]:
    """The cells' spans along one side. Raises ``NotAGrid``."""
    pitch = length / cells
    begin, end = _margins(runs, length, pitch)
    pitch = (end - begin) / cells
    gutters = [_gutter(runs, begin + number * pitch, pitch, axis) for number in range(1, cells)]
    edges = [begin, *(edge for gutter in gutters for edge in gutter), end]
    found = tuple(zip(edges[::2], edges[1::2], strict=True))
    sizes = sorted(last - first for first, last in found)
    usual = sizes[len(sizes) // 2]
    if sizes[0] < (1 - UNEVEN) * usual or sizes[-1] > (1 + UNEVEN) * usual:
        raise NotAGrid(f"its {axis} are uneven: {sizes[0]} to {sizes[-1]} pixels")
    return found


def _margins(runs: Sequence[Span], length: int, pitch: float) -> Span:
    """Where the cells begin and end: behind the plain lines at the edges, unless these may be the cells' own ground.

    A frame may be drawn around them.
    """
    most = WIDEST * pitch
    before = max((last for _, last in runs if last <= most), default=0)
    after = min((first for first, _ in runs if length - first <= most), default=length)
    return before, after


def _gutter(runs: Sequence[Span], middle: float, pitch: float, axis: Axis) -> Span:
    """The gutter near a place; of no width where the ground on both sides is as plain. Raises ``NotAGrid``."""
    reach = ASTRAY * pitch
    near = [run for run in runs if run[0] <= middle + reach and run[1] >= middle - reach]
    if not near:
        raise NotAGrid(f"there is no gutter between its {axis} near {round(middle)}")
    first, last = min(near, key=lambda run: abs((run[0] + run[1]) / 2 - middle))
    if last - first <= WIDEST * pitch:
        return first, last
    cut = round(min(max(middle, first), last))
    return cut, cut


def _is_finer(runs: Sequence[Span], cells: Sequence[Span]) -> bool:
    """Whether each cell is parted by a gutter of its own: then the grid has more cells than were asked for."""

    def parted(cell: Span) -> bool:
        edge = (cell[1] - cell[0]) * UNEVEN
        return any(cell[0] + edge < first and last < cell[1] - edge for first, last in runs)

    return all(parted(cell) for cell in cells)
