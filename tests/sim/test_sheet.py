"""The simulator's contact sheets: drawn when a prompt asks for one, flawed when told so, and cut as a real one is."""

import io

import pytest
from PIL import Image

from cavendish.io.sheet.cut import cut
from cavendish.plan.sheet import Grid
from cavendish.sim.draw import Sketch, draw
from cavendish.sim.sheet import Flaw, SheetSketch, draw_sheet

GOOD = {Flaw.NONE: 6, Flaw.NO_GRID: 0, Flaw.UNEVEN: 0, Flaw.MISSING: 5, Flaw.EMPTY: 5, Flaw.TWINS: 5}


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg"])
@pytest.mark.parametrize("flaw", Flaw)
def test_a_sheet_has_the_flaw_that_it_is_to_have(flaw, media_type):
    for seed in range(5):
        data = draw_sheet(SheetSketch(960, 640, 2, 3, seed=seed, flaw=flaw, media_type=media_type))
        cells = cut(data, Grid(2, 3))
        assert sum(cell.flaw is None for cell in cells) == GOOD[flaw], [cell.why for cell in cells]


def test_a_sketch_with_a_grid_is_a_sheet_of_its_size_and_type():
    sketch = Sketch(512, 512, "image/jpeg", "kites", grid=(2, 2), mode="tiny")
    drawn = draw(sketch)
    with Image.open(io.BytesIO(drawn.to_bytes())) as image:
        assert (image.format, image.size, drawn.media_type) == ("JPEG", (512, 512), "image/jpeg")


def test_equal_sketches_are_equal_bytes_and_others_are_not():
    sketch = SheetSketch(256, 256, 2, 2, seed=1)
    assert draw_sheet(sketch) == draw_sheet(sketch)
    assert draw_sheet(sketch) != draw_sheet(SheetSketch(256, 256, 2, 2, seed=1, number=2))
