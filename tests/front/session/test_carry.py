"""What each kind of endpoint can be told of the turns so far."""

from datetime import date

import pytest

from cavendish.catalog.load import load
from cavendish.front.routes import dialect_of
from cavendish.front.session.carry import Target, carry
from cavendish.model.call import Done
from cavendish.model.request import Image, ImageRequest, Role, Text, Use
from tests.front.session.records import ROUTE, answered, asked

CATALOG = load()
TODAY = date(2026, 11, 21)


def target(name):
    resolved = CATALOG.resolve(name, None, TODAY)
    return Target.of(resolved, dialect_of(resolved))


@pytest.fixture
def past(tmp_path):
    return [answered(tmp_path, 1), answered(tmp_path, 2, 1, "make it night")]


REQUEST = ImageRequest.of("add a moon", "x")

TARGETS = {
    "google/gemini-3.1-flash-image": (True, True, True),
    "google/gemini-2.5-flash-image": (True, True, False),
    "apiyi/gemini-3.1-flash-image": (True, True, True),
    "apiyi-chat/gemini-3.1-flash-image": (True, False, False),
    "openai/gpt-image-2": (False, False, False),
    "bfl/flux-1.1-pro": (False, False, False),
    "fal/flux-1.1-pro": (False, False, False),
    "byteplus/seedream-4.5": (False, False, False),
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_format_can_be_told_is_found_out_from_its_dialect(name):
    found = target(name)
    assert (found.talks, found.signs, found.insists) == TARGETS[name]


@pytest.mark.parametrize("name", ["google/gemini-3.1-flash-image", "apiyi/gemini-3.1-flash-image"])
def test_the_model_that_answered_gets_its_turns_back_as_they_were(past, name):
    carried = carry(past, REQUEST, target(name))
    turns = carried.request.turns
    assert [turn.role for turn in turns] == [Role.USER, Role.MODEL, Role.USER, Role.MODEL, Role.USER]
    assert (turns[1], turns[3]) == (past[0].answered, past[1].answered)
    assert not carried.notices


def test_another_signing_model_gets_the_words_and_with_the_next_ones_the_pictures(past):
    carried = carry(past, REQUEST, target("google/gemini-3-pro-image"))
    first, spoken, second, _, third = carried.request.turns
    assert spoken.parts == (Text("Here:"), Text("Do you like it?"))
    assert first.parts == (Text("a kite"),)
    assert second.parts == (Image(blob=past[0].picture.blob, media_type="image/jpeg"), Text("make it night"))
    assert third.parts[0].blob == past[1].picture.blob
    assert {notice.code for notice in carried.notices} == {"signatures_left_out", "asides_left_out", "pictures_moved"}


def test_a_chat_keeps_the_pictures_in_the_models_turns(past):
    carried = carry(past, REQUEST, target("apiyi-chat/gemini-3.1-flash-image"))
    spoken = carried.request.turns[1]
    assert spoken.parts == (
        Text("Here:"),
        Image(blob=past[0].picture.blob, media_type="image/jpeg"),
        Text("Do you like it?"),
    )
    assert {notice.code for notice in carried.notices} == {"signatures_left_out", "asides_left_out"}
    assert "turns 1, 2" in carried.notices[0].text


@pytest.mark.parametrize(
    "name", ["openai/gpt-image-2", "bfl/flux-1.1-pro", "fal/flux-1.1-pro", "byteplus/seedream-4.5"]
)
def test_where_there_are_no_conversations_the_latest_picture_goes_before_all_others(past, name):
    mask, look = Image(uri="https://x.example/m.png", use=Use.MASK), Image(uri="https://x.example/l.png")
    asks = ImageRequest.of("add a moon", "x", (look, mask))
    (turn,) = carry(past, asks, target(name)).request.turns
    assert [part.blob for part in turn.parts[:1]] == [past[1].picture.blob]
    assert turn.parts[1:] == (look, mask, Text("add a moon"))
    assert turn.parts[0].signature is None
    assert [notice.code for notice in carry(past, asks, target(name)).notices] == ["conversation_cut"]


def test_a_picture_that_came_without_its_signature_goes_with_the_words(tmp_path):
    bare = Image(uri=None, blob=answered(tmp_path, 1).picture.blob)
    record = asked(1).having(reply=Done((bare,), (0,)), route=ROUTE, dialect="gemini")
    carried = carry([record], REQUEST, target("google/gemini-3.1-flash-image"))
    (turn,) = carried.request.turns
    assert turn.parts == (Text("a kite"), bare, Text("add a moon"))
    assert [notice.code for notice in carried.notices] == ["pictures_moved"]


def test_masks_of_earlier_turns_are_left_out(past):
    mask = Image(uri="https://x.example/m.png", use=Use.MASK)
    masked = past[0].having(request=ImageRequest.of("a kite", "x", (mask,)))
    carried = carry([masked], REQUEST, target("google/gemini-3.1-flash-image"))
    assert carried.request.turns[0].parts == (Text("a kite"),)
    assert [notice.code for notice in carried.notices] == ["masks_left_out"]


def test_where_any_of_several_may_be_asked_all_are_told_what_each_can_be(past):
    google, chat = target("google/gemini-3.1-flash-image"), target("apiyi-chat/gemini-3.1-flash-image")
    assert Target.common([google, target("apiyi/gemini-3.1-flash-image")]) == google
    both = Target.common([google, chat])
    assert (both.talks, both.signs) == (True, True)
    carried = carry(past, REQUEST, both)
    assert not any(part.signature for turn in carried.request.turns for part in turn.parts)
    assert not any(isinstance(p, Image) for t in carried.request.turns if t.role is Role.MODEL for p in t.parts)
    assert not Target.common([google, target("openai/gpt-image-2")]).talks


def test_nothing_is_carried_where_nothing_was_said():
    assert carry([], REQUEST, target("google/gemini-3.1-flash-image")).request is REQUEST
