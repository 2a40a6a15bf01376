"""Reference pictures arrive as their model reads them: upright and of a type it takes, and what was changed is told."""

import hashlib
import io
import sys
from datetime import date
from pathlib import Path

import pytest
from PIL import Image as Pillow

from cavendish import RequestError
from cavendish.front import redraw
from cavendish.front.build import Setup
from cavendish.front.readable import Readable
from cavendish.front.references import Reference, read_references
from cavendish.front.routes import RouteWish
from cavendish.model.blob import Blob
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use

ORIENTATION = 0x0112
TURNED = 6
"""As a phone held upright writes it: its pixels lie on their side."""

TAKES_HEIC = "nano-banana-2"
MODEL = "only-png-and-jpeg"
CARD = """
[models.only-png-and-jpeg]
name = "Plain Tastes"
ids = { plain-1 = {} }
ratios = ["1:1"]
default_ratio = "1:1"
default_size = "1K"
sizes = { 1K = { pixels = { "1:1" = [1024, 1024] } } }
references = { total = 4, masks = 1, media_types = ["image/png", "image/jpeg"] }

[offers."sim/only-png-and-jpeg"]
wire_id = "plain-1"
"""


def scene(mode="RGB"):
    """Lying on its side: red at the left, which is the top once it is turned."""
    picture = Pillow.new(mode, (40, 20), (0, 0, 255, 128)[: len(mode)])
    picture.paste((255, 0, 0, 255)[: len(mode)], (0, 0, 10, 20))
    return picture


def write(path, kind, orientation=None, mode="RGB"):
    exif = Pillow.Exif()
    if orientation is not None:
        exif[ORIENTATION] = orientation
    extra = {"exif": exif.tobytes()} if orientation is not None else {}
    if kind == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_pillow(scene(mode)).save(path, quality=90)
    else:
        scene(mode).save(path, kind, **extra)
    return path


@pytest.fixture
def routes(tmp_path, monkeypatch):
    config = tmp_path / "config.toml"
    config.write_text(CARD, encoding="utf-8")
    monkeypatch.setenv("CAVENDISH_CONFIG", str(config))

    def make(**wish):
        return Setup().routes(RouteWish(**wish), date(2026, 9, 8))

    return make


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def asked(path, keep, model=TAKES_HEIC):
    return ImageRequest.of("like this", model, read_references(path, keep))


def opened(image: Image, run: Path) -> Pillow.Image:
    data = (run / image.blob.ref).read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (image.blob.sha256, image.blob.size)
    picture = Pillow.open(io.BytesIO(data))
    picture.load()
    return picture


def colour(picture: Pillow.Image, x: int, y: int) -> bytes:
    return picture.convert("RGB").crop((x, y, x + 1, y + 1)).tobytes()


def is_upright(picture: Pillow.Image) -> bool:
    red, _, blue = colour(picture, 10, 2)
    return picture.size == (20, 40) and red > 150 > blue and picture.getexif().get(ORIENTATION, 1) == 1


# --- upright ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, becomes", [("JPEG", "JPEG"), ("PNG", "PNG"), ("WEBP", "JPEG")])
def test_a_phone_picture_arrives_upright(routes, run, tmp_path, kind, becomes):
    path = write(tmp_path / "phone", kind, TURNED)
    routes = routes()
    (image,) = Readable(routes, run).request(asked(path, run)).references
    picture = opened(image, run)
    assert is_upright(picture)
    assert (picture.format, image.media_type) == (becomes, f"image/{becomes.lower()}")
    (notice,) = routes.notices.values()
    assert (notice.code, notice.field) == ("reference_turned", "references")


@pytest.mark.parametrize("orientation", [None, 1, 0, 9, 65535])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_upright_goes_byte_for_byte(routes, run, tmp_path, kind, orientation):
    path = write(tmp_path / "phone", kind, orientation)
    routes = routes()
    (image,) = Readable(routes, run).request(request := asked(path, run)).references
    assert image is request.references[0]
    assert not routes.notices
    assert not [*run.iterdir()]


