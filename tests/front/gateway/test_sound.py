"""What a body may hold, and how it may be packed: laws of both readers, without a line."""

import gzip
import itertools
import json
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.front.gateway.transit.arriving import Unpacker
from cavendish.front.gateway.transit.sound import MAX_DEPTH, MAX_PLACE, flaw_of
from cavendish.model.blob import Blob
from cavendish.wire.blobs import SpillError
from cavendish.wire.message import Field, Form, Spilled

PICTURE = Spilled((Blob("a", "0" * 64, 3, "image/png"),))
texts = st.text(st.characters(exclude_categories=()), max_size=5)
leaves = texts | st.floats() | st.integers(-(2**70), 2**70) | st.booleans() | st.none() | st.just(PICTURE)
bodies: st.SearchStrategy[Any] = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)


def _is_plain(body: Any) -> bool:
    """The slow way to know: each value by itself."""
    if isinstance(body, dict):
        return all(_is_plain(one) for pair in body.items() for one in pair)
    if isinstance(body, list):
        return all(map(_is_plain, body))
    if isinstance(body, str):
        return "\0" not in body and not any(0xD800 <= ord(sign) < 0xE000 for sign in body)
    if isinstance(body, float):
        return body - body == 0
    return not isinstance(body, int) or -(2**63) <= body < 2**63


@given(body=bodies)
def test_sound_is_what_can_be_written_down(body: Any) -> None:
    flaw = flaw_of(body)
    assert (flaw is None) is _is_plain(body), flaw
    if flaw is None:
        assert orjson.dumps(body, default=lambda _: None)
    else:
        assert flaw.isascii()
        assert len(flaw) < MAX_PLACE + 200


@pytest.mark.parametrize(
    "body, place",
    [
        ({"a": [{"b": "\0"}]}, "'a[0].b'"),
        ({"a": {"\ud800": 1}}, "'a.\\ud800'"),
        ("\ud800", "the top"),
        ({"seed": 2**63}, "'seed'"),
        ({"seed": -(2**63) - 1}, "'seed'"),
        ({"x" * 5000: float("inf")}, "..."),
    ],
)
def test_it_is_told_where(body: Any, place: str) -> None:
    assert place in (flaw_of(body) or "")


def test_depth() -> None:
    def nested(levels: int) -> Any:
        return json.loads("[" * levels + "]" * levels)

    assert flaw_of(nested(MAX_DEPTH)) is None
    assert "deep" in (flaw_of(nested(MAX_DEPTH + 50)) or "")
    assert flaw_of([2**63 - 1, -(2**63)]) is None
    assert flaw_of([[1]] * 5000) is None  # wide is not deep


def test_forms() -> None:
    assert flaw_of(Form((Field("prompt", "a kite"), Field("image", Blob("a", "0" * 64, 3, "image/png"))))) is None
    assert "'prompt'" in (flaw_of(Form((Field("prompt", "a \0 kite"),))) or "")
    assert "'n'" in (flaw_of(Form((Field("n", "\0"), Field("n", "2")))) or "")


# --- packed -----------------------------------------------------------------------------------------------------------


def _bare(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


PACKED = {"gzip": [gzip.compress], "deflate": [zlib.compress, _bare], "": [bytes]}


@given(data=st.binary(max_size=200).map(lambda piece: piece * 50), cuts=st.lists(st.integers(0, 300)), many=st.data())
def test_what_was_packed_is_unpacked_however_it_arrives(data: bytes, cuts: list[int], many: st.DataObject) -> None:
    packing = many.draw(st.sampled_from(sorted(PACKED)))
    packed = many.draw(st.sampled_from(PACKED[packing]))(data)
    edges = sorted({0, *(min(cut, len(packed)) for cut in cuts), len(packed)})
    unpacker = Unpacker(packing)
    came = b"".join(b"".join(unpacker.feed(packed[a:b])) for a, b in itertools.pairwise(edges))
    assert came == data
    if packed:
        unpacker.close()


def _unpacked(packing: str, data: bytes) -> bytes:
    unpacker = Unpacker(packing)
    came = b"".join(unpacker.feed(data))
    unpacker.close()
    return came


@given(data=st.binary(min_size=3, max_size=60), cut=st.integers(1, 8))
def test_what_breaks_off_is_told(data: bytes, cut: int) -> None:
    with pytest.raises(SpillError):
        _unpacked("gzip", gzip.compress(data)[:-cut])


@given(data=st.binary(min_size=1, max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for packing in PACKED:
        try:
            _unpacked(packing, data)
        except SpillError as error:
            if packing not in str(error):
                raise


def test_a_bomb_comes_in_pieces() -> None:
    pieces = Unpacker("gzip").feed(gzip.compress(bytes(50_000_000)))
    assert max(map(len, itertools.islice(pieces, 10))) <= 256 * 1024
