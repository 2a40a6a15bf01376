"""Sheets cut to the pixel, whatever their gutters are like; what is no grid, or no good cell, refused."""

import random
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from cavendish.io.sheet import cut as cutting
from cavendish.io.sheet.cut import Flaw, cut
from cavendish.io.sheet.gutters import NotAGrid, find
from cavendish.plan.sheet import Grid
from tests.io.sheet.grids import Drawing, chequers, encoded, opened

GEOMETRIES = st.builds(
    Drawing,
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    cell=st.tuples(st.integers(64, 110), st.integers(64, 110)),
    gutter=st.integers(2, 9),
    margin=st.integers(0, 9),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    noise=st.integers(0, 8),
    seed=st.integers(0, 999),
    jitter=st.integers(0, 2),
).filter(lambda drawing: drawing.rows * drawing.columns > 1)


def grid_of(drawing):
    return Grid(drawing.rows, drawing.columns)


def errors(found, drawing):
    return max(
        abs(a - b) for one, other in zip(found, drawing.boxes, strict=True) for a, b in zip(one, other, strict=True)
    )


@given(GEOMETRIES)
@settings(max_examples=25, deadline=None)
def test_any_grid_is_found_to_the_pixel(drawing):
    assert errors(find(drawing.image(), grid_of(drawing)).boxes(), drawing) <= 1


@given(st.builds(replace, GEOMETRIES, gutter=st.integers(16, 20), cell=st.just((150, 150))), st.integers(80, 95))
@settings(max_examples=10, deadline=None)
def test_a_jpeg_of_a_grid_is_cut_to_a_few_pixels(drawing, quality):
    image = opened(encoded(drawing.image(), "JPEG", quality=quality))
    assert errors(find(image, grid_of(drawing)).boxes(), drawing) <= 8


@given(GEOMETRIES, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_a_grid_of_other_cells_is_none(drawing, rows, columns):
    asked = Grid(rows, columns)
    # The cells of a coarser grid hold several pictures, and a strip says nothing of its other side.
    assume(asked.cells > 1)
    assume(rows != drawing.rows or columns != drawing.columns)
    assume(drawing.rows % rows if rows != drawing.rows else True)
    assume(drawing.columns % columns if columns != drawing.columns else True)
    assume(rows > 1 or drawing.rows == 1)
    assume(columns > 1 or drawing.columns == 1)
    with pytest.raises(NotAGrid):
        find(drawing.image(), asked)


@pytest.mark.parametrize("drawn, asked", [((4, 4), (2, 2)), ((6, 6), (3, 3)), ((6, 6), (2, 2)), ((4, 6), (2, 3))])
def test_a_finer_grid_is_none(drawn, asked):
    with pytest.raises(NotAGrid, match="parted once more"):
        find(Drawing(*drawn).image(), Grid(*asked))


def gradient():
    return Image.linear_gradient("L").resize((400, 400)).convert("RGB")


def plain():
    return Image.new("RGB", (400, 300), (250, 250, 250))


def noise():
    return Image.frombytes("RGB", (300, 300), random.Random(5).randbytes(300 * 300 * 3))


def stripes():
    image = Image.new("RGB", (400, 400), "white")
    for left in range(0, 400, 40):
        image.paste("navy", (left, 0, left + 20, 400))
    return image


def one_thing():
    image = plain()
    ImageDraw.Draw(image).ellipse((120, 70, 280, 230), fill="navy")
    return image


def tilted():
    return Drawing(4, 4).image().rotate(2.0, fillcolor=(255, 255, 255))


def only_rows():
    return Drawing(4, 1, cell=(400, 90)).image()


NO_GRIDS = (gradient, plain, noise, stripes, one_thing, tilted, only_rows, lambda: chequers((400, 400), "one picture"))


@pytest.mark.parametrize("draw", NO_GRIDS)
@pytest.mark.parametrize("grid", [Grid(2, 2), Grid(3, 3), Grid(4, 4)], ids=str)
def test_what_is_no_grid_has_no_good_cell(draw, grid):
    cells = cut(encoded(draw()), grid)
    assert [cell.number for cell in cells] == list(range(1, grid.cells + 1))
    assert {cell.flaw for cell in cells} == {Flaw.NOT_A_GRID}
    assert all(cell.why for cell in cells)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40), Drawing(2, 2).png()[:700]])
def test_what_is_no_picture_has_no_good_cell(data):
    assert {cell.flaw for cell in cut(data, Grid(2, 2))} == {Flaw.NOT_A_GRID}


def test_a_picture_too_large_to_decode_is_not_decoded(monkeypatch):
    monkeypatch.setattr(cutting, "MOST_PIXELS", 1000)
    assert "more than can be cut" in cut(Drawing(2, 2).png(), Grid(2, 2))[0].why


