"""Thumbs stand as the picture does, whatever way its pixels are stored."""

import pytest
from PIL import Image

from cavendish.front.folder.thumbs import EDGE_PIXELS, FOLDER, Thumbs
from cavendish.model.blob import Blob
from cavendish.model.request import ImageRequest
from cavendish.model.result import Picture, Route, Slot

ORIENTATION = 274
TURN_RIGHT = 6


def picture(name, sha256="ab" * 32):
    slot = Slot("form.0", "row", 0, 0, ImageRequest.of("kite", "m"))
    return Picture(slot, Blob(sha256, 1, "image/png", name), 8, 8, Route("e", "m", "m"), 1, 0)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_that_is_stored_lying_stands_in_its_thumb(tmp_path, kind):
    exif = Image.Exif()
    exif[ORIENTATION] = TURN_RIGHT
    stored = Image.new("RGB", (1200, 600), "red")
    stored.paste("blue", (0, 0, 600, 600))
    stored.save(tmp_path / f"a.{kind}", exif=exif)
    with Image.open(tmp_path / Thumbs(tmp_path).ensure(picture(f"a.{kind}"))) as thumb:
        assert thumb.size == (EDGE_PIXELS // 2, EDGE_PIXELS)
        top, bottom = (thumb.crop((100, y, 101, y + 1)).tobytes() for y in (60, EDGE_PIXELS - 60))
    # Turned to the right, what was left is on top.
    assert top[2] > top[0] + 150
    assert bottom[0] > bottom[2] + 150


def test_what_is_no_picture_stands_for_itself(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    assert Thumbs(tmp_path).ensure(picture("a.png")) == "a.png"
    assert list((tmp_path / FOLDER).iterdir()) == []
