"""Sheet: several pictures of one prompt drawn as the cells of one large picture: what is asked for, and its price."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Self

from ..catalog.cards import ModelCard
from ..catalog.resolve import Resolved
from ..catalog.shape import pixels
from ..errors import RequestError
from ..model.request import ImageRequest, Text, Use
from ..model.result import Slot
from .estimate import PriceBook

SHEET = "sheet"
"""The mode of routes whose pictures are cut from sheets."""

MOST_SIDE = 6
"""Rows and columns: models lose count of more."""

LEAST_CELL = 448
"""Pixels in a cell's shorter side: what is smaller is no picture that anyone would pay for."""

SQUARE = "1:1"
_GRID = re.compile(r"\s*(\d{1,2})\s*[x×*]\s*(\d{1,2})\s*", re.IGNORECASE | re.ASCII)
_ASKED = re.compile(r"\bexactly (\d+) rows? and (\d+) columns?\b", re.ASCII)
_SLACK = 0.9
"""A cell may have this share of the pixels of the size asked for: gutters take some, and sides are rounded."""
_OFF = log(1.04)
"""How far a sheet's shape may be from what its cells add up to, as the logarithm of a factor."""


@dataclass(frozen=True, slots=True)
class Grid:
    """So many rows of so many cells."""

    rows: int
    columns: int

    def __str__(self) -> str:
        """As it is asked for: ``4x4``, rows first."""
        return f"{self.rows}x{self.columns}"

    @property
    def cells(self) -> int:
        """How many there are."""
        return self.rows * self.columns

    @classmethod
    def of(cls, words: str) -> Self:
        """A grid by its words. Raises ``RequestError`` for what is none."""
        match = _GRID.fullmatch(words)
        grid = cls(int(match[1]), int(match[2])) if match else None
        if grid is None or not (1 <= grid.rows <= MOST_SIDE and 1 <= grid.columns <= MOST_SIDE) or grid.cells < 2:
            hint = f"ROWSxCOLUMNS, each up to {MOST_SIDE}: 2x2, 3x3, 4x4"
            raise RequestError(f"sheet must be a grid, not {words!r}", field="sheet", hints=(hint,))
        return grid


def wording(grid: Grid) -> str:
    """What is said to a model after the prompt, to have it drawn as a sheet."""
    return (
        f"Make this one image a contact sheet with exactly {_count(grid.rows, 'row')} and "
        f"{_count(grid.columns, 'column')}: {grid.cells} separate pictures, each a different version of what is "
        "described above. All cells have the same size and fill the sheet. Straight, even gutters of one plain colour, "
        "which none of the pictures has at its edges, part the cells and run around the sheet. Nothing crosses a "
        "gutter, no cell is empty, no two are alike, and there are no numbers, captions or frames."
    )


