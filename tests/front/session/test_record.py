"""A turn's record says the same in its file and out of it, and no file breaks its reader."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.front.session.record import TurnRecord, from_file, map_blobs, to_file
from cavendish.model.call import Done
from cavendish.model.fault import Fault
from cavendish.model.request import Image, ImageRequest, Notice, Role, Turn
from cavendish.model.result import Picture, Route, Slot
from tests import strategies as known
from tests.front.session.records import answered, asked

amounts = st.integers(0, 10**12)
routes = st.builds(Route, known.words, known.words, known.words)
notices = st.lists(st.builds(Notice, known.words, known.words), max_size=2).map(tuple)


@st.composite
def replies(draw) -> Done | Fault | None:
    if draw(st.booleans()):
        return draw(st.none() | known.faults)
    parts = draw(st.lists(known.texts | known.images(), max_size=3))
    place = draw(st.integers(0, len(parts)))
    final = Image(blob=draw(known.blobs), signature=draw(known.signatures))
    return Done((*parts[:place], final, *parts[place:]), (place,), usage=draw(known.usages))


@st.composite
def records(draw) -> TurnRecord:
    parts = draw(st.lists(known.texts | known.images(uses=True), max_size=3))
    number = draw(st.integers(1, 99_999))
    return TurnRecord(
        number=number,
        parent=draw(st.none() | st.integers(1, number)),
        created=draw(st.floats(0, 1e10)),
        request=ImageRequest((Turn(Role.USER, tuple(parts)),), draw(known.words)),
        reply=draw(replies()),
        route=draw(st.none() | routes),
        dialect=draw(known.words),
        size=draw(st.none() | st.tuples(amounts, amounts)),
        cost_nusd=draw(amounts),
        cost_known=draw(st.booleans()),
        attempts=draw(st.integers(0, 9)),
        notices=draw(notices),
        simulated=draw(st.booleans()),
    )


@given(records())
def test_a_file_says_what_its_record_does(record):
    again = from_file(to_file(record))
    assert again == record
    refs = [blob.ref for blob in blobs_in(record)]
    assert [blob.ref for blob in blobs_in(again)] == refs


def blobs_in(record):
    found = []
    map_blobs(record, lambda blob, _word: found.append(blob) or blob)
    return found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(records(), st.data())
def test_a_record_with_anything_for_a_member_is_read_or_refused(record, data):
    entry: dict[str, Any] = json.loads(to_file(record))
    name = data.draw(st.sampled_from(sorted(entry)))
    entry[name] = data.draw(JSON)
    with contextlib.suppress(ValueError):
        from_file(json.dumps(entry).encode())


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_refused(data):
    with pytest.raises(ValueError):
        from_file(data)


def test_each_blob_is_named_for_what_it_is(tmp_path):
    words = []
    map_blobs(answered(tmp_path, 1), lambda blob, word: words.append(word) or blob)
    assert words == ["draft", "signature", ""]


def test_the_picture_takes_its_place_among_the_parts(tmp_path):
    record = answered(tmp_path, 1)
    assert isinstance(record.reply, Done)
    parts, final = record.reply.parts, record.picture
    assert final is not None
    assert final.blob is not None
    picture = Picture(
        slot=Slot("s", "k", 0, 0, record.request),
        blob=final.blob,
        width=8,
        height=8,
        route=record.route or Route("", "", ""),
        attempts=2,
        cost_nusd=7,
        extras=(*parts[:3], parts[4]),
        signature=final.signature,
        place=3,
    )
    ended = asked(1).with_outcome(picture, "gemini")
    assert ended.answered == record.answered
    assert (ended.cost_nusd, ended.attempts, ended.size) == (7, 2, (8, 8))
