"""Fitting: requests made ready for sheets, with what is to be said of resolution, price and risk beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...errors import RequestError
from ...io.sheet.trial import MOST_BAD
from ...model.money import dollars
from ...model.request import ImageRequest, Notice
from ...model.result import Slot
from ...plan.sheet import Grid, SheetBook
from ..order import BATCH
from ..routes import Routes

RISK = Notice(
    "sheet_risk",
    "a model may draw a sheet with uneven or empty cells, with one picture twice, or as no grid at all: what is no "
    f"good is paid for and drawn again alone; after {MOST_BAD} such sheets in a row no more are asked for. Pictures of "
    "a sheet are smaller, more alike, and without a signed origin (C2PA) of their own",
)

Fit = Callable[[ImageRequest], ImageRequest]


def fitting(routes: Routes, grid: Grid | None) -> Fit:
    """What makes a fitted request one for sheets; nothing at all where none are wanted. Raises ``RequestError``."""
    if grid is None:
        return lambda request: request
    if routes.wish.mode == BATCH:
        message = "a sheet is drawn online, and --mode batch is for jobs"
        raise RequestError(message, field="sheet", hints=("leave one of the two out",))
    return _Fitting(routes, grid)


def must_have_several(requests: Sequence[ImageRequest]) -> None:
    """Raises ``RequestError`` for sheets of one picture."""
    if all(request.n < 2 for request in requests):
        message = "a sheet holds several pictures of one prompt, and one is asked for"
        raise RequestError(message, field="sheet", hints=("say how many with -n, or leave --sheet out",))


@dataclass(slots=True)
class _Fitting:
    routes: Routes
    grid: Grid
    _told: set[tuple[str, str | None, str | None]] = field(default_factory=set[tuple[str, str | None, str | None]])

    def __call__(self, request: ImageRequest) -> ImageRequest:
        if request.n < 2:
            text = "a row that wants one picture has it drawn alone: a sheet holds several of one prompt"
            self.routes.note([Notice("sheet_alone", text)])
            return request
        book = SheetBook(self.routes.resolve(request.model)[0], self.grid)
        fitted = book.fitted(request)
        kind = fitted.model, fitted.size, fitted.aspect_ratio
        if kind not in self._told:
            self._told.add(kind)
            self.routes.note([_said(book, fitted), RISK])
        return fitted


def _said(book: SheetBook, request: ImageRequest) -> Notice:
    """What a picture of a sheet is like beside one that is drawn alone. The price is of a short prompt's."""
    grid = book.grid
    short = ImageRequest.of("", request.model, size=request.size, aspect_ratio=request.aspect_ratio, n=grid.cells)
    leaf = book.leaf(short, grid.cells)
    assert leaf is not None
    alone = book.price(Slot("", "", 0, 0, short), 1)
    cost = "at an unknown price"
    if leaf.price_nusd is not None and alone is not None:
        each = leaf.price_nusd // grid.cells
        cost = f"for about {dollars(each, 4)} each instead of {dollars(alone, 4)} for one drawn alone"
    sides = "{}x{} pixels cut from {}x{}".format(*leaf.cell, *leaf.sheet)
    name = book.resolved.card.name
    return Notice("sheet", f"{name} draws sheets of {grid}: pictures of at most {sides}, {cost}")