def grid_in(words: str) -> Grid | None:
    """The grid that a prompt asks for in the words of ``wording``, ``None`` for any other prompt."""
    match = _ASKED.search(words)
    return Grid(int(match[1]), int(match[2])) if match else None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One sheet as it may be asked for: its size word and shape, and the pixels of the sheet and of a cell.

    ``price_nusd`` is what the call is expected to cost, ``None`` when no price is known.
    """

    grid: Grid
    size: str
    ratio: str
    sheet: tuple[int, int]
    cell: tuple[int, int]
    price_nusd: int | None


@dataclass(frozen=True, slots=True)
class SheetBook:
    """Sheets of up to ``grid`` cells at one route: which there are, which is the best for so many pictures."""

    resolved: Resolved
    grid: Grid

    @property
    def _card(self) -> ModelCard:
        return self.resolved.card

    def fitted(self, request: ImageRequest) -> ImageRequest:
        """The request with the size of its cells, which is the size of pictures drawn one by one, too.

        Raises ``RequestError`` for what cannot be drawn as a sheet. A request for one picture is left as it is.
        """
        if request.n < 2:
            return request
        _must_share(request)
        whole = self.whole(request)
        if request.size is not None:
            self._must_be_large_enough(request, whole)
            return request
        if not self._card.sends_size:
            return request
        area = _area(whole.cell) / _SLACK
        areas = {word: _area(self._sides(word, request)) for word in self._card.sizes}
        smaller = [word for word in areas if 0 < areas[word] <= area]
        size = max(smaller, key=areas.__getitem__) if smaller else min(areas, key=areas.__getitem__)
        return request.having(size=size)

    def whole(self, request: ImageRequest) -> Leaf:
        """The sheet of all cells at the model's largest size. Raises ``RequestError`` when there is none."""
        leaves = list(self._leaves(self.grid, request))
        if not leaves:
            shape = request.aspect_ratio or self._card.default_ratio or SQUARE
            message = f"the catalog knows no size of {self._card.name} for a {self.grid} sheet of {shape} pictures"
            raise RequestError(message, field="sheet")
        largest = max(leaves, key=lambda leaf: _area(leaf.cell))
        if min(largest.cell) < LEAST_CELL:
            message = f"cells of a {self.grid} sheet of {self._card.name} would have {_sides(largest.cell)} pixels"
            raise RequestError(message, field="sheet", hints=self._hints(request))
        return largest

    def leaf(self, request: ImageRequest, wanted: int) -> Leaf | None:
        """The cheapest sheet that holds so many pictures of a fitted request; ``None`` for one picture.

        Of equal price the one with the fewest cells to spare, in cells of about the size asked for.
        """
        if wanted < 2:
            return None
        whole = self.whole(request)
        target = self._target(request, whole)
        leaves = [
            leaf
            for grid in self._grids(wanted)
            for leaf in self._leaves(grid, request)
            if _area(leaf.cell) >= _SLACK * target
        ]
        return min(leaves or [whole], key=_rank)

    def price(self, slot: Slot, wanted: int) -> int | None:
        """What the call for so many pictures of a slot's request is expected to cost."""
        found = self.leaf(slot.request, wanted)
        return PriceBook.of(self.resolved).estimate(slot) if found is None else found.price_nusd

    def pays(self, slot: Slot, wanted: int) -> bool:
        """Whether a sheet is cheaper than so many single pictures. Where no price is known, it is one call for many."""
        one, all_ = self.price(slot, 1), self.price(slot, wanted)
        return wanted > 1 and (one is None or all_ is None or all_ < wanted * one)

    def groups(self, request: ImageRequest, wanted: int) -> tuple[int, ...]:
        """Sheets for so many pictures of a fitted request, by how many each is asked for: full ones, then the rest.

        What would not be cheaper on a sheet is in none of them.
        """
        full, rest = divmod(wanted, self.grid.cells)
        groups = (self.grid.cells,) * full + ((rest,) if rest else ())
        return tuple(group for group in groups if self.pays(_slot(request), group))

    def written(self, request: ImageRequest, leaf: Leaf) -> ImageRequest:
        """The request for a sheet: one large picture, and the words that make it a grid."""
        *before, last = request.turns
        asking = replace(last, parts=(*last.parts, Text(wording(leaf.grid))))
        size = leaf.size if self._card.sends_size else None
        return request.having(turns=(*before, asking), n=1, size=size, aspect_ratio=leaf.ratio)

    # --- what there is ------------------------------------------------------------------------------------------------

    def _grids(self, wanted: int) -> Iterator[Grid]:
        for rows in range(1, self.grid.rows + 1):
            for columns in range(1, self.grid.columns + 1):
                if rows * columns >= wanted:
                    yield Grid(rows, columns)

    def _leaves(self, grid: Grid, request: ImageRequest) -> Iterator[Leaf]:
        """A sheet of this grid at each of the model's sizes that has a fitting shape."""
        ratio = self._ratio(grid, request)
        if ratio is None:
            return
        book = PriceBook.of(self.resolved)
        for word in self._card.sizes:
            sides = pixels(self._card, word, ratio)
            if sides is not None:
                price = book.estimate(_slot(request.having(size=word, aspect_ratio=ratio)))
                cell = sides[0] // grid.columns, sides[1] // grid.rows
                yield Leaf(grid, word, ratio, sides, cell, price)

    def _ratio(self, grid: Grid, request: ImageRequest) -> str | None:
        """The model's shape that is nearest to what the cells add up to; ``None`` when none is near."""
        cell = request.aspect_ratio or self._card.default_ratio or SQUARE
        wanted = log(_quotient(cell) * grid.columns / grid.rows)
        ratios = [ratio for ratio in (self._card.ratios or (SQUARE,)) if _is_shape(ratio)]
        # A square grid of cells of a shape that the model has is of that very shape.
        best = min(ratios, key=lambda ratio: (abs(log(_quotient(ratio)) - wanted), ratio != cell), default=None)
        return best if best is not None and abs(log(_quotient(best)) - wanted) <= _OFF else None

    def _target(self, request: ImageRequest, whole: Leaf) -> int:
        """The pixels that a cell is to have: those of the size asked for, as far as the largest sheet gives as many."""
        asked = _area(self._sides(request.size, request)) if request.size else _area(whole.cell)
        return min(asked or _area(whole.cell), _area(whole.cell))

    def _sides(self, size: str | None, request: ImageRequest) -> tuple[int, int]:
        return pixels(self._card, size, request.aspect_ratio) or (0, 0)

    def _must_be_large_enough(self, request: ImageRequest, whole: Leaf) -> None:
        asked = self._sides(request.size, request)
        if _area(whole.cell) < _SLACK * _area(asked):
            message = (
                f"a cell of a {self.grid} sheet of {self._card.name} has {_sides(whole.cell)} pixels at most, "
                f"and {request.size} is {_sides(asked)}"
            )
            hints = ("leave the size out to have the largest cells there are", *self._hints(request))
            raise RequestError(message, field="sheet", hints=hints)

    def _hints(self, request: ImageRequest) -> Sequence[str]:
        """Smaller grids that would do."""
        asked = _area(self._sides(request.size, request)) if request.size else 0
        for side in range(min(self.grid.rows, self.grid.columns), 1, -1):
            grid = Grid(side, side)
            cells = [leaf.cell for leaf in self._leaves(grid, request)]
            if grid != self.grid and any(min(c) >= LEAST_CELL and _area(c) >= _SLACK * asked for c in cells):
                return (f"it can: --sheet {grid}",)
        return ()


