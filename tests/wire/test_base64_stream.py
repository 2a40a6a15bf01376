import re

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.wire.base64_stream import Alphabet, Base64Decoder, Base64Encoder, Tolerance, encoded_size, unescape

from .memory import chunked

cuts = st.lists(st.integers(0, 100), max_size=9)


@given(st.lists(st.binary(max_size=9)))
def test_the_encoder_is_base64_in_pieces(pieces):
    encoder = Base64Encoder()
    words = b"".join([*map(encoder.feed, pieces), encoder.end()])
    assert words == pybase64.b64encode(b"".join(pieces))
    assert len(words) == encoded_size(sum(map(len, pieces)))
    assert encoder.end() == b""


@given(st.binary(max_size=80), st.booleans(), st.booleans(), cuts)
def test_the_decoder_is_its_mirror(data, urlsafe, padded, cuts):
    words = (pybase64.urlsafe_b64encode if urlsafe else pybase64.b64encode)(data)
    decoder = Base64Decoder()
    decoded = b"".join(
        decoder.feed(b"<" + piece + b">", 1, len(piece) + 1) or b""
        for piece in chunked(words if padded else words.rstrip(b"="), cuts)
    )
    last, stray = decoder.end(Tolerance.EXACT if padded else Tolerance.UNPADDED)
    assert (decoded + last, stray) == (data, b"")


@given(st.text("AQgz/-_+= \\", max_size=14).map(str.encode), cuts)
def test_a_refused_piece_leaves_no_trace(words, cuts):
    decoder, decoded, taken = Base64Decoder(), b"", b""
    for piece in chunked(words, cuts):
        found = decoder.feed(piece)
        if found is not None:
            decoded += found
            taken += piece
    last, stray = decoder.end(Tolerance.UNPADDED)
    again = Base64Decoder()
    assert again.feed(taken) == decoded
    assert again.end(Tolerance.UNPADDED) == (last, stray)
    assert re.fullmatch(rb"([A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}", taken)


@pytest.mark.parametrize(
    "words, exact, unpadded, loose",
    [
        (b"QUJD", b"ABC", b"ABC", b"ABC"),
        (b"QUI=", b"AB", b"AB", b"AB"),
        (b"QUI", None, b"AB", b"AB"),
        (b"QQ==", b"A", b"A", b"A"),
        (b"QQ", None, b"A", b"A"),
        (b"QR==", None, None, b"A"),
        (b"QUJ=", None, None, b"AB"),
        (b"QUJ", None, None, b"AB"),
        (b"QQ=", None, None, None),
        (b"Q", None, None, None),
        (b"QUJD=", None, None, None),
        (b"=", None, None, None),
    ],
)
def test_the_end_of_a_run(words, exact, unpadded, loose):
    for tolerance, wanted in zip(Tolerance, (exact, unpadded, loose), strict=True):
        decoder = Base64Decoder()
        decoded = decoder.feed(words) or b""
        last, stray = decoder.end(tolerance)
        assert stray == (b"" if wanted is not None else words[len(words) // 4 * 4 :] or words)
        if wanted is not None:
            assert decoded + last == wanted


@pytest.mark.parametrize(
    "before, raw, reach",
    [
        (b"", rb"\u003a", 0),  # an escape that begins as those of the alphabet do
        (b"AAAA", rb"AA\u003a", 2),
        (b"", rb"AB\/\u002b\u002F\u0041.x", 22),
        (b"", rb"AB\u002d_+", 9),
        (b"", rb"AB\\/", 2),
        (b"", rb"AB\u00e9", 2),
        (b"", rb"A=\u003D=", 8),
        (b"AB+", rb"CD-", 2),
        (b"AB_", rb"CD/", 2),
        (b"AB_", rb"CD\/", 2),
        (b"AB=", b"==", 1),
        (b"AB==", b"=", 0),
        (b"AB=", b"A", 0),
    ],
)
def test_how_far_a_run_reaches(before, raw, reach):
    decoder = Base64Decoder()
    assert decoder.feed(before) is not None
    assert decoder.feed(unescape(raw)) is None or reach == len(raw)
    assert decoder.reach(raw) == reach
    assert Base64Decoder().feed(before + unescape(raw[:reach])) is not None


@pytest.mark.parametrize(
    "raw, plain",
    [
        (b"plain", b"plain"),
        (rb"\/\u002B\u002b", b"/++"),
        ("".join(f"\\u{ord(c):04X}" for c in "abcdefghijk").encode(), b"abcdefghijk"),
    ],
)
def test_escapes(raw, plain):
    assert unescape(raw) == plain


@pytest.mark.parametrize("raw", [rb"\\/", rb"\n", rb"\u1234", rb"\u005c/", rb"\u005cu002f", rb"\\u002fu002f", rb"\/\x"])
def test_escapes_that_are_no_base64(raw):
    assert b"\\" in unescape(raw)
    assert Base64Decoder().feed(unescape(raw)) is None


def test_the_alphabet_is_open_until_it_shows():
    decoder = Base64Decoder()
    seen = []
    for piece in (b"AAAA", b"A", b"-", b"AA"):
        decoder.feed(piece)
        seen.append(decoder.alphabet)
    assert seen == [Alphabet.OPEN, Alphabet.OPEN, Alphabet.URLSAFE, Alphabet.URLSAFE]
