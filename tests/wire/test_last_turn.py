"""Formats without conversations: the last words, the pictures, and what goes unsaid. Pictures as strings."""

import pytest

from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use
from cavendish.wire.data_uri import read_picture, write_picture
from cavendish.wire.detail import read_details, sentence, write_details
from cavendish.wire.last_turn import one_turn, picture_for, pictures_of, prompt_of, unsaid
from cavendish.wire.message import Spilled
from cavendish.wire.passed_on import passed_on
from tests.wire.memory import PNG, Store

STORE = Store()
BLOB = STORE.blob(PNG)
FIRST, SECOND, MASK = (Image(uri=f"https://x.example/{name}") for name in ("1", "2", "mask"))
MASKED = Image(uri=MASK.uri, use=Use.MASK)
STYLED = Image(uri=SECOND.uri, use=Use.STYLE)


def turns(*parts):
    return (Turn(Role.USER, parts),)


def talk(*turns):
    roles = (Role.USER, Role.MODEL)
    return ImageRequest(tuple(Turn(roles[i % 2], parts) for i, parts in enumerate(turns)), model="m")


PICTURES = [
    (talk((FIRST, STYLED, Text("x"))), (FIRST, SECOND)),
    (talk((FIRST, MASKED, Text("x"))), (FIRST,)),
    (talk((FIRST,), (SECOND,), (Text("x"),)), (SECOND,)),
    (talk((FIRST,), (SECOND, Image(uri="t", thought=True)), (MASKED, Text("x"))), (SECOND,)),
    (talk((FIRST, MASKED), (), (Text("x"),)), (FIRST,)),
    (talk((Text("x"),)), ()),
    (ImageRequest((), "m"), ()),
]


@pytest.mark.parametrize("request_, pictures", PICTURES)
def test_the_pictures_are_those_of_the_last_turn_or_the_latest(request_, pictures):
    assert pictures_of(request_) == pictures


def test_a_picture_with_a_place_of_its_own_is_not_among_the_others():
    request = talk((FIRST, STYLED, MASKED, Text("x")))
    assert pictures_of(request, Use.STYLE) == (FIRST,)
    assert (picture_for(request, Use.STYLE), picture_for(request, Use.MASK)) == (SECOND, MASK)
    assert picture_for(request, Use.PERSON) is None


def test_words_and_pictures_make_one_turn():
    assert one_turn("x", [FIRST]) == turns(FIRST, Text("x"))
    assert one_turn("", [FIRST]) == turns(FIRST)
    assert prompt_of(talk((Text("a"), FIRST, Text("b")))) == "a\nb"


FIELDS = [
    ({}, []),
    ({"size": "1K", "seed": 0}, ["size", "seed"]),
    ({"include_thoughts": True, "modalities": ("TEXT",)}, ["include_thoughts", "modalities"]),
    ({"modalities": ("IMAGE",), "system": ""}, []),
    ({"turns": turns(FIRST)}, []),
    ({"turns": turns(Text("a"), STYLED, MASKED)}, ["order", "use", "mask"]),
    ({"turns": turns(Text("a")) * 2}, ["turns"]),
    ({"extra": {"known": 1, "other": 2}}, ["extra.other"]),
]


@pytest.mark.parametrize("fields, names", FIELDS)
def test_what_goes_unsaid_is_told(fields, names):
    request = ImageRequest.of("x", "m").having(**fields)
    notices = unsaid(request, ("temperature",), ("known",), "a format")
    assert [notice.field for notice in notices] == names
    assert all(notice.code == "unsupported" and "a format" in notice.text for notice in notices)


# --- pictures as strings ---------------------------------------------------------------------------------------------


def test_bytes_are_a_data_uri_or_bare():
    image = Image(blob=BLOB, media_type="image/PNG")
    assert write_picture(image) == Spilled(("data:image/png;base64,", BLOB))
    assert write_picture(image, bare=True) == Spilled((BLOB,))
    assert write_picture(FIRST) == FIRST.uri


READ = [
    (Spilled((BLOB,)), Image(blob=BLOB, media_type="image/png")),
    (Spilled(("data:image/webp;x=1;base64,", BLOB)), Image(blob=BLOB, media_type="image/webp")),
    (Spilled(("look: data:image/webp;base64,", BLOB)), None),
    (" https://x.example/1 ", FIRST),
    ("data:image/png;base64,AA==", Image(uri="data:image/png;base64,AA==")),
    ("fox.png", None),
    (5, None),
    (None, None),
]


@pytest.mark.parametrize("value, image", READ)
def test_a_string_is_a_picture_or_is_none(value, image):
    assert read_picture(value) == image


# --- members passed on, and details ----------------------------------------------------------------------------------


def test_only_members_that_are_known_and_say_something_are_passed_on():
    assert passed_on({"a": [1, {"b": "c"}], "b": None, "c": 1}, {"a", "b"}) == {"a": [1, {"b": "c"}]}


@pytest.mark.parametrize("value", [float("nan"), [{"x": float("inf")}], Spilled((BLOB,))])
def test_what_could_not_be_sent_again_is_refused(value):
    with pytest.raises(ValueError, match="a holds what it cannot"):
        passed_on({"a": value}, {"a"})


DETAILS = [
    ({"detail": "no"}, "no"),
    ({"detail": write_details("too wide", "value_error", "size.width")}, "size.width: too wide"),
    ({"detail": write_details("odd", "value_error")}, "odd"),
    ({"detail": ["a", {"loc": "x", "msg": "b"}]}, "a; b"),
    ({"detail": {"msg": "one"}}, "one"),
    ({"message": "plain"}, "plain"),
    ({"error": "plain"}, "plain"),
    ({"detail": []}, ""),
    ({"detail": 5}, ""),
    (None, ""),
]


@pytest.mark.parametrize("body, words", DETAILS)
def test_details_are_told_in_one_sentence(body, words):
    assert sentence(read_details(body)) == words
