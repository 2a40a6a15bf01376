"""Lines of JSON read in any pieces: the same lines, the same blobs."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.wire.blobs import Limits
from cavendish.wire.jsonl import LineReader
from tests.wire.memory import Store, chunked

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(200)) * 100
LINES = [
    {"key": "a", "response": {"data": base64.b64encode(PICTURE).decode()}},
    {"key": "b\n\u2028", "error": {"code": 3}},
    {"response": {"data": base64.b64encode(PICTURE[:500]).decode()}, "key": "c"},
]
WHOLE = b"\r\n".join(json.dumps(line).encode() for line in LINES)


def read(pieces, **options):
    store, blobs = Store(), []

    def new_blob(number):
        blobs.append(number)
        return store.new_blob()

    reader = LineReader(new_blob, **options)
    lines = [line for piece in pieces for line in reader.feed(piece)]
    return store, blobs, lines + reader.close()


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8), st.booleans())
def test_lines_are_the_same_wherever_the_pieces_are_cut(cuts, ended):
    body = WHOLE + b"\n\n" if ended else WHOLE
    store, blobs, lines = read(chunked(body, cuts))
    assert [store.text(line.value) for line in lines] == LINES
    assert blobs == [0, 2], "each blob is asked for with the number of its line"
    assert [body[: line.end].rstrip().count(b"\n") for line in lines] == [0, 1, 2], "the end is behind the line"


@pytest.mark.parametrize("bad", [b"{oops}", b'{"key": "x"', b"\xff\xfe\xfd\xfc"])
def test_a_broken_line_leaves_the_others_whole(bad):
    _, _, lines = read([b'{"a": 1}\n' + bad + b'\n{"b": 2}\n'])
    assert [line.value for line in lines] == [{"a": 1}, None, {"b": 2}]
    assert [bool(line.broken) for line in lines] == [False, True, False]


def test_a_line_beyond_a_limit_is_passed_over():
    _, _, lines = read([WHOLE], limits=Limits(blob_bytes=1000))
    assert [bool(line.broken) for line in lines] == [True, False, False]


def test_a_line_that_is_given_up_leaves_no_writer_open():
    store = Store()
    reader = LineReader(lambda _: store.new_blob())
    assert reader.feed(WHOLE[:20_000]) == []
    reader.abort()
    assert store.states() == ["aborted"]
    assert reader.close() == []