def _must_share(request: ImageRequest) -> None:
    """Raises ``RequestError`` for a request whose pictures cannot come from one call."""
    if request.seed is not None:
        raise _cannot("pictures with a seed have one each, and a sheet has but one", "seed")
    if len(request.turns) > 1:
        raise _cannot("a conversation goes on from one picture, so a turn of it is no sheet", "turns")
    if any(picture.use is Use.MASK for picture in request.references):
        raise _cannot("what a mask leaves open is drawn one picture at a time", "references")


def _cannot(why: str, field: str) -> RequestError:
    return RequestError(f"this cannot be drawn as a sheet: {why}", field=field, hints=("leave --sheet out",))


def _rank(leaf: Leaf) -> tuple[int, int, int, int]:
    grid = leaf.grid
    return leaf.price_nusd or 0, grid.cells, abs(grid.rows - grid.columns), _area(leaf.cell)


def _slot(request: ImageRequest) -> Slot:
    return Slot("", "", 0, 0, request)


def _area(sides: tuple[int, int]) -> int:
    return sides[0] * sides[1]


def _sides(sides: tuple[int, int]) -> str:
    return "{}x{}".format(*sides)


def _is_shape(ratio: str) -> bool:
    return bool(re.fullmatch(r"[1-9]\d*:[1-9]\d*", ratio))


def _quotient(ratio: str) -> float:
    across, down = ratio.split(":")
    return int(across) / int(down)
