"""What every blob store promises: one list of cases for the folder and for memory."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from PIL import Image as Pillow

from cavendish.engine.ports import Blobs
from cavendish.io.blobs.folder import FolderBlobs
from cavendish.io.blobs.inbox import Inbox
from cavendish.io.blobs.journaled import JournaledBlobs
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.model.blob import Blob
from cavendish.model.call import Done
from cavendish.model.request import Image, ImageRequest, Text
from cavendish.model.result import Slot
from tests.io.blobs.journal import MemoryJournal


def picture(colour="red", size=(8, 6), kind="PNG"):
    file = io.BytesIO()
    Pillow.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def slot(row=0, ordinal=0, prompt="A red kite", key=""):
    return Slot(f"form{row}.{ordinal}", key, row, ordinal, ImageRequest.of(prompt, model="m"))


def arrive(store, attempt_id, data, media_type="image/png", step=1000):
    writer = store.new_blob(attempt_id)
    for at in range(0, len(data), step):
        writer.write(data[at : at + step])
    return writer.finish(media_type)


def done(*blobs, **fields):
    return Done(tuple(Image(blob) for blob in blobs), tuple(range(len(blobs))), **fields)


def read(store, blob):
    """The bytes of a blob, read in a thread: a store may block there."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: b"".join(store.read(blob))).result()


@pytest.fixture(params=["folder", "journaled", "memory"])
async def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryBlobs()
        return
    root = tmp_path / "out"
    if request.param == "journaled":
        async with JournaledBlobs(root, MemoryJournal(), ballast_bytes=0) as folder:
            yield folder
        return
    async with FolderBlobs(root, ballast_bytes=0) as folder:
        yield folder


async def test_it_is_both_a_port_and_an_inbox(store):
    port: Blobs = store
    inbox: Inbox = store
    assert port is inbox


async def test_bytes_come_back_as_they_came(store):
    data = bytes(range(256)) * 1000
    blob = arrive(store, "a1", data, "application/octet-stream", step=777)
    await store.seal("a1")
    assert blob == Blob(hashlib.sha256(data).hexdigest(), len(data), "application/octet-stream")
    assert read(store, blob) == data


async def test_a_picture_gets_the_name_of_its_slot(store):
    blob = arrive(store, "a1", picture())
    await store.record("a1", done(blob))
    placed = await store.place(blob, slot(row=6, ordinal=2))
    assert placed == blob
    assert placed.ref == "0007-a-red-kite-3.png"
    await store.forget("a1")
    assert read(store, placed) == picture()


async def test_the_extension_is_that_of_the_bytes(store):
    blob = arrive(store, "a1", picture(kind="JPEG"), media_type="image/png")
    await store.record("a1", done(blob))
    assert (await store.place(blob, slot())).ref == "0001-a-red-kite-1.jpg"


async def test_placing_twice_changes_nothing(store):
    blob = arrive(store, "a1", picture())
    await store.record("a1", done(blob))
    first = await store.place(blob, slot())
    assert (await store.place(blob, slot())).ref == first.ref
    assert (await store.place(first, slot())).ref == first.ref


async def test_a_picture_with_other_bytes_is_never_written_over(store):
    placed = []
    for attempt_id, colour in (("a1", "red"), ("a2", "green"), ("a3", "blue")):
        blob = arrive(store, attempt_id, picture(colour))
        await store.record(attempt_id, done(blob))
        placed.append(await store.place(blob, slot()))
    assert [blob.ref for blob in placed] == [
        "0001-a-red-kite-1.png",
        "0001-a-red-kite-1~2.png",
        "0001-a-red-kite-1~3.png",
    ]
    assert [read(store, blob) for blob in placed] == [picture(c) for c in ("red", "green", "blue")]


async def test_the_same_bytes_of_another_slot_get_a_name_of_their_own(store):
    for attempt_id, colour in (("a1", "red"), ("a2", "green")):
        blob = arrive(store, attempt_id, picture(colour))
        await store.record(attempt_id, done(blob))
        await store.place(blob, slot())
    again = arrive(store, "a3", picture("green"))
    await store.record("a3", done(again))
    placed = await store.place(again, slot())
    assert placed.ref == "0001-a-red-kite-1~3.png"
    assert (await store.place(again, slot())).ref == placed.ref


async def test_extras_stay_when_the_attempt_is_forgotten(store):
    final, draft, signature = (arrive(store, "a1", data) for data in (picture(), picture("blue"), b"sig" * 999))
    reply = Done((Image(draft, thought=True), Image(final, signature=signature), Text("here")), (1,))
    await store.record("a1", reply)
    kept = await store.keep("a1", [draft, signature])
    assert kept == (draft, signature)
    await store.forget("a1")
    assert [read(store, blob) for blob in kept] == [picture("blue"), b"sig" * 999]
    with pytest.raises(FileNotFoundError):
        read(store, final)


