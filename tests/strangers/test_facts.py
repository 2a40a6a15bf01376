"""The comparison itself: it sees what differs, and only that."""

import json

import pytest

from tests.strangers.facts import Allowed, Seen, differences, facts_of

JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=b"}


def sent(body, **fields):
    return facts_of(Seen("POST", "/p", json.dumps(body).encode(), headers=JSON, **fields))


def part(name, value, filename="", media_type="image/png"):
    file = f'; filename="{filename}"\r\nContent-Type: {media_type}' if filename else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{value}\r\n'


def form(*parts):
    return facts_of(Seen("POST", "/p", ("".join(parts) + "--b--\r\n").encode(), headers=FORM))


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ({"topK": 40.0}, {"top_k": 40}),
        ({"inlineData": {"data": "_-__"}}, {"inline_data": {"data": "/+//"}}),
        ({"url": "data:image/png;base64,_-__"}, {"url": "data:image/png;base64,/+//"}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
)
def test_what_means_the_same_is_the_same(theirs, ours):
    assert differences(sent(theirs), sent(ours)) == []


@pytest.mark.parametrize(
    "theirs, ours, difference",
    [
        ({"a": 1}, {"a": "1"}, ("body.a", "1", '"1"')),
        ({"a": 1}, {"a": True}, ("body.a", "1", "true")),
        ({"a": [1, 2]}, {"a": [1]}, ("body.a[1]", "2", '"(nothing)"')),
        ({}, {"a": None}, ("body.a", '"(nothing)"', "null")),
        ({"data": "QUFB"}, {"data": "QUFC"}, None),
    ],
)
def test_what_differs_is_told_with_its_place(theirs, ours, difference):
    found = [entry for entry in differences(sent(theirs), sent(ours)) if entry[0] != "body"]
    assert len(found) == 1
    assert difference in (None, found[0])


def test_a_query_and_a_key_that_is_sent_elsewhere_are_differences():
    theirs = facts_of(Seen("POST", "/p", b"{}", {"alt": "sse"}, {**JSON, "x-goog-api-key": "k", "user-agent": "a"}))
    ours = facts_of(Seen("POST", "/p", b"{}", {}, {**JSON, "authorization": "Bearer k", "user-agent": "b"}))
    places = [place for place, *_ in differences(theirs, ours)]
    assert places == ["query.alt", "header.x-goog-api-key", "header.authorization"]


def test_fields_of_a_form_count_in_their_order_among_those_of_their_name():
    theirs = form(part("n", "2"), part("image[]", "A", "a.png"), part("image[]", "B", "b.png"))
    assert differences(theirs, form(part("image[]", "A", "a.png"), part("n", "2"), part("image[]", "B", "b.png"))) == []
    turned = form(part("n", "2"), part("image[]", "B", "b.png"), part("image[]", "A", "a.png"))
    assert {place for place, *_ in differences(theirs, turned)} == {
        f"form.image[][{number}]{what}" for number in (0, 1) for what in ("", ".filename")
    }


def test_a_file_s_type_is_compared():
    found = differences(form(part("image", "A", "a.png")), form(part("image", "A", "a.png", "image/webp")))
    assert found == [("form.image[0].type", '"image/png"', '"image/webp"')]


def test_an_allowance_is_for_its_place_and_both_its_sides():
    allowed = Allowed(r"body\.a", "1", r"\d", "a reason")
    assert allowed.covers(("body.a", "1", "2"))
    for other in (("body.ab", "1", "2"), ("body.a", "11", "2"), ("body.a", "1", "x")):
        assert not allowed.covers(other)
