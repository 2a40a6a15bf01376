"""Uploads that can be taken up, and references that are uploaded once: over real HTTP, against the simulator."""

import asyncio
import os
from dataclasses import replace

import pytest
from yarl import URL

from cavendish.catalog.load import load
from cavendish.dialects.gemini.batch_files import GeminiFiles
from cavendish.engine.ports import Answer
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.clock import SystemClock
from cavendish.io.http import files, files_placed
from cavendish.io.http.files import Door, Uploads
from cavendish.io.http.files_placed import PlacedReferences, PlacingProvider, large_blobs
from cavendish.io.http.session import Session
from cavendish.model.call import Open, Poll, Ticket
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.job import StoredFile
from cavendish.model.request import Image, ImageRequest
from cavendish.secret import Secret
from cavendish.sim.files import lines_of
from cavendish.sim.server import start_server

KEY = "sim-test-key"
JSONL = "application/jsonl"


@pytest.fixture
async def server():
    server = await start_server("fast", mode="tiny")
    yield server
    await server.close()


@pytest.fixture
async def door(server):
    card = load().endpoints["google"]
    async with Session() as session:
        yield Door(replace(card, base_url=server.url), Secret(KEY), session, MemoryBlobs(), SystemClock())


@pytest.fixture
def kept(server):
    return server.site("google").bulk


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(files, "PIECE_BYTES", 256 << 10)
    monkeypatch.setattr(files, "BACKOFF_S", 0.001)


def in_pieces(data, size=100_000):
    return (data[i : i + size] for i in range(0, len(data), size))


def content(kept, file) -> bytes:
    return b"".join(lines_of(kept.files.find(file.id, KEY, 0.0)))


# --- uploads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 256 << 10, (256 << 10) + 1, 1_000_000])
async def test_what_is_uploaded_is_there_byte_for_byte(door, kept, size):
    data = os.urandom(size)
    file = await Uploads(door).send("in", JSONL, size, in_pieces(data))
    assert isinstance(file, StoredFile)
    assert (file.size, file.name, file.media_type) == (size, "in", JSONL)
    assert content(kept, file) == data


@pytest.mark.parametrize("cuts", [1, 2, 3, 5])
async def test_a_line_that_breaks_is_taken_up_where_the_server_got_to(door, kept, cuts):
    data = os.urandom(1_000_000)
    kept.batches.mood.cut_pieces = cuts
    file = await Uploads(door).send("in", JSONL, len(data), in_pieces(data))
    assert isinstance(file, StoredFile)
    assert content(kept, file) == data


async def test_many_uploads_at_once_send_smaller_pieces(door, kept, monkeypatch):
    monkeypatch.setattr(files, "PIECE_BYTES", 1 << 20)
    monkeypatch.setattr(files, "HELD_BYTES", 1 << 20)
    sent, send = [], Door.send
    data = os.urandom(600_000)

    async def noted(door, url, body, headers):
        sent.append(len(body))
        return await send(door, url, body, headers)

    monkeypatch.setattr(Door, "send", noted)
    uploads = Uploads(door)
    alone = await uploads.send("in", JSONL, len(data), in_pieces(data))
    assert max(sent) == len(data)
    sent.clear()
    stored = await asyncio.gather(*(uploads.send(f"in{i}", JSONL, len(data), in_pieces(data)) for i in range(4)))
    assert max(sent) == 256 << 10
    assert [content(kept, file) == data for file in (alone, *stored)] == [True] * 5


async def test_a_line_that_breaks_too_often_is_given_up(door, kept, monkeypatch):
    monkeypatch.setattr(files, "PIECE_TRIES", 1)
    kept.batches.mood.cut_pieces = 1
    fault = await Uploads(door).send("in", JSONL, 3_000_000, in_pieces(bytes(3_000_000)))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.charged) == (FaultKind.CUT, Charged.NO)


async def test_a_source_that_ends_early_or_breaks_is_unreadable(door):
    def breaks():
        yield b"x"
        raise OSError("gone")

    for pieces in (breaks(), in_pieces(b"short")):
        fault = await Uploads(door).send("in", JSONL, 600_000, pieces)
        assert isinstance(fault, Fault)
        assert fault.kind is FaultKind.UNREADABLE


async def test_a_key_that_is_refused_is_a_fault_and_told_to_nobody(door):
    door.key = Secret("wrong-key-of-somebody")
    fault = await Uploads(door).send("in", JSONL, 1, iter([b"x"]))
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.BAD_KEY
    assert "somebody" not in f"{fault} {door!r}"


def test_the_key_goes_to_the_endpoint_alone(door):
    assert door.stamp(URL(door.card.base_url) / "v1beta/files") == {"x-goog-api-key": KEY}
    assert door.stamp(URL("https://elsewhere.example/upload")) == {}


# --- references -------------------------------------------------------------------------------------------------------


@pytest.fixture
def references(door):
    return PlacedReferences(door, GeminiFiles())


def blob_of(store, size, mark=b"x"):
    writer = store.new_blob("ref")
    writer.write(mark * size)
    return writer.finish("image/png")


