"""Sheets as they are asked for: which grids a model has, what a cell is like, and which sheet is the cheapest."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.load import load
from cavendish.errors import RequestError
from cavendish.model.blob import Blob
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use
from cavendish.model.result import Slot
from cavendish.plan.sheet import MOST_SIDE, Grid, SheetBook, grid_in, wording

CATALOG = load()
TODAY = date(2026, 11, 21)
GRIDS = st.builds(Grid, st.integers(1, MOST_SIDE), st.integers(1, MOST_SIDE)).filter(lambda grid: grid.cells > 1)


def book(model, grid, endpoint="google"):
    return SheetBook(CATALOG.resolve(model, endpoint, TODAY), Grid.of(grid))


def asked(n=16, **fields):
    return ImageRequest.of("a red kite", "nano-banana-2", n=n, **fields)


@given(GRIDS, st.text(max_size=40))
def test_the_words_for_a_grid_are_read_back(grid, prompt):
    assert grid_in(f"{prompt}\n{wording(grid)}") == grid
    assert Grid.of(str(grid)) == grid


def test_other_prompts_ask_for_no_grid():
    assert grid_in("a table with 4 rows and 4 columns, exactly as before") is None


@pytest.mark.parametrize("words", ["1x1", "0x4", "4", "7x2", "4x4x4", "axb", "", "99x99", "-2x2"])
def test_what_is_no_grid_is_said_so(words):
    with pytest.raises(RequestError, match="sheet must be a grid"):
        Grid.of(words)


@pytest.mark.parametrize(
    "model, endpoint, grid, size, sheet, cell",
    [
        ("nano-banana-2", "google", "4x4", "1K", (4096, 4096), (1024, 1024)),
        ("nano-banana-2", "google", "3x3", "1K", (4096, 4096), (1365, 1365)),
        ("nano-banana-2", "google", "2x2", "2K", (4096, 4096), (2048, 2048)),
        ("gpt-image-2", "openai", "4x4", "1K", (2880, 2880), (720, 720)),
        ("seedream-4.5", "byteplus", "2x2", "2K", (4096, 4096), (2048, 2048)),
        ("gemini-2.5-flash-image", "google", "2x2", None, (1024, 1024), (512, 512)),
    ],
)
def test_a_picture_has_the_size_of_a_cell_of_the_largest_sheet(model, endpoint, grid, size, sheet, cell):
    sheets = book(model, grid, endpoint)
    fitted = sheets.fitted(asked())
    whole = sheets.whole(fitted)
    assert (fitted.size, whole.sheet, whole.cell) == (size, sheet, cell)


def test_cells_have_the_shape_that_was_asked_for():
    sheets = book("nano-banana-2", "4x4")
    leaf = sheets.leaf(sheets.fitted(asked(aspect_ratio="16:9")), 16)
    assert leaf is not None
    assert (leaf.ratio, leaf.sheet, leaf.cell) == ("16:9", (5504, 3072), (1376, 768))


def test_a_grid_that_is_not_square_is_of_another_shape_than_its_cells():
    sheets = book("nano-banana-2", "2x3")
    assert sheets.whole(asked()).ratio == "3:2"


def test_a_grid_of_a_shape_that_the_model_has_not_is_refused():
    with pytest.raises(RequestError, match="no size of Nano Banana 2 for a 2x5 sheet of 16:9 pictures"):
        book("nano-banana-2", "2x5").fitted(asked(aspect_ratio="16:9"))


def test_cells_too_small_for_a_picture_are_refused_with_what_would_do():
    with pytest.raises(RequestError, match="would have 256x256 pixels") as caught:
        book("gemini-2.5-flash-image", "4x4").fitted(asked())
    assert caught.value.hints == ("it can: --sheet 2x2",)


def test_a_size_that_cells_do_not_have_is_refused_with_what_would_do():
    with pytest.raises(RequestError, match="has 1024x1024 pixels at most, and 2K is 2048x2048") as caught:
        book("nano-banana-2", "4x4").fitted(asked(size="2K"))
    assert "it can: --sheet 2x2" in caught.value.hints


def test_a_smaller_size_needs_a_smaller_sheet():
    sheets = book("nano-banana-2", "2x2")
    leaf = sheets.leaf(sheets.fitted(asked(size="1K")), 4)
    assert leaf is not None
    assert (leaf.size, leaf.cell) == ("2K", (1024, 1024))


MASK = Image(blob=Blob("0" * 64, 1, "image/png", "mask.png"), use=Use.MASK)
CONVERSATION = ImageRequest(
    (Turn(Role.USER, (Text("a"),)), Turn(Role.MODEL, (Text("b"),)), Turn(Role.USER, (Text("c"),))), "nano-banana-2", 4
)


@pytest.mark.parametrize(
    "request_, why",
    [
        (asked(seed=7), "have one each"),
        (CONVERSATION, "goes on from one picture"),
        (ImageRequest.of("x", "nano-banana-2", (MASK,), n=4), "a mask leaves open"),
    ],
)
def test_what_cannot_come_from_one_call_is_refused(request_, why):
    with pytest.raises(RequestError, match=why):
        book("nano-banana-2", "2x2").fitted(request_)


def test_a_request_for_one_picture_is_left_alone():
    one = asked(n=1, seed=7)
    assert book("nano-banana-2", "2x2").fitted(one) is one


@pytest.mark.parametrize(
    "wanted, grid, size",
    [(16, "4x4", "4K"), (12, "3x4", "4K"), (9, "3x3", "4K"), (5, "2x3", "4K"), (4, "2x2", "2K"), (2, "2x2", "2K")],
)
def test_the_rest_goes_on_the_cheapest_sheet_with_cells_as_large(wanted, grid, size):
    sheets = book("nano-banana-2", "4x4")
    leaf = sheets.leaf(sheets.fitted(asked()), wanted)
    assert leaf is not None
    assert (str(leaf.grid), leaf.size) == (grid, size)
    assert leaf.grid.cells >= wanted
    assert leaf.cell[0] * leaf.cell[1] >= 0.9 * 1024 * 1024


@pytest.mark.parametrize(
    "wanted, groups",
    [(1, ()), (2, (2,)), (16, (16,)), (17, (16,)), (20, (16, 4)), (35, (16, 16, 3))],
)
def test_full_sheets_first_and_what_does_not_pay_on_none(wanted, groups):
    sheets = book("nano-banana-2", "4x4")
    assert sheets.groups(sheets.fitted(asked()), wanted) == groups


@given(st.integers(2, 100), GRIDS)
def test_no_group_is_larger_than_its_sheet_or_dearer_than_single_pictures(wanted, grid):
    sheets = SheetBook(CATALOG.resolve("nano-banana-2", "google", TODAY), grid)
    try:
        fitted = sheets.fitted(asked())
    except RequestError:
        return
    alone = sheets.price(Slot("", "", 0, 0, fitted), 1)
    groups = sheets.groups(fitted, wanted)
    assert sum(groups) <= wanted
    for group in groups:
        leaf = sheets.leaf(fitted, group)
        assert leaf is not None
        assert group <= leaf.grid.cells
        assert leaf.price_nusd < group * alone


def test_a_sheet_is_one_large_picture_with_the_prompt_and_the_words_for_a_grid():
    sheets = book("nano-banana-2", "4x4")
    fitted = sheets.fitted(asked(system="be brief"))
    leaf = sheets.leaf(fitted, 16)
    assert leaf is not None
    written = sheets.written(fitted, leaf)
    assert (written.n, written.size, written.aspect_ratio, written.system) == (1, "4K", "1:1", "be brief")
    assert written.prompt.startswith("a red kite\n")
    assert grid_in(written.prompt) == Grid(4, 4)


def test_an_unknown_price_is_none_and_sheets_are_drawn_all_the_same():
    known = CATALOG.resolve("nano-banana-2", "google", TODAY)
    sheets = SheetBook(replace(known, offer=replace(known.offer, prices={})), Grid(4, 4))
    fitted = sheets.fitted(asked())
    leaf = sheets.leaf(fitted, 16)
    assert leaf is not None
    assert (leaf.price_nusd, sheets.groups(fitted, 20)) == (None, (16, 4))