async def test_keeping_twice_changes_nothing(store):
    draft = arrive(store, "a1", picture())
    await store.record("a1", done(draft))
    first = await store.keep("a1", [draft])
    again = await store.keep("a1", [draft])
    assert [blob.ref for blob in again] == [blob.ref for blob in first]


async def test_a_recorded_reply_is_found_until_it_is_forgotten(store):
    blob = arrive(store, "a1", picture())
    reply = done(blob, finish="STOP")
    await store.record("a1", reply)
    assert await store.recorded() == {"a1": reply}
    await store.forget("a1")
    assert await store.recorded() == {}
    await store.forget("a1")


async def test_a_reply_to_a_strange_attempt_id_is_found_too(store):
    blob = arrive(store, "../A:\0\ud800", picture())
    await store.record("../A:\0\ud800", done(blob))
    assert list(await store.recorded()) == ["../A:\0\ud800"]


async def test_a_fetched_picture_completes_the_earlier_reply(store):
    opened = Done((Image(uri="http://h/1"), Image(uri="http://h/2")), (0, 1), finish="STOP")
    await store.record("a1", opened)
    blobs = []
    for number, colour in enumerate(("red", "blue"), 1):
        blobs.append(arrive(store, "a1", picture(colour)))
        await store.record("a1", done(blobs[-1]), url=f"http://h/{number}")
    (reply,) = (await store.recorded()).values()
    assert reply == replace(opened, parts=(Image(blobs[0], uri="http://h/1"), Image(blobs[1], uri="http://h/2")))
    assert read(store, blobs[0]) == picture("red")


async def test_what_a_reply_does_not_name_is_dropped(store):
    named, unnamed = arrive(store, "a1", picture()), arrive(store, "a1", b"x" * 5000)
    await store.record("a1", done(named))
    await store.recorded()
    with pytest.raises(FileNotFoundError):
        read(store, unnamed)


async def test_discarding_spares_what_is_recorded(store):
    named = arrive(store, "a1", picture())
    await store.record("a1", done(named))
    loose = arrive(store, "a1", b"x" * 5000)
    store.discard("a1")
    assert await store.dimensions(named) == (8, 6)
    assert await store.dimensions(loose) is None


async def test_what_arrived_under_one_id_is_given_to_an_attempt(store):
    named, other = arrive(store, "line 7", picture()), arrive(store, "line 7", b"x" * 5000)
    store.give("line 7", "a1", {named.ref, "nowhere"})
    store.discard("line 7")
    await store.record("a1", done(named))
    assert await store.dimensions(named) == (8, 6)
    assert await store.dimensions(other) is None
    assert set(await store.recorded()) == {"a1"}


async def test_an_aborted_writer_leaves_nothing(store):
    writer = store.new_blob("a1")
    writer.write(b"x" * 3_000_000)
    writer.abort()
    await store.seal("a1")
    await store.forget("a1")


async def test_a_blob_that_is_not_sealed_is_not_given_a_name(store):
    blob = arrive(store, "a1", picture())
    for use in (store.place(blob, slot()), store.keep("a1", [blob]), store.dimensions(blob)):
        with pytest.raises(ValueError, match="not sealed"):
            await use


@pytest.mark.parametrize("cut", [1, 2, 12, 100])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
async def test_dimensions_are_of_whole_pictures_only(store, kind, cut):
    data = picture(size=(40, 30), kind=kind)
    whole, part = arrive(store, "a1", data), arrive(store, "a1", data[:-cut])
    await store.record("a1", done(whole, part))
    assert await store.dimensions(whole) == (40, 30)
    if kind != "BMP":  # its end cannot be told without decoding
        assert await store.dimensions(part) is None


async def test_what_is_no_picture_has_no_dimensions(store):
    blob = arrive(store, "a1", b"<html>")
    await store.record("a1", done(blob))
    assert await store.dimensions(blob) is None


async def test_there_is_room(store):
    assert store.free_bytes() > 0


async def test_room_shrinks_as_pictures_come():
    store = MemoryBlobs(room_bytes=10_000)
    blob = arrive(store, "a1", b"x" * 6000)
    assert store.free_bytes() == 4000
    with pytest.raises(OSError, match="full"):
        arrive(store, "a2", b"x" * 6000)
    await store.forget("a2")
    await store.seal("a1")
    assert read(store, blob) == b"x" * 6000
