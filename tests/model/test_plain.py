"""What is written as plain JSON is read back as it was, by this version and by others."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.model.attempt import Attempt
from cavendish.model.blob import Blob
from cavendish.model.call import Done, Later, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.plain import from_json, from_plain, to_json, to_plain
from cavendish.model.request import Image, ImageRequest, Notice, Role, Text, Turn
from cavendish.model.result import Failure, Picture, Route, Slot
from cavendish.model.usage import Usage

words = st.text(max_size=6) | st.text(st.characters(codec=None), max_size=3)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
columns = st.dictionaries(words, json_values, max_size=2)
blobs = st.builds(Blob, words, st.integers(0), words, words)
st.register_type_strategy(Blob, blobs)
st.register_type_strategy(str, words)
st.register_type_strategy(float, numbers)
tickets = st.builds(Ticket, data=columns)
texts = st.builds(Text)
images = st.builds(Image)
parts = st.lists(texts | images, max_size=2).map(tuple)
turns = st.lists(st.builds(Turn, parts=parts), max_size=2).map(tuple)
requests = st.builds(ImageRequest, turns=turns, extra=columns)
slots = st.builds(Slot, request=requests, columns=columns)
values = st.one_of(
    requests,
    slots,
    tickets,
    blobs,
    texts,
    images,
    *(st.builds(kind) for kind in (Route, Usage, Fault, Notice)),
    st.builds(Later, ticket=tickets),
    st.builds(Done, parts=parts),
    st.builds(Picture, slot=slots, extras=parts),
    st.builds(Failure, slot=slots),
    st.builds(Attempt, ticket=st.none() | tickets),
)


@given(values)
def test_a_value_comes_back_as_it_was(value):
    back = from_plain(to_plain(value))
    assert type(back) is type(value)
    assert back == value
    assert dataclasses.asdict(back) == dataclasses.asdict(value)  # also what equality leaves out: places, columns


@given(values)
def test_it_survives_json(value):
    assert dataclasses.asdict(from_json(to_json(value))) == dataclasses.asdict(value)
    assert json.loads(to_json(value)) == to_plain(value)


@given(values)
def test_a_newer_version_s_members_are_ignored(value):
    plain = to_plain(value) | {"from_the_future": {"a": 1}}
    assert from_plain(plain) == value


def test_missing_members_take_their_defaults():
    assert from_plain({"type": "fault", "kind": "timeout"}) == Fault(FaultKind.TIMEOUT)
    assert from_plain({"type": "done", "parts": [], "finals": [], "usage": None}) == Done((), ())


def test_the_form_on_disk_is_stable():
    """Files of released versions must stay readable: this literal may only grow."""
    request = ImageRequest(
        (Turn(Role.USER, (Text("a kite"), Image(Blob("ab", 3, "image/png", "x.png")))),), "m", seed=7
    )
    assert to_plain(Slot("d.0", "kite", 0, 0, request)) == {
        "type": "slot",
        "id": "d.0",
        "key": "kite",
        "row": 0,
        "ordinal": 0,
        "request": {
            "turns": [
                {
                    "role": "user",
                    "parts": [
                        {"text": "a kite"},
                        {"blob": {"sha256": "ab", "size": 3, "media_type": "image/png", "ref": "x.png"}},
                    ],
                }
            ],
            "model": "m",
            "seed": 7,
        },
    }


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        "done",
        {},
        {"type": "banana"},
        {"type": ["done"]},
        {"type": "fault"},
        {"type": "fault", "kind": "of-the-future"},
        {"type": "done", "parts": 3, "finals": []},
        {"type": "slot", "id": "x", "key": "k", "row": 0, "ordinal": 0, "request": "none"},
    ],
)
def test_what_stands_for_nothing_is_a_value_error(plain):
    with pytest.raises(ValueError, match="plain value"):
        from_plain(plain)


def test_the_wanted_class_is_checked():
    plain = to_plain(Usage(images=1))
    assert from_plain(plain, Usage) == Usage(images=1)
    with pytest.raises(ValueError, match="Usage where a Fault"):
        from_plain(plain, Fault)


@pytest.mark.parametrize("number", [2**70, -(2**70), 2**64])
def test_whole_numbers_of_any_length_stay_exact(number):
    ticket = Ticket("t", data={"n": number, "half": "\ud800"})
    assert from_json(to_json(ticket)) == ticket
    assert from_json(to_json(ticket).decode()) == ticket
