"""The simulator's pictures decode, have the right size and type, and are told apart."""

import io
from itertools import pairwise

import pytest
from PIL import Image

from cavendish.sim.draw import MARK, Sketch, draw, media_type_of
from cavendish.wire.media import sniff

SIZES = [(1024, 1024), (792, 336), (632, 424), (1536, 192), (192, 1536), (848, 1264), (100, 60), (4096, 512)]


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
@pytest.mark.parametrize("width, height", SIZES)
def test_decodes_at_its_size(media_type, width, height):
    drawn = draw(Sketch(width, height, media_type, "a red kite", seed=3))
    assert opened(drawn.to_bytes()).size == (width, height)
    assert sniff(drawn.to_bytes()) == drawn.media_type == media_type
    assert drawn.size == len(drawn.to_bytes())


def test_4k_decodes():
    assert opened(draw(Sketch(4096, 4096, prompt="kite")).to_bytes()).size == (4096, 4096)


def test_rows_around_the_caption_follow_the_gradient():
    """A picture put together from restart intervals has no seams: its left edge only gets lighter."""
    image = opened(draw(Sketch(1024, 1024, prompt="kite", seed=0)).to_bytes()).convert("L")
    edge = list(image.crop((2, 0, 3, 1024)).tobytes())
    assert all(below >= above - 3 for above, below in pairwise(edge))
    assert edge[-1] > edge[0] + 30


def test_is_marked():
    for sketch in (Sketch(512, 512, prompt="kite"), Sketch(512, 512, "image/png"), Sketch(512, 512, mode="tiny")):
        assert MARK.encode() in draw(sketch).to_bytes()
    blank, written = (opened(draw(Sketch(512, 512, prompt=p)).to_bytes()) for p in ("", "a red kite over the moor"))
    assert blank.getpixel((2, 256)) == written.getpixel((2, 256))
    assert len(set(written.crop((0, 170, 512, 340)).convert("L").tobytes())) > 100, "no words in the middle"


@pytest.mark.parametrize("mode", ["full", "tiny"])
@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
def test_equal_sketches_give_equal_bytes_and_others_do_not(mode, media_type):
    def make(**changes):
        fields = {"prompt": "kite", "seed": 1, "number": 1, "label": "1K", **changes}
        return draw(Sketch(512, 512, media_type, mode=mode, **fields)).to_bytes()

    assert make() == make()
    others = [make(number=2), make(seed=2), make(prompt="owl"), make(label="1K draft 1")]
    assert len({make(), *others}) == 5


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
@pytest.mark.parametrize("least", [100_000, 1_600_000, 2_500_001])
def test_padding_reaches_the_size_and_keeps_the_picture(media_type, least):
    drawn = draw(Sketch(1024, 1024, media_type, "kite", least_bytes=least))
    assert least - 12 <= drawn.size <= least + 12
    assert opened(drawn.to_bytes()).size == (1024, 1024)


def test_padding_is_shared():
    first, second = (draw(Sketch(64, 64, number=n, least_bytes=5_000_000)) for n in (1, 2))
    owned = sum(len(piece) for piece in second.pieces if isinstance(piece, bytes))
    assert owned < 50_000
    assert first.size >= 4_999_990


def test_tiny_is_small_valid_and_as_large_as_it_says():
    data = draw(Sketch(4096, 2048, number=7, mode="tiny")).to_bytes()
    assert len(data) < 3000
    assert opened(data).size == (4096, 2048)
    assert media_type_of(Sketch(1, 1, mode="tiny")) == "image/png"


def test_words_of_any_script_are_drawn():
    assert draw(Sketch(300, 300, prompt="ein Rotmilan 赤トビ 🪁")).size > 1000
    assert draw(Sketch(300, 300, "image/png", prompt="ein Rotmilan 赤トビ 🪁")).size > 1000