@pytest.mark.parametrize("damage", [b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\x00\x10Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_a_damaged_header_is_the_models_business(routes, run, tmp_path, damage):
    (path := tmp_path / "x.jpg").write_bytes(damage)
    (image,) = Readable(routes(), run).request(asked(path, run)).references
    assert image.blob.ref == str(path)


def test_a_see_through_picture_stays_so(routes, run, tmp_path):
    path = write(tmp_path / "phone", "WEBP", TURNED, mode="RGBA")
    (image,) = Readable(routes(), run).request(asked(path, run)).references
    assert opened(image, run).mode == "RGBA"


def test_a_mask_becomes_no_jpeg(routes, run, tmp_path):
    path = write(tmp_path / "mask", "WEBP")
    request = asked([Reference(path, "mask")], run, MODEL)
    (image,) = Readable(routes(), run).request(request).references
    assert (image.media_type, image.use) == ("image/png", Use.MASK)


def test_a_colour_profile_goes_along_and_a_place_does_not(routes, run, tmp_path):
    exif = Pillow.Exif()
    exif[ORIENTATION], exif[0x010F] = TURNED, "a maker"
    scene().save(tmp_path / "phone.jpg", exif=exif, icc_profile=b"a profile")
    (image,) = Readable(routes(), run).request(asked(tmp_path / "phone.jpg", run)).references
    picture = opened(image, run)
    assert picture.info["icc_profile"] == b"a profile"
    assert not dict(picture.getexif())


def test_pictures_of_the_model_are_left_alone(routes, run, tmp_path):
    path = write(tmp_path / "phone.jpg", "JPEG", TURNED)
    (image,) = read_references(path, run)
    turns = (
        Turn(Role.USER, (image, Text("a kite"))),
        Turn(Role.MODEL, (image,)),
        Turn(Role.USER, (Text("at night"),)),
    )
    first, second, _ = Readable(routes(), run).request(ImageRequest(turns, TAKES_HEIC)).turns
    assert is_upright(opened(first.parts[0], run))
    assert second is turns[1]


def test_a_pillow_image_that_was_opened_is_turned_and_one_that_was_made_is_not(run, tmp_path):
    path = write(tmp_path / "phone.jpg", "JPEG", TURNED)
    with Pillow.open(path) as picture:
        turned_by_hand = picture.rotate(-90, expand=True)
        given = read_references([picture, turned_by_hand], run)
    assert all(is_upright(opened(image, run)) for image in given)


# --- of a type that is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["WEBP", "HEIF", "GIF", "BMP", "TIFF", "AVIF"])
def test_what_the_model_does_not_read_is_converted(routes, run, tmp_path, kind):
    path = write(tmp_path / "x", kind)
    routes = routes()
    (image,) = Readable(routes, run).request(request := asked(path, run, MODEL)).references
    picture = opened(image, run)
    assert (picture.size, picture.format) == ((40, 20), "JPEG" if kind in {"WEBP", "HEIF", "AVIF"} else "PNG")
    assert colour(picture, 2, 10)[0] > 150
    (notice,) = routes.notices.values()
    assert notice.code == "reference_converted"
    assert notice.text.startswith(f"Plain Tastes reads no {request.references[0].media_type}")
    assert routes.fitted(Readable(routes, run).request(request)).references == (image,)


@pytest.mark.parametrize("kind", ["WEBP", "HEIF"])
def test_what_the_model_reads_goes_byte_for_byte(routes, run, tmp_path, kind):
    path = write(tmp_path / "x", kind)
    (image,) = Readable(routes(), run).request(asked(path, run)).references
    assert image.blob.ref == str(path)


def test_heic_without_its_library_is_refused_in_words(routes, run, tmp_path, monkeypatch):
    path = write(tmp_path / "x.heic", "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert Readable(routes(), run).request(asked(path, run)).references
    with pytest.raises(RequestError, match="Plain Tastes reads no image/hei") as caught:
        Readable(routes(), run).request(asked(path, run, MODEL))
    assert caught.value.allowed == ("image/png", "image/jpeg")
    assert caught.value.hints == ("pip install 'cavendish[heif]'",)


@pytest.mark.parametrize("data", [b"RIFF\x10\0\0\0WEBPVP8 ", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"GIF89a"])
def test_what_cannot_be_decoded_is_refused_in_words(routes, run, tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(RequestError, match=r"reference picture 1: it cannot be decoded"):
        Readable(routes(), run).request(asked(tmp_path / "x", run, MODEL))


def test_too_many_pixels_are_refused(routes, run, tmp_path, monkeypatch):
    monkeypatch.setattr(redraw, "MAX_PIXELS", 799)
    with pytest.raises(RequestError, match="more than 799 pixels"):
        Readable(routes(), run).request(asked(write(tmp_path / "x", "WEBP"), run, MODEL))


def test_what_cannot_be_converted_is_the_catalogs_to_refuse(routes, run, tmp_path):
    (tmp_path / "x.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    routes = routes()
    request = Readable(routes, run).request(asked(tmp_path / "x.svg", run, MODEL))
    with pytest.raises(RequestError, match=r"image/svg\+xml, which Plain Tastes does not read"):
        routes.fitted(request)


def test_a_strict_run_changes_no_picture(routes, run, tmp_path):
    for path, model in ((write(tmp_path / "a", "JPEG", TURNED), TAKES_HEIC), (write(tmp_path / "b", "WEBP"), MODEL)):
        with pytest.raises(RequestError, match=r"\(strict\)"):
            Readable(routes(strict=True), run).request(asked(path, run, model))


# --- once, and for good -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, orientation, model", [("JPEG", TURNED, TAKES_HEIC), ("WEBP", None, MODEL)])
def test_a_resumed_run_finds_the_same_bytes(routes, run, tmp_path, monkeypatch, kind, orientation, model):
    path = write(tmp_path / "phone", kind, orientation)
    routes, request = routes(), asked(path, run, model)
    first = Readable(routes, run).request(request)
    path.unlink()
    monkeypatch.setattr(redraw, "redrawn", None)
    assert Readable(routes, run).request(request) == first
    assert Readable(routes, run, draw=False).request(request) == first


def test_a_look_ahead_writes_nothing(routes, run, tmp_path):
    path = write(tmp_path / "phone", "WEBP", TURNED)
    routes, request = routes(keyless=True), asked(path, run, MODEL)
    assert routes.fitted(Readable(routes, run, draw=False).request(request)).references
    assert routes.notices
    assert not [*run.iterdir()]


def test_an_address_is_not_looked_at(routes, run):
    image = Image(blob=None, uri="https://x.example/phone.heic", media_type=None)
    request = ImageRequest.of("like this", MODEL, (image,))
    assert Readable(routes(), run).request(request) is request


def test_a_picture_that_is_gone_is_left_to_the_call(routes, run):
    image = Image(blob=Blob("0" * 64, 8, "image/png", str(run / "gone.png")), media_type="image/png")
    request = ImageRequest.of("like this", TAKES_HEIC, (image,))
    assert Readable(routes(), run).request(request) is request


# --- to the provider --------------------------------------------------------------------------------------------------


async def test_both_a_prompt_and_a_batch_send_it_upright(client, tmp_path):
    path = write(tmp_path / "phone.jpg", "JPEG", TURNED)
    one = await client.generate("like this", references=path, output=tmp_path / "one")
    (sent,) = one[0].value.slot.request.references
    assert is_upright(opened(sent, tmp_path / "one"))
    assert [notice.code for notice in one.notices] == ["reference_turned"]
    seen = []
    rows = [{"prompt": "like this", "image": f"{path}:person"}]
    await client.batch(rows, output=tmp_path / "rows", on_picture=seen.append)
    (sent,) = seen[0].value.slot.request.references
    assert is_upright(opened(sent, tmp_path / "rows"))
    assert sent.use is Use.PERSON
    with pytest.raises(RequestError, match="strict"):
        await client.generate("like this", references=path, strict=True)
