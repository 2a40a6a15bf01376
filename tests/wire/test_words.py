"""What a model says in many events: a picture in its words is one blob, wherever the words are cut."""

import itertools
import json

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.model.blob import Blob
from cavendish.wire.blobs import Limits, SpillTooLarge
from cavendish.wire.message import Spilled
from cavendish.wire.sse import EventReader

from .memory import JPEG, PNG, Store, chunked

LARGE = JPEG[:-2] * 30 + JPEG
"""With the end of a JPEG at its end alone."""

URI = "data:image/png;base64," + pybase64.b64encode(PNG).decode()
PHOTO = "data:image/jpeg;base64," + pybase64.b64encode(LARGE).decode()


def event(words: str, index: int = 0) -> bytes:
    body = {"choices": [{"index": index, "delta": {"content": words}}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def read(body: bytes, store: Store, cuts=(), *, cut: bool = False, limits: Limits = Limits()) -> list:  # noqa: B008 (frozen)
    reader = EventReader(store.new_blob, limits=limits)
    events = [value for chunk in chunked(body, cuts) for value in reader.feed(chunk)]
    return [*events, *reader.close(cut=cut)]


def said(events: list) -> list[str | Blob]:
    """The words of all events, texts side by side as one."""
    contents = [value["choices"][0]["delta"]["content"] for value in events]
    pieces = [p for words in contents for p in (words.pieces if isinstance(words, Spilled) else (words,)) if p]
    parts = itertools.groupby(pieces, key=lambda piece: isinstance(piece, str))
    return [part for is_text, run in parts for part in (["".join(map(str, run))] if is_text else run)]


def pieces_of(words: str, places: list[int]) -> list[str]:
    return [words[a:b] for a, b in itertools.pairwise([0, *sorted(min(p, len(words)) for p in places), len(words)])]


SAID = st.lists(
    st.sampled_from(
        [URI, PHOTO, f"![image]({URI})", f"![a]({PHOTO}) ", "Here you are.\n\n", "A picture: ", " ", ")", "é\n", "ok",
         "data:image/png;base64,", ";base64", '"quoted" \\', "<", "data:image/webp;base64,QUJD-_=="]
    ),
    max_size=5,
)  # fmt: skip


@given(parts=SAID, places=st.lists(st.integers(0, 3000), max_size=8), cuts=st.lists(st.integers(0, 9000), max_size=5))
def test_wherever_words_are_cut_they_say_the_same(parts, places, cuts):
    words = " | ".join(parts)
    store = Store()
    body = b"".join(map(event, pieces_of(words, places))) + b"data: [DONE]\n\n"
    together = said(read(body, store, cuts))
    # Each picture whose end can be told is there, whole.
    blobs = [part for part in together if isinstance(part, Blob)]
    wanted = [data for part in parts for uri, data in ((URI, PNG), (PHOTO, LARGE)) if uri in part]
    found = [store.data[blob.sha256] for blob in blobs]
    assert [data for data in found if data in (PNG, LARGE)] == wanted
    assert store.stands_for(Spilled(tuple(together)), words) or "-_" in words
    assert "open" not in store.states()


def test_a_token_at_a_time():
    store = Store()
    words = f"Here: ![image]({URI}) Enjoy"
    assert said(read(b"".join(map(event, words)), store)) == [
        "Here: ![image](data:image/png;base64,",
        store.blob(PNG),
        ") Enjoy",
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
def test_a_picture_at_the_very_end_comes_in_an_event_of_its_own(size):
    data = b"RIFF\x00\x00\x00\x00WEBP" + bytes(60) + b"x" * size
    words = "data:image/webp;base64," + pybase64.b64encode(data).decode().rstrip("=")
    store = Store()
    together = said(read(event(words[:50]) + event(words[50:]), store))
    assert together == ["data:image/webp;base64,", store.blob(data, "image/webp")]


@pytest.mark.parametrize("uri", [URI, "data:image/gif;base64," + pybase64.b64encode(b"GIF89a" + bytes(31)).decode()])
def test_words_behind_a_whole_picture_are_no_part_of_it(uri):
    assert uri.endswith("=") or uri == URI
    store = Store()
    first, *others = said(read(event(uri) + event("Enjoy"), store))
    assert first == uri.partition(",")[0] + ","
    assert others[-1] == "Enjoy"
    assert len(others) == 2


def test_a_picture_that_was_cut_off_is_none():
    store = Store()
    body = event(PHOTO[:500]) + event(PHOTO[500:2000])
    assert said(read(body, store, cut=True)) == ["data:image/jpeg;base64,"]
    assert store.states() == ["aborted"]


def test_a_picture_that_was_whole_when_the_line_broke_is_one():
    store = Store()
    assert said(read(event(URI[:60]) + event(URI[60:]), store, cut=True))[1:] == [store.blob(PNG)]


def test_the_end_of_a_thumbnail_is_not_that_of_its_picture():
    store = Store()
    data = JPEG * 3
    words = "data:image/jpeg;base64," + pybase64.b64encode(data).decode() + " Enjoy"
    assert said(read(b"".join(map(event, words)), store))[1:] == [store.blob(data, "image/jpeg"), " Enjoy"]


def test_other_strings_are_no_words():
    store = Store()
    body = b'data: {"content": "data:image/png;base64,iVBO", "text": "Rw0KGgo="}\n\n'
    (value, rest) = read(body, store)
    assert value["text"] == "Rw0KGgo="
    assert rest["choices"][0]["delta"]["content"].pieces[0].size == 3


def test_pictures_beside_open_words_are_their_own():
    store = Store()
    picture = b'data: {"b64_json": "/9j/4AAA"}\n\n'
    first, second, third = read(event(URI[:60]) + picture + event(URI[60:] + "."), store)
    assert first["choices"][0]["delta"]["content"] == "data:image/png;base64,"
    assert second["b64_json"].blob.size == 6
    assert third["choices"][0]["delta"]["content"].pieces[0] == store.blob(PNG)


def test_limits_hold_across_events():
    store = Store()
    with pytest.raises(SpillTooLarge):
        read(event(PHOTO[:500]) + event(PHOTO[500:]), store, limits=Limits(blob_bytes=1000))
    assert "open" not in store.states()


def test_a_stream_that_is_given_up_leaves_nothing_open():
    store = Store()
    reader = EventReader(store.new_blob)
    reader.feed(event(PHOTO[:500]))
    reader.abort()
    assert store.states() == ["aborted"]
