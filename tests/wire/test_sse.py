import itertools
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.wire import sse
from cavendish.wire.message import Spilled
from cavendish.wire.spill import Limits, SpillTooLarge
from cavendish.wire.sse import END_OF_STREAM, EventReader, write_event

from .memory import PNG, Store, chunked, escaped, strings
from .test_pour import sent

URI = "data:image/png;base64,"


def read(chunks, *, cut=False, store=None, **more):
    store = store or Store()
    reader = EventReader(store.new_blob, **more)
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return reader, [*events, *reader.close(cut=cut)], store


@st.composite
def streams(draw):
    """A stream as strangers write it, and the values in it."""
    end = draw(st.sampled_from([b"\n", b"\r", b"\r\n"]))
    dice = random.Random(draw(st.integers(0, 99)))
    stream, values = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])), []
    for _ in range(draw(st.integers(0, 4))):
        value = {"type": draw(strings), "list": [1, draw(strings)]}
        lines = draw(
            st.lists(
                st.sampled_from([b": ping", b"event: x", b"id", b"retry: 9", b"dat: 1", b"datafoo: 1", b""]), max_size=2
            )
        )
        body = escaped(value, dice, 0.05).splitlines()  # white space of JSON, so each line is one of the event
        space = draw(st.sampled_from([b"", b" "]))
        lines += [b"data:" + space + line for line in body]
        stream += end.join([*lines, b"", b""])
        values.append(value)
    return stream, values


@given(streams(), st.one_of(st.lists(st.integers(0, 2000), max_size=9), st.just(range(2000))))
def test_events_however_they_are_written_and_cut_up(stream, cuts):
    words, values = stream
    reader, events, store = read(chunked(words, cuts))
    texts = store.text(events)
    assert len(texts) == len(values)
    for event, text, value in zip(events, texts, values, strict=True):
        assert list(text) == list(value)
        for found, wanted in zip([event["type"], *event["list"]], [value["type"], *value["list"]], strict=True):
            assert store.stands_for(found, wanted) if isinstance(found, Spilled) else found == wanted
    assert (reader.done, reader.broken) == (False, 0)


@given(streams(), st.integers(0, 2000))
def test_a_cut_stream_gives_the_events_that_came_whole(stream, at):
    words, values = stream
    reader, events, store = read([words[:at]], cut=True)
    whole = len(read([words[:at]])[1])
    assert len(events) == whole <= len(values)
    assert reader.broken == 0
    assert "open" not in store.states()


def test_what_was_written_is_read():
    store = Store()
    picture = {"type": "partial", "b64_json": Spilled((store.blob(PNG),))}
    stream = sent(itertools.chain(write_event(picture, "partial"), write_event("é")), store) + END_OF_STREAM
    assert stream.startswith(b"event: partial\ndata: {")
    reader, events, _ = read([stream], store=store)
    assert events == [picture, "é"]
    assert reader.done


def test_what_cannot_be_written_is_refused_at_once():
    with pytest.raises(ValueError, match="not JSON compliant"):
        next(write_event(float("nan")))


def test_a_picture_in_one_giant_line():
    data = PNG + random.Random(1).randbytes(200_000)
    store = Store()
    words = sent(write_event({"a": Spilled((store.blob(data),))}), store)
    _, events, store = read([words[i : i + 4096] for i in range(0, len(words), 4096)])
    assert store.data[events[0]["a"].blob.sha256] == data
    assert store.widest < 3 * 16 * 1024


@pytest.mark.parametrize(
    "stream, values, broken, done",
    [
        (b"", [], 0, False),
        (b"\n\n\n", [], 0, False),
        (b"data: 1\ndata:2\n\n", [], 1, False),
        (b"data: [1,\ndata: 2]\n\n", [[1, 2]], 0, False),
        (b'data: "a\ndata: b"\n\n', [], 1, False),  # a line end inside a string is no JSON
        (b"data\n\n", [], 0, False),
        (b"data:\n\n", [], 0, False),
        (b"data\ndata: 1\n\n", [1], 0, False),
        (b"data: [DONE]\n\n", [], 0, True),
        (b"data: 1\n\ndata:[DONE] \n\ndata: 2\n\n", [1, 2], 0, True),
        (b"data: [DONE]!!\n\n", [], 1, False),
        (b"data: 1\n\ndata: ping\n\ndata: 2\n\n", [1, 2], 1, False),
        (b"data: 1", [1], 0, False),  # ended without its blank line
        (b"data: 1\n", [1], 0, False),
        (b"data:1\r\r\ndata:2\r\n\r\n", [1, 2], 0, False),
        (b"event: error\n\ndata: 1\n\n", [1], 0, False),
        (b"\xef\xbb\xbf\ndata: 1\n\n", [1], 0, False),
        (b"\xef\xbb\xbfdata: 1\n\n", [1], 0, False),
        (b"data: 1\n\n\xef\xbb\xbfdata: 2\n\n", [1], 0, False),
        (b"Data: 1\n\n data: 2\n\n", [], 0, False),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 100])
def test_streams(stream, values, broken, done, step):
    reader, events, _ = read([stream[i : i + step] for i in range(0, len(stream), step)])
    assert (events, reader.broken, reader.done) == (values, broken, done)


@pytest.mark.parametrize(
    "stream, values",
    [
        (b'data: {"a":1}\n\ndata: {"b":2}', [{"a": 1}, {"b": 2}]),
        (b'data: {"a":1}\n\ndata: {"b":2', [{"a": 1}]),
        (b"data: 1\n\ndata: 12", [1]),  # it may have been going to be 123
        (b"data: 1\n\ndata: nonsense", [1]),
    ],
)
def test_a_cut_last_event_counts_when_it_is_whole(stream, values):
    reader, events, _ = read([stream], cut=True)
    assert (events, reader.broken) == (values, 0)


def test_an_unfinished_picture_is_given_up():
    store = Store()
    read([b'data: {"a":"' + b"A" * 20_000], cut=True, store=store)
    assert store.states() == ["aborted"]
    reader = EventReader(store.new_blob)
    reader.feed(b'data: {"a":"' + b"A" * 20_000)
    reader.abort()
    reader.abort()
    assert store.states() == ["aborted"] * 2


@pytest.mark.parametrize(
    "limits, stream",
    [
        (Limits(total_bytes=3), b": comment"),
        (Limits(envelope_bytes=9), b'data: {"a":"0123"}\n\n'),
        (Limits(envelope_bytes=9), b'data: "012"\n\ndata: "012"\n\n'),
        (Limits(blobs=1), b'data: {"data":"AAAA","x":{"data":"AAAA"}}\n\n'),
    ],
)
def test_limits(limits, stream):
    store = Store()
    with pytest.raises(SpillTooLarge, match="more than"):
        read([stream], store=store, limits=limits)
    assert "open" not in store.states()


def test_a_limit_met_at_the_last_bytes():
    with pytest.raises(SpillTooLarge, match="more than 2 bytes"):
        read([b"data: 123"], limits=Limits(envelope_bytes=2))


def test_too_many_events(monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENTS", 2)
    assert read([b"data: 1\n\n" * 2])[1] == [1, 1]
    with pytest.raises(SpillTooLarge, match="more than 2 events"):
        read([b"data: 1\n\n" * 3])


def test_a_full_disk_passes_through():
    store = Store(room=4)
    with pytest.raises(OSError, match="No space"):
        read([json.dumps({"data": "A" * 40}).join(["data: ", "\n\n"]).encode()], store=store)
    assert store.states() == ["aborted"]