@pytest.mark.parametrize(
    "drawing",
    [
        Drawing(2, 2, gutter=2, margin=0),
        Drawing(3, 3, gutter=14, margin=2),
        Drawing(4, 4, colour=(0, 0, 0)),
        Drawing(4, 4, colour=(200, 30, 90), noise=8),
        Drawing(2, 3, cell=(160, 90)),
        Drawing(4, 4, frame=3, margin=9),
        Drawing(3, 3, jitter=3, seed=4),
    ],
)
def test_cells_are_cut_without_any_loss(drawing):
    sheet = drawing.image()
    cells = cut(encoded(sheet), grid_of(drawing))
    assert [cell.flaw for cell in cells] == [None] * len(cells)
    for cell, box in zip(cells, find(sheet, grid_of(drawing)).boxes(), strict=True):
        picture = opened(cell.png)
        assert (picture.format or "PNG", picture.size) == ("PNG", (box[2] - box[0], box[3] - box[1]))
        assert ImageChops.difference(picture.convert("RGB"), sheet.crop(box)).getbbox() is None


def test_the_same_sheet_gives_the_same_cells():
    data = Drawing(3, 3, noise=6).png()
    assert cut(data, Grid(3, 3)) == cut(data, Grid(3, 3))


def test_a_cell_says_that_it_is_one_and_keeps_the_colour_profile():
    data = encoded(Drawing(2, 2).image(), icc_profile=b"a profile of forty bytes or so, any of it")
    cell = opened(cut(data, Grid(2, 2))[1].png)
    assert cell.info["Source"].startswith("cell 2 of a contact sheet")
    assert cell.info["icc_profile"].startswith(b"a profile")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_sheets_of_all_kinds_of_pixels_are_cut(mode):
    image = Drawing(2, 2).image()
    kind = "TIFF" if mode == "CMYK" else "PNG"
    cells = cut(encoded(image.convert(mode), kind), Grid(2, 2))
    assert [opened(cell.png).size for cell in cells] == [(96, 96)] * 4


def test_pictures_on_the_ground_of_the_gutters_are_cut_between_them():
    sheet = Image.new("RGB", (400, 400), "white")
    pen = ImageDraw.Draw(sheet)
    dice = random.Random(1)
    for top in (0, 200):
        for left in (0, 200):
            colour = tuple(dice.randrange(200) for _ in range(3))
            pen.ellipse((left + 40, top + 40, left + 160, top + dice.randrange(120, 160)), fill=colour)
    cells = cut(encoded(sheet), Grid(2, 2))
    assert [(cell.flaw, opened(cell.png).size) for cell in cells] == [(None, (200, 200))] * 4


def test_pictures_whose_own_ground_is_plain_keep_it():
    # Each picture is black above and below: these rows are as plain as the white gutters, and no gutters.
    sheet = Image.new("RGB", (412, 412), "white")
    boxes = []
    for row in range(2):
        for column in range(2):
            left, top = 4 + column * 204, 4 + row * 204
            picture = Image.new("RGB", (200, 200), "black")
            picture.paste(chequers((200, 120), f"{row} {column}"), (0, 40))
            sheet.paste(picture, (left, top))
            boxes.append((left, top, left + 200, top + 200))
    assert list(find(sheet, Grid(2, 2)).boxes()) == boxes


@pytest.mark.parametrize("colour", [(255, 255, 255), (90, 90, 90)])
def test_an_empty_cell_is_refused_alone(colour):
    drawing = Drawing(3, 3, colour=colour, empty=(2, 9))
    flaws = {cell.number: cell.flaw for cell in cut(drawing.png(), Grid(3, 3)) if cell.flaw}
    assert flaws == {2: Flaw.EMPTY, 9: Flaw.EMPTY}


def test_a_small_thing_on_plain_ground_is_not_empty():
    sheet = Drawing(2, 2).image()
    box = (6, 6, 102, 102)
    sheet.paste("white", box)
    ImageDraw.Draw(sheet).ellipse((44, 44, 62, 62), fill="black")
    assert cut(encoded(sheet), Grid(2, 2))[0].flaw is None


@pytest.mark.parametrize("noise", [0, 2])
def test_a_picture_drawn_twice_is_had_once(noise):
    drawing = Drawing(3, 3, twins=(2, 7), noise=noise)
    flawed = [cell for cell in cut(drawing.png(), Grid(3, 3)) if cell.flaw]
    assert [(cell.number, cell.flaw, cell.why) for cell in flawed] == [(7, Flaw.TWIN, "cell 7 is cell 2 once more")]


def test_uneven_cells_are_no_grid():
    sheet = Image.new("RGB", (420, 420), "white")
    for place, (left, right) in enumerate(((0, 150), (156, 420))):
        for other, (top, bottom) in enumerate(((0, 207), (213, 420))):
            sheet.paste(chequers((right - left, bottom - top), f"{place} {other}"), (left, top))
    assert cut(encoded(sheet), Grid(2, 2))[0].flaw is Flaw.NOT_A_GRID
