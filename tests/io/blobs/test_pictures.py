"""The size of pictures by their headers, and whether they are whole."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cavendish.io.blobs import pictures
from cavendish.io.blobs.pictures import measure

SIZE = (61, 43)


def noise(size=SIZE):
    image = Image.effect_noise(size, 80)
    return image.convert("RGB")


def saved(kind, **options):
    file = io.BytesIO()
    noise().save(file, kind, **options)
    return file.getvalue()


def size_of(data):
    return measure(io.BytesIO(data))


KINDS = {
    "png": saved("PNG"),
    "palette png": saved("PNG", optimize=True),
    "jpeg": saved("JPEG"),
    "progressive jpeg": saved("JPEG", progressive=True),
    "restarting jpeg": saved("JPEG", restart_marker_rows=1),
    "jpeg with exif": saved("JPEG", exif=b"Exif\0\0" + b"x" * 3000, comment=b"\xff\xd9\xff\xd9"),
    "gif": saved("GIF"),
    "lossy webp": saved("WEBP"),
    "lossless webp": saved("WEBP", lossless=True),
    "extended webp": saved("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
    "bmp": saved("BMP"),
    "tiff": saved("TIFF"),
}


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_a_whole_picture_is_measured(data):
    assert size_of(data) == SIZE


CUTTABLE = {name: data for name, data in KINDS.items() if name not in {"bmp", "tiff"}}


@pytest.mark.parametrize("data", CUTTABLE.values(), ids=CUTTABLE)
def test_a_cut_picture_is_not(data):
    for length in {*range(min(len(data), 300)), *range(0, len(data), 7), len(data) - 1}:
        assert size_of(data[:length]) is None, length


@pytest.mark.parametrize("name", ["png", "jpeg", "lossy webp"])
@pytest.mark.parametrize("more", [b"\0", b"more", b"x" * 40_000])
def test_what_is_appended_does_no_harm(name, more):
    assert size_of(KINDS[name] + more) == SIZE


@given(st.sampled_from(list(KINDS)), st.binary(max_size=80), st.integers(0, 400))
def test_nothing_raises(name, junk, at):
    data = KINDS[name]
    result = size_of(data[:at] + junk + data[at + len(junk) :])
    assert result is None or min(result) > 0


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_do_not_raise(data):
    size_of(data)


def test_a_decompression_bomb_is_measured_and_not_opened():
    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    assert size_of(data) == (200_000, 200_000)


def test_a_bomb_of_another_kind_is_refused_without_a_warning():
    data = bytearray(KINDS["bmp"])
    struct.pack_into("<ii", data, 18, 60_000, 60_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert size_of(bytes(data)) is None


def test_a_large_file_of_another_kind_is_not_handed_on(monkeypatch):
    monkeypatch.setattr(pictures, "ODD_BYTES", len(KINDS["bmp"]) - 1)
    assert size_of(KINDS["bmp"]) is None


def test_pixels_of_nothing_are_no_picture():
    data = bytearray(KINDS["gif"])
    data[6:8] = b"\0\0"
    assert size_of(bytes(data)) is None