def asking(*blobs):
    return ImageRequest.of("like these", "m", references=tuple(Image(blob=blob) for blob in blobs))


@pytest.fixture
def large(door, monkeypatch):
    monkeypatch.setattr(files_placed, "LARGE_BYTES", 1000)
    return blob_of(door.inbox, 1000)


async def test_a_large_reference_is_uploaded_once_for_all_who_need_it(door, kept, references, large):
    small = blob_of(door.inbox, 999)
    requests = [asking(large, small) for _ in range(5)]
    told = await asyncio.gather(*(references.placed(request, door.inbox.read) for request in requests))
    told += [await references.placed(requests[0], door.inbox.read)]
    (file,) = kept.files.all(KEY, 0.0)
    for request in told:
        first, second = request.references
        assert (first.uri, first.blob, first.media_type) == (file.uri, None, "image/png")
        assert second.blob == small
        assert request.prompt == "like these"


async def test_a_crowd_of_smaller_ones_is_uploaded_too(door, monkeypatch):
    monkeypatch.setattr(files_placed, "SMALL_BYTES", 100)
    monkeypatch.setattr(files_placed, "REQUEST_BYTES", 350)
    blobs = [blob_of(door.inbox, 120, mark) for mark in (b"a", b"b", b"c")]
    assert len(large_blobs(asking(*blobs))) == 3
    assert large_blobs(asking(*blobs[:2])) == {}


async def test_a_file_is_not_referred_to_beyond_its_life(door, kept, references, large, monkeypatch):
    first = await references.placed(asking(large), door.inbox.read)
    monkeypatch.setattr(files_placed, "FRESH_S", -1.0)
    second = await references.placed(asking(large), door.inbox.read)
    assert first.references[0].uri != second.references[0].uri
    assert len(kept.files.all(KEY, 0.0)) == 2


async def test_a_reference_that_cannot_be_uploaded_goes_along_and_is_tried_again(door, references, large, kept):
    right, door.key = door.key, Secret("wrong-key")
    assert await references.placed(asking(large), door.inbox.read) == asking(large)
    door.key = right
    assert (await references.placed(asking(large), door.inbox.read)).references[0].uri


class Inner:
    """A provider that remembers what it was asked, and answers from a list."""

    def __init__(self, *replies):
        self.calls, self.replies = [], list(replies)

    async def call(self, call, attempt_id):
        self.calls.append(call)
        return Answer(self.replies.pop(0), 0.1)


GONE = Fault(
    FaultKind.FORBIDDEN,
    "You do not have permission to access the File sim1 or it may not exist.",
    status=403,
    reason="PERMISSION_DENIED",
)


async def test_a_file_that_is_gone_is_uploaded_anew_by_the_next_try(door, references, large):
    other = Fault(FaultKind.SERVER_ERROR, "oops", status=500)
    inner = Inner(GONE, other)
    provider = PlacingProvider(inner, references, door.inbox.read)
    first = (await provider.call(Open(asking(large)), "a1")).reply
    assert (first.kind, first.charged) == (FaultKind.CONNECT, Charged.NO)
    assert (await provider.call(Open(asking(large)), "a1")).reply == other
    one, two = (call.request.references[0].uri for call in inner.calls)
    assert one != two


async def test_a_refusal_that_has_nothing_to_do_with_files_passes(door, references, large):
    inner = Inner(GONE, GONE)
    provider = PlacingProvider(inner, references, door.inbox.read)
    small = asking(blob_of(door.inbox, 10))
    assert (await provider.call(Open(small), "a1")).reply == GONE
    assert (await provider.call(Poll(Ticket("t")), "a1")).reply == GONE
    assert inner.calls == [Open(small), Poll(Ticket("t"))]


@pytest.mark.parametrize("address", ["http://[::bad", "nonsense", "ftp://host/upload"])
async def test_an_address_that_is_none_is_a_fault(door, monkeypatch, address):
    monkeypatch.setattr(files, "PIECE_TRIES", 1)
    monkeypatch.setattr(GeminiFiles, "read_start", lambda _self, _response: address)
    fault = await Uploads(door).send("in", JSONL, 5, iter([b"12345"]))
    assert isinstance(fault, Fault)
    assert fault.charged is Charged.NO


async def test_an_upload_that_broke_in_an_odd_way_is_tried_again_when_it_is_wanted_again(door, monkeypatch):
    blob = await blob_in(door.inbox, os.urandom(5 << 20))
    request = ImageRequest.of("a kite", "m").having(
        turns=(replace(ImageRequest.of("a kite", "m").turns[0], parts=(Image(blob=blob),)),)
    )
    references = PlacedReferences(door, GeminiFiles())
    with monkeypatch.context() as patched:
        patched.setattr(Uploads, "send", broken)
        with pytest.raises(RuntimeError):
            await references.placed(request, door.inbox.read)
    assert large_blobs(await references.placed(request, door.inbox.read)) == {}


async def broken(*_arguments):
    raise RuntimeError("the session is closed")


async def blob_in(inbox, data):
    writer = inbox.new_blob("given")
    writer.write(data)
    return writer.finish("image/png")
