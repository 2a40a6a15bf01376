"""File names: readable, safe on every system, and no way out of the folder."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.io.blobs.names import file_id, is_inside, slug, stem
from cavendish.model.request import ImageRequest
from cavendish.model.result import Slot

anything = st.text(st.characters(codec=None), max_size=300)
DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(10))}


def slot(prompt="a red kite", key="", row=0, ordinal=0):
    return Slot("id", key, row, ordinal, ImageRequest.of(prompt, model="m"))


@pytest.mark.parametrize(
    "wanted, fields",
    [
        ("0001-a-red-kite-1", {}),
        ("12346-a-red-kite-3", {"row": 12345, "ordinal": 2}),
        ("0017-a-red-kite-1", {"key": "17", "row": 3}),
        ("SKU-42_b-a-red-kite-1", {"key": "SKU-42_b"}),
        ("0001-a-red-kite-1", {"key": "A red kite"}),
        ("0001-a-red-kite-1", {"key": "a red kite"}),
        ("0004-1", {"prompt": "猫", "row": 3}),
        ("0001-creme-brulee-1", {"prompt": "Crème brûlée!"}),
        ("etc-passwd-x-1", {"prompt": "x", "key": "../../etc/passwd"}),
        ("con-x-1", {"prompt": "x", "key": "con"}),
        ("0001-rf-x-1", {"prompt": "-rf x"}),
    ],
)
def test_the_name_of_a_picture(wanted, fields):
    assert stem(slot(**fields)) == wanted


@given(anything, anything, st.integers(0, 10**9), st.integers(0, 10**6))
def test_a_name_is_safe_whatever_is_asked(prompt, key, row, ordinal):
    name = stem(slot(prompt, key, row, ordinal))
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name)
    assert len(name) <= 130
    assert name.lower() not in DEVICES
    assert is_inside(name + ".png")


@given(anything, st.integers(1, 60))
def test_a_slug_is_bounded(text, length):
    assert len(slug(text, length)) <= length


def test_a_slug_ends_with_a_word():
    assert slug("the quick brown fox jumps", 17) == "the-quick-brown"
    assert slug("the quick brown fox", 15) == "the-quick-brown"
    assert slug("a" * 100, 10) == "a" * 10


@given(anything)
def test_an_attempt_s_file_name_is_safe(attempt_id):
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,79}", file_id(attempt_id))


@given(anything, anything)
def test_different_attempts_have_different_files(one, other):
    assert (file_id(one) == file_id(other)) == (one == other)


@pytest.mark.parametrize("ref", ["a.png", ".cavendish/tmp/a-1.part", "a/b/c"])
def test_what_is_inside(ref):
    assert is_inside(ref)


@pytest.mark.parametrize(
    "ref", ["", ".", "..", "/etc/passwd", "../a", "a/../../b", "a/..", "a\\..\\b", "C:a", "C:/a", "a\0b", "a//b", "./a"]
)
def test_what_is_not(ref):
    assert not is_inside(ref)
