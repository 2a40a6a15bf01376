import itertools
import json
import random
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.model.blob import Blob
from cavendish.wire.base64_stream import Base64Encoder
from cavendish.wire.message import Spilled
from cavendish.wire.pour import encoded_length, pour
from cavendish.wire.spill import Spiller

from .memory import PNG, Store, escaped, values


def sent(parts, store) -> bytes:
    """What goes over the wire."""
    body = b""
    for part in parts:
        if isinstance(part, Blob):
            encoder = Base64Encoder()
            body += encoder.feed(store.data[part.sha256]) + encoder.end()
        else:
            body += part
    return body


@given(values, st.integers(0, 2**32))
def test_what_was_read_is_written_again(value, seed):
    store = Store()
    spiller = Spiller(store.new_blob, threshold=64)
    spiller.feed(escaped(value, random.Random(seed), 0.1))
    body = spiller.close()
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        with pytest.raises(ValueError, match="not JSON compliant"):
            pour(body)
        return
    parts = list(pour(body))
    words = sent(parts, store)
    assert json.loads(words) == store.text(body)
    assert encoded_length(pour(body)) == len(words)
    assert all(isinstance(a, Blob) or isinstance(b, Blob) for a, b in itertools.pairwise(parts))


@pytest.mark.parametrize(
    "body, words",
    [
        (None, b"null"),
        ([], b"[]"),
        ({}, b"{}"),
        ((1, 2.5, True, None), b"[1,2.5,true,null]"),
        ({"a": [{"b": "é\n"}, []], "c": {}}, '{"a":[{"b":"é\\n"},[]],"c":{}}'.encode()),
        ("\ud800", b'"\\ud800"'),
        ({"\udc00": 1}, b'{"\\udc00":1}'),
        (10**30, b"1" + b"0" * 30),
        (Spilled(()), b'""'),
        (Spilled(('"',)), b'"\\""'),
    ],
)
def test_compact_json(body, words):
    assert list(pour(body)) == [words]
    assert encoded_length(pour(body)) == len(words)


def test_a_blob_is_given_out_as_it_is():
    store = Store()
    blob = store.blob(PNG)
    body = {"url": Spilled(("data:image/png;base64,", blob, ")")), "data": Spilled((blob,))}
    assert list(pour(body)) == [b'{"url":"data:image/png;base64,', blob, b')","data":"', blob, b'"}']


@pytest.mark.parametrize(
    "beside, words",
    [
        ("<blobs>", b'"<blobs>"'),
        ({"<blobs>": '"<blobs>"'}, b'{"<blobs>":"\\"<blobs>\\""}'),
        (MappingProxyType({"a": 1.5}), b'{"a":1.5}'),
        ("\ud800", b'"\\ud800"'),
        ("\ufffd\x00", '"\ufffd\\u0000"'.encode()),
    ],
)
def test_whatever_stands_beside_a_blob(beside, words):
    store = Store()
    first, second = store.blob(PNG), store.blob(PNG + b"2")
    body = [Spilled((first,)), beside, Spilled(("\ud800", second, '"'))]
    assert list(pour(body)) == [b'["', first, b'",' + words + b',"\\ud800', second, b'\\""]']


def test_as_deep_as_one_likes():
    body = "x"
    for _ in range(50_000):
        body = [body]
    assert encoded_length(pour(body)) == 100_003


@pytest.mark.parametrize("body", [float("nan"), [float("inf")]])
def test_json_has_no_such_number(body):
    with pytest.raises(ValueError, match="not JSON compliant"):
        pour(body)


@pytest.mark.parametrize("body", [object(), {"a": {1}}, [Blob("0" * 64, 1, "image/png")]])
def test_no_json_type(body):
    with pytest.raises(TypeError):
        pour(body)
