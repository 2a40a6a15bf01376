import io

import pytest
from PIL import Image

from cavendish.wire.media import HEAD_BYTES, TAIL_BYTES, ends_whole, extension, is_picture, sniff

FTYP = b"\0\0\0\x18ftyp"


@pytest.mark.parametrize(
    "head, media_type",
    [
        (b"\x89PNG\r\n\x1a\n\0", "image/png"),
        (b"\xff\xd8\xff\xe1", "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"%PDF-1.7", "application/pdf"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "image/bmp"),
        (b"BM is a car", None),
        (b"BMW" + b"." * 40, None),
        (FTYP + b"avif\0\0\0\0avifmif1", "image/avif"),
        (FTYP + b"heic\0\0\0\0mif1heic", "image/heic"),
        (FTYP + b"mif1\0\0\0\0mif1heic", "image/heif"),
        (FTYP + b"xxxx\0\0\0\0miafavif", "image/avif"),
        (FTYP + b"mp42\0\0\0\0isommp42", None),
        (FTYP + b"mp42\0\0\0\0isommp42avif", None),  # the box ends before it
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "image/svg+xml"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a --><!-- <b> -->\n<!DOCTYPE svg>\n<svg>', "image/svg+xml"),
        (b'<?xml version="1.0"?><html>', None),
        (b"<svgish>", None),
        (b"<!DOCTYPE html><html>", None),
        (b"<!---->" * 70 + b"<", None),
        (b'{"a":1}', None),
        (b"", None),
        (b"\x89PN", None),
    ],
)
def test_magic_bytes(head, media_type):
    assert sniff(head) == media_type


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PDF"])
def test_pictures_of_a_real_encoder(name):
    file = io.BytesIO()
    Image.new("RGB", (9, 7), "#c83").save(file, name)
    data = file.getvalue()
    found = sniff(data[:HEAD_BYTES])
    assert found == ("application/pdf" if name == "PDF" else f"image/{name.lower()}")
    assert found is not None
    assert ends_whole(found, data[-TAIL_BYTES:]) == (name in {"PNG", "JPEG", "GIF"})
    assert not ends_whole(found, data[:-2][-TAIL_BYTES:])


@pytest.mark.parametrize(
    "media_type, suffix",
    [
        ("image/jpeg", "jpg"),
        ("IMAGE/PNG; q=1", "png"),
        ("image/svg+xml", "svg"),
        ("image/x-of-tomorrow", "bin"),
        ("", "bin"),
        ("application/pdf", "pdf"),
    ],
)
def test_extensions(media_type, suffix):
    assert extension(media_type) == suffix


def test_what_is_a_picture():
    assert is_picture("image/png")
    assert not is_picture("application/pdf")
    assert not is_picture(None)
