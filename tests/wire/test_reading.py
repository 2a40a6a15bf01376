import math
from enum import StrEnum

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.model.blob import Blob
from cavendish.wire import reading
from cavendish.wire.message import Spilled

from .memory import values

BLOB = Blob("0" * 64, 3, "image/png")


def brief(value: object) -> str:
    return repr(value)[:20] if not isinstance(value, int) or abs(value) < 99999 else f"10**{len(str(value)) - 1}"


class Word(StrEnum):
    LOW = "low"
    VERY_HIGH = "VERY_HIGH"


@pytest.mark.parametrize(
    "camel, snake",
    [
        ("inlineData", "inline_data"),
        ("data", "data"),
        ("b64_json", "b64_json"),
        ("bytesBase64Encoded", "bytes_base64_encoded"),
        ("fileURI", "file_uri"),
        ("aURLPart", "a_url_part"),
        ("generatedAt2", "generated_at2"),
    ],
)
def test_snake(camel, snake):
    assert reading.snake(camel) == snake
    assert reading.member({snake: 1}, camel) == 1
    assert reading.member({camel: 2}, camel) == 2


def test_members():
    assert reading.member({"inlineData": None, "inline_data": 5}, "inlineData") == 5
    assert reading.member({"inlineData": 0, "inline_data": 5}, "inlineData") == 0
    assert reading.member({"other": 1}, "inlineData") is None


def test_leaves():
    assert sorted(reading.leaves({"a": [1, {"b": 2}, []], "c": {}, "d": 3})) == [1, 2, 3]
    assert list(reading.leaves("alone")) == ["alone"]


@pytest.mark.parametrize(
    "value, found",
    [("a", "a"), ("", ""), (Spilled(("a", BLOB, "b")), "ab"), (None, "?"), (1, "?"), (["a"], "?")],
)
def test_texts(value, found):
    assert reading.text({"a": value}, "a", "?") == found
    assert reading.text({}, "a") == ""


@pytest.mark.parametrize(
    "value, found",
    [
        (40, 40),
        (40.0, 40),
        ("40", 40),
        (" 40 ", 40),
        ("40.0", 40),
        ("4e1", 40),
        (-1, -1),
        (10**400, 10**400),
        (40.5, None),
        ("40.5", None),
        ("4_0", None),
        ("", None),
        ("x", None),
        ("9" * 5000, None),
        ("nan", None),
        (math.inf, None),
        (math.nan, None),
        (True, None),
        (None, None),
        ([4], None),
    ],
    ids=brief,
)
def test_whole_numbers(value, found):
    assert reading.integer({"tokenCount": value}, "tokenCount") == found
    assert reading.integer({"token_count": value}, "tokenCount", 7) == (7 if found is None else found)
    assert reading.count({"n": value}, "n") == max(found or 0, 0)


@pytest.mark.parametrize(
    "value, found",
    [(1, 1.0), (1.5, 1.5), ("1.5", 1.5), ("-2", -2.0), ("1e999", None), (10**400, None), (False, None), ({}, None)],
    ids=brief,
)
def test_numbers(value, found):
    assert reading.number({"a": value}, "a") == found
    assert reading.number({"a": value}, "a", 9.0) == (9.0 if found is None else found)


@pytest.mark.parametrize(
    "value, found",
    [(True, True), (False, False), ("True", True), (" false", False), ("yes", None), (1, None), (None, None)],
    ids=brief,
)
def test_flags(value, found):
    assert reading.flag({"a": value}, "a") is bool(found)
    assert reading.flag({"a": value}, "a", default=True) is (found is not False)


def test_lists_and_objects():
    assert reading.items({"a": [1, 2]}, "a") == (1, 2)
    assert reading.items({"a": {"b": 1}}, "a") == ()
    assert reading.items({"a": "text"}, "a") == ()
    assert reading.entries_of((1,)) == (1,)
    assert reading.entries_of(None) == ()
    assert reading.mapping({"a": {"b": 1}}, "a") == {"b": 1}
    assert reading.mapping({"a": [1]}, "a") == {}
    assert reading.mapping([], "a") == {}


def test_words():
    assert reading.word({"a": " Low "}, "a", Word) is Word.LOW
    assert reading.word({"a": "very_high"}, "a", Word) is Word.VERY_HIGH
    assert reading.word({"a": "other"}, "a", Word) is None
    assert reading.word({"a": 1}, "a", Word, Word.LOW) is Word.LOW
    assert reading.word({"a": "IMAGE"}, "a", ("text", "image")) == "image"


@pytest.mark.parametrize(
    "value, found",
    [
        ("41s", 41.0),
        ("6776s", 6776.0),
        ("0.5s", 0.5),
        (".5s", 0.5),
        ("41.2s", 41.2),
        ("1h52m56.4s", 6776.4),
        ("1h", 3600.0),
        ("2m", 120.0),
        ("80ms", 0.08),
        ("12.5ms", 0.0125),
        (" 3s ", 3.0),
        (7, 7.0),
        ("7", 7.0),
        ("7.5", 7.5),
        (0, 0.0),
        (-1, None),
        ("-1s", None),
        ("", None),
        ("s", None),
        ("soon", None),
        ("1s1h", None),
        ("1" * 390 + "h", None),
        ("2" * 500 + "s", None),
        (10**400, None),
        (None, None),
        (True, None),
        ({"seconds": 1}, None),
    ],
    ids=brief,
)
def test_durations(value, found):
    assert reading.duration_s(value) == (None if found is None else pytest.approx(found))
    assert reading.seconds({"retry_delay": value}, "retryDelay") == reading.duration_s(value)


@pytest.mark.parametrize(
    "value, text, blob",
    [
        ("a", "a", None),
        (None, "", None),
        (7, "", None),
        (Spilled((BLOB,)), "", BLOB),
        (Spilled(("data:image/png;base64,", BLOB)), "data:image/png;base64,", BLOB),
        (Spilled(("DATA:;base64,", BLOB)), "DATA:;base64,", BLOB),
        (Spilled(("see data:;base64,", BLOB)), "see data:;base64,", None),
        (Spilled(("![](data:;base64,", BLOB, ")")), "![](data:;base64,)", None),
    ],
)
def test_strings_and_blobs(value, text, blob):
    assert reading.text_of(value) == text
    assert reading.blob_of(value) == blob


@given(st.binary(max_size=30), st.booleans(), st.booleans())
def test_short_base64(data, urlsafe, padded):
    words = (pybase64.urlsafe_b64encode if urlsafe else pybase64.b64encode)(data).decode()
    assert reading.decode_base64(words if padded else words.rstrip("=")) == data


@pytest.mark.parametrize("words", ["A", "A===", "AA=", "AA=A", "=", "====", "é", "AA AA", "AAAA=", "AA\n=="])
def test_what_is_no_base64(words):
    assert reading.decode_base64(words) is None


@given(values, st.text(max_size=3))
def test_reading_never_raises(value, name):
    names = [name, *(value if isinstance(value, dict) else [])]
    for reader in (
        reading.member,
        reading.text,
        reading.integer,
        reading.count,
        reading.number,
        reading.flag,
        reading.items,
        reading.mapping,
        reading.seconds,
        lambda v, n: reading.word(v, n, Word),
    ):
        for each in names:
            reader(value, each)
    for reader in (reading.text_of, reading.blob_of, reading.duration_s, reading.as_number, reading.entries_of):
        reader(value)
