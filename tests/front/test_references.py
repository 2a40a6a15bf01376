"""Reference pictures, however they are handed in: each reaches the provider byte for byte, or is refused in words."""

import base64
import hashlib
import io
import os
import sys
from pathlib import Path

import pytest
from PIL import Image as Pillow

from cavendish import RequestError
from cavendish.front import references as module
from cavendish.front.references import Reference, read_references
from cavendish.front.rows.references import split_role
from cavendish.model.request import Image, Use


def picture(kind="PNG", mode="RGB", size=(8, 8)):
    file = io.BytesIO()
    Pillow.new(mode, size, 7).save(file, kind)
    return file.getvalue()


PNG, JPEG, WEBP = picture(), picture("JPEG"), picture("WEBP")


@pytest.fixture
def keep(tmp_path):
    return tmp_path / "run" / "references"


@pytest.fixture
def look(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "look.png"
    path.write_bytes(PNG)
    return path


class Stdin:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


def data_of(image: Image, folder: Path = Path("/")) -> bytes:
    """The bytes of a picture: those that are kept in a run folder are named from there, so that it can be moved."""
    assert image.blob is not None
    data = (folder / image.blob.ref).read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (image.blob.sha256, image.blob.size)
    assert Path(image.blob.ref).is_absolute() == (folder == Path("/"))
    return data


# --- what can be handed in --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["look.png", "./look.png", Path("look.png")])
def test_a_path_stays_where_it_is(look, keep, name):
    (image,) = read_references([name], keep)
    assert (data_of(image), image.media_type, image.blob.ref) == (PNG, "image/png", str(look))
    assert not keep.exists()


def test_a_type_is_told_by_the_bytes_and_not_by_the_name(look, keep):
    look.write_bytes(WEBP)
    (image,) = read_references([look], keep)
    assert image.media_type == image.blob.media_type == "image/webp"


@pytest.mark.parametrize("given", [JPEG, bytearray(JPEG), "data:image/jpeg;base64," + base64.b64encode(JPEG).decode()])
def test_bytes_are_kept_with_the_run_once(keep, given):
    images = read_references([given, given], keep)
    assert [data_of(image, keep) for image in images] == [JPEG, JPEG]
    assert [path.suffix for path in keep.rglob("*") if path.is_file()] == [".jpg"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "F"])
def test_a_pillow_image_is_kept_as_a_file(keep, mode):
    (image,) = read_references([Pillow.new(mode, (5, 3))], keep)
    with Pillow.open(io.BytesIO(data_of(image, keep))) as seen:
        assert (seen.size, seen.format) == ((5, 3), "PNG")


def test_standard_input_is_kept(keep, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Stdin(PNG))
    (image,) = read_references(["-:style"], keep)
    assert (data_of(image, keep), image.use) == (PNG, Use.STYLE)


def test_an_address_is_left_to_the_provider(keep):
    (image,) = read_references(["http://127.0.0.1:1/look.png:style"], keep)
    assert (image.uri, image.use, image.blob) == ("http://127.0.0.1:1/look.png", Use.STYLE, None)


def test_a_name_may_end_in_a_role(look, keep):
    images = read_references(["look.png:person", "look.png"], keep)
    assert [image.use for image in images] == [Use.PERSON, None]


@pytest.mark.parametrize(
    "name, target, use",
    [
        ("C:\\shots\\look.png", "C:\\shots\\look.png", None),
        ("C:\\shots\\look.png:style", "C:\\shots\\look.png", Use.STYLE),
        ("C:look.png:Mask", "C:look.png", Use.MASK),
        ("http://127.0.0.1:8080/a:b.png", "http://127.0.0.1:8080/a:b.png", None),
        ("http://127.0.0.1:8080/a.png: person", "http://127.0.0.1:8080/a.png", Use.PERSON),
        ("data:image/png;base64,AAAA:object", "data:image/png;base64,AAAA", Use.OBJECT),
        (":style", ":style", None),
    ],
)
def test_a_role_is_told_from_a_drive_and_a_port(name, target, use):
    assert split_role(name) == (target, use)


@pytest.mark.skipif(os.name == "nt", reason="names have no colons there")
def test_a_file_may_be_called_like_a_picture_with_a_role(look, keep):
    (look.parent / "look.png:style").write_bytes(JPEG)
    (image,) = read_references(["look.png:style"], keep)
    assert (image.media_type, image.use) == ("image/jpeg", None)
    (look.parent / "12:30.png").write_bytes(JPEG)
    (image,) = read_references(["12:30.png:style"], keep)
    assert (image.media_type, image.use) == ("image/jpeg", Use.STYLE)


@pytest.mark.parametrize("given", [PNG, Path("look.png"), "look.png", "look.png:object", Pillow.new("RGB", (1, 1))])
def test_a_role_for_what_has_no_name(look, keep, given):
    (image,) = read_references(Reference(given, "style"), keep)
    assert image.use is Use.STYLE
    assert read_references(Reference(given), keep)[0].use is (Use.OBJECT if given == "look.png:object" else None)


@pytest.mark.parametrize("given", ["look.png:hero", Reference("look.png", "hero")])
def test_a_role_that_there_is_not(look, keep, given):
    with pytest.raises(RequestError, match="no role 'hero'; there are: object, person, style, mask"):
        read_references([given], keep)


@pytest.mark.parametrize("one", ["look.png", Path("look.png"), PNG, Pillow.new("RGB", (1, 1))])
def test_a_single_one_needs_no_list(look, keep, one):
    assert len(read_references(one, keep)) == 1


# --- what cannot ------------------------------------------------------------------------------------------------------


def fifo(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def words(path):
    path.write_text("not a picture")


def empty(path):
    path.touch()


def sparse(path):
    with path.open("wb") as file:
        file.write(PNG)
        file.truncate(module.MAX_BYTES + 1)


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda path: None, "No such file"),
        (folder, "no file"),
        pytest.param(fifo, "no file", marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")),
        (words, "no picture"),
        (empty, "no picture"),
        (sparse, "more than"),
    ],
)
def test_a_file_that_is_no_picture(tmp_path, keep, make, said):
    make(path := tmp_path / "x.png")
    with pytest.raises(RequestError, match=rf"reference 2: .*x\.png.*{said}") as caught:
        read_references([PNG, path], keep)
    assert caught.value.field == "references"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read(look, keep):
    look.chmod(0)
    with pytest.raises(RequestError, match="Permission denied"):
        read_references([look], keep)


@pytest.mark.parametrize(
    "given, said",
    [
        (b"", "no picture"),
        (b"words", "no picture"),
        ("data:image/png;base64,!!!", "data URI"),
        ("data:text/plain,words", "data URI"),
        ("data:image/png;base64," + base64.b64encode(b"words").decode(), "data URI"),
        ("", "no file"),
        ("a\0b", "null"),
        ("-:hero", "-:hero: No such file"),
        (7, "int is no picture"),
        (None, "NoneType is no picture"),
        (["look.png"], "list is no picture"),
        ("file:///etc/hostname", "No such file"),
    ],
)
def test_what_is_no_picture_at_all(keep, given, said):
    with pytest.raises(RequestError, match=f"reference 1: .*{said}"):
        read_references([given], keep)


@pytest.mark.parametrize("data, said", [(b"", "no picture"), (b"words", "no picture"), (PNG + bytes(100), "more than")])
def test_standard_input_without_a_picture(keep, monkeypatch, data, said):
    monkeypatch.setattr(sys, "stdin", Stdin(data))
    monkeypatch.setattr(module, "MAX_BYTES", len(PNG) + 50)
    with pytest.raises(RequestError, match=said):
        read_references(["-"], keep)


def test_bytes_beyond_the_limit(keep, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(RequestError, match="more than 10 bytes"):
        read_references([PNG], keep)
    assert not keep.exists()


# --- to the provider --------------------------------------------------------------------------------------------------


async def test_references_go_along_and_are_counted(client, server, look, tmp_path):
    first = await client.generate("a kite", output=tmp_path / "1")
    result = await client.generate("like this", output=tmp_path / "2", references=[look, JPEG, first[0]])
    assert len(result) == 1
    assert result[0].value.usage.input_image_tokens == 3 * 1120
    sent = result[0].value.slot.request.references
    assert [image.blob.sha256 for image in sent][2] == first[0].sha256


async def test_a_reference_that_changes_while_the_run_goes_on_is_told(client, look, tmp_path):
    stream = client.stream("like this", n=4, output=tmp_path / "run", references=look, concurrency=1)
    async for _ in stream:
        look.write_bytes(JPEG + bytes(1000))
    assert len(stream.result) < 4
    assert "changed meanwhile" in stream.result.failures[0].message
